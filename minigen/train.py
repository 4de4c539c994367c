"""One loop trains every model of the course; what happens between two steps is the caller's `for` body."""

import copy
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from tqdm import tqdm

from minigen import core, processes, speed
from minigen.checkpoint import Run
from minigen.core import Generative

Batch = tuple[Tensor, Tensor | None]
Read = Callable[[], dict[str, float]]  # losses by name; FloatingPointError for what is not finite


class Losses(Mapping[str, float]):
    """The losses of a step by name, which are read when somebody looks at one."""

    def __init__(self, read: Read):
        self._read = cache(read)

    def __getitem__(self, name: str) -> float:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def train(
    model: Generative,
    batches: Callable[[torch.Generator], Batch],
    steps: int = 1000,
    *,
    lr: float | None = None,
    optimizer: Callable[[list[nn.Parameter]], Optimizer] | None = None,
    decay: float = 0.999,
    cooldown: float = 0.0,
    seed: int = 0,
    device: torch.device | str | None = None,
    checkpoint: str | Path | None = None,
    every: int = 100,
    about: dict[str, Any] | None = None,
    progress: bool = True,
    fast: bool = False,
) -> Iterator[tuple[int, Mapping[str, float], Generative]]:
    """Trains a model in place, and yields (step, losses, averaged) after each step.

    model: is moved to the device and put in train mode.  batches: draws (x, condition or None) with the
    generator it is given, a CPU one.  lr: learning rate of Adam, 1e-3 unless given.  optimizer: makes another
    optimizer of a list of parameters, once for each player.  decay: of the moving average of the weights, in
    [0, 1).  cooldown: share of the steps, at the end, over which the learning rate falls to 0 along a line.
    device: core.device() unless given.  checkpoint: a file to resume from when it exists, written
    after every `every` steps and after the last.  about: JSON values by name, which are written there, and in
    which a run must agree with the file that it resumes from.  progress: a bar on stdout where someone looks
    at it, which is in a terminal and in Jupyter.  fast: compute in the way that is fastest on the device,
    which rounds otherwise, and see a step that went wrong when the next has been taken; see `speed`.

    step: from 1.  losses: {"loss": the sum, and each named term}; with several players {"critic": the sum,
    "critic.penalty": each named term, …}, the latest of each.  averaged: the model with averaged weights, of
    this step too, in eval mode; it is the same object at every step.
    A resumed run first yields the step that it found in the file, and nothing else if steps asks for no more.

    What is random in a step depends on (seed, step) alone, and the caller's random stream is left as it was:
    on one CPU, with the same number of threads, the same seed gives the same bits, resumed or not.
    Within `processes.together`, several processes share each batch, and the first one writes the file.
    Raises ValueError for an argument, a loss or a checkpoint that cannot be used; FloatingPointError, before
    it reaches the weights, for a loss or a gradient that is not finite.
    Source of seeding by step: Karras et al. 2022, Elucidating the Design Space of Diffusion-Based Generative
    Models, published code.
    """
    for name, value, least in ("steps", steps, 1), ("every", every, 1), ("seed", seed, 0):
        if value < least:
            raise ValueError(f"{name} should be at least {least}; got {value}")
    if not 0 <= decay < 1:
        raise ValueError(f"decay should be in [0, 1); got {decay}")
    if not 0 <= cooldown <= 1:
        raise ValueError(f"cooldown should be a share of the steps, in [0, 1]; got {cooldown}")
    if lr is not None and optimizer is not None:
        raise ValueError("give lr or optimizer, not both: lr is for Adam, your own optimizer sets its own")

    device = torch.device(device or core.device())
    model.to(device).train()
    if fast:
        speed.arrange(model)
    averaged = copy.deepcopy(model).eval().requires_grad_(False)
    make = optimizer or (
        lambda parameters: Adam(parameters, lr=1e-3 if lr is None else lr, fused=fast or None)
    )
    average = speed.Average(averaged, model).move if fast else partial(update_average, averaged, model)
    arithmetic = partial(speed.precision, device) if fast else nullcontext
    optimizers = {player: make(list(module.parameters())) for player, module in model.players().items()}
    rates = {player: [g["lr"] for g in o.param_groups] for player, o in optimizers.items() if cooldown}
    run = Run(model, averaged, optimizers, (about or {}) | {"seed": seed, "decay": decay})

    done, first, before = 0, processes.rank() == 0, {}
    if checkpoint is not None and Path(checkpoint).exists():
        done, losses = run.load(checkpoint)
    processes.agree("the step that a run resumes from", done, device)
    if done:
        yield done, losses, averaged
    with progress_bar(progress and first, done, steps) as bar:
        for step in range(done + 1, steps + 1):
            if cooldown:
                set_rates(optimizers, rates, min(1.0, (steps + 1 - step) / (cooldown * steps)))
            with seeded(seed, step, device) as generator:
                batch = processes.share(to_device(batches(generator), device))
                with processes.shared_draws():
                    losses = move_players(step, model, optimizers, batch, arithmetic, late=fast)
                    losses = losses if fast else dict(losses)
            # while it is young the average spans a tenth of its age, or a short run would average its start
            average(min(decay, (1 + step) / (10 + step)))
            # a fast step is looked at when the next is under way, and then raises what it has to raise
            known, before = before if fast and step < steps else losses, losses
            bar.set_postfix({name: v for name, v in known.items() if "." not in name}, refresh=False)
            if checkpoint is not None and first and (step % every == 0 or step == steps):
                run.save(checkpoint, step, dict(losses))
            bar.update()
            yield step, losses, averaged


