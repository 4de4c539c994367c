"""What makes a step fast: the same training up to rounding, bfloat16 only where there are units for it."""

import copy

import pytest
import torch
from torch import nn

from minigen import speed, train
from minigen.data.named import supply
from minigen.recipes import RECIPES

CPU = torch.device("cpu")


def halves(monkeypatch, has):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": has})


def learned(name, fast, steps=3):
    """Averaged weights and losses of a recipe after some steps."""
    data, recipe = supply("shapes:16" if name != "text_to_image" else "scenes"), RECIPES[name]
    settings = recipe.defaults(16) | {"batch": 30}  # all critics can share it
    model = recipe.make(data.kind, settings)
    draw = data.batches(settings["batch"])
    run = train.train(
        model, lambda g: recipe.shown(*draw(g), g), steps, lr=1e-3, device="cpu", progress=False, fast=fast
    )
    *_, (_, losses, averaged) = run
    return torch.cat([p.flatten() for p in averaged.state_dict().values()]), losses


@pytest.mark.parametrize("name", RECIPES)
def test_a_fast_run_is_the_plain_one_up_to_rounding(name, monkeypatch):
    halves(monkeypatch, False)
    (plain, losses), (fast, quick) = learned(name, False), learned(name, True)
    assert losses == pytest.approx(quick, rel=1e-3, abs=1e-4)
    # where a gradient is next to nothing, Adam's first steps make of its sign what is 1e-3 of a weight
    assert (plain - fast).abs().mean() < 1e-4 * plain.abs().mean()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_learns_in_bfloat16_and_keeps_its_weights_in_float32(name, monkeypatch):
    halves(monkeypatch, True)
    weights, losses = learned(name, True)
    assert weights.dtype == torch.float32 and weights.isfinite().all()
    halves(monkeypatch, False)
    plain, exact = learned(name, True)
    assert losses == pytest.approx(exact, rel=0.1, abs=0.1)
    assert not torch.equal(plain, weights)  # or it was not in bfloat16 at all


def test_plain_training_is_left_as_it_is(monkeypatch):
    halves(monkeypatch, True)
    kinds, multiply = set(), nn.functional.conv2d

    def seen(x, weight, *rest):
        kinds.add((weight.dtype, weight.is_contiguous()))
        return multiply(x, weight, *rest)

    monkeypatch.setattr(nn.functional, "conv2d", seen)
    monkeypatch.setattr(
        nn.Conv2d, "_conv_forward", lambda self, x, w, b: seen(x, w, b, self.stride, self.padding)
    )
    learned("autoencoder", False, steps=1)
    assert kinds == {(torch.float32, True)}


def test_convolutions_are_laid_out_channels_last():
    layer = speed.arrange(nn.Sequential(nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 8, 3)))
    assert layer[2].weight.is_contiguous(memory_format=torch.channels_last)
    assert layer(torch.randn(2, 3, 8, 8)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("capability, has", [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_gpus_have_units_for_bfloat16_since_ampere(capability, has, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert speed.multiplies_halves(torch.device("cuda")) is has


@pytest.mark.parametrize("has", [True, False])
def test_processors_have_them_when_they_say_so(has, monkeypatch):
    halves(monkeypatch, has)
    assert speed.multiplies_halves(CPU) is has
    with speed.precision(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == (torch.bfloat16 if has else torch.float32)


def test_other_devices_are_not_taken_to_have_any():
    assert not speed.multiplies_halves(torch.device("mps"))


def test_the_average_in_one_call_is_that_of_the_loop():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    model(torch.randn(8, 3))
    averaged = [copy.deepcopy(model) for _ in range(2)]
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    model(torch.randn(8, 3))  # the buffers change too, one of them a whole number
    train.update_average(averaged[0], model, 0.9)
    speed.Average(averaged[1], model).move(0.9)
    for one, other in zip(*(m.state_dict().values() for m in averaged), strict=True):
        assert torch.equal(one, other)


def test_without_buffers_there_is_nothing_to_copy():
    model = nn.Linear(2, 2)
    averaged = copy.deepcopy(model)
    speed.Average(averaged, model).move(0.5)
    assert torch.equal(averaged.weight, model.weight)
