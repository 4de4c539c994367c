"""The training loop, against loops, moving averages and games that are written out by hand."""

import io
import json
import math
import multiprocessing
import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from minigen import checkpoint as checkpoints
from minigen import core
from minigen.core import Generative
from minigen.train import train

HERE = core.device()  # one test follows it; the others compare float64 and bits, which is for the CPU
X = torch.tensor([[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]], dtype=torch.float64)
Y = torch.tensor([[1.0], [0.0], [2.0]], dtype=torch.float64)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    monkeypatch.setenv("MINIGEN_DEVICE", "cpu")


def same_batch(generator):
    return X, Y


class Line(Generative):
    """Linear regression, whose gradient is known: ∂/∂w mean (x·w − y)² = 2 xᵀ(x·w − y) / N."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([[0.3], [-0.2]], dtype=torch.float64))

    def loss(self, batch):
        x, y = batch
        return (x @ self.w - y).square().mean()


def gradient_of_line(w):
    return 2 * X.T @ (X @ w - Y) / len(X)


class Noisy(Generative):
    """All that makes a run hard to repeat: dropout, noise, running statistics, and draws for the batch."""

    def __init__(self, width=4):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, width), nn.BatchNorm1d(width), nn.Dropout(0.3), nn.Linear(width, 2)
        )

    def loss(self, batch):
        x, _ = batch
        residual = self.net(x + torch.randn_like(x)) - x
        return {"square": residual.square().mean(), "absolute": residual.abs().mean()}


def random_batch(generator):
    return torch.randn(8, 2, generator=generator), None


def noisy(seed=0, **other):
    torch.manual_seed(seed)
    return Noisy(**other)


class Duel(Generative):
    """Two players on the plane: a goes down a·b, then b goes up it, through a."""

    def __init__(self, moves=("a", "b")):
        super().__init__()
        self.moves = moves
        self.a, self.b = nn.Linear(1, 1, bias=False).double(), nn.Linear(1, 1, bias=False).double()
        nn.init.constant_(self.a.weight, 1.0)
        nn.init.constant_(self.b.weight, 2.0)

    def players(self):
        return {"a": self.a, "b": self.b}

    def losses(self, batch):
        for player in self.moves:
            product = (self.a.weight * self.b.weight).sum()
            yield player, product if player == "a" else -product


class Given(Generative):
    """A model whose losses are what a test makes of its one weight."""

    def __init__(self, *losses, players=("model",), weight=1.0):
        super().__init__()
        self.given = losses
        self.names = players
        self.w = nn.Parameter(torch.tensor(weight))

    def players(self):
        return dict.fromkeys(self.names, self)

    def losses(self, batch):
        for player, make in self.given:
            yield player, make(self.w)


def sgd(lr):
    return partial(torch.optim.SGD, lr=lr)


def run(model, batches=same_batch, steps=3, **settings):
    """(losses of all steps, the averaged model)."""
    history = [(losses, averaged) for _, losses, averaged in train(model, batches, steps, **settings)]
    return [losses for losses, _ in history], history[-1][1]


def identical(a, b):
    """Whether two modules have the same names and the same bits."""
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# --- the step -----------------------------------------------------------------------------------------------


def test_steps_of_sgd_are_those_of_the_formula_and_come_before_the_yield():
    model, w = Line(), Line().w.detach()
    for step, losses, _ in train(model, same_batch, 5, optimizer=sgd(0.1)):
        loss_before = (X @ w - Y).square().mean().item()
        w = w - 0.1 * gradient_of_line(w)
        assert losses == {"loss": pytest.approx(loss_before, abs=1e-14)}  # rounding of float64
        assert (model.w - w).abs().max() < 1e-14, step


def test_the_default_is_adam_as_published():
    model, w = Line(), Line().w.detach()
    m = v = torch.zeros_like(w)
    for t, _, _ in train(model, same_batch, 5, lr=0.01):  # Kingma & Ba 2015, algorithm 1
        g = gradient_of_line(w)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.01 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
        assert (model.w - w).abs().max() < 1e-13, t  # rounding of float64, in another order


def test_the_default_learning_rate_is_one_thousandth():
    model, told = Line(), Line()
    run(model), run(told, lr=1e-3)
    assert identical(model, told)


def test_frozen_parameters_stay_and_the_others_move():
    model = noisy()
    model.net[0].requires_grad_(False)
    frozen, free = model.net[0].weight.clone(), model.net[3].weight.clone()
    run(model, random_batch)
    assert torch.equal(model.net[0].weight, frozen) and not torch.equal(model.net[3].weight, free)


def test_steps_count_from_one_and_the_model_is_trained_in_place_in_train_mode():
    model = Line().eval()
    assert [step for step, _, _ in train(model, same_batch, 3)] == [1, 2, 3]
    assert model.training and not torch.equal(model.w, Line().w)


def test_the_batch_and_its_condition_reach_the_loss():
    seen = []

    class Spy(Line):
        def loss(self, batch):
            seen.append(batch)
            return super().loss(batch)

    run(Spy(), steps=1)
    ((x, y),) = seen
    assert torch.equal(x, X) and torch.equal(y, Y)


@pytest.mark.skipif(HERE.type == "cpu", reason="no accelerator here")
def test_model_batch_and_average_follow_the_device_and_resume_there(tmp_path):
    settings = {"checkpoint": tmp_path / "run", "device": HERE}
    run(noisy(), random_batch, **settings)
    model = noisy()
    _, averaged = run(model, random_batch, steps=6, **settings)
    devices = {t.device.type for m in (model, averaged) for t in m.state_dict().values()}
    assert devices == {HERE.type}


# --- the average --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.999, 0.4, 0.0])
def test_the_average_is_the_weighted_sum_of_all_weights_so_far(decay):
    weights, model = [Line().w.detach()], Line()
    for n, _, averaged in train(model, same_batch, 30, lr=0.1, decay=decay):
        weights.append(model.w.detach().clone())
        d = [min(decay, (1 + k) / (10 + k)) for k in range(1, n + 1)]  # decay of step k
        shares = [math.prod(d)] + [(1 - d[k]) * math.prod(d[k + 1 :]) for k in range(n)]
        expected = sum(share * w for share, w in zip(shares, weights, strict=True))
        assert (averaged.w - expected).abs().max() < 1e-13, n  # rounding of float64 over 30 sums


def test_the_average_is_an_eval_copy_without_gradients_and_with_the_buffers_of_now():
    model = noisy()
    for _, _, averaged in train(model, random_batch, 3):
        assert not any(module.training for module in averaged.modules())
        assert not any(p.requires_grad for p in averaged.parameters())
        for (name, a), b in zip(averaged.named_buffers(), model.buffers(), strict=True):
            assert torch.equal(a, b) and a is not b, name
    assert all(p.requires_grad for p in model.parameters())


# --- the players --------------------------------------------------------------------------------------------


def test_players_move_in_turn_each_with_its_own_loss_alone():
    model, a, b = Duel(), 1.0, 2.0
    for _, losses, _ in train(model, same_batch, 10, optimizer=sgd(0.1)):
        expected = {"a": a * b}
        a -= 0.1 * b
        expected["b"] = -a * b  # computed after a has moved
        b += 0.1 * a
        assert losses == pytest.approx(expected, abs=1e-14)  # rounding of float64
        assert (model.a.weight.item(), model.b.weight.item()) == pytest.approx((a, b), abs=1e-14)


def test_a_player_may_move_several_times_in_a_step_and_its_last_loss_is_shown():
    model, a, b = Duel(moves="aaab"), 1.0, 2.0
    for _, losses, _ in train(model, same_batch, 4, optimizer=sgd(0.1)):
        for _ in range(3):
            last = a * b
            a -= 0.1 * b
        assert losses == pytest.approx({"a": last, "b": -a * b}, abs=1e-14)
        b += 0.1 * a
        assert (model.a.weight.item(), model.b.weight.item()) == pytest.approx((a, b), abs=1e-14)


def test_a_player_that_is_not_called_does_not_move():
    model = Duel(moves="a")
    losses, _ = run(model, optimizer=partial(torch.optim.AdamW, lr=0.1))  # whose decay would move it
    assert model.b.weight.item() == 2.0 and model.b.weight.grad is None
    assert [sorted(names) for names in losses] == [["a"]] * 3


def test_losses_are_named_by_player_and_term():
    terms = {"kl": lambda w: w * 2, "square": lambda w: w**2}
    named = ("model", lambda w: {name: f(w) for name, f in terms.items()})
    assert run(Given(named), steps=1)[0] == [{"loss": 3.0, "kl": 2.0, "square": 1.0}]
    two = Given(("one", named[1]), ("two", lambda w: w**2), players=("one", "two"))
    (losses,), _ = run(two, steps=1, optimizer=sgd(0.0))
    assert losses == {"one": 3.0, "one.kl": 2.0, "one.square": 1.0, "two": 1.0}


# --- random numbers -----------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    (one, average), (again, average_again), (other, _) = (
        run(noisy(), random_batch, seed=s) for s in (7, 7, 8)
    )
    assert one == again and identical(average, average_again)
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_the_callers_random_numbers_neither_change_nor_matter():
    model, disturbed = noisy(), noisy()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    drawn = torch.stack([torch.rand(()) for _ in train(model, random_batch, 3)])
    assert torch.equal(drawn, expected)
    for _ in train(disturbed, random_batch, 3):
        torch.manual_seed(0)
        torch.rand(100)
    assert identical(model, disturbed)


def test_every_step_has_its_own_numbers_and_those_of_the_batch_are_not_those_of_the_model():
    drawn = []

    class Draws(Line):
        def loss(self, batch):
            drawn.append(torch.rand(4))
            return super().loss(batch)

    def batches(generator):
        drawn.append(torch.rand(4, generator=generator))
        return X, Y

    run(Draws(), batches, steps=20)
    run(Draws(), batches, steps=20, seed=1)
    assert len(torch.stack(drawn).unique(dim=0)) == 80


# --- checkpoints --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer",
    [None, partial(torch.optim.SGD, lr=0.1, momentum=0.9), partial(torch.optim.AdamW, lr=0.1, amsgrad=True)],
)
def test_a_resumed_run_is_bit_identical_to_one_that_was_never_stopped(tmp_path, optimizer):
    path, settings = tmp_path / "run.safetensors", {"optimizer": optimizer, "every": 4}
    whole = noisy()
    losses, average = run(whole, random_batch, 13, **settings)
    for step, _, _ in train(noisy(), random_batch, 13, checkpoint=path, **settings):
        if step == 6:
            break  # two steps after the last checkpoint
    resumed = noisy(seed=1)  # other weights: all must come from the file
    resumed_losses, resumed_average = run(resumed, random_batch, 13, checkpoint=path, **settings)
    assert resumed_losses == losses[3:]  # step 4, which it found, and the rest
    assert identical(resumed, whole) and identical(resumed_average, average)


def test_two_players_with_tied_weights_are_resumed_too(tmp_path):
    def duel():
        model = Duel()
        model.tied = model.a.weight  # a second name for the same tensor
        return model

    whole, resumed = duel(), duel()
    run(whole, steps=6)
    run(duel(), steps=3, checkpoint=tmp_path / "run")
    run(resumed, steps=6, checkpoint=tmp_path / "run")
    assert identical(resumed, whole)
    assert resumed.tied.data_ptr() == resumed.a.weight.data_ptr()


def test_a_learning_rate_that_the_caller_changes_is_resumed(tmp_path):
    def halving(model, steps, path):
        made = []

        def optimizer(parameters):
            made.append(torch.optim.Adam(parameters, lr=0.1))
            return made[0]

        for _ in train(model, same_batch, steps, optimizer=optimizer, checkpoint=tmp_path / path):
            made[0].param_groups[0]["lr"] *= 0.5
        return model

    whole = halving(Line(), 6, "whole")
    halving(Line(), 3, "stopped")
    assert identical(whole, halving(Line(), 6, "stopped"))


def test_an_optimizer_that_counts_in_plain_numbers_is_resumed(tmp_path):
    class Harmonic(torch.optim.Optimizer):
        """Steps of 1/n, so that a forgotten n shows."""

        def __init__(self, parameters):
            super().__init__(parameters, {})

        @torch.no_grad()
        def step(self):
            for p in self.param_groups[0]["params"]:
                self.state[p]["n"] = self.state[p].get("n", 0) + 1
                p -= p.grad / self.state[p]["n"]

    whole, resumed = Line(), Line()
    run(whole, steps=6, optimizer=Harmonic)
    run(Line(), steps=3, optimizer=Harmonic, checkpoint=tmp_path / "run")
    run(resumed, steps=6, optimizer=Harmonic, checkpoint=tmp_path / "run")
    assert identical(whole, resumed)


def test_asking_for_no_more_steps_yields_the_state_of_the_file_and_leaves_the_file_alone(tmp_path):
    path = tmp_path / "run"
    losses, average = run(noisy(), random_batch, 5, checkpoint=path)
    before = path.read_bytes()
    for steps in (5, 2):
        model = noisy(seed=1)
        ((step, found, averaged),) = train(model, random_batch, steps, checkpoint=path)
        assert (step, found) == (5, losses[-1]) and identical(averaged, average)
    assert path.read_bytes() == before


def test_the_file_is_safetensors_with_json_in_its_header(tmp_path):
    path = tmp_path / "run"
    run(Line(), steps=2, checkpoint=path)
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")  # the format's own definition: length, JSON, raw numbers
    header = json.loads(data[8 : 8 + size])
    note = json.loads(header["__metadata__"]["minigen"])
    assert (note["version"], note["step"], note["settings"]["seed"]) == (1, 2, 0)
    start, end = header["optimizer.model.0.step"]["data_offsets"]
    assert np.frombuffer(data[8 + size + start : 8 + size + end], "<f4") == 2


def refused(path, model, match, **settings):
    """Training must raise, touch neither the file nor the model, and say what to do."""
    file = path.read_bytes() if path.is_file() else None
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=match) as error:
        run(model, random_batch, 9, checkpoint=path, **settings)
    assert "give another path" in str(error.value) and str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert file == (path.read_bytes() if path.is_file() else None)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "run.safetensors"
    run(noisy(), random_batch, 3, checkpoint=path)
    return path


def test_a_checkpoint_of_another_model_is_refused(saved):
    refused(saved, noisy(width=5), r"another model \(model.net.0.weight: \(4, 2\) .* in the file, \(5, 2\)")
    refused(saved, Line(), "another model .*missing")
    refused(saved, noisy().double(), "float32 in the file, .*float64 here")


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"seed": 1}, "seed: 0 in the file, 1 here"),
        ({"decay": 0.9}, "decay: 0.999 in the file, 0.9 here"),
        ({"lr": 0.5}, "lr of model"),
        ({"optimizer": sgd(0.001)}, "optimizer of model: Adam in the file, SGD here"),
    ],
)
def test_a_checkpoint_with_other_settings_is_refused(saved, settings, match):
    refused(saved, noisy(), match, **settings)


def test_a_checkpoint_of_other_players_is_refused(tmp_path):
    loss = ("model", lambda w: w**2)
    run(Given(loss), checkpoint=tmp_path / "run")
    refused(tmp_path / "run", Given(loss, players=("model", "other")), "players")


def test_a_damaged_or_foreign_file_is_refused(saved, tmp_path):
    whole = saved.read_bytes()
    foreign = tmp_path / "foreign"
    save_file({"x": torch.zeros(2)}, foreign)
    torch.save({"x": torch.zeros(2)}, pickled := tmp_path / "pickled")
    bad = [b"", b"hello", b"\0" * 999, whole[:-1], whole[: len(whole) // 2], whole + b"\0"]
    for data in [*bad, foreign.read_bytes(), pickled.read_bytes()]:
        saved.write_bytes(data)
        refused(saved, noisy(), "damaged, or was not written by minigen")
    folder = tmp_path / "folder"
    folder.mkdir()
    refused(folder, noisy(), "is a folder")


def test_no_byte_of_a_checkpoint_can_change_unnoticed(saved):
    whole, rng = saved.read_bytes(), random.Random(0)
    start = 8 + int.from_bytes(whole[:8], "little")
    for place in [*rng.sample(range(start), 60), *rng.sample(range(start, len(whole)), 20), len(whole) - 1]:
        if whole[place : place + 1] == b" ":
            continue  # padding between JSON values may be any white space
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refused(saved, noisy(), "damaged|another model|format")


def test_a_newer_format_is_refused_with_advice_to_update(saved, monkeypatch):
    saved.unlink()
    with monkeypatch.context() as future:
        future.setattr(checkpoints, "VERSION", 2)
        run(noisy(), random_batch, 3, checkpoint=saved)
    refused(saved, noisy(), "format 2.*update minigen")


# --- killed -------------------------------------------------------------------------------------------------


def train_and_die(path: Path, steps: int, every: int, moment: str | None = None) -> None:
    """A process of its own: trains, and kills itself at a moment of its second checkpoint."""
    torch.set_num_threads(1)
    replace, save, saves = os.replace, checkpoints.save_file, []

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def save_file(tensors, temporary, metadata):
        save(tensors, temporary, metadata)
        saves.append(temporary)
        if moment == "half written" and len(saves) == 2:
            os.truncate(temporary, temporary.stat().st_size // 2)
            die()

    def replace_file(temporary, target):
        if moment == "before the rename" and len(saves) == 2:
            die()
        replace(temporary, target)
        if moment == "after the rename" and len(saves) == 2:
            die()

    checkpoints.save_file, os.replace = save_file, replace_file
    for _ in train(noisy(), random_batch, steps, device="cpu", checkpoint=path, every=every):
        pass


@pytest.fixture(scope="module")
def processes():
    """Forks of a process that has imported torch, and what optimizers import late: they start at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "pytest", "minigen.train"])
    return context


