"""Checks the notebook of this repository and reports its points to GitHub.

It runs beside the notebook's code, so its points are advice. Still, what that code prints steers nothing: it
is shown without commands, and the points of an exercise come from lesson.json. Standard library only.
"""

import base64
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
COURSE = HERE.parent / ".course"
SECONDS = 900
WORDS = ("right", "wrong", "not attempted", "raised", "timed out", "not yours", "missing")


def main() -> int:
    """Exit status 0 when all exercises with points are right."""
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    lesson = json.loads((HERE / "lesson.json").read_text(encoding="utf-8"))
    found, said = checked(HERE.parent / f"{lesson['name']}.ipynb")
    tests = [test(exercise, found.get(exercise["id"])) for exercise in lesson["exercises"]]
    got, most = sum(t["score"] for t in tests), sum(e["points"] for e in lesson["exercises"])
    token = secrets.token_hex(32)  # made when the notebook's code has ended
    print(f"::stop-commands::{token}")
    for exercise, one in zip(lesson["exercises"], tests, strict=True):
        print(f"{one['message']} · {one['name']} · {one['score']} of {exercise['points']} points")
        print(indented(found.get(exercise["id"], {}).get("message", "")), end="")
    print(indented(said), end="")
    print(f"::{token}::")
    print(f"::notice title=Autograding complete::Points {got}/{most}")
    print(f'::notice title=Autograding report::{{"totalPoints":{got},"maxPoints":{most}}}')
    status = "pass" if got == most else "fail" if found else "error"
    result = {"version": 1, "status": status, "max_score": most, "tests": tests}
    append("GITHUB_OUTPUT", "result=" + base64.b64encode(json.dumps(result).encode()).decode())
    append("GITHUB_STEP_SUMMARY", summary(lesson, tests, got, most))
    return got != most


def checked(notebook: Path) -> tuple[dict, str]:
    """({exercise: what the check says of it}, what it printed when it could not say anything)."""
    ours = ("GITHUB_", "RUNNER_", "ACTIONS_")  # through these files and addresses a program talks to GitHub
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    command = [sys.executable, "-m", "minigen.cli", "check", notebook.name, "--json"]
    try:
        done = subprocess.run(
            command, cwd=notebook.parent, env=environment | {"PYTHONPATH": str(COURSE), "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {}, f"the check was stopped after {SECONDS} s"
    try:
        last = done.stdout.rfind(b"[\n {")  # the notebook's code may have written before it
        records = json.loads(done.stdout[max(last, 0) :])
        return {r["id"]: {"outcome": str(r["outcome"]), "message": str(r["message"])} for r in records}, ""
    except (ValueError, KeyError, TypeError):
        return {}, "the check gave no result\n" + done.stderr[-2000:].decode(errors="replace")


def test(exercise: dict, record: dict | None) -> dict:
    """One exercise as programs of GitHub Classroom write it; all of its words are ours."""
    outcome = record["outcome"] if record and record["outcome"] in WORDS else "not checked"
    right = outcome == "right"
    return {
        "name": exercise["title"],
        "status": "pass" if right else "fail" if record else "error",
        "score": exercise["points"] if right else 0,
        "message": outcome,
        "test_code": exercise["id"],
        "filename": "",
        "line_no": 0,
        "execution_time": "",
    }


def indented(text: str) -> str:
    """A text of others for the log: indented, without characters that steer what shows it."""
    lines = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text[:4000]).split("\n")
    return "".join(f"    {line}\n" for line in lines if line.strip())


def summary(lesson: dict, tests: list[dict], got: int, most: int) -> str:
    """A table for the page of the run."""
    rows = [
        f"| {t['name']} | {t['message']} | {t['score']} of {e['points']} |"
        for e, t in zip(lesson["exercises"], tests, strict=True)
    ]
    head = f"## {got} of {most} points\n\nAdvice, not a grade: this ran beside the notebook's own code."
    return "\n".join([head, "", "| exercise | outcome | points |", "|---|---|---|", *rows])


def append(variable: str, text: str) -> None:
    """To a file that GitHub reads, where there is one."""
    if path := os.environ.get(variable):
        with open(path, "a", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
