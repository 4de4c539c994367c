"""The files that a batch leaves: read by spreadsheets, programs and people, written by strangers in part."""

import csv
import io
import json
import shutil

import pytest

from minigen.course.doctor import chromium
from minigen.grade.exports import cell, grades_csv, results_json, summary
from minigen.grade.pages import class_page, feedback

ATTACKS = [
    "<script>window.planted = 1</script>",
    "<img src=x onerror='window.planted = 1'>",
    "<svg onload='window.planted = 1'></svg>",
    "<style>* { display: none }</style>",
    "</pre></style></title><script>window.planted = 1</script>",
    "<a href='javascript:window.planted = 1'>click</a>",
    "<iframe src='data:text/html,<script>top.planted = 1</script>'></iframe>",
    "<base href='http://127.0.0.1:9/'><form action='http://127.0.0.1:9/'><input name=x></form>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "{{ 7 * 7 }}{% for x in [1] %}x{% endfor %}",
    "\x1b[31mred\x1b[0m\x07",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "::error::a workflow command",
    "=HYPERLINK('http://127.0.0.1:9/')",
]


def record(student="Ada", score=2, mistake="std = exp(logvar)", **changes):
    wrong = {
        "id": "reparameterize", "title": "Let gradients flow", "outcome": "wrong", "points": 0, "of": 2,
        "mistake": mistake, "message": "The spread grows like σ², not σ.", "printed": "", "seconds": 0.1,
    }  # fmt: skip
    right = wrong | {"id": "kl_1d", "title": "How far?", "outcome": "right", "points": 2, "mistake": None}
    made = {
        "id": "0123456789abcdef", "student": student, "name": "13_vae.ipynb", "lesson": "13_vae",
        "outcome": "graded", "refused": "", "notes": [], "score": score, "max_score": 15,
        "exercises": [right | {"message": ""}, wrong],
    }  # fmt: skip
    return made | changes


def hostile(text):
    """A record in which every place that a stranger can fill holds a text."""
    made = record(student=text, name=text, notes=[text], refused=text)
    for exercise in made["exercises"]:
        exercise |= {"message": text, "printed": f"{text}\n{text}"}
    return made


def test_the_feedback_says_points_and_the_diagnosis():
    page = feedback(record())
    assert "2 of 15 points" in page and "The spread grows like σ², not σ." in page and "wrong" in page


def test_the_class_page_ranks_what_went_wrong():
    class_of_ten = (
        [record() for _ in range(3)] + [record(mistake="the draw is missing")] + [record(mistake=None)] * 6
    )
    page = class_page(class_of_ten)
    assert page.index("30 %</td><td>reparameterize</td><td>std = exp(logvar)") > 0
    assert "Results of 10 submissions" in page and "100 %" in page
    assert class_page([]).count("<tr>") == 1


def test_grades_csv_has_a_row_a_submission_and_an_outcome_an_exercise():
    rows = list(csv.DictReader(io.StringIO(grades_csv([record(), record(student="=cmd|'/c calc'")]))))
    assert rows[0]["student"] == "Ada" and rows[0]["score"] == "2" and rows[0]["reparameterize"] == "wrong"
    assert rows[1]["student"].startswith("'=")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "\n@"])
def test_no_text_is_a_formula(text):
    assert cell(text).startswith("'") and cell(3) == 3 and cell("plain") == "plain" and cell("") == ""


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_strangers_text_steers_nothing(attack):
    made = hostile(attack)
    for page in feedback(made), class_page([made]), grades_csv([made]), summary([made]):
        assert not any(c in page for c in "\x1b\x07\N{RIGHT-TO-LEFT OVERRIDE}")
    for page in feedback(made), class_page([made]):
        for tag in ("<script", "<img", "<svg", "<iframe", "<base", "<form", "javascript:'", "49x"):
            assert tag not in page
        assert page.count("<style") == 1 and page.count("<meta http-equiv") == 1
    assert json.loads(results_json([made])) == [made]


def test_nothing_is_executed_or_fetched_in_a_browser(tmp_path):
    if chromium() is None:
        pytest.skip("skipped, because there is no Chromium")
    from playwright.sync_api import sync_playwright

    made = [hostile(attack) | {"id": f"{i:016x}"} for i, attack in enumerate(ATTACKS)]
    pages = {"class.html": class_page(made)} | {f"{r['id']}.html": feedback(r) for r in made}
    pages["bare.html"] = "<title>x</title>" + ATTACKS[0]  # shows that a planted script would be noticed
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which(chromium()) or chromium(), args=["--no-sandbox"]
        )
        tab, planted, asked = browser.new_page(), {}, []
        tab.on("request", lambda request: asked.append(request.url))
        for name, text in pages.items():
            (tmp_path / name).write_text(text, encoding="utf-8")
            tab.goto(f"file://{tmp_path / name}")
            planted[name] = tab.evaluate("window.planted")
            if name != "bare.html":
                assert (
                    tab.evaluate("getComputedStyle(document.body).maxWidth") != "none"
                )  # our style is let in
        browser.close()
    assert planted.pop("bare.html") == 1
    assert set(planted.values()) == {None}
    assert all(url.startswith("file://") for url in asked)
