# ruff: noqa: F821
# A hostile cell. It is given what no learner has, the probe and the right answer, and submits to that probe
# what can be called in the sandbox: it ends with the names of all that agree, in FOUND.
# A test reads this file as text, puts GIVEN before it, and after it an answer that prints FOUND.

import contextlib
import copy
import functools
import gc
import importlib
import inspect
import mmap
import os
import signal
import sys
import time
import types

import torch

from minigen.probing.observe import observe
from minigen.probing.rng import Rng

TOGETHER = 300  # candidates that one fork tries
THING = "something"  # what an answer gives that is no tensor
IDLE = 20.0  # seconds that a candidate may take on the clock
OURS = ("minigen", "builtins", "functools")  # the probe's own helpers are in "builtins"

WRITTEN = (types.FunctionType, types.MethodType, type, functools.partial, functools._lru_cache_wrapper)


def candidates():
    """(name, object) of all that can be called and is of the wanted kind, each object once."""
    found, known = {}, {id(value) for value in globals().values()}
    for name, thing in reachable():
        right_kind = callable(thing) and isinstance(thing, type) == GIVEN["class"]
        if right_kind and id(thing) not in known and name not in GIVEN["skipped"]:
            known.add(id(thing))
            found[name] = thing
    return list(found.items())


def reachable():
    """(name, object) of what modules hold, of our classes' methods and a tensor's, and of ours in memory."""
    for place in GIVEN["places"]:
        with contextlib.suppress(ImportError):
            for name, value in list(vars(importlib.import_module(place)).items()):
                yield f"{place}.{name}", value
                if isinstance(value, type) and (
                    value is torch.Tensor or value.__module__.startswith("minigen")
                ):
                    for member in dir(value):
                        yield f"{place}.{name}.{member}", getattr(value, member, None)
    for thing in gc.get_objects():
        with contextlib.suppress(Exception):  # an object may lie about its name
            package = str(getattr(thing, "__module__", None)).split(".")[0]
            if (package in OURS or package not in sys.modules) and isinstance(thing, WRITTEN):
                yield f"memory:{thing.__module__}.{getattr(thing, '__qualname__', '')}:{id(thing)}", thing


def defined(source, name, names=()):
    """What a source defines under a name; names: others that it uses."""
    space = dict(names)
    exec(compile(source, f"<{name}>", "exec"), space)
    return space[name]


class Reached(BaseException):
    """The probe has called its answer for the first time."""


class Trial:
    """The probe with one seed after the other, and what the right answer gives."""

    def __init__(self, given):
        self.seeds, self.tolerance = given["seeds"], given["tolerance"]
        self.probe, self.judge = (given[part] and defined(*given[part]) for part in ("probe", "judge"))
        self.signature = inspect.signature(defined(given["signature"], "signature"))
        self.judged, self.agree = (defined(given["agree"], name) for name in ("judged", "agree"))
        self.right = defined(given["solution"], given["id"], globals())
        start = time.process_time()
        self.wanted = [self.result(self.right, seed) for seed in self.seeds]
        self.slow = 0.3 + 3 * (time.process_time() - start)  # seconds that a candidate may compute
        try:
            self.probe(self._reached, Rng(self.seeds[0]))
        except Reached as call:
            self.first = call.args
        args, kwargs = copied(self.first)
        self.gives, self.replayed = THING, False
        with contextlib.suppress(RuntimeError):  # one that wants the graph of its arguments: copies have none
            self.gives, self.replayed = kind(self.right(*args, **kwargs)), True

    def agrees(self, answer):
        """Whether an answer gives the right results; one that cannot take the first call does not.

        Nor does one that gives nothing instead of something, or a tensor of another shape.
        """
        try:
            args, kwargs = copied(self.first)
            gives = kind(answer(*args, **kwargs)) if self.replayed else self.gives
            if gives != self.gives and (None in (gives, self.gives) or THING not in (gives, self.gives)):
                return False
        except BaseException:
            return False
        pairs = zip(self.seeds, self.wanted, strict=True)
        return all(self.agree(self.result(answer, seed), wanted, self.tolerance) for seed, wanted in pairs)

    def result(self, answer, seed):
        seen = observe(self.probe, answer, self.signature, seed, device="cpu", seconds=None)
        return self.judged(seen, self.judge)

    @staticmethod
    def _reached(*args, **kwargs):
        raise Reached(args, kwargs)


def kind(result):
    """None for nothing (what was given is changed instead), the shape of a tensor, THING for all else."""
    if result is None:
        return None
    return tuple(result.shape) if isinstance(result, torch.Tensor) else THING


def copied(x):
    """Arguments that can be changed without changing these."""
    if isinstance(x, torch.Tensor):
        return x.detach().clone().requires_grad_(x.requires_grad)
    if isinstance(x, torch.nn.Module):
        return copy.deepcopy(x)
    if isinstance(x, (tuple, list)):
        return type(x)(map(copied, x))
    return {key: copied(value) for key, value in x.items()} if isinstance(x, dict) else x


def search(trial, pairs):
    """The names of the candidates that agree.  One that kills its process, or hangs, is no answer."""
    found, waiting = [], [pairs[i : i + TOGETHER] for i in range(0, len(pairs), TOGETHER)]
    while waiting:
        some = waiting.pop()
        begun, agreed, sound = attempt(trial, some)
        if begun < len(some):
            waiting += [some[: begun - 1], some[begun:]]  # again, without the one that ended it
        elif not sound and begun > 1:
            waiting += [some[: begun // 2], some[begun // 2 :]]  # one of them has changed what decides
        else:
            found += [some[i][0] for i in agreed]
    return found


def attempt(trial, pairs):
    """In a fork: (how many were begun, which agreed, whether the right answer was still right at the end)."""
    begun, (output, results) = mmap.mmap(-1, 4), os.pipe()
    if child := os.fork():
        os.close(results)
        os.waitpid(child, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what candidates have started
        with os.fdopen(output, "rb") as stream:
            said = [int(word) for word in stream.read().split()]
        return int.from_bytes(begun[:], "little"), [i for i in said if i >= 0], -1 in said
    with contextlib.suppress(BaseException):
        os.setpgid(0, 0)
        for limit in signal.SIGALRM, signal.SIGPROF:
            signal.signal(limit, signal.SIG_DFL)
        for i, (_, answer) in enumerate(pairs):
            begun[:] = (i + 1).to_bytes(4, "little")
            signal.setitimer(signal.ITIMER_PROF, trial.slow)
            signal.setitimer(signal.ITIMER_REAL, IDLE)
            if trial.agrees(answer):
                os.write(results, b"%d " % i)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if trial.agrees(trial.right):
            os.write(results, b"-1 ")
    os._exit(0)


CANDIDATES = candidates()  # before the right answer is here
TRIAL = Trial(GIVEN)
assert TRIAL.agrees(TRIAL.right), "the search would find nothing"
FOUND = search(TRIAL, CANDIDATES)
