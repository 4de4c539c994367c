"""Executing a solved notebook: outputs, numbers, promises, and what is refused."""

import base64
import io
import json

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from minigen.course import execute, measure
from minigen.course.build import save
from minigen.course.script import BuildError
from minigen.data import digits

BAR = "from tqdm import tqdm\nimport sys\nfor _ in tqdm(range(50), file=sys.stdout, mininterval=0): pass"
DRAW = "import torch\nfrom minigen import show\nshow.grid(torch.zeros(2, 1, 4, 4))"
MEASURE = 'from minigen.course import measured\nmeasured("a number", 0.25, at_most=0.5)'


@pytest.fixture
def run(tmp_path):
    def run(*sources):
        made = new_notebook(metadata={"minigen": {"lesson": "98_x"}})
        made.cells = [new_code_cell(s, id=f"c{i}") for i, s in enumerate(sources)]
        made.cells[0].metadata["minigen"] = {"picture": True}
        save(made, tmp_path / "98_x.ipynb")
        entry = execute.execute(tmp_path / "98_x.ipynb", results=tmp_path / "results.json")
        return entry, nbformat.read(tmp_path / "98_x.ipynb", as_version=4)

    return run


def test_outputs_numbers_and_picture_are_kept_and_the_kernel_leaves_no_trace(run, tmp_path):
    entry, made = run(DRAW, BAR, MEASURE)
    assert made.metadata == {"minigen": {"lesson": "98_x"}}
    (bar,) = made.cells[1].outputs
    assert bar.text.count("\n") == 1
    assert bar.text.startswith("100%")
    assert "a number: 0.25   (promised: at most 0.5)" in made.cells[2].outputs[0].text
    kept = json.loads((tmp_path / "results.json").read_text())
    assert kept["98_x"] == entry
    assert [(m["name"], m["value"]) for m in entry["measured"]] == [("a number", 0.25)]
    png = base64.b64decode(made.cells[0].outputs[0].data["image/png"])
    assert (tmp_path / "98_x.png").read_bytes() == png


@pytest.mark.parametrize(("alpha", "mode"), [(255, "RGB"), (100, "RGBA")])
def test_pictures_are_packed_without_losing_anything(alpha, mode):
    seen, loose = Image.radial_gradient("L").convert("RGBA"), io.BytesIO()
    seen.putalpha(alpha)
    seen.save(loose, "png", compress_level=1)
    packed = base64.b64decode(execute._packed(base64.b64encode(loose.getvalue()).decode()))
    with Image.open(io.BytesIO(packed)) as found:
        assert found.mode == mode
        assert found.convert("RGBA").tobytes() == seen.tobytes()
    assert len(packed) < len(loose.getvalue())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            'from minigen.course import measured\nmeasured("a number", 0.75, at_most=0.5)',
            "at most 0.5 is promised",
        ),
        (
            'from minigen.course import measured\nmeasured("a number", float("nan"), at_least=0)',
            "a number is nan",
        ),
        ("import sys; print('oh', file=sys.stderr)", "writes to stderr"),
        ("print('\\n'.join(['x' * 99] * 11_000))", "at most 1 MB"),
    ],
)
def test_what_would_not_be_good_is_refused_and_nothing_is_saved(run, tmp_path, source, said):
    with pytest.raises(BuildError, match=said):
        run(source)
    assert not (tmp_path / "results.json").exists()
    assert nbformat.read(tmp_path / "98_x.ipynb", as_version=4).cells[0].outputs == []


def test_measured_prints_its_promise_and_asserts_nothing(capsys, monkeypatch):
    monkeypatch.delenv("MINIGEN_RESULTS", raising=False)
    measure.measured("distance", 3.0, at_most=2)
    assert capsys.readouterr().out == "distance: 3   (promised: at most 2)\n"


def test_models_are_measured_alike_and_kept_beside_the_numbers(run, tmp_path, monkeypatch):
    draw = "from minigen.data import digits\nx = digits()[0]\nmeasured_model('copies', lambda n: x[:n])"
    entry, made = run(DRAW, MEASURE, f"from minigen.course import measured_model\n{draw}")
    assert [m["name"] for m in entry["measured"]] == ["a number"]
    (copies,) = entry["models"]
    assert list(copies) == ["model", "fid", "precision", "recall", "seconds"]
    assert copies["model"] == "copies" and copies["precision"] == 1 and copies["recall"] > 0.9
    assert 0 < copies["fid"] < 0.1 and 0 < copies["seconds"] < 1
    assert "copies: FID " in made.cells[2].outputs[0].text
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results.json")
    mine = {"model": "mine", "lesson": "13", "fid": 1.0}
    assert measure.measured_models([mine]) == [
        mine,
        copies | {"lesson": "98"},
    ]  # the table of lesson 21 grows
    assert measure.measured_models([mine | {"model": "copies"}]) == [mine | {"model": "copies"}]
    assert list(measure.results()) == ["98_x"]


def test_a_worse_and_a_narrower_model_are_measured_as_such(monkeypatch):
    monkeypatch.setenv("MINIGEN_BUDGET", "normal")  # a smoke test would look at too few
    x, labels = digits("train")
    narrow = x[labels < 5]
    ugly = (x + 0.4 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    whole = measure.measured_model("copies", lambda n: x[:n])
    half = measure.measured_model("half", lambda n: narrow[torch.arange(n) % len(narrow)])
    spoilt = measure.measured_model("spoilt", lambda n: ugly[:n])
    assert half["precision"] == 1 and half["recall"] < 0.7 * whole["recall"]
    assert spoilt["precision"] < 0.9 and 10 * whole["fid"] < min(half["fid"], spoilt["fid"])


def test_other_lessons_read_the_numbers_by_lesson_and_name():
    assert measure.results()["10_autoencoder"]["convolutional error / PCA error"] <= 0.5
