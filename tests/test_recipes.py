"""The recipes: every model, on every kind of image; those that lessons need, trained once and then read."""

import sys
from dataclasses import replace

import pytest
import torch

from minigen import checkpoint, recipes
from minigen.core import Generative
from minigen.data.named import DATASETS, supply
from minigen.drawing import draw
from minigen.features import Classifier
from minigen.recipes import RECIPES, Recipe, about, load, trained, with_labels

KINDS = {"digits": 8, "shapes:16": 16, "mnist": 32, "cifar10": 32}
PAIRS = [
    (name, data) for name, recipe in RECIPES.items() for data in ([recipe.data] if recipe.data else KINDS)
]


def of_noise(channels, size):
    """A function that stands in for a data set that would have to be fetched."""
    x = torch.rand(60, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return lambda split="train": (x, torch.arange(60) % 10)


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """A recipe of three steps beside the others, an empty cache, and no download."""
    recipe = Recipe(lambda kind: Classifier(width=4), (3, 3, 3), with_labels)
    monkeypatch.setitem(RECIPES, "small", recipe)
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path))
    monkeypatch.setitem(DATASETS, "mnist", of_noise(1, 28))
    monkeypatch.setitem(DATASETS, "cifar10", of_noise(3, 32))


@pytest.mark.parametrize("name, data", PAIRS)
def test_every_recipe_learns_from_every_kind_of_image_and_its_file_makes_the_model_again(
    name, data, tmp_path
):
    recipe, source, path = RECIPES[name], supply(data), tmp_path / "run.safetensors"
    settings = (
        {"batch": 2 * RECIPES[name].settings()["critic_steps"].default} if "gan" in name else {"batch": 2}
    )
    said = about(name, source.kind, settings)
    model = recipe.make(source.kind, settings)
    *_, (step, losses, averaged) = recipe.train(
        model, source, 2, settings, checkpoint=path, about=said, progress=False
    )
    assert step == 2 and all(value == value for value in losses.values())
    again = load(path)
    assert type(again) is type(model)
    assert torch.equal(weights(again), weights(averaged))
    if type(again).sample is not Generative.sample:
        images = draw(again, 3, steps=2 if "ddpm" in name or recipe.first else None)
        assert images.shape == (3, source.kind.channels, source.kind.size, source.kind.size)
        assert images.min() >= -1 and images.max() <= 1
    elif recipe.remade is not None:
        batch = recipe.shown(*source.batches(4)(torch.Generator()), torch.Generator())
        before, after = recipe.remade(again, batch)
        assert before.shape == after.shape == (4, source.kind.channels, source.kind.size, source.kind.size)


def test_every_model_of_the_course_has_a_recipe():
    def below(cls):
        return {cls}.union(*(below(c) for c in cls.__subclasses__()))

    kind = supply("digits").kind
    made = {type(part) for recipe in RECIPES.values() for part in recipe.make(kind, {}).modules()}
    judges = {"DigitFeatures", "FactorClassifier", "ShapeFeatures"}  # `minigen.train_features` trains them
    named = (c for c in below(Generative) - {Generative} if c.__module__.startswith("minigen."))
    models = {c for c in named if getattr(sys.modules[c.__module__], c.__name__, None) is c}  # no test's copy
    assert {c.__name__ for c in models - made} <= judges


def test_a_setting_is_named_like_nothing_else_in_a_file():
    taken = {"recipe", "data", "channels", "size", "crop", "classes", "players"}
    assert not taken & {name for recipe in RECIPES.values() for name in recipe.settings()}


OTHER = {"width": 24, "multiples": (1, 1), "schedule": "linear", "target": "data", "decay": 0.0, "seed": 1}
OTHER |= {
    "dropped": 0.9,
    "patch": 2,
    "betas": (0.5, 0.5),
    "cooldown": 0.9,
    "critic_steps": 4,
    "beta": 3.0,
    "latent": 5,
    "factor": 2,
    "start": 1,
}
SOON = {
    "width": 16,
    "codec_width": 16,
    "start": 0,
}  # what is not small, and what would not begin in two steps


