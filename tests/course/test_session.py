"""check, hint and solution as a learner meets them; what stays in the library; strict mode."""

import threading
import time

import pytest
import torch

from minigen.course import catalogue, installed, records, runs, session
from minigen.course.records import read
from minigen.probing import limits


@pytest.fixture
def lesson(samples, monkeypatch, tmp_path):
    """The sample exercises in place of the course's, progress in a temporary file, a clean library after."""
    monkeypatch.setattr(catalogue, "_CATALOGUE", samples.CATALOGUE)
    monkeypatch.setenv("MINIGEN_PROGRESS", str(tmp_path / ".progress.json"))
    monkeypatch.delenv("MINIGEN_STRICT", raising=False)
    yield samples
    for exercise in samples.CATALOGUE.values():
        installed.uninstall(exercise.target)


def right(mu, logvar, eps):
    return mu + (logvar / 2).exp() * eps + torch.zeros_like(mu)


def wrong(mu, logvar, eps):
    return mu + logvar.exp() * eps


ONES = [torch.ones(1, 1)] * 3


def test_a_right_answer_runs_in_the_library_until_a_wrong_one_takes_it_out(lesson, capsys):
    pristine = lesson.reparameterize
    assert session.check("reparameterize", right) is right
    assert lesson.reparameterize is right
    assert "From here on the library runs on your code" in capsys.readouterr().out
    assert lesson.encode_and_sample(*ONES) == right(*ONES)
    assert session.check("reparameterize", wrong) is pristine
    assert lesson.reparameterize is pristine
    assert "grows like σ²" in capsys.readouterr().out


def test_references_run_on_the_pristine_library_while_an_answer_is_installed(lesson):
    pristine = lesson.reparameterize
    session.check("reparameterize", right)
    with installed.pristine():
        assert lesson.reparameterize is pristine
    assert lesson.reparameterize is right


def test_a_slow_right_answer_is_not_installed(lesson, capsys):
    def slow(mu, logvar, eps):
        threading.Event().wait(0.02)
        return right(mu, logvar, eps)

    pristine = lesson.reparameterize
    assert session.check("reparameterize", slow) is pristine
    assert lesson.reparameterize is pristine
    assert "✓ right" in capsys.readouterr().out


def test_the_stub_gives_the_library_back_and_is_no_attempt(lesson, capsys):
    def reparameterize(mu, logvar, eps):
        raise NotImplementedError

    assert session.check("reparameterize", reparameterize) is lesson.reparameterize
    assert "not attempted" in capsys.readouterr().out
    assert read() == {}


def test_a_script_is_an_ordinary_program_and_check_is_silent(lesson, capsys):
    assert session.check("reparameterize", lesson.reparameterize) is lesson.reparameterize
    assert session.check("compression", lesson.compression) == 8
    assert capsys.readouterr().out == ""


def test_the_librarys_object_in_a_notebook_is_not_yours(lesson, capsys, monkeypatch):
    monkeypatch.setattr(session, "_notebook", lambda: True)
    monkeypatch.setattr(session, "_show", print)
    session.check("reparameterize", lesson.reparameterize)
    assert "not yours" in capsys.readouterr().out


def test_a_prediction_always_gives_the_right_value_to_the_lesson(lesson):
    assert session.check("compression", 1) == 8
    assert session.check("compression", ...) == 8


@pytest.mark.parametrize(
    ("mode", "answer", "raises"),
    [
        ("right", right, False),
        ("right", wrong, True),
        ("not-attempted", right, True),
        ("not-attempted", wrong, True),
        ("", wrong, False),
    ],
)
def test_strict_mode_raises_on_any_other_outcome(lesson, monkeypatch, mode, answer, raises):
    monkeypatch.setenv("MINIGEN_STRICT", mode)
    if raises:
        with pytest.raises(session.NotAccepted, match="reparameterize is"):
            session.check("reparameterize", answer)
    else:
        session.check("reparameterize", answer)


