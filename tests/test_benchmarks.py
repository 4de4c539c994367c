"""What benchmarks rest on: turns that are fair, and sentences that say what the figures say."""

# ruff: noqa: E402

import os
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # as when one of them is run

import diffusion
import families
import quality
import racing
from racing import Learner, together


class Sleeper(Learner):
    """Learns by sleeping, and draws how much of its time was gone at its last step."""

    def __init__(self, seconds, most=10**9, fails=False):
        self.seconds, self.most, self.fails, self.steps, self.shares = seconds, most, fails, 0, []
        self.networks = nn.Linear(2, 2), nn.Linear(1, 1, bias=False)

    def step(self, share):
        if self.fails and self.steps == 2:
            raise ValueError("planted")
        if self.steps == self.most:
            return False
        time.sleep(self.seconds)
        self.steps += 1
        self.shares.append(share)
        return True

    def draw(self, n):
        return torch.full((n, 1, 2, 2), max(self.shares))


def test_all_learn_for_the_same_time_in_turn_and_those_that_are_done_wait(monkeypatch):
    monkeypatch.setattr(racing, "SLICE", 0.1)
    learners = {
        "quick": partial(Sleeper, 0.01),
        "slow": partial(Sleeper, 0.04),
        "short": partial(Sleeper, 0.01, 5),
    }
    before = dict(os.environ)
    with together(learners, 0.3, threads=1) as turns:
        assert os.environ == before  # what is meant for the programs stays with them
        quick, slow, short = turns
        for turn in quick, slow:
            assert turn.used >= 0.3 and len(turn.slices) >= 2
        assert short.steps == 5 and short.done
        assert quick.parameters == 7
        images, seconds = quick.draw(3)
        assert images.shape == (3, 1, 2, 2) and 0 < images.max() < 1 and seconds > 0


def test_a_program_that_fails_is_named(capfd):
    learners = {"fine": partial(Sleeper, 0.01), "broken": partial(Sleeper, 0.01, fails=True)}
    with pytest.raises(RuntimeError, match="broken has failed"), together(learners, 1, threads=1):
        pass
    assert "planted" in capfd.readouterr().err


def test_steps_to_get_warm_are_not_counted():
    with together({"one": partial(Sleeper, 0.01, 5)}, 1, 1, warm=3) as turns:
        assert turns[0].steps == 2


def row(program, budget, distance, seconds=10.0):
    return {
        "program": program, "budget": budget, "distance": distance, "seconds for 1,000": seconds, "seed": 0,
        "drawn": 1000, "steps": 100, "batch": 32, "used": budget, "parameters": 10**6,
    }  # fmt: skip


def test_goals_say_who_is_better():
    ours, other, *rest = diffusion.PROGRAMS
    far = [row(program, 180, 5.0) for program in rest]
    rows = [row(ours, 60, 1.0, 2.0), row(other, 180, 1.1, 12.0)]
    assert "better than" not in diffusion.goals(rows)  # the others may be better yet
    said = diffusion.goals(rows + far)
    assert f"After 60 s minigen's distance is 1: better than all others after 180 s ({other}: 1.1)." in said
    assert (
        f"is {other} after 180 s: 1,000 images take it 12 s, 6.0 times as long; 5 is the aim: reached."
        in said
    )
    worse = diffusion.goals([row(ours, 60, 1.0, 2.0), row(other, 180, 0.9, 1.0), *far])
    assert (
        "not better than the best after 180 s" in worse
        and "0.5 times as long; 5 is the aim: not reached" in worse
    )
    nobody = diffusion.goals([row(ours, 60, 1.0), row(other, 60, 2.0), row(other, 180, 1.3)])
    assert "Nobody comes within 20 % of minigen's distance after 60 s (tried: 60, 180 s)." in nobody


def test_the_best_of_each_family_is_named():
    first, second, *_ = families.VAES
    said = families.goals([row(first, 60, 2.0), row(second, 60, 1.0), row(families.GANS[0], 60, 3.0)])
    assert said == f"- After 60 s {second} is best with 1, then {first}: 2.\n"
    said = families.goals([row(first, 60, 2.0), *(row(second, 60, d) for d in (1.0, 1.5, 2.5))])
    assert said == f"- After 60 s {second} is best with 1.5, then {first}: 2; their runs overlap.\n"


def test_runs_of_one_day_and_machine_are_one_paragraph():
    rows = [{"circumstances": f"{day}. 2 cores, load {load} at the start."} for day, load in
            (("Monday", 0.9), ("Monday", 10.2), ("Tuesday", 1.0), ("Monday", 2.5))]  # fmt: skip
    one, other = "Monday. 2 cores, load 0.9–10.2 at the start.", "Tuesday. 2 cores, load 1.0 at the start."
    assert quality.machines(rows) == one + other


def test_a_table_has_medians_with_what_lies_around_them_and_says_when_fewer_were_drawn():
    rows = [row("a", 60, d) for d in (3.0, 1.0, 2.0)] + [row("b", 60, 5.0) | {"drawn": 300}]
    rows.append(row("slow", 60, 5.0, 1950.0))
    table = quality.table(rows, ["a", "b", "slow", "absent"])
    assert "| a | 2 (1–3) | 10 (10–10) | 100 | 32 | 600 | 1.00 | 3 |" in table
    assert "| slow | 5 | 1,950 |" in table
    assert "| b | 5 (of 300) |" in table and "absent" not in table
