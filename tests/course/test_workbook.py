"""The workbook: lessons arrive, updates arrive, and nothing that a learner made is ever lost."""

import errno
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from minigen import core  # noqa: F401  (torch is in memory before a test takes the disk away)
from minigen.course import workbook

NAME = "10_autoencoder.ipynb"


def publish(lessons: Path, text: str, name: str = NAME) -> None:
    """Writes a lesson as the build would; `text` is its version."""
    lessons.mkdir(exist_ok=True)
    cells = [new_markdown_cell(text, id="title"), new_code_cell("z = ...", id="exercise-z")]
    nbformat.write(new_notebook(cells=cells), lessons / name)


def edit(notebook: Path, source: str) -> None:
    """Writes into the exercise, as a learner does."""
    made = nbformat.read(notebook, as_version=4)
    made.cells[1].source = source
    nbformat.write(made, notebook)


def texts(book: Path) -> dict[str, tuple[str, str]]:
    """{file: (version of the lesson, what stands in the exercise)} of every notebook there."""
    read = {path.name: nbformat.read(path, as_version=4).cells for path in book.glob("*.ipynb")}
    return {name: (cells[0].source, cells[1].source) for name, cells in read.items()}


@pytest.fixture
def places(tmp_path):
    """(lessons, workbook) with version 1 of one lesson, which the learner has."""
    lessons, book = tmp_path / "lessons", tmp_path / "workbook"
    publish(lessons, "v1")
    assert workbook.update(lessons, book) == ["New in workbook/: 10_autoencoder."]
    return lessons, book


def test_a_lesson_is_copied_as_it_is(places):
    lessons, book = places
    assert (book / NAME).read_bytes() == (lessons / NAME).read_bytes()
    assert workbook.update(lessons, book) == []


def test_an_untouched_notebook_becomes_the_newer_lesson(places):
    lessons, book = places
    publish(lessons, "v2")
    (sentence,) = workbook.update(lessons, book)
    assert NAME in sentence and "updated" in sentence
    assert texts(book) == {NAME: ("v2", "z = ...")}


def test_saving_without_running_is_not_a_change(places):
    lessons, book = places
    made = nbformat.read(book / NAME, as_version=4)
    made.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    made.cells[1].metadata["collapsed"] = True
    made.cells.append(new_code_cell(""))  # Shift-Enter in the last cell adds an empty one
    (book / NAME).write_text(json.dumps(made, indent=2))  # other spaces than the build's
    publish(lessons, "v2")
    workbook.update(lessons, book)
    assert texts(book) == {NAME: ("v2", "z = ...")}


def test_a_changed_notebook_stays_and_the_newer_lesson_lands_beside_it(places):
    lessons, book = places
    edit(book / NAME, "z = 1")
    before = (book / NAME).read_bytes()
    publish(lessons, "v2")
    (sentence,) = workbook.update(lessons, book)
    assert "10_autoencoder.new.ipynb" in sentence and "stays" in sentence
    assert (book / NAME).read_bytes() == before
    assert texts(book) == {NAME: ("v1", "z = 1"), "10_autoencoder.new.ipynb": ("v2", "z = ...")}


def test_a_result_is_work_too(places):
    lessons, book = places
    made = nbformat.read(book / NAME, as_version=4)
    made.cells[1].outputs = [new_output("stream", text="step 1000: loss 0.02")]
    nbformat.write(made, book / NAME)
    before = (book / NAME).read_bytes()
    publish(lessons, "v2")
    workbook.update(lessons, book)
    assert (book / NAME).read_bytes() == before
    assert "10_autoencoder.new.ipynb" in texts(book)


def test_the_same_version_lands_once_however_often_learn_is_called(places):
    lessons, book = places
    edit(book / NAME, "z = 1")
    publish(lessons, "v2")
    workbook.update(lessons, book)
    assert workbook.update(lessons, book) == []
    (book / "10_autoencoder.new.ipynb").unlink()  # the learner has seen it and does not want it
    assert workbook.update(lessons, book) == []
    assert list(texts(book)) == [NAME]


def test_several_updates_replace_the_untouched_new_one_and_spare_the_used_one(places):
    lessons, book = places
    edit(book / NAME, "z = 1")
    for version in ("v2", "v3"):
        publish(lessons, version)
        workbook.update(lessons, book)
    assert texts(book) == {NAME: ("v1", "z = 1"), "10_autoencoder.new.ipynb": ("v3", "z = ...")}
    edit(book / "10_autoencoder.new.ipynb", "z = 3")
    publish(lessons, "v4")
    workbook.update(lessons, book)
    assert texts(book) == {
        NAME: ("v1", "z = 1"),
        "10_autoencoder.new.ipynb": ("v3", "z = 3"),
        "10_autoencoder.new2.ipynb": ("v4", "z = ..."),
    }


def test_a_learner_who_takes_over_the_new_file_gets_the_next_version_in_place(places):
    lessons, book = places
    edit(book / NAME, "z = 1")
    publish(lessons, "v2")
    workbook.update(lessons, book)
    os.replace(book / "10_autoencoder.new.ipynb", book / NAME)
    assert workbook.update(lessons, book) == []
    edit(book / NAME, "z = 2")
    publish(lessons, "v3")
    workbook.update(lessons, book)
    assert texts(book) == {NAME: ("v2", "z = 2"), "10_autoencoder.new.ipynb": ("v3", "z = ...")}


