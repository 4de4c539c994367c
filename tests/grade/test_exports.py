"""The tables that a batch leaves: for spreadsheets, Gradescope, nbgrader, Canvas and Moodle."""

import csv
import io
import json
import weakref

import pytest
from strangers import record

from minigen.grade.exports import NBGRADER, check_rosters, gradescope, summary, write_all
from minigen.grade.mark import Outcome
from minigen.grade.record import counted
from minigen.grade.text import MEANING, cell, plain, quoted

CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Essay (7),Lesson 13: VAE (8),Final Score
,,,,,Manual Posting,,
    Points Possible,,,,,10,15,(read only)
"Hopper, Grace",101,s101,grace,A,9,,60
"Lovelace, Ada",102,s102,ada,A,9,EX,60
"Turing, Alan",103,s103,alan,"A, B",9,4,60
"Student, Test",104,,x9,A,,,
"""
MOODLE = """\
Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,\
Last modified (submission),Last modified (grade),Feedback comments
Participant 101,Grace Hopper,grace@example.org,Submitted for grading,,15.00,Yes,-,-,
Participant 102,Ada Lovelace,ada@example.org,Submitted for grading,,15.00,Yes,"2 May 2025, 9:00",-,Hm
Participant 103,Alan Turing,alan@example.org,No submission,,15.00,Yes,-,-,
"""


def table(path, delimiter=","):
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), delimiter=delimiter))


def written(tmp_path, records, **rosters):
    """(the folder, what was said) of a batch; rosters are texts."""
    paths = {}
    for name, text in rosters.items():
        tmp_path.mkdir(exist_ok=True)
        paths[name] = tmp_path / f"{name}-in.csv"
        paths[name].write_bytes(text if isinstance(text, bytes) else text.encode())
    said = write_all(tmp_path / "out", records, **paths)
    return tmp_path / "out", said


def hand_in(*students, **changes):
    return [record(s, score=2 + i, id=f"{i:016x}", **changes) for i, s in enumerate(students)]


def failed(**changes):
    """A record of which one exercise failed on our side."""
    made = record(**changes)
    made["exercises"][1]["outcome"] = "infrastructure"
    return made


def test_every_outcome_is_explained():
    assert set(MEANING) == set(Outcome)


def test_grades_csv_has_a_row_a_submission_and_an_outcome_an_exercise(tmp_path):
    out, _ = written(tmp_path, [record(), record("=cmd|'/c calc'")])
    rows = list(csv.DictReader(io.StringIO((out / "grades.csv").read_text())))
    assert rows[0]["student"] == "Ada" and rows[0]["score"] == "2" and rows[0]["reparameterize"] == "wrong"
    assert rows[1]["student"].startswith("'=")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "\n@", "\u200c=1", "＝1"])
def test_no_text_is_a_formula(text):
    assert cell(text).startswith("'") and cell(3) == 3 and cell("plain") == "plain" and cell("") == ""


def test_no_text_is_a_formula_after_a_semicolon():
    assert cell("Ada; =1;+2") == "Ada; '=1;'+2" and cell("a; b") == "a; b"


@pytest.mark.parametrize("name", ["Grace Hopper", "Noël", "山田　太郎", "می\u200cخواهم", "O'Brien-Łukasz"])
def test_a_name_of_any_script_can_still_be_read(name):
    assert plain(name) == name.replace("\u3000", " ")


@pytest.mark.parametrize("c", ["\x1b", "\x07", "\x9b", "\0", "\n", "\u202e", "\u2066", "\u200b", "\ud800"])
def test_no_character_steers_what_shows_it(c):
    assert c not in plain(f"a{c}b") and c not in quoted(f"a{c}b")


def test_the_highest_score_of_a_student_counts_and_the_first_of_equal_ones():
    mine = [record(score=s, id=i) for s, i in ((2, "a"), (9, "b"), (9, "c"), (1, "d"))]
    for order in (mine, mine[::-1]):
        counts = counted(order)["13_vae"]["Ada"]
        assert counts.score == 9 and counts.times == 4
        assert counts.id == next(r["id"] for r in order if r["score"] == 9)


def test_a_score_that_may_still_rise_is_said_to_be_open():
    better = record(score=4)
    assert counted([failed(score=2), better])["13_vae"]["Ada"].open
    assert not counted([better])["13_vae"]["Ada"].open


def test_results_json_is_ascii_and_is_what_was_given(tmp_path):
    given = [record("Noël \ud800 \x9b31m"), record(score=3)]
    out, _ = written(tmp_path, given)
    assert json.loads((out / "results.json").read_bytes().decode("ascii")) == given
    assert json.loads((written(tmp_path / "none", [])[0] / "results.json").read_text()) == []


def test_gradescope_gets_a_test_an_exercise_and_only_text():
    made = gradescope(record(notes=["a note"]))
    assert made["score"] == 2 == sum(t["score"] for t in made["tests"])
    assert made["output_format"] == "text" and made["stdout_visibility"] == "hidden"
    assert [t["status"] for t in made["tests"]] == ["passed", "failed"]
    assert {t["output_format"] for t in made["tests"]} == {"text"}
    assert {t["visibility"] for t in made["tests"]} <= {
        "hidden",
        "after_due_date",
        "after_published",
        "visible",
    }
    assert "not σ." in made["tests"][1]["output"] and made["output"] == "a note"
    assert json.loads(json.dumps(made)) == made


def test_nbgraders_table_has_the_columns_of_its_own_exporter(tmp_path):
    out, _ = written(tmp_path, [record(score=2), record(score=3)])
    first = (
        "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,late_submission_penalty"
    )
    assert (out / "nbgrader.csv").read_text().splitlines() == [
        f"{first},score,max_score", "13_vae,,,Ada,,,,3.0,0.0,3.0,15.0",
    ]  # fmt: skip
    assert len(NBGRADER) == 11


def test_without_a_roster_the_platforms_columns_hold_what_is_known(tmp_path):
    out, _ = written(tmp_path, hand_in("grace", "Ada Lovelace_102_assignsubmission_file_"))
    assert table(out / "canvas.csv")[0] == [*CANVAS.split(",")[:5], "13_vae"]
    assert table(out / "canvas.csv")[3] == ["grace", "", "", "grace", "", "2"]
    rows = list(csv.DictReader(io.StringIO((out / "moodle-13_vae.csv").read_text())))
    assert list(rows[0]) == next(csv.reader([MOODLE.splitlines()[0]]))
    assert [(r["Identifier"], r["Full name"], r["Grade"]) for r in rows] == [
        ("Participant 102", "Ada Lovelace", "3"),
        ("", "grace", "2"),
    ]


def test_canvas_gets_its_gradebook_back_with_one_column(tmp_path):
    names = ["grace", "ADA", "turingalan_LATE_103_7007_13_vae", "stranger"]
    out, said = written(tmp_path, hand_in(*names), canvas=CANVAS)
    given, rows = list(csv.reader(io.StringIO(CANVAS))), table(out / "canvas.csv")
    assert [row[:5] for row in rows] == [row[:5] for row in given]
    assert [row[5:] for row in rows] == [["Lesson 13: VAE (8)"], [""], ["15"], ["2"], ["EX"], ["4"], [""]]
    said = "\n".join(said)
    assert "3 of 4 have a submission; without: “Test Student”" in said
    assert "or in more than one: “stranger”" in said


def test_a_column_that_canvas_does_not_have_yet_is_added(tmp_path):
    out, _ = written(tmp_path, hand_in("grace"), canvas=CANVAS.replace("Lesson 13: VAE (8)", "Quiz (8)"))
    assert [row[5:] for row in table(out / "canvas.csv")] == [
        ["13_vae"],
        [""],
        ["15"],
        ["2"],
        [""],
        [""],
        [""],
    ]


def test_a_grade_that_may_still_rise_leaves_the_platforms_as_they_were(tmp_path):
    out, said = written(tmp_path, [failed(student="alan")], canvas=CANVAS, moodle=MOODLE)
    assert [row[-1] for row in table(out / "canvas.csv")][5] == "4"
    assert [row[4] for row in table(out / "moodle-13_vae.csv")][1:] == ["", "", ""]
    assert "need a person, and their grades are left as they were: “Alan Turing”" in "\n".join(said)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + CANVAS,
        CANVAS.replace('"A, B"', "A").replace('"Hopper, Grace"', "Grace Hopper").replace(",", ";"),
        'LastName,FirstName,ID,Section,13_vae\nHopper,Grace,101,A,\nTuring,Alan,103,A,\n"Lovelace",Ada,102,A,\n',
    ],
)
def test_canvas_writes_gradebooks_in_several_ways(tmp_path, text):
    out, _ = written(tmp_path, hand_in("Grace  hopper"), canvas=text)
    rows = table(out / "canvas.csv", ";" if ";" in text else ",")
    assert [row[-1] for row in rows if "101" in row] == ["2"]


def test_two_people_of_one_name_are_not_guessed_between(tmp_path):
    twins = CANVAS.replace("Turing, Alan", "Hopper, Grace")
    out, said = written(tmp_path, hand_in("Grace Hopper"), canvas=twins)
    assert [row[-1] for row in table(out / "canvas.csv")][3:] == ["", "EX", "4", ""]
    assert "or in more than one: “Grace Hopper”" in "\n".join(said)


def test_a_number_in_a_name_of_canvas_is_only_its_own_id(tmp_path):
    book = CANVAS.replace("s101", "103")  # somebody's SIS ID is another one's ID
    out, _ = written(tmp_path, hand_in("turingalan_103_7007_13_vae"), canvas=book)
    assert [row[-1] for row in table(out / "canvas.csv")][3:6] == ["", "EX", "2"]


def test_moodle_gets_its_worksheet_back_with_the_grades(tmp_path):
    names = ["Somebody_101_assignsubmission_file_", "ada@example.org", "Participant 77"]
    out, said = written(tmp_path, hand_in(*names), moodle=MOODLE)
    given, rows = list(csv.reader(io.StringIO(MOODLE))), table(out / "moodle-13_vae.csv")
    assert [r[:4] + r[5:9] for r in rows] == [r[:4] + r[5:9] for r in given]
    assert [r[4] for r in rows] == ["Grade", "2", "3", ""]
    assert rows[1][9] == "How far?: right, 2 of 2; Let gradients flow: wrong, 0 of 2"
    assert [r[9] for r in rows[2:]] == ["Hm", ""]
    assert "2 of 3 have a submission; without: “Alan Turing”" in "\n".join(said)
    assert "“Participant 77”" in "\n".join(said)


def test_other_points_on_the_platform_are_said(tmp_path):
    book, sheet = CANVAS.replace(",10,15,", ",10,100,"), MOODLE.replace("15.00", "100.00")
    _, said = written(tmp_path, hand_in("grace"), canvas=book, moodle=sheet)
    assert sum("counts 100 points, the lesson 15" in line for line in said) == 2
    _, said = written(tmp_path, hand_in("grace"), canvas=CANVAS, moodle=MOODLE)
    assert not any("counts" in line for line in said)


def test_a_roster_brings_no_formula_and_is_still_matched(tmp_path):
    book = CANVAS.replace('"Hopper, Grace"', "\"=HYPERLINK('http://127.0.0.1:9/')\"")
    out, said = written(tmp_path, hand_in("grace"), canvas=book)
    assert table(out / "canvas.csv")[3][0].startswith("'=") and table(out / "canvas.csv")[3][-1] == "2"
    assert any("1 texts of “canvas-in.csv” would be formulas" in line for line in said)
    sheet = MOODLE.replace("-,Hm", "-,=1").replace("Yes,-,-", "Yes,-,\x1b[31m")
    out, _ = written(tmp_path / "m", hand_in("grace"), moodle=sheet)
    text = (out / "moodle-13_vae.csv").read_text()
    assert "'=1" in text and "\x1b" not in text and ",-,-," not in text and "'-" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,points\nAda,3\n", "has no column 'ID' and no 'Section'"),
        ("", "has no column"),
        (b"\xff\xfe\0\0Student", "is not a CSV file in UTF-8"),
        (CANVAS.replace("Essay (7)", "13_vae (7)"), "may both be lesson 13_vae"),
    ],
)
def test_a_wrong_roster_is_told_in_a_sentence(tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        written(tmp_path, hand_in("grace"), canvas=text)
    if "both" not in said:
        with pytest.raises(ValueError, match=said):
            check_rosters(tmp_path / "canvas-in.csv", None)


def test_a_worksheet_of_moodle_is_for_one_lesson(tmp_path):
    both = hand_in("grace") + hand_in("grace", lesson="10_autoencoder")
    with pytest.raises(ValueError, match="these are 10_autoencoder, 13_vae"):
        written(tmp_path, both, moodle=MOODLE)
    assert len(list(written(tmp_path / "two", both)[0].glob("moodle-*.csv"))) == 2


def test_the_summary_says_what_needs_a_person_and_what_was_refused():
    lines = summary([record(), failed(), record(refused="no", outcome="refused", lesson=None, exercises=[])])
    assert lines[0] == "3 submissions" and lines[-1].startswith("1 need a person")
    assert "13_vae: 2, 2.00 points on average; 2 right, 1 wrong, 1 infrastructure" in lines
    assert any(line.startswith("no lesson: 1") and "1 refused" in line for line in lines)


class Streamed:
    """Records that are made anew each time they are asked for. most: how many were held at once."""

    class Kept(dict):
        pass

    def __init__(self, number):
        self.number, self.most, self.living = number, 0, weakref.WeakSet()

    def __iter__(self):
        for i in range(self.number):
            made = self.Kept(record(f"s{i}", id=f"{i:016x}"))
            made.__class__.__hash__ = object.__hash__
            self.living.add(made)
            self.most = max(self.most, len(self.living))
            yield made


def test_records_are_not_held_in_memory(tmp_path):
    records = Streamed(30)
    write_all(tmp_path, records)
    assert records.most <= 4
    assert len(list(records)) == 30 == records.most  # that holding them would be seen
