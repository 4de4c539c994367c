"""An autograder for Gradescope: the archive, and the program in it that grades one submission.

There each submission is graded as root in a container of its own, without user namespaces; so the tier is
uid: the course's folder is closed to others than root, and each run is a user of its own.
"""

import json
import os
import secrets
import sys
import zipfile
from pathlib import Path

from minigen.core import replacing
from minigen.course.script import LESSONS, ROOT, chosen
from minigen.grade.pages import TEMPLATES

HOME = Path("/autograder")
SCRIPTS = {"setup.sh": "gradescope_setup.sh", "run_autograder": "gradescope_run.sh"}
PROGRAM = 0o100755 << 16  # as zip files keep it: an ordinary file that can be run


def write(lesson: str, out: Path) -> str:
    """Writes the archive of a lesson; returns what to do with it."""
    if out.suffix != ".zip":
        raise ValueError(f"Gradescope takes a zip; name one as in --out autograder.zip, not {out}")
    (script,) = chosen(lesson)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, template in SCRIPTS.items():
            text = (TEMPLATES / template).read_text(encoding="utf-8").replace("LESSON", script.stem)
            about = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            about.external_attr, about.compress_type = PROGRAM, zipfile.ZIP_DEFLATED
            archive.writestr(about, text)
        for path in _course():
            archive.write(path, Path("course", path.relative_to(ROOT)))
    return (
        f"wrote {out}: upload it as the autograder of a programming assignment to which learners submit "
        f"{script.stem}.ipynb. It holds the answers, so do not hand it out"
    )


def _course() -> list[Path]:
    """What grading needs of the course."""
    package = [p for p in (ROOT / "minigen").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    return [*sorted(package), *sorted(LESSONS.glob("*.py")), ROOT / "requirements.lock"]


def main(lesson: str, home: Path = HOME) -> None:
    """Grades what was handed in, and writes results.json.

    Where the sandbox fails no results are written, so that Gradescope says that the autograder failed and
    gives no score: it is not the learner's fault.
    """
    from minigen.grade import batch, exports, tiers
    from minigen.grade.grader import Grader
    from minigen.grade.inside.wall import Limits
    from minigen.grade.record import needs_person
    from minigen.grade.submission import Handed, handed_in

    for folder in home / "submission", home / "results":
        folder.chmod(0o700)
    work = batch.Work(secrets.token_bytes(32), lesson, Limits(), tiers.choose("uid"))
    handed = list(handed_in(home / "submission")) or [Handed("", "", refused="it holds no notebook")]
    with Grader(work.secret, work.limits, work.tier) as grader:
        found = [r for r in batch.records(grader, work, handed, alone=True) if r is not None]
    if any(map(needs_person, found)):
        sys.exit("minigen: the sandbox failed; nothing was graded: " + str(found))
    best = max(found, key=lambda record: record["score"])
    exports.write_text(home / "results" / "results.json", json.dumps(exports.gradescope(best), indent=1))


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1])
