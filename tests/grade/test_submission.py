"""What is made of the files that learners hand in, whatever they are."""

import json
import os
import zipfile

import pytest

from minigen.course.script import LESSONS, SOLUTIONS
from minigen.grade import submission as module
from minigen.grade.submission import Handed, handed_in, submission

SOLVED = (SOLUTIONS / "10_autoencoder.ipynb").read_bytes()
IDS = [
    "pca",
    "compression_ratio",
    "reconstruction_error",
    "LinearAutoencoder",
    "principal_angles",
    "quantise",
]


def notebook(change):
    """The solved notebook of lesson 10 after a change of its cells."""
    made = json.loads(SOLVED)
    made["cells"] = change(made["cells"]) or made["cells"]
    return json.dumps(made).encode()


def of(data, name="10_autoencoder.ipynb", **options):
    return submission(Handed("someone", name, data), **options)


def about(cell):
    return cell["metadata"].get("minigen", {})


def test_a_solved_notebook_answers_every_exercise():
    made = of(SOLVED)
    assert made.lesson.name == "10_autoencoder" and not made.refused and not made.notes
    assert set(IDS) <= made.answers.keys()
    assert made.answers["pca"].startswith("def pca(")


def test_a_folder_has_folders_and_zips_of_students_one_at_a_time(tmp_path):
    (tmp_path / "ada" / "later").mkdir(parents=True)
    (tmp_path / "ada" / "10_autoencoder.ipynb").write_bytes(SOLVED)
    (tmp_path / "ada" / "later" / "13_vae.ipynb").write_bytes(b"{}")
    (tmp_path / "nobody").mkdir()
    with zipfile.ZipFile(tmp_path / "carl.zip", "w") as archive:
        archive.writestr("work/10_autoencoder.ipynb", SOLVED)
        archive.writestr("__MACOSX/._10_autoencoder.ipynb", b"x")
        archive.writestr("readme.txt", b"x")
    found = [(h.student, h.name, h.refused, h.data == SOLVED) for h in handed_in(tmp_path)]
    assert found == [
        ("ada", "10_autoencoder.ipynb", "", True),
        ("ada", "later/13_vae.ipynb", "", False),
        ("carl", "carl.zip:work/10_autoencoder.ipynb", "", True),
        ("nobody", "", "it holds no notebook", False),
    ]
    (alone,) = handed_in(tmp_path / "ada" / "10_autoencoder.ipynb")
    assert alone.student == "10_autoencoder" and alone.data == SOLVED


def test_links_pipes_and_giants_are_refused_without_being_opened(tmp_path, monkeypatch):
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(SOLVED)
    eve = tmp_path / "class" / "eve"
    eve.mkdir(parents=True)
    (eve / "a.ipynb").symlink_to(secret)
    os.mkfifo(eve / "b.ipynb")
    with open(eve / "c.ipynb", "wb") as file:
        file.truncate(10**12)  # sparse
    (tmp_path / "class" / "out").symlink_to(tmp_path)
    refused = {h.name: h.refused for h in handed_in(tmp_path / "class")}
    assert list(refused) == ["a.ipynb", "b.ipynb", "c.ipynb"]
    assert "cannot be opened" in refused["a.ipynb"] and "not an ordinary file" in refused["b.ipynb"]
    assert "1,000,000,000,000 bytes" in refused["c.ipynb"]


def test_a_zip_is_read_to_a_limit_and_leads_nowhere(tmp_path, monkeypatch):
    path = tmp_path / "eve.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("../up.ipynb", "/root.ipynb", "a\\b.ipynb", "Twice.ipynb", "twice.ipynb"):
            archive.writestr(name, SOLVED)
        archive.writestr("bomb.ipynb", bytes(30_000_000))
        link = zipfile.ZipInfo("link.ipynb")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    found = {h.name.partition(":")[2]: h.refused for h in handed_in(path)}
    assert "leads out" in found["../up.ipynb"] and "leads out" in found["/root.ipynb"]
    assert found["Twice.ipynb"] == "" and "two files of that name" in found["twice.ipynb"]
    assert "unpacks to more than" in found["bomb.ipynb"]
    assert "not an ordinary file" in found["link.ipynb"]
    path.write_bytes(path.read_bytes()[:-30])
    (broken,) = handed_in(path)
    assert "the zip cannot be read" in broken.refused


def test_cells_may_be_moved_renamed_and_added(tmp_path):
    made = of(notebook(lambda cells: [*reversed(cells), cells[0]]), name="my homework (2).ipynb")
    assert set(IDS) <= made.answers.keys() and made.lesson.name == "10_autoencoder"


