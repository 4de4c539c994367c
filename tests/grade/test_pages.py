"""The pages that a batch leaves: read by learners and instructors, written by strangers in part."""

import csv
import io
import json
import re
import shutil

import pytest
from markupsafe import escape
from strangers import ATTACKS, hostile, record

from minigen.doctor import chromium
from minigen.grade.exports import summary, write_all
from minigen.grade.pages import class_page, feedback
from minigen.grade.record import Counts
from minigen.grade.text import FORMULA, MEANING

STEERING = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ud800-\udfff]"
)
TAGS = re.compile(
    r"<(script|img|svg|math|iframe|object|embed|base|form|link|a href='|details open ontoggle)", re.IGNORECASE
)
ROSTERS = {
    "canvas": ["Student,ID,SIS User ID,SIS Login ID,Section,13_vae", "{},1,{},{},{},{}"],
    "moodle": [
        "Identifier,Full name,Email address,Grade,Maximum Grade,Last modified (grade),Feedback comments",
        "Participant 1,{},{},,{},{},{}",
    ],
}


def batch(folder, *attacks):
    """Everything that a batch writes and says when every place that a stranger can fill holds an attack."""
    records = [record(id="d" * 16)]
    for i, attack in enumerate(attacks):
        records.append(hostile(attack, id=f"{i:016x}", refused=""))
        records.append(hostile(attack, id=f"f{i:015x}", refused="", student=f"{attack}2"))
        records.append(hostile(attack, id=f"e{i:015x}", lesson=None, exercises=[]))
    paths = {}
    for name, (header, row) in ROSTERS.items():
        paths[name] = folder / f"{name}-in.csv"
        text = '"' + attacks[0].replace('"', '""') + '"'
        lines = [header, row.replace("{}", text), row.replace("1,", "2,", 1).replace("{}", "x")]
        paths[name].write_text("\n".join(lines), encoding="utf-8", errors="replace", newline="")
    return write_all(folder / "out", records, **paths)


def test_the_feedback_says_points_the_diagnosis_and_what_to_do():
    page = feedback(record())
    assert "2</strong> of 15 points" in page and "The spread grows like σ², not σ." in page
    assert "✗ wrong" in page and MEANING["wrong"][1] in page and "13 · Variational autoencoders" in page
    assert "1 of 2 exercises is right" in page and "Let gradients flow</a>." in page


@pytest.mark.parametrize("outcome", sorted(set(MEANING) - {"right"}))
def test_the_feedback_explains_every_outcome(outcome):
    made = record()
    made["exercises"][1]["outcome"] = outcome
    page = feedback(made)
    assert all(str(escape(sentence)) in page for sentence in MEANING[outcome])
    assert ("does not count against you" in page) == (outcome == "infrastructure")


def test_the_feedback_of_a_refused_notebook_says_why_and_what_to_do():
    page = feedback(record(refused="it has 9 bytes", exercises=[], lesson=None, score=0, max_score=0))
    assert (
        "it has 9 bytes" in page and MEANING["refused"][1] in page and "0 of 0" not in page.split("<h1>")[1]
    )


def test_of_several_submissions_each_page_says_which_one_counts():
    one, other = record(), record(id="f" * 16, score=9)
    counts = Counts(other["id"], 9, 15, "", times=2)
    assert "The highest score counts:\nanother one, with 9 points" in feedback(one, counts)
    assert "The highest score counts:\nthis one" in feedback(other, counts)
    assert "highest score" not in feedback(one, Counts(one["id"], 2, 15, ""))


def test_the_class_page_ranks_the_wrong_ideas_before_everything_else():
    six = [record(mistake=None)] * 6
    page = class_page([*six, record(mistake="the draw is missing"), *[record() for _ in range(3)]])
    ranked = [page.index(name) for name in ("std = exp(logvar)", "the draw is missing", "Who solved what")]
    assert ranked == sorted(ranked)
    assert re.search(r'30 %</td>\s*<td class="wide"><strong>std = exp\(logvar\)', page)
    assert "Results of 10 submissions" in page and "so σ = exp(logvar / 2)" in page


def test_infrequent_wrong_ideas_are_folded():
    page = class_page([record(mistake=f"idea {i:02}") for i in range(13)])
    assert "3 less frequent ones" in page and page.index("idea 12") > page.index("less frequent ones")
    assert "less frequent" not in class_page([record(mistake=f"idea {i:02}") for i in range(10)])


def test_the_class_page_shows_how_the_points_are_distributed():
    page = class_page([record(score=s) for s in (0, 2, 2, 15)])
    rows = re.findall(
        r'"number">(\d+)</td><td class="wide"><meter[^>]*>\d+</meter></td><td[^>]*>(\d+)<', page
    )
    assert {int(p): int(n) for p, n in rows} == {p: {0: 1, 2: 2, 15: 1}.get(p, 0) for p in range(16)}


