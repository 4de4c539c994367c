"""minigen's grader beside nbgrader and otter-grader: the same points? how fast? And what do its walls cost?

    PYTHONPATH=. .venv/bin/python benchmarks/graders.py [--quick]

Exits with 1 when a grader's points are not those that a submission was made to earn; else writes its section
of RESULTS.md. --quick: small, writes nothing. The others' environment: graders.txt, or $MINIGEN_GRADERS.
"""

import argparse
import ast
import csv
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import report
import torch
from nbformat import NotebookNode

from minigen.course import build, script
from minigen.course.catalogue import Exercise
from minigen.course.source import text
from minigen.grade.assignments import nbgrader
from minigen.grade.mark import Outcome, mark, seeds
from minigen.grade.sandbox import Sandbox
from minigen.grade.task import task
from minigen.probing.cells import names_used
from minigen.probing.observe import observe

GRADERS = Path(os.environ.get("MINIGEN_GRADERS") or script.ROOT / ".venv-graders").resolve() / "bin"
FASTER = 20  # times nbgrader's submissions a minute: what minigen should reach
WALLS = 50  # ms that isolation may add to an exercise
OTTER_TEST = """from otter.test_files import test_case

OK_FORMAT = False
name = "{0.id}"
points = {0.points}


@test_case(name="{0.id}")
def accepted({0.id}):
    from minigen.course import check

    check("{0.id}", {0.id})
"""
OTTER_RUN = """
import json, pathlib, sys
from otter.api import grade_submission

points = {}
for path in sys.argv[3:]:
    points[pathlib.Path(path).parent.name] = grade_submission(path, sys.argv[1], quiet=True).total
pathlib.Path(sys.argv[2]).write_text(json.dumps(points))
"""

Points = dict[str, float]  # of each student


@dataclass
class Crowd:
    """Submissions of a lesson, FOLDER/STUDENT/LESSON.ipynb each, and the points that each should earn."""

    lesson: script.Lesson
    folder: Path
    expected: Points

    @property
    def exercises(self) -> list[Exercise]:
        """Those with points."""
        return [e for e in self.lesson.exercises if e.kind != "predict"]

    def notebook(self, student: str) -> Path:
        return self.folder / student / f"{self.lesson.name}.ipynb"

    def hand_in(self, student: str, place: Path) -> None:
        place.mkdir(parents=True)
        shutil.copy(self.notebook(student), place)