def set_rates(optimizers: dict[str, Optimizer], rates: dict[str, list[float]], share: float) -> None:
    """Sets the learning rates to a share of those that the optimizers began with."""
    for player, optimizer in optimizers.items():
        for group, rate in zip(optimizer.param_groups, rates[player], strict=True):
            group["lr"] = share * rate


def move_players(
    step: int,
    model: Generative,
    optimizers: dict[str, Optimizer],
    batch: Batch,
    arithmetic: Callable[[], AbstractContextManager] = nullcontext,
    late: bool = False,
) -> Losses:
    """One optimizer step for each loss the model yields, before it computes the next; returns them all.

    arithmetic: a block in which the losses are computed, and nothing else.  late: as for `descend`.
    """
    moved, turns = [], iter(model.losses(batch))
    while True:
        with arithmetic():
            turn = next(turns, None)
        if turn is None:
            break
        player, loss = turn
        if player not in optimizers:
            raise ValueError(f"losses() yielded {player!r}, but players() has only {', '.join(optimizers)}")
        what = f"step {step}: the loss of {player!r}"
        moved.append((player, descend(what, loss, optimizers[player], late)))

    def read() -> dict[str, float]:
        losses = {}
        for player, values in moved:
            for name, value in values().items():
                if len(optimizers) > 1:  # say whose: "loss" becomes "critic", and "penalty" "critic.penalty"
                    name = player if name == "loss" else f"{player}.{name}"
                losses[name] = value
        return losses

    return Losses(read)


def descend(what: str, loss: Tensor | dict[str, Tensor], optimizer: Optimizer, late: bool = False) -> Read:
    """One optimizer step down a loss, which errors call `what`; returns how {"loss": sum, each term} is read.

    A step is not taken if the loss or its gradient is not finite.  late: nobody waits to see that; who reads
    the loss does.
    """
    terms = loss if isinstance(loss, dict) else {"loss": loss}
    for name, term in terms.items():
        if not isinstance(term, Tensor) or term.ndim > 0:
            got = f"shape {tuple(term.shape)}" if isinstance(term, Tensor) else type(term).__name__
            raise ValueError(f"{what} should be a scalar tensor, or scalars by name; got {name!r} of {got}")
    if terms is loss and (not terms or "loss" in terms):
        raise ValueError(f"{what} should have terms to add up, none called 'loss'; got {list(terms)}")

    total = sum(terms.values())
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    optimizer.zero_grad()
    if total.requires_grad and parameters:
        total.backward(inputs=parameters)  # the other players get no gradient that could stay
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        raise ValueError(f"{what} does not depend on this player's parameters: is something detached?")

    losses = torch.stack([total, *terms.values()]).detach()
    processes.average([losses, *gradients])
    slope = torch.stack([g.sum(dtype=torch.float32) for g in gradients]).sum()
    numbers = torch.cat([losses, slope[None]])
    found = speed.Later(numbers)

    def read() -> dict[str, float]:
        *values, slope = found.read()
        values = dict(zip(("loss", *terms), values, strict=True))
        if bad := [f"{name} = {value}" for name, value in values.items() if not math.isfinite(value)]:
            raise FloatingPointError(f"{what} is not finite ({', '.join(bad)}); its step was not taken")
        if not math.isfinite(slope):
            said = f"{what} is finite ({values}), its gradient is not; its step was not taken"
            raise FloatingPointError(said)
        return values

    if late and speed.may_leave_out(optimizer):
        speed.step_if_finite(optimizer, numbers)
    else:
        read()
        optimizer.step()
    return read


@torch.no_grad()
def update_average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    """Moves averaged weights towards the model's, keeping the share `decay` of them; copies the buffers."""
    for average, weight in zip(averaged.parameters(), model.parameters(), strict=True):
        average.lerp_(weight, 1 - decay)
    for copied, buffer in zip(averaged.buffers(), model.buffers(), strict=True):
        copied.copy_(buffer)


@contextmanager
def seeded(seed: int, step: int, device: torch.device) -> Iterator[torch.Generator]:
    """A block in which torch's random stream, and the generator it gives, depend on (seed, step) alone."""
    for_batch, for_torch = np.random.SeedSequence([seed, step]).generate_state(2).tolist()
    elsewhere = [] if device.type == "cpu" else range(getattr(torch, device.type).device_count())
    with torch.random.fork_rng(elsewhere, device_type=device.type):
        # torch.manual_seed seeds every device there is, and to look for them takes half a millisecond
        (torch.manual_seed if elsewhere else torch.default_generator.manual_seed)(for_torch)
        yield torch.Generator().manual_seed(for_batch)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on the device; a ValueError when it is not (x, condition or None)."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ValueError(f"batches should return (x, condition or None); got {type(batch).__name__}")
    x, condition = (part if part is None else speed.send(part, device) for part in batch)
    return x, condition


def progress_bar(wanted: bool, done: int, steps: int) -> tqdm:
    """A bar of plain text, redrawn at most ten times a second, and silent in a pipe or a log."""
    out = sys.stdout  # not stderr: nbgrader takes marks off for what a notebook writes there
    watched = out.isatty() or type(out).__module__.startswith("ipykernel")
    silent = not (wanted and watched)
    shown = {"unit": " steps", "dynamic_ncols": True, "mininterval": 0.1, "miniters": 1}
    return tqdm(total=steps, initial=done, disable=silent, file=out, **shown)