@pytest.mark.parametrize("moment", ["half written", "before the rename", "after the rename"])
def test_a_run_killed_at_any_moment_of_a_checkpoint_resumes_to_the_same_bits(tmp_path, processes, moment):
    def start(name, *arguments):
        process = processes.Process(target=train_and_die, args=(tmp_path / name, 9, 2, *arguments))
        process.start()
        process.join()
        return process.exitcode

    assert start("whole") == 0
    assert start("killed", moment) == -signal.SIGKILL
    assert checkpoints.read(tmp_path / "killed")[0]["step"] == (4 if moment == "after the rename" else 2)
    assert start("killed") == 0
    same_run(tmp_path / "killed", tmp_path / "whole")


def test_a_run_killed_at_random_moments_resumes_to_the_same_bits(tmp_path, processes):
    steps, rng, path = 200, random.Random(0), tmp_path / "killed"
    for every, name in ((steps, "whole"), (1, "killed")):
        for kill in [True] * 5 * (name == "killed") + [False]:
            before = path.stat().st_mtime_ns if path.exists() else 0
            process = processes.Process(target=train_and_die, args=(tmp_path / name, steps, every))
            process.start()
            while kill and process.is_alive() and (not path.exists() or path.stat().st_mtime_ns == before):
                time.sleep(0.001)  # until it has gone on
            if kill:
                time.sleep(rng.uniform(0, 0.01))  # a step and its checkpoint take about as long
                process.kill()
            process.join()
            assert process.exitcode == (-signal.SIGKILL if kill else 0)
    same_run(path, tmp_path / "whole")