def test_a_deleted_notebook_comes_back_fresh(places):
    lessons, book = places
    edit(book / NAME, "z = 1")
    (book / NAME).unlink()
    workbook.update(lessons, book)
    assert texts(book) == {NAME: ("v1", "z = ...")}


def test_a_notebook_that_broke_is_left_to_its_owner(places):
    lessons, book = places
    (book / NAME).write_text('{"cells": [')
    publish(lessons, "v2")
    workbook.update(lessons, book)
    assert (book / NAME).read_text() == '{"cells": ['
    assert (book / "10_autoencoder.new.ipynb").exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda record: record.write_text("{")])
def test_without_its_record_every_notebook_counts_as_changed(places, damage):
    lessons, book = places
    damage(book / workbook.RECORD)
    edit(book / NAME, "z = 1")
    publish(lessons, "v2")
    workbook.update(lessons, book)
    workbook.update(lessons, book)
    assert texts(book) == {NAME: ("v1", "z = 1"), "10_autoencoder.new.ipynb": ("v2", "z = ...")}


def test_an_update_that_was_cut_before_its_record_does_not_land_twice(places):
    lessons, book = places
    edit(book / NAME, "z = 1")
    record = (book / workbook.RECORD).read_bytes()
    publish(lessons, "v2")
    workbook.update(lessons, book)
    (book / workbook.RECORD).write_bytes(record)
    workbook.update(lessons, book)
    assert sorted(texts(book)) == ["10_autoencoder.ipynb", "10_autoencoder.new.ipynb"]


def test_a_disk_that_fills_up_costs_no_work(places, full_disk):
    lessons, book = places
    publish(lessons, "v2 " + "x" * 100_000)
    before = {path: path.read_bytes() for path in book.iterdir()}
    said = r"workbook cannot be written: .*; your work in it is untouched"
    with full_disk, pytest.raises(OSError, match=said):
        workbook.update(lessons, book)
    assert {path: path.read_bytes() for path in book.iterdir()} == before


def test_a_workbook_that_cannot_be_made_is_answered_by_one_sentence(places, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot be written") as caught:
        workbook.update(places[0], tmp_path / "file")
    assert caught.value.errno is None and os.strerror(errno.EEXIST) in str(caught.value)


def test_a_lesson_is_found_by_number_name_or_file(places):
    lessons, _ = places
    publish(lessons, "v1", "00_start_here.ipynb")
    for wanted in (
        "10",
        "10_autoencoder",
        "10_autoencoder.ipynb",
        "lessons/10_autoencoder.ipynb",
        "autoencoder",
    ):
        assert workbook.find(wanted, lessons) == "10_autoencoder"
    assert workbook.find("0", lessons) == "00_start_here"
    for wanted in ("99", "1", "10_auto", "../secret"):
        with pytest.raises(ValueError, match=f"{wanted}.*; the lessons are 00_start_here, 10_autoencoder"):
            workbook.find(wanted, lessons)


def test_no_lessons_and_broken_lessons_are_named(tmp_path):
    with pytest.raises(ValueError, match="no lessons in"):
        workbook.update(tmp_path, tmp_path / "workbook")
    (tmp_path / NAME).write_text("[]")
    with pytest.raises(ValueError, match=f"{NAME} in .* is not a notebook"):
        workbook.update(tmp_path, tmp_path / "workbook")


SCREENS = ("BROWSER", "CI", "SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a screen")
@pytest.mark.parametrize(
    ("there", "screen"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": ":0", "CI": "true"}, False),
        ({"DISPLAY": ":10", "SSH_CONNECTION": "a b"}, False),
        ({"BROWSER": "/editor/open-here", "SSH_CONNECTION": "a b"}, True),
    ],
)
def test_a_browser_opens_only_where_the_learner_sits(there, screen, monkeypatch):
    for name in SCREENS:
        monkeypatch.delenv(name, raising=False)
    for name, value in there.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("webbrowser.get", lambda: object())
    assert workbook.has_screen() is screen
    assert ("--no-browser" in workbook.jupyter_arguments(Path("workbook"))) is not screen


def fetch(address: str, server: subprocess.Popen) -> str:
    """The page at an address that the server has printed: it begins to listen a moment after it has."""
    while True:
        try:
            with urllib.request.urlopen(address, timeout=30) as page:
                return page.read().decode()
        except URLError:
            if server.poll() is not None:
                raise
            time.sleep(0.1)


def test_without_a_screen_learn_prints_an_address_that_shows_the_lesson(tmp_path):
    publish(tmp_path / "lessons", "v1")
    code = "import sys; from pathlib import Path; from minigen.course.workbook import learn; " + (
        "learn('10', ['--ServerApp.port=0'], Path('lessons').resolve(), Path('workbook').resolve())"
    )
    environment = {k: v for k, v in os.environ.items() if k not in SCREENS} | {"CI": "true"}
    environment |= {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("RUNTIME", "CONFIG", "DATA")}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as server:  # fmt: skip
        patience = threading.Timer(60, server.kill)
        patience.start()
        try:
            said = (re.search(r"http://\S+", line) for line in server.stdout)
            address = next(filter(None, said))[0]
            text = fetch(address, server)
        finally:
            patience.cancel()
            server.kill()
    assert "/lab/tree/10_autoencoder.ipynb?token=" in address
    assert '"news": {"disabled": true}' in text  # no request leaves the machine
    assert texts(tmp_path / "workbook") == {NAME: ("v1", "z = ...")}
