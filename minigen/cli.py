"""The command line: learn, progress, check, build, grade, export, train, sample, evaluate and doctor."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="Generative image models from scratch: open the lessons, check your answers, build the course.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ExistingFile = partial(typer.Option, exists=True, dir_okay=False)
export = typer.Typer(help="Writes a lesson as other programs want it.", no_args_is_help=True)
app.add_typer(export, name="export")
ExportLesson = Annotated[str, typer.Argument(help="The lesson, as in 10.")]


@app.command()
def learn(
    lesson: Annotated[str | None, typer.Argument(help="Open this lesson, as in 10.")] = None,
    options: Annotated[list[str] | None, typer.Argument(help="For JupyterLab, after --.")] = None,
) -> None:
    """Brings new lessons into workbook/ (never over your work) and opens JupyterLab there."""
    from minigen.course import workbook

    workbook.learn(lesson, options or ())


@app.command()
def progress() -> None:
    """Shows which exercises you have done."""
    from minigen.course import records

    print(records.table())


@app.command()
def check(notebook: Path, as_json: Json = False) -> None:
    """Checks every exercise of a notebook. Exit status 0: all right; 1: not all; 2: it cannot be checked."""
    from minigen.course import answers

    checked = answers.check_notebook(notebook)
    print(json.dumps([c.record for c in checked], indent=1) if as_json else answers.table(checked))
    missing = [c.exercise.id for c in checked if c.verdict is None]
    if missing:
        said = f"{notebook} has no cell that defines {', '.join(missing)}; copy it anew from lessons/"
        raise answers.Unreadable(said)
    if not all(c.right for c in checked):
        raise typer.Exit(1)


@app.command()
def build(
    lesson: Annotated[str | None, typer.Argument(help="Only this lesson, as in 10.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if one is stale.")] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Run the solved ones, keep outputs.")] = False,
) -> None:
    """Makes the notebooks of lessons/ and solutions/ from the scripts."""
    from minigen.course import build as builder

    if check:
        if found := builder.stale(only=lesson):
            raise ValueError("; ".join(found) + " (run minigen build)")
        print("every notebook is what its script says")
        return
    for path in builder.build(only=lesson):
        print(f"wrote {path.parent.name}/{path.name}")
    if execute:
        from minigen.course import execute as executor
        from minigen.course import script

        for path in script.chosen(lesson):
            entry = executor.execute(script.SOLUTIONS / f"{path.stem}.ipynb")
            print(f"ran solutions/{path.stem}.ipynb in {entry['seconds']} s", flush=True)


@app.command()
def exercises(as_json: Json = False) -> None:
    """Lists the exercises of the course."""
    from minigen.course import catalogue

    listed = [e.record for e in catalogue.exercises()]
    if as_json:
        print(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    for e in listed:
        effort = f"{e['minutes']:3} min  {e['points']} points"
        print(f"{e['lesson']:16} {e['id']:24} {e['kind']:10} {effort}  {e['title']}")


@app.command()
def grade(
    submissions: Annotated[
        Path, typer.Argument(help="A folder with a folder or zip a student, or a notebook.")
    ],
    out: Annotated[Path, typer.Option(help="The folder for the results; a batch is taken up again there.")],
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes. All cores unless given.")] = None,
    lesson: Annotated[str | None, typer.Option(help="Which lesson all belong to, as in 10.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="What one exercise may take on the clock.")] = 20,
    cpu: Annotated[float, typer.Option(min=1, help="What one exercise may compute, in seconds.")] = 20,
    memory: Annotated[int, typer.Option(min=100, help="What one exercise may use, in MB.")] = 1024,
    output: Annotated[int, typer.Option(min=1, help="What one exercise may give back, in MB.")] = 8,
    total: Annotated[float, typer.Option(min=1, help="What a whole notebook may take, in seconds.")] = 60,
    tier: Annotated[
        str | None, typer.Option(help="The sandbox: bwrap; uid, in a container; none, which is no sandbox.")
    ] = None,
    canvas: Annotated[Path | None, ExistingFile(help="Canvas's gradebook; the grades go in.")] = None,
    moodle: Annotated[Path | None, ExistingFile(help="Moodle's worksheet; the grades go in.")] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Grade on the workers of this Dask scheduler: tls://host:8786.")
    ] = None,
    ca: Annotated[Path | None, ExistingFile(help="Of the cluster: the authority's certificate.")] = None,
    cert: Annotated[Path | None, ExistingFile(help="Of the cluster: your certificate.")] = None,
    key: Annotated[Path | None, ExistingFile(help="Of the cluster: your private key.")] = None,
) -> None:
    """Grades submissions of people you do not know, each exercise in a sandbox of its own."""
    from minigen.grade import local

    if cluster is None:
        local.warm_up()

    from minigen.course import script
    from minigen.grade import batch, exports
    from minigen.grade.gradebook import Gradebook
    from minigen.grade.inside.wall import MB, Limits

    script.chosen(lesson)
    exports.check_rosters(canvas, moodle)
    limits = Limits(seconds=seconds, cpu=cpu, memory=memory, output=output * MB, total=total)
    with Gradebook(out / "grades.sqlite") as book:
        work = batch.Work(book.secret, lesson, limits, tier or "bwrap")
        every, lacking = batch.survey(submissions, book, work)
        if lacking:
            with batch.pool(work, lacking, jobs, cluster, ca, cert, key) as pool, _bar(every, lacking) as bar:
                batch.grade(submissions, book, work, pool, lacking, bar.update)
        for said in exports.write_all(out, book, canvas, moodle):
            print(said)


def _bar(every: int, lacking: int) -> Any:
    """Shows how many submissions are graded, how fast, and how long the others will take."""
    from tqdm import tqdm

    form = "{percentage:3.0f} % {bar} {n_fmt} of {total_fmt} graded, {rate_noinv_fmt}, {remaining} left"
    return tqdm(
        total=every, initial=every - lacking, bar_format=form, unit=" submissions", smoothing=0.05,
        disable=None, dynamic_ncols=True,
    )  # fmt: skip


@export.command("gradescope")
def export_gradescope(
    lesson: ExportLesson,
    out: Annotated[Path, typer.Option(help="The archive to write.")] = Path("autograder.zip"),
) -> None:
    """Writes an autograder for Gradescope: upload the archive there as it is."""
    from minigen.grade.assignments import gradescope

    print(gradescope.write(lesson, out))


@export.command("github-classroom")
def export_github_classroom(
    lesson: ExportLesson,
    out: Annotated[Path, typer.Option(help="The folder to write; a repository of its own.")],
) -> None:
    """Writes an assignment for GitHub Classroom. Its points are advice: a learner can edit the workflow."""
    from minigen.grade.assignments import github_classroom

    print(github_classroom.write(lesson, out))


@export.command("nbgrader")
def export_nbgrader(
    lesson: ExportLesson,
    out: Annotated[Path, typer.Option(help="The folder to write: a course of nbgrader's.")],
) -> None:
    """Writes an assignment that `nbgrader generate_assignment` and `autograde` take."""
    from minigen.grade.assignments import nbgrader

    print(nbgrader.write(lesson, out))


@app.command(context_settings={"ignore_unknown_options": True})  # `settings.read` says what is wrong
def train(
    recipe: Annotated[
        str | None, typer.Argument(help="vae, gan, ddpm, …; all are listed without one.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Argument(help="Settings, as in width=64 multiples=1,2,4 lr=3e-4.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="digits unless given; shapes, shapes:16, mnist, …; scenes for text_to_image."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps in all; more go on with a run.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder: runs/RECIPE-DATA unless given.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, …: the GPU if there is one.")] = None,
    every: Annotated[
        int | None, typer.Option(min=1, help="Steps between checkpoints: a tenth of all unless given.")
    ] = None,
) -> None:
    """Trains a model of the course, on any data. The same command goes on with a run that was stopped.

    On several processes: torchrun --nproc-per-node 2 -m minigen train …
    """
    from minigen import running

    if recipe is None:
        print(running.table())
    else:
        running.train(recipe, settings or [], data, steps, out, device, every)


@app.command()
def sample(
    model: Annotated[
        str, typer.Argument(help="The folder of a run, a checkpoint, digit_vae, … or text_to_image.")
    ],
    prompt: Annotated[
        str | None,
        typer.Argument(help='What to draw, for text_to_image: "a big red circle on a dark background".'),
    ] = None,
    out: Annotated[Path, typer.Option(help="FILE.png for one sheet, or a folder for single files.")] = Path(
        "samples.png"
    ),
    number: Annotated[int, typer.Option("--number", "--n", "-n", min=1, help="How many pictures.")] = 60,
    labels: Annotated[
        str | None, typer.Option(help="Classes to draw in turn, as in 3,7: all unless given.")
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option("--guidance", "-w", help="Of a model told labels (1) or words (3); 1 is without."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of a diffusion model: 20 unless given, 12 above 8 pixels.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of all random draws.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, …: the GPU if there is one.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Draws pictures from a model that was trained."""
    from minigen import drawing

    print(drawing.sample(model, out, number, prompt, labels, guidance, steps, seed, device, force))


