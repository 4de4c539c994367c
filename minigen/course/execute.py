"""Runs the solved notebooks at budget normal, keeps their pictures, and holds lessons to their promises."""

import base64
import io
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

from minigen import computer
from minigen.core import replacing
from minigen.course.build import load, save
from minigen.course.measure import RESULTS, broken
from minigen.course.script import BuildError

LARGEST = 1_000_000  # bytes of a solved notebook; larger ones are slow to open and to clone


@dataclass(frozen=True)
class Run:
    """A notebook after Run All with its outputs, what it noted, its time, and the most memory it held."""

    notebook: NotebookNode
    noted: list[dict]
    seconds: float
    megabytes: float


def run_all(path: Path) -> Run:
    """Runs a solved notebook at budget normal.  Raises what nbclient raises when a cell fails."""
    made = load(path)
    metadata = deepcopy(made.metadata)
    with tempfile.TemporaryDirectory() as folder:
        noted = Path(folder) / "results.jsonl"
        start = time.perf_counter()
        with _environment(
            MINIGEN_BUDGET="normal",
            MINIGEN_STRICT="right",
            MINIGEN_RESULTS=str(noted),
            MINIGEN_PROGRESS=str(Path(folder) / "progress.json"),
        ):
            client = NotebookClient(
                made,
                timeout=1800,
                kernel_name="python3",
                record_timing=False,
                coalesce_streams=True,  # a progress bar is one line then, not one output for each redraw
                resources={"metadata": {"path": folder}},
            )
            with client.setup_kernel():
                for i, cell in enumerate(made.cells):
                    client.execute_cell(cell, i, execution_count=client.code_cells_executed + 1)
                megabytes = computer.taken("VmHWM", client.km.provisioner.pid)
        seconds = time.perf_counter() - start
        lines = [json.loads(line) for line in noted.read_text().splitlines()] if noted.exists() else []
    made.metadata = metadata  # without what the kernel adds about itself
    return Run(made, lines, seconds, megabytes)


def execute(path: Path, results: Path = RESULTS) -> dict:
    """Runs one solved notebook, saves it with its outputs and its numbers, and returns these.

    Raises BuildError, and saves nothing, when something is written to stderr, the file grows too large or a
    promise is not kept; and what nbclient raises when a cell fails.
    """
    run = run_all(path)
    made, lines, seconds = run.notebook, run.noted, run.seconds
    numbers = [line for line in lines if "model" not in line]
    _tidy(made, path)
    if faults := [fault for line in numbers if (fault := broken(line))]:
        raise BuildError(f"{path.stem}: " + "; ".join(faults))
    save(made, path)
    _save_picture(made, path)
    entry = {"seconds": round(seconds), "measured": numbers}
    if models := [line for line in lines if "model" in line]:
        entry["models"] = models
    kept = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    with replacing(results) as temporary:
        merged = dict(sorted((kept | {path.stem: entry}).items()))
        temporary.write_text(json.dumps(merged, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return entry


def _save_picture(made: NotebookNode, path: Path) -> None:
    """The picture that stands for the lesson in the README, beside the notebook."""
    for cell in made.cells:
        if cell.metadata.get("minigen", {}).get("picture"):
            png = next(o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
            with replacing(path.with_suffix(".png")) as temporary:
                temporary.write_bytes(base64.b64decode(png))


def _packed(png: str) -> str:
    """The same picture, in base64 either way, in fewer bytes: packed well, without alpha if it is opaque."""
    packed = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        opaque = image.mode == "RGBA" and image.getextrema()[3] == (255, 255)
        (image.convert("RGB") if opaque else image).save(packed, "png", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()


def _tidy(made: NotebookNode, path: Path) -> None:
    """Progress bars keep their last state only; what would embarrass the notebook on a forge is refused."""
    for cell in made.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                if output.name == "stderr":
                    raise BuildError(
                        f"{path.stem} writes to stderr, which costs marks elsewhere: {output.text}"
                    )
                output.text = "\n".join(line.split("\r")[-1] for line in output.text.split("\n"))
            output.get("metadata", {}).clear()
            if png := output.get("data", {}).get("image/png"):
                output.data["image/png"] = _packed(png)
    size = len(json.dumps(made))
    if size > LARGEST:
        raise BuildError(f"{path.stem} would be {size / 1e6:.1f} MB; a solved notebook has at most 1 MB")


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
