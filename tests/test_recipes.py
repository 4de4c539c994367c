"""Models that several lessons need: trained once, then read from the cache."""

import pytest
import torch

from minigen import checkpoint, recipes
from minigen.data import batches
from minigen.features import Classifier
from minigen.recipes import Recipe, trained


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """A recipe of three steps on noise, and an empty cache."""
    x, labels = torch.rand(40, 1, 8, 8) * 2 - 1, torch.randint(10, (40,))
    recipe = Recipe(lambda: Classifier(width=4), lambda: batches(x, labels), steps=(3, 3, 3))
    monkeypatch.setattr(recipes, "RECIPES", {"small": recipe})
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path))


def weights(model):
    return torch.cat([p.flatten() for p in model.state_dict().values()])


def the_file(tmp_path):
    (path,) = tmp_path.rglob("*.safetensors")
    return path


def test_a_second_call_reads_what_the_first_has_trained(monkeypatch):
    first = trained("small")
    monkeypatch.setattr(recipes, "train", lambda *args, **kwargs: pytest.fail("trained again"))
    assert torch.equal(weights(first), weights(trained("small")))


def test_the_weights_are_those_of_the_recipe_whatever_the_callers_random_state(tmp_path):
    torch.manual_seed(1)
    first = weights(trained("small"))
    the_file(tmp_path).unlink()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(first, weights(trained("small")))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_model_is_ready_to_judge():
    model = trained("small")
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    assert {p.device.type for p in model.parameters()} == {"cpu"}


def test_a_changed_recipe_is_trained_anew(monkeypatch):
    first = weights(trained("small"))
    old = recipes.RECIPES["small"]
    monkeypatch.setitem(recipes.RECIPES, "small", Recipe(old.model, old.data, steps=(5, 5, 5)))
    assert not torch.equal(first, weights(trained("small")))


def test_a_recipe_whose_code_has_changed_is_another_one(monkeypatch):
    first, old = recipes.fingerprint("small"), recipes.RECIPES["small"]

    def model():
        return Classifier(width=4)

    monkeypatch.setitem(recipes.RECIPES, "small", Recipe(model, old.data, old.steps))
    assert recipes.fingerprint("small") != first


@pytest.mark.parametrize("content", [b"", b"not a file of weights", bytes(100)])
def test_a_damaged_file_is_replaced(tmp_path, content):
    first = weights(trained("small"))
    the_file(tmp_path).write_bytes(content)
    assert torch.equal(first, weights(trained("small")))
    assert the_file(tmp_path).stat().st_size > 1000


def test_a_saved_model_is_made_again_from_its_file_alone(tmp_path):
    model = recipes.RECIPES["small"].model()
    recipes.save("small", model, tmp_path / "mine.safetensors")
    assert torch.equal(weights(model), weights(recipes.load(tmp_path / "mine.safetensors")))


def test_a_file_that_is_no_model_is_refused_in_a_sentence(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    checkpoint.write(path, {"version": 1, "recipe": "big"}, {"x": torch.zeros(1)})
    with pytest.raises(ValueError, match="should name its recipe, one of small; it names 'big'"):
        recipes.load(path)
    checkpoint.write(path, {"version": 1}, {"x": torch.zeros(1)})
    with pytest.raises(ValueError, match="it names None"):
        recipes.load(path)
    checkpoint.write(path, {"version": 1, "recipe": "small"}, {"x": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"a\.safetensors does not hold the weights of a small"):
        recipes.load(path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="is damaged, or not a checkpoint"):
        recipes.load(path)


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(ValueError, match="name should be one of small; got 'big'"):
        trained("big")
