"""What makes a step fast: the same training up to rounding, bfloat16 only where there are units for it."""

import copy
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

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


class Sent(TorchDispatchMode):
    """Notes the shapes of what is copied from one device to another."""

    def __init__(self):
        super().__init__()
        self.shapes = set()

    def __torch_dispatch__(self, call, types, args=(), kwargs=None):
        out = call(*args, **kwargs or {})
        for x in args:
            if isinstance(x, torch.Tensor) and isinstance(out, torch.Tensor) and x.device != out.device:
                self.shapes.add(tuple(x.shape))
        return out


class Unread:
    """In the place of `speed.Later`: numbers that stay where they are, and must not be waited for."""

    def __init__(self, numbers):
        assert numbers.device.type == "meta"

    def read(self):
        raise RuntimeError("waited for")


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("name", ["ddpm", "conditional_ddpm", "latent_ddpm", "text_to_image"])
def test_a_fast_step_of_a_diffusion_model_never_waits_for_its_device(name, late, monkeypatch):
    # the device "meta" computes nothing, so it is an error to ask it for a number, as a wait would do
    monkeypatch.setattr(speed, "Later", Unread)
    data = supply("scenes" if name == "text_to_image" else "shapes:16")
    model = RECIPES[name].make(data.kind, {}).to("meta")
    ((player, module),) = model.players().items()
    optimizer = SimpleNamespace(
        param_groups=[{"params": list(module.parameters())}], _step_supports_amp_scaling=True,
        zero_grad=lambda: None, step=lambda: None,
    )  # fmt: skip
    batch = [None if part is None else part.to("meta") for part in data.batches(8)(torch.Generator())]
    with nullcontext() if late else pytest.raises(RuntimeError, match="waited for"), Sent() as sent:
        train.move_players(1, model, {player: optimizer}, batch, late=late)
    assert sent.shapes == {(1001,)}  # the tables of the chain, which `at` sends without a wait
    assert not late or optimizer.found_inf.device.type == "meta"


def test_only_adam_in_one_call_can_leave_a_step_out():
    weights = [torch.ones(2, requires_grad=True)]
    assert speed.may_leave_out(torch.optim.Adam(weights, fused=True))
    assert not speed.may_leave_out(torch.optim.Adam(weights))
    assert not speed.may_leave_out(torch.optim.SGD(weights))


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