def crowd_of(lesson: script.Lesson, size: int, folder: Path) -> Crowd:
    """A third solved, a fifth untouched, the others with one to three known mistakes each."""
    made, draw = Crowd(lesson, folder, {}), random.Random(0)
    wrong = {e.id: known for e in made.exercises if (known := known_mistakes(lesson, e))}
    kinds = ["solved"] * (size // 3) + ["untouched"] * (size // 5)
    kinds += ["mistaken"] * (size - len(kinds))
    draw.shuffle(kinds)
    for i, kind in enumerate(kinds):
        answers = {e.id: e.stub if kind == "untouched" else e.solution for e in lesson.exercises}
        chosen = draw.sample(sorted(wrong), draw.randint(1, 3)) if kind == "mistaken" else []
        answers |= {name: draw.choice(wrong[name]) for name in chosen}
        student = f"student{i:03}"
        build.save(filled(lesson, answers), made.notebook(student))
        right = [e for e in made.exercises if kind != "untouched" and e.id not in chosen]
        made.expected[student] = sum(e.points for e in right)
    return made


def known_mistakes(lesson: script.Lesson, exercise: Exercise) -> list[str]:
    """The mistakes that can be typed into the exercise's cell: they need no name that the lesson lacks."""
    typed = [text(m.answer) for m in exercise.mistakes]
    typed = [t for t in typed if t.startswith(("def ", "class "))]
    typed = [t for t in typed if names_used(t) <= lesson.setup(exercise).keys()]
    names = [ast.parse(t).body[0].name for t in typed]
    return [
        t if n == exercise.id else f"{t}\n{exercise.id} = {n}\n" for t, n in zip(typed, names, strict=True)
    ]


def filled(lesson: script.Lesson, answers: dict[str, str]) -> NotebookNode:
    """The lesson's notebook with these answers, as a learner hands it in.

    It has otter-grader's settings too: its test, which calls the same check, takes the place of our cell.
    """
    made = build.notebook(lesson, solved=False, previous=None)
    tests = {e.id for e in lesson.exercises if e.kind != "predict"}
    for cell in made.cells:
        ours = cell.metadata.get("minigen", {})
        if "exercise" in ours:
            cell.source = answers[ours["exercise"]]
        if ours.get("exercise") in tests:
            cell.metadata["otter"] = {"tests": [ours["exercise"]]}
        elif ours.get("check") in tests:
            cell.metadata["otter"] = {"ignore": True}
    return made


def timed(command: list[object], folder: Path, python: Path, **more: str) -> float:
    """Seconds that a command takes, from its start to its end. python: the folder of its programs."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith(("MINIGEN_", "OMP_"))}
    settings |= {"PATH": f"{python}{os.pathsep}{settings['PATH']}", "PYTHONPATH": str(script.ROOT)}
    settings |= {"MINIGEN_BUDGET": "smoke", "JUPYTER_PREFER_ENV_PATH": "1", **more}
    start = time.perf_counter()
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=settings, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command[:4]))} failed:\n{done.stderr[-3000:]}")
    return seconds


def points_in(path: Path, student: str) -> Points:
    with path.open(encoding="utf-8") as file:
        return {row[student]: float(row["score"]) for row in csv.DictReader(file)}


def by_minigen(crowd: Crowd, students: list[str], folder: Path, jobs: int) -> tuple[float, Points]:
    for student in students:
        crowd.hand_in(student, folder / "class" / student)
    python = Path(sys.executable)
    command = [python, "-m", "minigen.cli", "grade", "class", "--out", "out", "--jobs", jobs]
    return timed(command, folder, python.parent), points_in(folder / "out" / "grades.csv", "student")


def by_nbgrader(crowd: Crowd, students: list[str], folder: Path) -> tuple[float, Points]:
    name, program = crowd.lesson.name, GRADERS / "nbgrader"
    nbgrader.write(name, folder)
    timed([program, "generate_assignment", name], folder, GRADERS)
    for student in students:
        crowd.hand_in(student, folder / "submitted" / student / name)
    seconds = timed([program, "autograde", name], folder, GRADERS)
    timed([program, "export", "--to", "grades.csv"], folder, GRADERS)
    return seconds, points_in(folder / "grades.csv", "student_id")


def by_otter(crowd: Crowd, students: list[str], folder: Path) -> tuple[float, Points]:
    (folder / "tests").mkdir()
    for exercise in crowd.exercises:
        (folder / "tests" / f"{exercise.id}.py").write_text(OTTER_TEST.format(exercise), encoding="utf-8")
    timed([GRADERS / "otter", "generate", "--no-environment", "--no-requirements"], folder, GRADERS)
    notebooks = [crowd.notebook(student) for student in students]
    command = [GRADERS / "python", "-c", OTTER_RUN, "autograder.zip", folder / "points.json", *notebooks]
    seconds = timed(command, folder, GRADERS, MINIGEN_STRICT="right")
    return seconds, json.loads((folder / "points.json").read_text())


def speed(crowd: Crowd, peers: int, rounds: int) -> str:
    """The table of rates. All take their turn in a round; the peers get other submissions in each."""
    every, jobs = sorted(crowd.expected), os.cpu_count() or 1
    share = max(1, peers // rounds)
    parts = [every[i * share : (i + 1) * share] for i in range(rounds)]
    graders = {
        f"`minigen grade --jobs {jobs}`": (lambda *given: by_minigen(*given, jobs), [every] * rounds),
        "`minigen grade --jobs 1`": (lambda *given: by_minigen(*given, 1), [every] * rounds),
        "`nbgrader autograde`": (by_nbgrader, parts),
        "otter-grader, `grade_submission`": (by_otter, parts),
    }
    for graded, _ in graders.values():  # once before, since a first run compiles what it imports
        with tempfile.TemporaryDirectory() as folder:
            graded(crowd, every[:1], Path(folder))
    rates: dict[str, list[float]] = {name: [] for name in graders}
    wrong = []
    for turn in range(rounds):
        for name, (graded, all_parts) in graders.items():
            students = all_parts[turn]
            with tempfile.TemporaryDirectory() as folder:
                seconds, points = graded(crowd, students, Path(folder))
            rates[name].append(60 * len(students) / seconds)
            print(f"{name}: {len(students)} in {seconds:.1f} s, {rates[name][-1]:.1f} a minute", flush=True)
            for student in students:
                if points.get(student) != crowd.expected[student]:
                    wrong.append(
                        f"{name}: {student} has {points.get(student)} points, not {crowd.expected[student]}"
                    )
    if wrong:
        sys.exit("wrong:\n  " + "\n  ".join(wrong))
    return rate_table(rates, {name: [len(part) for part in parts] for name, (_, parts) in graders.items()})


def rate_table(rates: dict[str, list[float]], sizes: dict[str, list[int]]) -> str:
    """How many a minute, and how many times that the first one reaches; and whether that is enough."""
    medians = {name: statistics.median(found) for name, found in rates.items()}
    first, one, theirs, *_ = medians.values()
    rows = []
    for name, found in rates.items():
        spread = f"{medians[name]:.1f} ({min(found):.1f}–{max(found):.1f})"
        ran = " + ".join(map(str, sizes[name]))
        rows.append([name, ran, "all as made", spread, f"{first / medians[name]:.1f}×"])
    header = ["", "submissions, each round", "points", "a minute", "the first row reaches"]
    said = (
        f"minigen grades {first / theirs:.0f} times as many submissions a minute as nbgrader ({FASTER} times"
    )
    said += f" is the aim); with one process, {one / theirs:.0f} times.\n\n"
    print(said, flush=True)
    return report.table(header, rows) + said


def isolation(lesson: script.Lesson, times: int) -> str:
    """The table of what the walls add to a run of each solution, and a sentence."""
    rows, added = [], []
    with Sandbox(tier="bwrap") as walled, Sandbox(tier="none") as bare:
        for exercise in [e for e in lesson.exercises if e.kind != "predict"]:
            both, none, alone = run_times(exercise, [walled, bare], times)
            added.append(both - none)
            rows.append([f"`{exercise.id}`", *(f"{ms:.1f}" for ms in (both, none, both - none, alone))])
            print(*rows[-1], sep="  ", flush=True)
    header = ["ms", "both walls", "no walls (tier none)", "the walls add", "the probe alone, in this process"]
    said = f"The walls add {statistics.median(added):.0f} ms to an exercise (the median), and at most"
    said += f" {max(added):.0f} ms; {WALLS} ms is the aim.\n"
    print(said, flush=True)
    return report.table(header, rows) + said


def run_times(exercise: Exercise, sandboxes: list[Sandbox], times: int) -> list[float]:
    """Milliseconds of a run of the solution, the median, in each sandbox and at last in this process."""
    drawn = seeds(b"of the benchmark", exercise)
    job = {"source": exercise.solution, "others": [], "seeds": drawn}
    took: list[list[float]] = [[] for _ in range(len(sandboxes) + 1)]
    for sandbox in sandboxes:
        sandbox.prepare(task(exercise, drawn))
    for _ in range(times):
        for sandbox, found in zip(sandboxes, took, strict=False):
            start = time.perf_counter()
            ended = sandbox.run(job)
            found.append(1000 * (time.perf_counter() - start))
            if mark(exercise, drawn, ended, exercise.solution).outcome is not Outcome.RIGHT:
                sys.exit(f"the solution of {exercise.id} is not right in tier {sandbox.tier}")
        start = time.perf_counter()
        for seed in drawn:
            observe(exercise.probe, exercise.target, exercise.signature, seed, device="cpu", seconds=None)
        took[-1].append(1000 * (time.perf_counter() - start))
    return [statistics.median(found) for found in took]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small, in minutes, writes nothing")
    parser.add_argument("--lesson", default="10", help="the assignment")
    parser.add_argument("--submissions", type=int, default=50, help="how many minigen grades in a round")
    parser.add_argument("--peers-submissions", type=int, default=10, help="how many the others grade in all")
    parser.add_argument("--rounds", type=int, default=2, help="in which all take their turn")
    args = parser.parse_args()
    if not (GRADERS / "nbgrader").exists():
        sys.exit(f"there is no nbgrader in {GRADERS}: make .venv-graders/installed")
    size, peers, rounds, times = args.submissions, args.peers_submissions, args.rounds, 25
    if args.quick:
        size, peers, rounds, times = min(size, 6), min(peers, 2), 1, 5
    torch.set_num_threads(1)
    (assignment,), (thirteenth,) = script.chosen(args.lesson), script.chosen("13")
    said = subprocess.run([GRADERS / "python", "-c", VERSIONS], capture_output=True, text=True, check=True)
    written = report.circumstances(["torch"], 1) + "### Speed\n\n"
    written += SPEED.format(lesson=assignment.stem, versions=said.stdout.strip())
    with tempfile.TemporaryDirectory() as folder:
        written += speed(crowd_of(script.read(assignment), size, Path(folder)), peers, rounds)
    written += "### Isolation\n\n" + ISOLATION.format(times=times)
    written += isolation(script.read(thirteenth), times)
    if not args.quick:
        report.write("Graders", written)


VERSIONS = """
from importlib.metadata import version
print(" and ".join(f"{name} {version(name)}" for name in ("nbgrader", "otter-grader")))
"""
SPEED = """Submissions of {lesson}, with {versions}: a third solved, a fifth untouched, the others with one to
three known mistakes. Every grader has to give each the points that it was made to earn. All get the same
notebooks at budget smoke, and take turns; the time is that of the whole command. nbgrader and otter-grader
have no sandbox here, run all cells of a notebook, training and pictures included, and take one notebook after
the other; minigen has both walls, and runs what an exercise needs.

"""
ISOLATION = """One run of each solution of lesson 13: three draws of its probe, asked for and answered. The
median of {times} runs, in turn.

"""

if __name__ == "__main__":
    main()
