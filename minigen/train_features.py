"""Trains the judges of the course, and writes their weights: `python -m minigen.train_features`.

Run it again when the data or the networks change; each file's header has the accuracy on held-out images.
"""

import torch

from minigen import checkpoint
from minigen.data import VOCABULARY, Factors, batches, digits, draw, random_factors, shapes
from minigen.features import WEIGHTS, Classifier, FactorClassifier
from minigen.train import Batch, train


def digit_judge() -> tuple[Classifier, dict[str, float]]:
    """A classifier of digits, and its accuracy on the test digits."""
    torch.manual_seed(0)
    *_, (_, _, model) = train(Classifier(), batches(*digits("train"), size=128), 1500, lr=2e-3)
    model.cpu().set_unit(digits("train")[0])
    return model, {"digit": model.accuracy(*digits("test"))}


def shape_judge() -> tuple[FactorClassifier, dict[str, float]]:
    """A classifier of shapes, and its accuracy on each factor of 5,000 others."""

    def batch(generator: torch.Generator) -> Batch:
        factors = random_factors(128, seed=1, start=int(torch.randint(2**31, (), generator=generator)))
        return draw(factors, 32), labels(factors)

    torch.manual_seed(0)
    *_, (_, _, model) = train(FactorClassifier(), batch, 3000, lr=2e-3)
    images, factors, _ = shapes(5000, seed=2)
    model.cpu().set_unit(images)
    return model, model.accuracy(images, factors)


def labels(factors: Factors) -> torch.Tensor:
    """The named factors as (N, 5)."""
    return torch.stack([getattr(factors, name) for name in VOCABULARY], 1)


if __name__ == "__main__":
    for name, judge in {"digits": digit_judge, "shapes": shape_judge}.items():
        model, accuracy = judge()
        path = WEIGHTS / f"{name}.safetensors"
        checkpoint.write(path, {"version": checkpoint.VERSION, "accuracy": accuracy}, model.state_dict())
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, accuracy {accuracy}")