def same_run(a: Path, b: Path) -> None:
    """Two checkpoints hold the same step, losses, settings, and bits of weights, averages and optimizers."""
    (header, tensors), (other_header, other_tensors) = checkpoints.read(a), checkpoints.read(b)
    assert header == other_header and tensors.keys() == other_tensors.keys()
    assert all(torch.equal(tensors[name], other_tensors[name]) for name in tensors)


# --- what goes wrong ----------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_at_its_step_with_the_weights_of_the_step_before():
    model = Given(("model", lambda w: {"fine": w, "log": (w - 1.5).clamp(min=0).log() * 0 + w}), weight=2.0)
    with pytest.raises(FloatingPointError, match=r"step 3: the loss of 'model' .*loss = nan, log = nan\)"):
        run(model, steps=9, optimizer=sgd(0.125))  # w: 2, 1.75, 1.5, where 0 · log 0 is not a number
    assert model.w.item() == 1.5


def test_a_gradient_that_is_not_finite_stops_before_the_step():
    model = Given(("one", lambda w: w), ("two", lambda w: (w * 0).sqrt()), players=("one", "two"))
    with pytest.raises(
        FloatingPointError, match=r"step 1: the loss of 'two' is finite .* its gradient is not"
    ):
        run(model, optimizer=sgd(0.25))
    assert model.w.item() == 0.75  # the step of player one