@app.command()
def evaluate(
    real: Annotated[
        str,
        typer.Argument(help="A folder of images, or a data set: digits, digits:test, shapes:16, mnist, …"),
    ],
    fake: Annotated[str, typer.Argument(help="The same; or a run's folder, a checkpoint, or digit_vae, …")],
    draws: Annotated[int, typer.Option(min=2, help="Pictures to draw from a model, or of shapes.")] = 1000,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Of a diffusion model: 20 unless given, 12 above 8 pixels.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="digits, shapes or inception; digits for grey and shapes for colour unless given."),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="The file of Inception's weights.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch that file (95 MB).")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Scores pictures against real ones: FID, KID, Inception Score, precision and recall.

    Only scores in the same features can be compared; published ones are in those of inception.
    """
    from minigen import evaluation

    crowds = [evaluation.crowd(name, draws, seed + i, steps) for i, name in enumerate((real, fake))]
    found = evaluation.report(*crowds, features, weights, download, seed)
    print(json.dumps(found, indent=1, ensure_ascii=False) if as_json else evaluation.table(found))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Says what this machine has, and what to do about what is missing."""
    from minigen import doctor as looks

    found = looks.report()
    print(looks.as_json(found) if as_json else looks.table(found))
    if any(f.state == "missing" for f in found):
        raise typer.Exit(1)


def main() -> None:
    """Runs the command line; bad input is answered by one sentence and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal without ✓ shows ? instead of failing
    try:
        app()
    except (ValueError, OSError, RuntimeError, ArithmeticError) as error:
        short = "alloc_cpu" in str(error) or "out of memory" in str(error)
        said = "not enough memory; try a smaller width, batch or number" if short else error
        print(f"minigen: {said}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