@pytest.mark.parametrize("name", RECIPES)
def test_every_setting_changes_what_is_learned(name):
    recipe = RECIPES[name]
    source = supply(recipe.data or "digits")

    def learned(settings):
        settings = {key: value for key, value in SOON.items() if key in recipe.defaults()} | settings
        model = recipe.make(source.kind, settings)
        *_, (_, _, averaged) = recipe.train(model, source, 2, settings, progress=False)
        return weights(averaged)

    plain = learned({})
    for setting, default in (recipe.defaults() | SOON).items():
        if setting not in recipe.defaults():
            continue
        other = OTHER.get(setting, 2 * default)
        assert other != default
        found = learned({setting: other})
        assert found.shape != plain.shape or not torch.equal(found, plain), setting


def weights(model):
    return torch.cat([p.flatten() for p in model.state_dict().values()])


def the_file(tmp_path):
    (path,) = tmp_path.rglob("*.safetensors")
    return path


def test_a_second_call_reads_what_the_first_has_trained(monkeypatch):
    first = trained("digit_small")
    monkeypatch.setattr(recipes, "train", lambda *args, **kwargs: pytest.fail("trained again"))
    assert torch.equal(weights(first), weights(trained("digit_small")))


def test_the_weights_are_those_of_the_recipe_whatever_the_callers_random_state(tmp_path):
    torch.manual_seed(1)
    first = weights(trained("digit_small"))
    the_file(tmp_path).unlink()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(first, weights(trained("digit_small")))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_model_is_ready_to_judge():
    model = trained("digit_small")
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    assert {p.device.type for p in model.parameters()} == {"cpu"}


def test_a_changed_recipe_is_trained_anew(monkeypatch):
    first = weights(trained("digit_small"))
    old = RECIPES["small"]
    monkeypatch.setitem(RECIPES, "small", Recipe(old.model, (5, 5, 5), with_labels))
    assert not torch.equal(first, weights(trained("digit_small")))


def test_a_recipe_whose_code_has_changed_is_another_one(monkeypatch):
    first, old = recipes.fingerprint("digit_small"), RECIPES["small"]

    def model(kind):
        return Classifier(width=4)

    monkeypatch.setitem(RECIPES, "small", Recipe(model, old.steps, with_labels))
    assert recipes.fingerprint("digit_small") != first


@pytest.mark.parametrize("changed", [{name: 7} for name in recipes.OF_TRAINING])
def test_whatever_a_recipe_trains_with_makes_it_another_one(monkeypatch, changed):
    first = recipes.fingerprint("digit_small")
    monkeypatch.setitem(RECIPES, "small", replace(RECIPES["small"], **changed))
    assert recipes.fingerprint("digit_small") != first


@pytest.mark.parametrize("content", [b"", b"not a file of weights", bytes(100)])
def test_a_damaged_file_is_replaced(tmp_path, content):
    first = weights(trained("digit_small"))
    the_file(tmp_path).write_bytes(content)
    assert torch.equal(first, weights(trained("digit_small")))
    assert the_file(tmp_path).stat().st_size > 1000


def test_a_saved_model_is_made_again_from_its_file_alone(tmp_path):
    model = RECIPES["small"].model(None)
    recipes.save("digit_small", model, tmp_path / "mine.safetensors")
    assert torch.equal(weights(model), weights(recipes.load(tmp_path / "mine.safetensors")))


def test_what_ships_is_the_model_in_half_precision(tmp_path):
    recipe, source, settings = RECIPES["latent_ddpm"], supply("digits"), {"batch": 4, "width": 16}
    model, run = recipe.make(source.kind, settings), tmp_path / "run.safetensors"
    said = about("latent_ddpm", source.kind, settings)
    *_, (_, _, averaged) = recipe.train(
        model, source, 2, settings, checkpoint=run, about=said, progress=False
    )
    recipes.ship(run, tmp_path / "small.safetensors")
    again = load(tmp_path / "small.safetensors")
    assert (weights(again) - weights(averaged)).abs().max() < 1e-3 * weights(averaged).abs().max()
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    assert (tmp_path / "small.safetensors").stat().st_size < run.stat().st_size / 5


