"""Every contract on every sample exercise; and each contract fails on the fault that it is for."""

import dataclasses

import contract
import pytest
import torch
from conftest import load_samples

from minigen.course import mutants
from minigen.course.catalogue import Mistake, lesson
from minigen.course.verdict import Outcome, Verdict

SAMPLES = load_samples()
RUN = [e for e in SAMPLES.CATALOGUE.values() if e.kind != "predict"]
GOOD = SAMPLES.CATALOGUE["reparameterize"]


@pytest.mark.parametrize("holds", contract.CONTRACTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("exercise", RUN, ids=lambda e: e.id)
def test_samples(exercise, holds):
    holds(exercise)


def zeros(mu, logvar, eps):
    return torch.zeros_like(mu)


def blind_probe(answer, rng):
    """Looks at the shape only."""
    z = answer(rng.normal(rng.size(2, 5), 6), rng.normal(1, 6), rng.normal(1, 6))
    return {"z": torch.zeros(len(z))}


def probe_of_one_size(answer, rng):
    return {"z": answer(rng.normal(2, 3), rng.normal(2, 3), rng.normal(2, 3))}


def probe_that_draws(answer, rng):
    torch.manual_seed(len(runs := probe_that_draws.__dict__.setdefault("runs", [])))
    runs.append(1)
    return {"z": answer(rng.normal(2, 3), rng.normal(2, 3), torch.randn(2, 3))}


FAULTS = {
    "right_answers_pass": {"accepts": (zeros,)},
    "lazy_results_fail": {"probe": blind_probe},
    "mistakes_fail_and_are_named": {"mistakes": (Mistake("right after all", GOOD.accepts[0], "No."),)},
    "mutants_are_noticed": {"probe": blind_probe},
    "inputs_change_with_the_draw": {"probe": probe_of_one_size},
    "runs_are_repeatable": {"probe": probe_that_draws},
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_contract_can_fail(name, monkeypatch, tmp_path):
    monkeypatch.setattr(mutants, "CACHE", tmp_path / "mutants.json")
    with pytest.raises(AssertionError):
        getattr(contract, name)(dataclasses.replace(GOOD, **FAULTS[name]))


@pytest.mark.parametrize("name", ["stub_is_not_attempted", "the_library_itself_is_not_yours"])
def test_the_contracts_of_the_engine_itself_can_fail(name, monkeypatch):
    """Their fault is not in an exercise: here every answer is called right."""
    monkeypatch.setattr(contract, "evaluate", lambda exercise, answer: Verdict(Outcome.RIGHT))
    with pytest.raises(AssertionError):
        getattr(contract, name)(GOOD)


def test_a_stale_equivalent_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "CACHE", tmp_path / "mutants.json")
    stale = dataclasses.replace(GOOD, equivalents={"std = logvar.exp()": "it is noticed, in truth"})
    with pytest.raises(AssertionError, match="listed as equivalent but noticed"):
        contract.mutants_are_noticed(stale)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mistakes": {}}, "at least three known mistakes"),
        ({"hints": []}, "at least one hint"),
        ({"repair": "nothing"}, "names none of its mistakes"),
        ({"probe": None, "points": 2}, "carries no points"),
        ({}, "already taken by lesson 99_samples"),
    ],
)
def test_an_authors_slip_is_answered_when_the_file_is_read(changes, said):
    catalogue = {"reparameterize": GOOD} if not changes else {}
    fields = {
        "target": SAMPLES.reparameterize,
        "title": "t",
        "probe": GOOD.probe,
        "hints": ["h"],
        "mistakes": {m.name: (m.answer, m.why) for m in GOOD.mistakes},
    }
    with pytest.raises(ValueError, match=said):
        lesson("97_x", catalogue)(**(fields | changes))


def test_the_scores_come_from_the_cache_until_something_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "CACHE", tmp_path / "mutants.json")
    ran = []
    score = mutants.score
    monkeypatch.setattr(mutants, "score", lambda e: ran.append(e.id) or score(e))
    first, again = mutants.scores([GOOD]), mutants.scores([GOOD])
    assert (first, ran) == (again, ["reparameterize"])
    monkeypatch.setattr(torch, "__version__", "another")
    mutants.scores([GOOD])
    assert ran == ["reparameterize"] * 2