def test_without_metadata_the_file_name_and_the_text_say_what_is_what():
    def strip(cells):
        for cell in cells:
            cell["metadata"] = {}

    data = json.loads(notebook(strip))
    data["metadata"] = {}
    made = of(json.dumps(data).encode())
    assert set(IDS) <= made.answers.keys() and made.lesson.name == "10_autoencoder"
    assert "pca stands in a cell that is not its own" in made.notes
    assert "neither its metadata nor its file name" in of(json.dumps(data).encode(), name="x.ipynb").refused
    assert of(json.dumps(data).encode(), name="x.ipynb", lesson="10").lesson.name == "10_autoencoder"


def test_what_was_changed_is_said():
    def meddle(cells):
        own = next(c for c in cells if about(c).get("exercise") == "pca")
        check = next(c for c in cells if about(c).get("check") == "quantise")
        foreign = json.loads(json.dumps(own))
        check["source"] = "points = 100"
        foreign["metadata"]["minigen"]["exercise"] = "reparameterize"
        second = json.loads(json.dumps(own)) | {"source": "def pca(x, k): return 2"}
        return [c for c in cells if about(c).get("exercise") != "LinearAutoencoder"] + [foreign, second]

    made = of(notebook(meddle))
    assert made.answers["pca"] == "def pca(x, k): return 2"
    assert "LinearAutoencoder" not in made.answers
    said = " | ".join(made.notes)
    assert "the check cell of quantise was edited" in said and "there are two cells for pca" in said
    assert "an exercise that this lesson does not have" in said
    assert "there is no cell that defines LinearAutoencoder" in said


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"\xff\xfe\x00", b'{"cells": 3}', b'{"cells": [{"cell_type": "code"}]}', b"null",
        b'{"cells": [{"cell_type": "code", "source": {"a": 1}}]}', b"PK\x03\x04" + bytes(100),
        b"[" * 200_000, b'{"cells":' + b'{"a":' * 100_000, b'{"cells": [NaN], "cells": "twice"}',
    ],
)  # fmt: skip
def test_what_is_no_notebook_is_refused(data):
    made = of(data)
    assert made.refused and made.lesson.name == "10_autoencoder" and not made.answers


def test_a_notebook_of_too_many_cells_or_too_long_code_is_refused():
    one = json.loads(SOLVED)["cells"][1] | {"cell_type": "code", "source": "x = 1"}
    assert "100,000 code cells" in of(json.dumps({"cells": [one] * 100_000}).encode()).refused
    assert "too long" in of(json.dumps({"cells": [one | {"source": "x" * 300_000}]}).encode()).refused


def test_a_reader_that_never_ends_is_stopped(monkeypatch, tmp_path):
    slow = tmp_path / "slow.py"
    slow.write_text("while True: pass")
    monkeypatch.setattr(module, "READER", slow)
    monkeypatch.setattr(module, "SECONDS", 1)
    assert "too long" in of(SOLVED).refused


def test_metadata_cannot_claim_points_or_another_lesson():
    data = json.loads(SOLVED)
    data["metadata"]["minigen"] = {"lesson": "00_start_here", "points": 1000}
    made = of(json.dumps(data).encode(), lesson="10")
    assert made.lesson.name == "10_autoencoder"
    data["metadata"]["minigen"] = {"lesson": ["10_autoencoder"]}
    assert of(json.dumps(data).encode()).lesson.name == "10_autoencoder"  # by its file name


def test_ids_are_ours_and_depend_on_everything():
    ids = {
        Handed(*who).id for who in [("a", "b", b"c"), ("a", "bc", b""), ("ab", "", b"c"), ("a", "b", b"d")]
    }
    assert len(ids) == 4 and all(i.isalnum() and len(i) == 16 for i in ids)
    assert Handed("../..\n=x", "‮\x1b[31m", b"").id.isalnum()


def test_an_unknown_lesson_is_told_the_known_ones():
    with pytest.raises(ValueError, match=r"no lesson '77'; the lessons are 00_start_here"):
        of((LESSONS / "10_autoencoder.ipynb").read_bytes(), lesson="77")


def test_an_answer_that_only_python_can_see_stays_in_its_cell():
    """The sandbox gets the exercise's own cell, however that makes the name; an empty one is no answer."""
    solved = json.loads((SOLUTIONS / "00_start_here.ipynb").read_bytes())
    for source, answered in (
        ("if True:\n    def tile(images, columns): return images", True),
        ("  \n", False),
    ):
        for cell in solved["cells"]:
            if cell["metadata"].get("minigen", {}).get("exercise") == "tile":
                cell["source"] = source
        found = submission(Handed("ada", "00_start_here.ipynb", json.dumps(solved).encode()))
        assert found.answers.get("tile") == (source if answered else None)