def breaks(step, **losses):
    """A model with two weights whose loss is one of these at a step, and else something to learn from."""
    seen = []

    def loss(w):
        seen.append(w)
        return losses["wrong"](w) if len(seen) == step else w * w

    return Given(("model", loss), weight=2.0)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda w: w * math.nan, r"step 3: the loss of 'model' is not finite \(loss = nan\)"),
        (lambda w: (w * 0).sqrt(), "step 3: the loss of 'model' is finite .* its gradient is not"),
    ],
)
def test_a_fast_step_that_went_wrong_is_left_out_and_told_when_the_next_was_taken(wrong, match, tmp_path):
    model, path, found = breaks(3, wrong=wrong), tmp_path / "run.safetensors", []
    with pytest.raises(FloatingPointError, match=match):
        for _, losses, _ in train(model, same_batch, 9, fast=True, progress=False, checkpoint=path, every=2):
            found.append((model.w.item(), losses))
    (_, _), (second, _), (third, unread) = found  # the fourth step has been taken, and is not given out
    assert second == third
    with pytest.raises(FloatingPointError, match=match):
        unread["loss"]
    assert checkpoints.read(path)[0]["step"] == 2  # not of the fourth
    model = breaks(3, wrong=wrong)
    with pytest.raises(FloatingPointError, match=match):  # the last step is not let go
        run(model, steps=3, fast=True)