def test_the_class_page_says_who_needs_a_person_and_who_was_refused():
    failed, refused = record("Alan"), record("Grace", refused="it has 9 bytes", id="f" * 16)
    failed["exercises"][0]["outcome"] = "infrastructure"
    page = class_page([record(), failed, refused])
    assert re.search(r"1 needs a person</strong>[^<]*<a[^>]*><bdi>Alan</bdi>", page)
    assert re.search(
        rf'it has 9 bytes</bdi><br><small>\s*<a href="feedback/{"f" * 16}.html"><bdi>Grace', page
    )
    assert "needs a person" not in class_page([record()]) and "Refused" not in class_page([record()])


def test_the_same_text_is_noted_only_of_different_students_who_attempted_something():
    def page(*records):
        return class_page(records)

    assert "letter by letter" in page(record("Ada", same="x"), record("Alan", same="x"))
    for two in (
        [record("Ada", same="x"), record("Ada", same="x")],
        [record("Ada", same="x"), record("Alan", same="y")],
        [record("Ada", same=""), record("Alan", same="")],
    ):
        assert "letter by letter" not in page(*two)
    untouched = [record("Ada", same="x"), record("Alan", same="x")]
    for one in untouched:
        for exercise in one["exercises"]:
            exercise["outcome"] = "not attempted"
    assert "letter by letter" not in page(*untouched)


def test_a_page_of_several_lessons_keeps_them_apart():
    other = record(lesson="10_autoencoder", score=7, max_score=10)
    page = class_page([record(), other, record(lesson=None, exercises=[], refused="no")])
    assert '<h2 id="l1">10 · Autoencoders</h2>' in page and '<h2 id="l2">13 · Variational' in page
    assert "Of no lesson: 1" in page
    assert class_page([]).count("<h2>") == 1


def test_submissions_are_sorted_by_points_and_name():
    page = class_page([record("bob", 1), record("Zoe", 9), record("ada", 1)])
    assert page.index("<bdi>Zoe") < page.index("<bdi>ada") < page.index("<bdi>bob")
    assert "<details open>" in page
    assert "<details open>" not in class_page([record(str(i)) for i in range(51)])


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_a_strangers_text_steers_nothing(attack, tmp_path):
    said = batch(tmp_path, attack)
    files = {f.relative_to(tmp_path / "out"): f.read_bytes().decode() for f in tmp_path.rglob("out/**/*.*")}
    assert len(files) == 6 + 4 + 4
    for line in [*said, *summary([hostile(attack)])]:
        assert "\n" not in line and not line.startswith("::") and "##[" not in line
        assert not STEERING.search(line)
    for name, text in files.items():
        assert not STEERING.search(text.replace("\r\n", "\n") if name.suffix == ".csv" else text), name
        if name.suffix == ".html":
            assert not TAGS.search(text) and " 49x" not in text, name
            assert text.count("<style") == 1 and text.count("<meta http-equiv") == 1
        elif name.suffix == ".csv":
            for row in csv.reader(io.StringIO(text, newline="")):
                assert not any(c.lstrip().startswith(tuple(FORMULA)) for c in row)
        elif name.parent.name == "gradescope":
            made = json.loads(text)
            assert {t["output_format"] for t in [made, *made["tests"]]} == {"text"}
            assert not any(STEERING.search(t["output"]) for t in [made, *made["tests"]])


def test_a_text_that_steers_would_be_seen():
    for text in ("\x1b[31m", "\x9b31m", "\u202e", "\u2066", "\r", "\ud800"):
        assert STEERING.search(text)
    assert not STEERING.search("σ² “Ada” → 山田 می\u200cخواهم\n\t")


def opened(tab, path):
    """(what a planted script left, whether our style holds) on a page, after trying to set off its events."""
    tab.goto(f"file://{path}")
    tab.keyboard.press("Tab")
    tab.wait_for_timeout(20)
    style = tab.evaluate("getComputedStyle(document.querySelector('main') ?? document.body).maxWidth")
    return tab.evaluate("window.planted"), style != "none"


def test_nothing_is_executed_or_fetched_in_a_browser(tmp_path):
    """Escaped everywhere; and were it not, the policy of the page would stop the scripts."""
    if chromium() is None:
        pytest.skip("skipped, because there is no Chromium")
    from playwright.sync_api import sync_playwright

    batch(tmp_path, *ATTACKS)
    pages = [p for p in sorted(tmp_path.glob("out/**/*.html")) if p.name[0] != "f"]  # f: the same, of another
    assert len(pages) == 2 + 2 * len(ATTACKS)
    bare, walled = tmp_path / "bare.html", tmp_path / "walled.html"
    bare.write_text("<title>x</title><body>" + ATTACKS[0])
    scripts = "".join(a for a in ATTACKS if "planted" in a and "<" in a and "style" not in a)
    walled.write_text(feedback(record()).replace("</main>", scripts))
    with sync_playwright() as play:
        path = shutil.which(chromium()) or chromium()
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        tab, asked = browser.new_page(), []
        tab.on("request", lambda request: asked.append(request.url))
        found = {page: opened(tab, page) for page in pages}
        assert [url for url in asked if not re.fullmatch(r"file://[^?#]*\.html", url)] == []
        assert set(found.values()) == {(None, True)} == {opened(tab, walled)}
        assert opened(tab, bare)[0] == 1  # a planted script would be noticed
        browser.close()