def test_the_model_that_comes_with_the_course_is_that_of_its_recipe_and_small():
    model = trained("text_to_image")
    fresh = RECIPES["text_to_image"].make(recipes.kind_of(recipes.of_name("text_to_image")[1]), {})
    assert {k: v.shape for k, v in model.state_dict().items()} == {
        k: v.shape for k, v in fresh.state_dict().items()
    }
    assert recipes.SHIPPED["text_to_image"].stat().st_size < 4e6
    assert not model.training and model.codec.scale != 1


def test_a_file_that_is_no_model_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "a.safetensors"
    said = about("vae", supply("digits").kind, {})
    for settings, why in (
        (said | {"recipe": "big"}, "should name its recipe, one of .*vae.*; it names 'big'"),
        ({}, "it names None"),
        (["vae"], "it names None"),
        (said, r"a\.safetensors does not hold the weights of a vae"),
        ({"recipe": "vae"}, r"a\.safetensors does not hold the weights of a vae"),
        (said | {"latent": "many"}, r"a\.safetensors does not hold the weights of a vae"),
    ):
        checkpoint.write(path, {"version": 1, "settings": settings}, {"averaged.x": torch.zeros(1)})
        with pytest.raises(ValueError, match=why):
            recipes.load(path)
    checkpoint.write(path, {"version": 99, "settings": said}, {"averaged.x": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"has format 99, this minigen reads up to 1 \(update minigen\)"):
        recipes.load(path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="is damaged, or was not written by minigen"):
        recipes.load(path)


def test_an_unknown_name_is_told_the_nearest_and_the_known_ones():
    with pytest.raises(ValueError, match="there is no digit_vea, did you mean digit_vae"):
        trained("digit_vea")
    with pytest.raises(
        ValueError, match=r"there is no vae, did you mean .*there is: digit_linear_autoencoder"
    ):
        trained("vae")


@pytest.mark.parametrize("name", ["autoencoder", "conditional_vae"])
def test_a_decoder_of_large_dark_images_learns_to_see_what_is_bright(name, monkeypatch):
    x = torch.full((64, 1, 32, 32), -1.0)
    for i, image in enumerate(x):
        image[:, 8 * (i % 4) :][:, :8, 8 * (i // 4 % 4) :][:, :, :8] = 1.0
    monkeypatch.setitem(DATASETS, "dark", lambda split: (x, torch.arange(64) % 10))

    def contrast():
        source, settings = supply("dark"), {"width": 8, "batch": 16, "decay": 0.9}
        model = RECIPES[name].make(source.kind, settings)
        *_, (_, _, averaged) = RECIPES[name].train(model, source, 60, settings, progress=False)
        condition = (torch.arange(64) % 10,) if name == "conditional_vae" else ()
        code = averaged.encode(x, *condition)
        made = averaged.decode(code[0] if condition else code, *condition)
        return float(made[x > 0].mean() - made[x < 0].mean())

    assert contrast() > 0.1
    monkeypatch.setattr(recipes.models, "awake", lambda model, kind: model)
    assert contrast() < 0.05


@pytest.mark.parametrize("name", ["gan", "wgan_gp", "conditional_gan"])
def test_a_generator_of_large_dark_images_starts_as_dark_as_they_are(name, monkeypatch):
    kind = replace(supply("mnist").kind, mean=torch.full((1, 32, 32), -0.8))
    labels = (torch.arange(50) % 10,) if name == "conditional_gan" else ()

    @torch.no_grad()
    def brightness():
        model = RECIPES[name].make(kind, {"width": 8})
        return float(model.generator(torch.randn(50, model.latent), *labels).mean())

    assert abs(brightness() + 0.8) < 0.1
    monkeypatch.setattr(recipes.models, "awake", lambda model, kind: model)
    assert brightness() > -0.3
