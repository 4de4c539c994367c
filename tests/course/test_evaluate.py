"""Outcomes and diagnoses, on answers that a learner might write and that are in no list of mistakes."""

import copy
import dataclasses
import inspect
import subprocess
import sys
import time

import pytest
import torch
from torch import nn

from minigen.course import diagnose, runs
from minigen.course.card import Card
from minigen.course.catalogue import Mistake, find
from minigen.course.evaluate import device_note, evaluate
from minigen.course.source import edited
from minigen.course.verdict import Outcome
from minigen.probing.observe import observe


@pytest.fixture
def judge(samples):
    return lambda name, answer: evaluate(samples.CATALOGUE[name], answer)


def right(mu, logvar, eps):
    return mu + (0.5 * logvar).exp() * eps


def right_and_adds(mu, logvar, eps, to):
    return right(mu, logvar, eps) + 0 * to.add_(1)


def test_the_first_check_of_a_notebook_imports_nothing_large():
    code = """
import sys
from minigen.course.catalogue import find
from minigen.course.evaluate import evaluate
from minigen.course.source import compiled
for name in "reparameterize", "gaussian_log_density":
    exercise = find(name)
    evaluate(exercise, compiled(exercise.solution, exercise.target))
assert "sympy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_right_answer_in_other_words_is_right(judge):
    assert judge("reparameterize", right).outcome == Outcome.RIGHT


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda mu, logvar, eps: mu + logvar.exp() * eps, "grows like σ²"),  # a known mistake
        (lambda mu, logvar, eps: mu + eps, "`std *` were missing"),  # the library's with one edit
        (lambda mu, logvar, eps: mu - (logvar / 2).exp() * eps, "one `+` were a `-`"),
        (lambda mu, logvar, eps: 3 * right(mu, logvar, eps), "`z`: 3 times the wanted one"),
        (lambda mu, logvar, eps: -right(mu, logvar, eps), "right except for its sign"),
        (lambda mu, logvar, eps: right(mu, logvar, eps) + 2, "the wanted one plus 2"),
        (lambda mu, logvar, eps: right(mu, logvar, eps).mT, "`z`: transposed"),
        (lambda mu, logvar, eps: right(mu, logvar, eps)[:1], "the shape is (1, "),
        (lambda mu, logvar, eps: right(mu, logvar, eps).double(), "the dtype is float64"),
        (lambda mu, logvar, eps: right(mu, logvar, eps) / 0, "not finite"),
        (lambda mu, logvar, eps: right(mu, logvar, eps).flip(1), "reverse order along dimension 1"),
        (lambda mu, logvar, eps: right(mu, logvar, eps) / len(mu), "divided by the size of dimension 0 of"),
        (lambda mu, logvar, eps: None, "is a `return` missing"),
        (lambda mu, logvar, eps: (mu, logvar), "a tuple of 2; a tensor was wanted"),
        (lambda mu, logvar, eps: right(mu, logvar, torch.randn_like(eps)), "random numbers of its own"),
        (lambda mu, logvar, eps: right(mu, logvar.detach(), eps), "no gradient reaches `logvar`"),
        (lambda mu, logvar, eps: mu.sin() * eps, "does not depend on `logvar`"),
        (lambda mu, logvar, eps: right_and_adds(mu, logvar, eps, eps), "changes its argument `eps` in place"),
        (lambda mu, logvar, eps: right_and_adds(mu, logvar, eps, eps.data), "its argument `eps` in place"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_told_what_is_true_of_it(judge, answer, said):
    verdict = judge("reparameterize", answer)
    assert verdict.outcome == Outcome.WRONG
    assert said in verdict.message


def test_a_mean_where_a_sum_is_wanted_is_seen_from_the_sizes(judge):
    verdict = judge("sum_squares", lambda x, y: ((x - y) ** 2).sum() / len(x) ** 2)
    assert "divided by the size of dimension 0 of `x`" in verdict.message


def test_a_coincidence_on_one_draw_is_not_stated(judge):
    """On the first draw this is twice the wanted result; on the others it is not."""
    first = []

    def sometimes(mu, logvar, eps):
        first.append(mu.shape)
        return right(mu, logvar, eps) * (2 if mu.shape == first[0] else 1.7)

    assert "times" not in judge("reparameterize", sometimes).message


def test_a_mistake_that_is_not_finite_names_nothing(judge, samples):
    verdict = judge("reparameterize", lambda mu, logvar, eps: mu * float("nan"))
    assert verdict.mistake is None
    assert "not finite" in verdict.message


def test_the_example_shows_input_result_and_what_was_wanted(judge):
    rows = judge("reparameterize", lambda mu, logvar, eps: mu + logvar.exp() * eps).example
    assert [label for label, _ in rows] == ["mu", "logvar", "eps", "yours: `z`", "wanted: `z`"]
    assert rows[3][1] != rows[4][1]


def test_an_exception_shows_the_learners_line_and_not_ours(judge):
    def broken(mu, logvar, eps):
        std = logvar.exp()
        return mu @ std  # (N, D) times (N, D)

    verdict = judge("reparameterize", broken)
    assert verdict.outcome == Outcome.RAISED
    assert "return mu @ std" in verdict.message
    assert "observe.py" not in verdict.message


def test_an_answer_with_other_parameters_is_told_how_it_is_called(judge):
    verdict = judge("reparameterize", lambda mu, logvar: mu)
    assert verdict.outcome == Outcome.RAISED
    assert "reparameterize(mu" in verdict.message


@pytest.mark.parametrize("answer", [3, None, "reparameterize", nn.Linear])
def test_something_that_is_no_function_is_wrong_with_a_sentence(judge, answer):
    verdict = judge("reparameterize", answer)
    assert verdict.outcome == Outcome.WRONG
    assert "should be a function" in verdict.message


def test_raising_not_implemented_oneself_is_an_attempt(judge):
    def reparameterize(mu, logvar, eps):
        print((logvar / 2).exp())
        raise NotImplementedError

    assert judge("reparameterize", reparameterize).outcome == Outcome.RAISED


def test_a_stub_with_another_docstring_and_comments_is_still_not_attempted(judge):
    def reparameterize(mu, logvar, eps):
        """My notes."""
        # I will think about this tomorrow.
        raise NotImplementedError

    assert judge("reparameterize", reparameterize).outcome == Outcome.NOT_ATTEMPTED


def test_leaving_a_model_without_the_layer_that_is_wanted_is_said_by_its_layers(judge):
    class Wide(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.a, self.b = nn.Linear(6, width + 1), nn.Linear(width + 1, 6)

        def forward(self, x):
            return self.b(self.a(x).relu())

    verdict = judge("TinyAutoencoder", Wide)
    assert verdict.outcome == Outcome.WRONG
    assert "never calls `Linear" in verdict.message


def test_a_decorated_answer_and_an_undecorated_one_are_both_run(judge):
    def in_place(averaged, current, decay):
        averaged.copy_(decay * averaged + (1 - decay) * current)

    assert judge("ema_update", torch.no_grad()(in_place)).outcome == Outcome.RIGHT
    assert judge("ema_update", in_place).outcome == Outcome.RIGHT


def test_a_loop_that_never_ends_is_stopped_even_when_it_swallows_exceptions(judge, samples, monkeypatch):
    def endless(mu, logvar, eps):
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                continue

    monkeypatch.setattr(runs, "LIMIT", 0.3)
    verdict = judge("reparameterize", endless)
    assert verdict.outcome == Outcome.TIMED_OUT
    assert "0.3 s" in verdict.message


def test_the_librarys_own_run_is_never_cut(samples, monkeypatch):
    """Its first run of a session may import much of torch, slowly on a busy machine."""
    slow = dataclasses.replace(samples.CATALOGUE["reparameterize"], probe=slowly)
    monkeypatch.setattr(runs, "LIMIT", 0.05)
    assert runs.reference(slow, 0).error is None
    assert "0.05 s" in str(runs.run(slow, right, 0).error)


def slowly(answer, rng):
    time.sleep(0.2)
    return {"z": answer(rng.normal(3), rng.normal(3), rng.normal(3))}


def test_a_right_answer_that_crawls_is_right_and_does_not_serve(judge):
    def crawling(mu, logvar, eps):
        time.sleep(0.02)
        return right(mu, logvar, eps)

    verdict = judge("reparameterize", crawling)
    assert verdict.outcome == Outcome.RIGHT
    assert not verdict.fits
    assert "times slower" in verdict.notes[0]


def test_an_answer_that_would_fail_on_a_gpu_is_right_with_a_note(judge, samples):
    def forgets_device(mu, logvar, eps):
        return right(mu, logvar, eps) + torch.zeros(eps.shape)

    exercise = samples.CATALOGUE["reparameterize"]
    assert judge("reparameterize", forgets_device).outcome == Outcome.RIGHT
    assert "torch.zeros(eps.shape)" in device_note(exercise, forgets_device)
    assert device_note(exercise, right) is None


def test_a_result_left_on_the_cpu_is_right_with_a_note(samples):
    def left_behind(mu, logvar, eps):
        z = right(mu, logvar, eps)
        return torch.zeros(z.shape) if z.is_meta else z

    assert "left on the CPU" in device_note(samples.CATALOGUE["reparameterize"], left_behind)


def test_another_failure_on_the_meta_device_says_nothing(samples):
    def needs_values(mu, logvar, eps):
        return right(mu, logvar, eps) + 0 * float(mu.sum())

    assert device_note(samples.CATALOGUE["reparameterize"], needs_values) is None


def test_nothing_an_answer_does_to_global_state_stays(judge):
    def rude(mu, logvar, eps):
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float64)
        return right(mu, logvar, eps)

    before = torch.get_rng_state()
    judge("reparameterize", rude)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_default_dtype() == torch.float32


def test_what_the_answer_prints_is_shown_once(judge, samples):
    def chatty(mu, logvar, eps):
        print("the shape is", tuple(mu.shape))
        return right(mu, logvar, eps)

    verdict = judge("reparameterize", chatty)
    assert verdict.outputs.printed.count("the shape is") == 1
    assert "the shape is" in repr(Card(samples.CATALOGUE["reparameterize"], verdict))


@pytest.mark.parametrize(
    ("value", "outcome", "said"),
    [
        (..., Outcome.NOT_ATTEMPTED, ""),
        (8, Outcome.RIGHT, ""),
        (torch.tensor(8.0), Outcome.RIGHT, ""),
        (1, Outcome.WRONG, "64 pixels"),
        (100, Outcome.WRONG, "smaller"),
        ("eight", Outcome.WRONG, "A number is wanted"),
        ([8], Outcome.WRONG, "A number is wanted"),
    ],
)
def test_a_prediction_is_answered_by_its_own_explanation(judge, value, outcome, said):
    verdict = judge("compression", value)
    assert verdict.outcome == outcome
    assert said in verdict.message


def test_a_card_escapes_what_the_learner_wrote(judge, samples):
    def nasty(mu, logvar, eps):
        print("<script>alert(1)</script>")
        raise ValueError("<img src=x onerror=alert(1)>")

    html = Card(samples.CATALOGUE["reparameterize"], judge("reparameterize", nasty))._repr_html_()
    assert "<script>" not in html
    assert "<img" not in html


@pytest.mark.parametrize(
    ("exercise", "answer", "said"),
    [
        ("reparameterize", lambda mu, logvar, eps: right(mu, logvar, eps).detach().numpy(), "a numpy array"),
        ("pca_axes", lambda x, k: (lambda v: [v, v])(torch.zeros(k, x.shape[1])), "a list of 2; a tensor"),
        ("compression", "2", "it is larger"),
        ("compression", float("nan"), "A number is wanted"),
    ],
)  # fmt: skip
def test_the_kind_of_a_result_is_looked_at_before_its_values(judge, exercise, answer, said):
    verdict = judge(exercise, answer)
    assert verdict.outcome == Outcome.WRONG
    assert said in verdict.message


def test_an_argument_that_matters_only_in_steps_is_not_called_ignored(judge):
    """A small change of `mu` changes nothing here; that it does not matter would be a false explanation."""
    message = judge("reparameterize", lambda mu, logvar, eps: (mu / 0.5).floor() + logvar.sin() + eps).message
    assert "does not depend" not in message


def test_an_edit_that_the_learner_cannot_see_in_their_code_is_not_named(judge):
    def other_words(x, y):
        difference = x - y
        return (difference * difference).mean(1).sum() * x.shape[1] / len(x) * 2

    assert "were" not in judge("sum_squares", other_words).message


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("spread = logvar.exp()\nreturn mu + spread * eps", "std = exp(logvar)"),
        ("spread = ( logvar/2 ) . exp()\nreturn mu.detach() + spread * eps", "detached"),
        ("return quite(otherwise)", "std = exp(logvar)"),  # like none of them, so as they are listed
        ("", "std = exp(logvar)"),
    ],
)
def test_the_mistake_that_is_written_like_the_answer_is_tried_first(samples, monkeypatch, code, name):
    exercise, tried = samples.CATALOGUE["reparameterize"], []
    monkeypatch.setattr(diagnose, "gives", lambda exercise, wrong, *rest: tried.append(wrong))
    diagnose.named(exercise, code, [])
    known = {m.answer: m.name for m in exercise.mistakes}
    assert known[tried[0]] == name
    assert set(known) <= set(tried), "a mistake was never tried"


def test_of_two_mistakes_with_the_same_result_the_one_that_was_made_is_named(samples):
    exercise = samples.CATALOGUE["reparameterize"]
    twins = tuple(
        Mistake(name, edited(exercise.target, "(logvar / 2).exp()", spread), "No.")
        for name, spread in (("as a power", "torch.e**logvar"), ("as exp", "logvar.exp()"))
    )
    for told in twins:
        verdict = evaluate(dataclasses.replace(exercise, mistakes=twins), told.answer)
        assert verdict.mistake == told.name


def test_weights_that_are_used_without_a_call_count_as_well(judge):
    class Functional(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.a, self.b = nn.Linear(6, width), nn.Linear(width, 6)

        def forward(self, x):
            return self.b((x @ self.a.weight.T + self.a.bias).relu())

    assert judge("TinyAutoencoder", Functional).outcome == Outcome.RIGHT


def test_the_example_shows_the_place_that_differs(judge):
    def last_one_wrong(mu, logvar, eps):
        z = right(mu, logvar, eps)
        return torch.cat([z.flatten()[:-1], z.flatten()[-1:] + 1]).view(z.shape)

    rows = dict(judge("reparameterize", last_one_wrong).example)
    assert rows["yours: `z`"] != rows["wanted: `z`"]
    assert "…, " in rows["yours: `z`"]


def test_a_result_on_the_cpu_made_by_copying_is_noticed(samples):
    def copies(mu, logvar, eps):
        z = torch.zeros(mu.shape)
        z[:] = right(mu, logvar, eps)
        return z

    assert "copy values to the CPU" in device_note(samples.CATALOGUE["reparameterize"], copies)


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize("error", [GeneratorExit, SystemExit, Unprintable, RecursionError])
def test_whatever_an_answer_raises_becomes_a_card(judge, error):
    def answer(mu, logvar, eps):
        raise error

    verdict = judge("reparameterize", answer)
    assert verdict.outcome == Outcome.RAISED
    assert error.__name__ in verdict.message


@pytest.mark.parametrize(
    "result",
    [
        lambda z: z.to_sparse(),
        lambda z: z.to("meta"),
        lambda z: (row for row in z),
        lambda z: z.to(torch.complex64),
        lambda z: [[1]],
    ],
)
def test_a_strange_result_is_wrong_and_never_breaks_the_check(judge, result):
    verdict = judge("reparameterize", lambda mu, logvar, eps: result(right(mu, logvar, eps).detach()))
    assert verdict.outcome == Outcome.WRONG
    assert verdict.message


def test_right_values_in_another_kind_of_object_are_told_that_alone():
    def update_average(averaged, model, decay):
        library(averaged, model, decay)
        return averaged

    exercise = find("update_average")
    library = exercise.target
    verdict = evaluate(exercise, update_average)
    assert (verdict.outcome, verdict.message) == (
        Outcome.WRONG,
        "What your code returns is a Sequential; None was wanted.",
    )


def test_a_result_that_is_only_almost_right_is_said_to_be_that(samples):
    exercise = samples.CATALOGUE["reparameterize"]
    strict = dataclasses.replace(exercise, tolerance=1e-6)
    almost = evaluate(strict, lambda mu, logvar, eps: right(mu, logvar, eps) * 1.00003)
    assert almost.outcome == Outcome.WRONG
    assert almost.message == "`z`: nearly what is wanted, but not close enough."


def test_endless_printing_is_kept_only_to_its_beginning(judge):
    def floods(mu, logvar, eps):
        for _ in range(200):
            print("x" * 100_000)
        return right(mu, logvar, eps)

    assert len(judge("reparameterize", floods).outputs.printed) == 10_000


def test_methods_other_than_forward_are_watched_too(samples):
    """In time, in what they modify, and in deep copies."""

    def probe(answer, rng):
        model = copy.deepcopy(answer(3))
        x = rng.normal(rng.size(2, 5), 6)
        return {"code": model.encode(x)}

    class Model(samples.TinyAutoencoder):
        def encode(self, x):
            time.sleep(0.01)
            x.mul_(2)
            return self.encoder(x)

    seen = observe(probe, Model, inspect.signature(Model), 0, device="cpu", seconds=5)
    assert seen.error is None
    assert seen.modified == {"x"}
    assert seen.seconds > 0.009
    assert [list(c.arguments) for c in seen.calls] == [["x"]]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda a: a["x"].mul_(2), {"x"}),
        (lambda a: a["pair"][1].zero_(), {"pair[1]"}),
        (lambda a: a["pair"].append(torch.ones(2)), {"pair[2]"}),
        (lambda a: a["pair"].pop(), {"pair[1]"}),
        (lambda a: a["nested"]["deep"][0].add_(1), {"nested[deep][0]"}),
        (lambda a: a["nested"].clear(), {"nested[deep][0]"}),
        (lambda a: nn.init.zeros_(a["model"].bias), {"model[bias]"}),
        (lambda a: a["x"] + a["pair"][0], set()),
    ],
)
def test_inputs_that_an_answer_modifies_are_found_wherever_they_are(spoil, said):
    def probe(answer, rng):
        model = nn.Linear(2, 2)
        return {"y": answer(rng.normal(2), [rng.normal(2), rng.normal(2)], {"deep": (rng.normal(2),)}, model)}

    def answer(x, pair, nested, model):
        spoil({"x": x, "pair": pair, "nested": nested, "model": model})
        return torch.zeros(1)

    seen = observe(probe, answer, inspect.signature(answer), 0, device="cpu", seconds=5)
    assert seen.error is None
    assert seen.modified == said


def test_a_call_that_raises_where_the_probe_goes_on_is_not_told_that_a_return_is_missing():
    def of_the_largest(log_probability, x_t, t):
        x = x_t.detach().requires_grad_()
        with torch.enable_grad():
            each = log_probability(x, t)
        return torch.autograd.grad(each.max(), x)[0]  # raises where gradients are switched off

    card = repr(Card(find("classifier_gradient"), evaluate(find("classifier_gradient"), of_the_largest)))
    assert "`return`" not in card and "`images`: not what is wanted" in card