def test_fast_losses_are_those_of_their_own_step():
    plain, fast = (
        [losses["loss"] for _, losses, _ in train(breaks(0), same_batch, 4, progress=False, fast=fast)]
        for fast in (False, True)
    )
    assert plain == pytest.approx(fast) and len(set(plain)) == 4


def test_an_optimizer_that_cannot_leave_out_a_step_is_not_let_go_on():
    model = breaks(3, wrong=lambda w: w * math.nan)
    with pytest.raises(FloatingPointError, match="step 3"):
        run(model, steps=9, optimizer=sgd(0.125), fast=True)
    assert model.w.item() == 2 * 0.75**2


@pytest.mark.parametrize(
    ("loss", "match"),
    [
        (lambda w: w * torch.ones(3), r"step 1: the loss of 'model' should be a scalar .* shape \(3,\)"),
        (lambda w: {"a": w, "b": w[None]}, r"'b' of shape \(1,\)"),
        (lambda w: {"a": w, "b": 1.0}, "'b' of float"),
        (lambda w: None, "NoneType"),
        (lambda w: {}, r"terms to add up.*\[\]"),
        (lambda w: {"loss": w, "kl": w}, "none called 'loss'"),
        (lambda w: w.detach(), "does not depend on this player's parameters"),
        (lambda w: torch.ones((), requires_grad=True) * 2, "does not depend on this player's parameters"),
    ],
)
def test_a_loss_that_cannot_be_minimised_is_named(loss, match):
    model = Given(("model", loss))
    with pytest.raises(ValueError, match=match):
        run(model)
    assert model.w.item() == 1.0


