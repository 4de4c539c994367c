"""Several processes train one model: with the losses of one process, and killed at any time."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import several
import torch

from minigen import checkpoint, processes, running

ENVIRONMENT = os.environ | {"MINIGEN_BUDGET": "smoke", "MINIGEN_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


VAE = ("vae", ["width=8", "batch=16"])


def start(*command):
    return subprocess.Popen(
        [str(word) for word in command], env=ENVIRONMENT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def train(out, by=(sys.executable,)):
    """`minigen train` as a process that would take very long; a step takes a few milliseconds."""
    name, settings = VAE
    options = ["--steps", 1_000_000, "--every", 20, "--out", out]
    return start(*by, "-m", "minigen", "train", name, *settings, *options)


def when_there(path, process, seconds=120):
    """Waits until a file is there."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, "nothing was saved"
        time.sleep(0.02)


def tensors(path):
    return checkpoint.read(path)[1]


def test_two_processes_have_the_losses_of_one_with_every_kind_of_model(tmp_path, monkeypatch):
    run = start(*TORCHRUN, several.__file__, tmp_path / "losses.json")
    said, _ = run.communicate(timeout=300)
    assert run.returncode == 0, said
    of_two = json.loads((tmp_path / "losses.json").read_text())
    assert of_two["processes"] == 2
    assert of_two["odd"] == "2 processes should share a batch evenly; it has 3 rows"
    left = [name for name in of_two["threads"] if "gloo" in name]
    assert not left, "a thread that outlives the block aborts the process now and then"
    for name in several.NAMES:
        (losses, weights), (theirs, their_weights) = several.losses(name), of_two[name]
        for step, (here, there) in enumerate(zip(losses, theirs, strict=True)):
            assert there == pytest.approx(here, rel=1e-5, abs=1e-5), (name, step)
        assert their_weights == pytest.approx(weights, rel=1e-5), name


def test_without_torchrun_nothing_is_shared(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with processes.together("cpu") as where:
        assert (where, processes.count(), processes.rank()) == (torch.device("cpu"), 1, 0)
        x = torch.arange(6.0).view(3, 2)
        assert processes.share((x, None))[0] is x or torch.equal(processes.share((x, None))[0], x)
        torch.manual_seed(0)
        expected = torch.randn(3, 2)
        torch.manual_seed(0)
        with processes.SharedDraws():
            assert torch.equal(torch.randn(3, 2), expected)


@pytest.mark.parametrize("rank", [0, 1])
def test_the_draws_of_two_processes_are_those_of_one_batch(monkeypatch, rank):
    draws = (
        lambda n: torch.randn(n, 3), lambda n: torch.rand((n,)), lambda n: torch.randint(9, (n,)),
        lambda n: torch.randint(1, 9, (n, 2)), lambda n: torch.randn_like(torch.zeros(n, 2)),
        lambda n: torch.rand_like(torch.zeros(n)), lambda n: torch.randn(n, 2, dtype=torch.float64),
        lambda n: torch.randn(size=(n, 2)), lambda n: torch.randint(high=9, size=(n,)),
    )  # fmt: skip
    torch.manual_seed(0)
    whole = [draw(6) for draw in draws]
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "rank", lambda: rank)
    torch.manual_seed(0)
    with processes.SharedDraws():
        mine = [draw(3) for draw in draws]
    for a, b in zip(whole, mine, strict=True):
        assert torch.equal(a[rank::2], b) and a.dtype == b.dtype


@pytest.fixture
def here(monkeypatch):
    """Trains in this process, with one thread."""
    monkeypatch.setenv("MINIGEN_DEVICE", "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield lambda out, steps: running.train(*VAE, steps=steps, every=20, out=out)
    torch.set_num_threads(threads)


def killed(path, process, victim):
    """Kills a process as soon as there is a checkpoint; returns what was printed, and the step kept."""
    when_there(path, process)
    os.kill(victim(), signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    return said, checkpoint.read(path)[0]["step"]


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path, here, capsys):
    path = tmp_path / "killed" / "run.safetensors"
    process = train(path.parent)
    _, step = killed(path, process, lambda: process.pid)
    here(path.parent, step + 7)
    assert f"is at step {step:,} of {step + 7:,}, and goes on" in capsys.readouterr().out
    here(tmp_path / "whole", step + 7)
    a, b = tensors(path), tensors(tmp_path / "whole" / "run.safetensors")
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("rank", [0, 1])
def test_one_of_two_processes_killed_leaves_a_checkpoint_that_one_alone_resumes(tmp_path, here, rank):
    path = tmp_path / "two" / "run.safetensors"
    process = train(path.parent, by=TORCHRUN)

    def of_rank():
        workers = [p for p in psutil.Process(process.pid).children() if "minigen" in p.cmdline()]
        (victim,) = (p.pid for p in workers if p.environ()["RANK"] == str(rank))
        return victim

    said, step = killed(path, process, of_rank)
    assert "SIGKILL" in said
    here(path.parent, step + 5)
    here(tmp_path / "whole", step + 5)
    a, b = tensors(path), tensors(tmp_path / "whole" / "run.safetensors")
    for name in (name for name in a if name.startswith("model.")):
        assert torch.allclose(a[name], b[name], rtol=1e-3, atol=1e-3), name  # rounding grows with the steps


def test_a_run_that_only_one_of_the_processes_sees_is_refused(monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda values: values.__setitem__(1, 300))
    said = r"the step should be the same for all processes; they have \[0, 300\]"
    with pytest.raises(ValueError, match=said):
        processes.agree("the step", 0, torch.device("cpu"))
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda values: values.__setitem__(1, 7))
    processes.agree("the step", 7, torch.device("cpu"))