def test_nbgrader_gets_an_exception_for_all_but_right(lesson, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    session.check("reparameterize", right)
    with pytest.raises(session.NotAccepted):
        session.check("reparameterize", wrong)


def test_hints_come_one_at_a_time_and_the_last_one_stays(lesson, capsys):
    session.check("reparameterize", wrong)
    capsys.readouterr()
    for _ in range(3):
        session.hint()
    said = capsys.readouterr().out.splitlines()
    assert ["Hint 1 of 2" in said[0], "Hint 2 of 2" in said[1], said[2] == said[1]] == [True] * 3


def test_the_solution_is_the_librarys_source(lesson, capsys):
    session.solution("sum_squares")
    assert "return (x - y).square().sum(dim=1).mean()" in capsys.readouterr().out


def test_an_unknown_name_is_answered_with_the_nearest(lesson):
    with pytest.raises(ValueError, match="did you mean 'reparameterize'"):
        session.check("reparametrise", right)


def test_progress_keeps_the_first_attempt_the_mistakes_and_that_it_is_done(lesson):
    for answer in (wrong, right, wrong):
        session.check("reparameterize", answer)
    entry = read()["reparameterize"]
    assert (entry["first"], entry["last"], entry["done"], entry["attempts"]) == ("wrong", "wrong", True, 3)
    assert entry["mistakes"] == ["std = exp(logvar)"]


def test_notebooks_that_write_at_once_lose_nothing(lesson):
    exercise, verdict = lesson.CATALOGUE["reparameterize"], session.Verdict(session.Outcome.WRONG)
    threads = [
        threading.Thread(target=lambda: [records.record(exercise, verdict) for _ in range(5)])
        for _ in range(4)
    ]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert read()["reparameterize"]["attempts"] == 20


def test_a_damaged_progress_file_is_put_aside_and_not_overwritten(lesson, capsys):
    records.path().write_text("{ not json")
    session.check("reparameterize", right)
    aside = list(records.path().parent.glob(".progress.unreadable.*"))
    assert [a.read_text() for a in aside] == ["{ not json"]
    assert read()["reparameterize"]["done"]


def test_progress_that_cannot_be_saved_costs_a_sentence_and_not_the_card(lesson, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "replacing", full)
    assert session.check("reparameterize", right) is right
    said = capsys.readouterr().out
    assert "✓ right" in said
    assert "could not be saved" in said
    assert "No space left" in said


def test_a_call_that_cannot_be_stopped_is_reported_where_the_learner_looks(lesson, capsys, monkeypatch):
    monkeypatch.setattr(limits, "GRACE", 0.1)
    monkeypatch.setattr(runs, "LIMIT", 0.1)
    start = time.monotonic()

    def stubborn(mu, logvar, eps):
        while time.monotonic() < start + 0.8:
            try:
                time.sleep(0.01)
            except BaseException:
                continue
        return right(mu, logvar, eps)

    session.check("reparameterize", stubborn)
    said = capsys.readouterr().out
    assert "Interrupt it with the ■ button" in said.split("reparameterize")[0]


def test_a_right_answer_with_a_device_fault_gets_its_note_after_the_card(lesson, capsys):
    session.check("reparameterize", lambda mu, logvar, eps: right(mu, logvar, eps) + torch.zeros(mu.shape))
    said = capsys.readouterr().out
    assert said.index("✓ right") < said.index("would fail on a GPU")


def test_a_fault_of_the_check_itself_costs_the_lesson_nothing(lesson, capsys, monkeypatch):
    def broken(*_):
        raise IndexError

    monkeypatch.setattr(session, "evaluate", broken)
    assert session.check("reparameterize", right) is lesson.reparameterize
    assert "The check itself failed" in capsys.readouterr().out


def test_a_second_right_answer_takes_the_place_of_the_first(lesson):
    def another(mu, logvar, eps):
        return right(mu, logvar, eps)

    pristine = lesson.reparameterize
    session.check("reparameterize", right)
    session.check("reparameterize", another)
    assert lesson.reparameterize is another
    session.check("reparameterize", wrong)
    assert lesson.reparameterize is pristine


def test_the_check_runs_on_the_pristine_library_while_answers_are_installed(lesson):
    seen = []
    session.check("reparameterize", right)

    def spying(mu, logvar, eps):
        seen.append(lesson.reparameterize)
        return right(mu, logvar, eps)

    session.check("reparameterize", spying)
    assert right not in seen


def test_a_strict_failure_also_takes_the_old_answer_out(lesson, monkeypatch):
    pristine = lesson.reparameterize
    session.check("reparameterize", right)
    monkeypatch.setenv("MINIGEN_STRICT", "right")
    with pytest.raises(session.NotAccepted):
        session.check("reparameterize", wrong)
    assert lesson.reparameterize is pristine


def test_an_unknown_strict_mode_is_refused_before_anything_runs(lesson, monkeypatch, capsys):
    monkeypatch.setenv("MINIGEN_STRICT", "wrong")
    with pytest.raises(ValueError, match="MINIGEN_STRICT should be right or not-attempted; got 'wrong'"):
        session.check("reparameterize", right)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", ["[]", "null", '{"reparameterize": null}'])
def test_a_progress_file_of_another_form_is_put_aside(lesson, content):
    records.path().write_text(content)
    session.check("reparameterize", right)
    assert read()["reparameterize"]["done"]
    assert len(list(records.path().parent.glob(".progress.unreadable.*"))) == 1
