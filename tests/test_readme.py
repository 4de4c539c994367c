"""What the README says is there."""

import json
import re
import subprocess
import sys
from itertools import dropwhile, takewhile

import pytest

from minigen import settings
from minigen.course.card import Card
from minigen.course.catalogue import find
from minigen.course.evaluate import evaluate
from minigen.course.measure import RESULTS
from minigen.course.script import ROOT, lessons, read
from minigen.recipes import RECIPES, Kind

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROSE = " ".join(README.split())
MEASURED = (ROOT / "benchmarks/RESULTS.md").read_text(encoding="utf-8")


def rows():
    return {m[1]: m[0] for m in re.finditer(r"^\|.*\(solutions/(\w+)\.ipynb\).*\|$", README, re.M)}


def test_the_map_has_every_lesson_with_its_exercises_and_its_measured_time():
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert list(rows()) == [script.stem for script in lessons()]
    for script in lessons():
        cells = [c.strip() for c in rows()[script.stem].split("|")]
        assert int(cells[3]) == len(read(script).exercises)
        assert cells[5] == f"{results[script.stem]['seconds']} s"


def test_every_link_leads_to_a_file():
    for page in ("README.md", "CONTRIBUTING.md"):
        links = re.findall(r"\]\(([\w./]+)\)", (ROOT / page).read_text(encoding="utf-8"))
        assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_command_exists():
    """Each `minigen …` and `make …` that a page shows."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pages = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in set(re.findall(r"^make ([\w.]+)", pages, re.M)):
        assert re.search(rf"^{re.escape(target)}:", makefile, re.M), f"make {target}"
    helped = subprocess.run(
        [sys.executable, "-m", "minigen.cli", "--help"], capture_output=True, text=True
    ).stdout
    for command in set(re.findall(r"^minigen (\w+)", pages, re.M)):
        assert re.search(rf"\b{command}\b", helped), f"minigen {command}"


def test_every_training_that_is_shown_can_be_asked_for():
    shown = re.findall(r"minigen train (\w+)(.*)", README)
    assert len(shown) >= 3
    for name, rest in shown:
        words = [word for word in rest.split("#")[0].split() if "=" in word]
        chosen = settings.read(words, RECIPES[name].settings())
        data = re.search(r"--data (\w+)", rest)
        channels, size = {"cifar10": (3, 32), "shapes": (3, 32)}[data[1]] if data else (1, 8)
        assert RECIPES[name].make(Kind("any", channels, size, size, 10), chosen)


def test_the_card_that_the_readme_shows_is_the_one_a_learner_sees():
    exercise = find("pca")
    answer = next(m.answer for m in exercise.mistakes if m.name == "not centred")
    assert f"```\n{Card(exercise, evaluate(exercise, answer))!r}\n```" in README


def below(heading):
    """{first cell: the others} of the first table below a heading of the benchmarks' results."""
    lines = iter(MEASURED.split(f"{heading}\n")[1].splitlines())
    rows = takewhile(bool, dropwhile(lambda line: line[:1] != "|", lines))
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {name: dict(zip(cells[0][1:], others, strict=True)) for name, *others in cells[2:]}


def two_digits(cell):
    """The median in a cell of results, with two digits."""
    median = float(cell.split()[0].replace(",", ""))
    return f"{float(f'{median:.2g}'):,g}"


@pytest.mark.parametrize("what", ["Diffusion", "VAE", "GAN"])
def test_the_distances_are_the_measured_ones(what):
    said = re.search(rf"^\| {what} \|(.*)\n\|-.*\n((?:\|.*\n)+)", README, re.M)
    tables = [below(f"### {what} {budget}") for budget in re.findall(r"after \d+ s", said[1])]
    assert tables and {len(table) for table in tables} == {len(said[2].splitlines())}
    for row in said[2].splitlines():
        name, *distances, seconds = [cell.strip() for cell in row.strip("|").split("|")]
        assert distances == [two_digits(table[name]["Fréchet distance"]) for table in tables], name
        assert seconds == two_digits(tables[-1][name]["s for 1,000 images"]), name


def test_real_digits_stand_where_they_were_measured():
    said = re.search(r"1,000 other digits of MNIST stand at [\d.]+", README)[0]
    assert said.replace("other digits of MNIST", "of those others") in MEASURED


def test_the_pace_is_the_measured_one():
    said = re.search(r"minigen trains on ([\d.]+) times as many images a second as (\S+), the next", PROSE)
    assert f"{said[1]} times {said[2]}'s; " in MEASURED
    work = re.search(r"which has ([\d.]+) GFLOP of work in a step where the other has (\d+\.\d+)", PROSE)
    table = below("## Pace")
    assert [table[name]["GFLOP a step"] for name in ("minigen", said[2])] == list(work.groups())


def test_the_documented_ones_took_as_many_steps_as_is_said():
    of = r"([\w-]+) (?:has taken )?(\d+)(?: steps of training)?"
    said = re.search(rf"After (\d+) s {of}, {of} and {of},", PROSE)
    table = below(f"### Diffusion after {said[1]} s")
    for name, taken in zip(said.groups()[1::2], said.groups()[2::2], strict=True):
        assert table[f"{name}, documented"]["steps"] == taken


def test_cards_come_as_soon_as_is_said():
    said = re.search(
        r"Of ([\d,]+) answers, .*? half get their card within ([\d.]+) s, and the last after ([\d.]+) s",
        PROSE,
    )
    assert f"{said[1]} answers to " in MEASURED
    assert f"Half of all cards come within {said[2]} s, and the last after {said[3]} s." in MEASURED


def test_the_graders_speeds_are_the_measured_ones():
    section = MEASURED.split("## Graders")[1]
    measured = dict(re.findall(r"^\| (.+?) \| \d+ \+ \d+ \| all as made \| ([\d.]+) \(", section, re.M))
    measured["`minigen grade`"] = measured["`minigen grade --jobs 2`"]
    said = re.findall(r"^\| (.+?) \| ([\d.]+) \| (?:both walls|none) \|$", README, re.M)
    assert len(said) == 4
    for name, rate in said:
        found = measured[re.sub(r" \d+\.\d+\.\d+", "", name)]
        assert float(rate) == (round(float(found)) if "." not in rate else float(found)), name
    walls = re.search(r"The walls add (\d+) ms", README)[0]
    assert walls in section
