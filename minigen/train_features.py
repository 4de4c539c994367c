"""Trains the judges of the course, and writes their weights: `python -m minigen.train_features`.

Run it again when the data or the networks change; each file's header has the accuracy on held-out images.
"""

import torch

from minigen import checkpoint
from minigen.data import batches, digits, draw, random_factors, shapes
from minigen.data.shapes import indices
from minigen.features import WEIGHTS, Classifier, FactorClassifier
from minigen.train import Batch, train


def digit_judge() -> tuple[Classifier, dict[str, float]]:
    """A classifier of digits, and its accuracy on the test digits."""
    torch.manual_seed(0)
    *_, (_, _, model) = train(Classifier(), batches(*digits("train"), size=128), 1500, lr=2e-3)
    model.cpu().set_unit(digits("train")[0])
    return model, {"digit": model.accuracy(*digits("test"))}


def shape_judge(seed: int = 0) -> tuple[FactorClassifier, dict[str, float]]:
    """A classifier of shapes, and its accuracy on each factor of 5,000 others."""

    def batch(generator: torch.Generator) -> Batch:
        factors = random_factors(128, seed=1, start=int(torch.randint(2**31, (), generator=generator)))
        return draw(factors, 32), indices(factors)

    torch.manual_seed(seed)
    *_, (_, _, model) = train(FactorClassifier(), batch, 3000, lr=2e-3, seed=seed)
    images, factors, _ = shapes(5000, seed=2)
    model.cpu().set_unit(images)
    return model, model.accuracy(images, factors)


def shape_eyes() -> tuple[FactorClassifier, dict[str, float]]:
    """Another one: what a model was trained to please must not be its judge."""
    return shape_judge(seed=1)


if __name__ == "__main__":
    for name, judge in {"digits": digit_judge, "shapes": shape_judge, "eyes": shape_eyes}.items():
        model, accuracy = judge()
        path = WEIGHTS / f"{name}.safetensors"
        checkpoint.write(path, {"version": checkpoint.VERSION, "accuracy": accuracy}, model.state_dict())
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, accuracy {accuracy}")