def test_a_model_that_is_frozen_altogether_is_named():
    with pytest.raises(ValueError, match="does not depend on this player's parameters"):
        run(Line().requires_grad_(False))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"steps": 0}, "steps should be at least 1; got 0"),
        ({"every": 0}, "every should be at least 1"),
        ({"seed": -1}, "seed should be at least 0"),
        ({"decay": 1.0}, r"decay should be in \[0, 1\); got 1.0"),
        ({"lr": 0.1, "optimizer": sgd(0.1)}, "not both"),
        ({"batches": lambda generator: X}, "batches should return .* got Tensor"),
    ],
)
def test_an_argument_that_cannot_be_is_named(settings, match):
    with pytest.raises(ValueError, match=match):
        run(Line(), **settings)


def test_a_player_that_nobody_announced_is_named():
    with pytest.raises(ValueError, match=r"losses\(\) yielded 'critic', but players\(\) has only model"):
        run(Given(("critic", lambda w: w)))


# --- the progress bar ---------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Notebook(io.StringIO):
    """Like the stdout of a notebook, which is not a terminal, and is known by its module."""

    __module__ = "ipykernel.iostream"


@pytest.mark.parametrize("screen", [Terminal, Notebook])
def test_the_bar_shows_steps_and_losses_on_stdout_alone(screen, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", out := screen())
    losses, _ = run(Line(), steps=40)
    last = out.getvalue().strip().split("\r")[-1]
    assert "40/40" in last and f"loss={losses[-1]['loss']:.3g}" in last
    assert capsys.readouterr().err == ""


def test_the_bar_is_redrawn_ten_times_a_second_at_most(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    monkeypatch.setattr("sys.stdout", out := Terminal())
    for _ in train(Line(), same_batch, 200):
        now[0] += 0.01  # two seconds in all
    assert 15 <= out.getvalue().count("\r") <= 22  # 20, the first, and the last


@pytest.mark.parametrize(("screen", "progress"), [(io.StringIO, True), (Terminal, False)])
def test_the_bar_is_silent_in_a_log_or_when_it_is_not_wanted(screen, progress, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", out := screen())
    run(Line(), progress=progress)
    assert out.getvalue() == "" and capsys.readouterr().err == ""


class Rates(torch.optim.SGD):
    """An optimizer that writes down the learning rate of each step."""

    seen: ClassVar[list[float]] = []

    def step(self, closure=None):
        self.seen.append(self.param_groups[0]["lr"])
        return super().step(closure)


def test_the_learning_rate_falls_along_a_line_at_the_end_and_only_then():
    rates = []
    for cooldown in (0.0, 0.4, 1.0):
        Rates.seen = []
        for _ in train(Line(), same_batch, 10, optimizer=lambda p: Rates(p, lr=0.5), cooldown=cooldown):
            pass
        rates.append(Rates.seen)
    assert rates[0] == [0.5] * 10
    assert rates[1] == pytest.approx([0.5] * 7 + [0.375, 0.25, 0.125])
    assert rates[2] == pytest.approx([0.05 * i for i in range(10, 0, -1)])


def test_a_run_that_cools_down_is_the_same_when_it_is_resumed(tmp_path):
    def last(steps, checkpoint):
        *_, (_, _, model) = train(noisy(), random_batch, steps, lr=0.05, cooldown=0.5, checkpoint=checkpoint)
        return [p.clone() for p in model.parameters()]

    straight = last(8, tmp_path / "a.safetensors")
    path = tmp_path / "b.safetensors"
    run = train(noisy(), random_batch, 8, lr=0.05, cooldown=0.5, checkpoint=path, every=1)
    for step, _, _ in run:
        if step == 6:
            break
    run.close()
    resumed = last(8, path)
    assert all(torch.equal(a, b) for a, b in zip(straight, resumed, strict=True))


def test_a_cooldown_that_is_no_share_is_refused():
    with pytest.raises(ValueError, match=r"cooldown should be a share of the steps, in \[0, 1\]; got 2"):
        next(train(Line(), same_batch, 3, cooldown=2))
