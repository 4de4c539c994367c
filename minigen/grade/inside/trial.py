"""One learner's answer against one probe: what a run does once it is behind the wall."""

import inspect
from dataclasses import dataclass
from typing import Any

from .frame import Frame, Status


class Theirs:
    """Stands in the library where the answer was, for whoever imports it beside other things."""

    def __call__(self, *args, **kwargs):
        raise RuntimeError("the library's own answer is not here")


@dataclass
class Prepared:
    """An exercise, ready for runs. names: of the values that its probe gives, in the order of a frame."""

    id: str
    kind: str
    probe: Any
    signature: inspect.Signature
    names: list[str]
    modified: list[list[str]]
    kinds: list[dict[str, Any]]
    namespace: dict[str, Any]


def prepare(task: dict[str, Any]) -> Prepared:
    """Executes our own code of a task: the lesson's imports, and the probe."""
    namespace: dict[str, Any] = {"check": lambda name, answer: answer}
    for statement in task["setup"]:
        try:
            exec(compile(statement, "<setup>", "exec"), namespace)
        except ImportError:
            continue  # it imports what is not here: the answer, or what cannot stand without it
    helpers: dict[str, Any] = {}
    exec(compile(task["probe"], "<probe>", "exec"), helpers)
    exec(compile(task["signature"], "<signature>", "exec"), helpers)
    return Prepared(
        task["id"], task["kind"], helpers[task["probe_name"]], inspect.signature(helpers["signature"]),
        task["names"], task["modified"], task["kinds"], namespace,
    )  # fmt: skip


def attempt(task: Prepared, job: dict[str, Any]) -> Frame:
    """Runs the learner's cells, then the probe on what they define, once for each seed."""
    from minigen.probing.cells import helpers, plain, run_cell
    from minigen.probing.kinds import returned
    from minigen.probing.observe import observe
    from minigen.probing.outputs import collected
    from minigen.probing.trace import last_line, words

    def said(error: BaseException, answer: Any = None) -> str:
        line = last_line(answer, error) if answer is not None else None
        place = f" in line {line[0]}: `{line[1]}`" if line else ""
        return f"{type(error).__name__}{place}\n{words(error)}".strip()

    namespace = task.namespace
    source, others = plain(job["source"]), [plain(text) for text in job["others"]]
    try:
        with collected() as outputs:
            for i, text in enumerate([*helpers(source, others, namespace), source]):
                run_cell(text, f"<{task.id} {i}>", namespace)
    except SyntaxError as error:
        return Frame(Status.RAISED, message=f"{type(error).__name__} in line {error.lineno}: {error.msg}")
    except MemoryError:
        return Frame(Status.OUT_OF_MEMORY)
    except BaseException as error:
        return Frame(Status.RAISED, message=said(error), printed=outputs.printed)
    answer = namespace.get(task.id)
    if isinstance(answer, Theirs):
        return Frame(Status.NOT_YOURS, message=f"its cell takes {task.id} from the library")
    if answer is None:
        return Frame(Status.NOT_ATTEMPTED, message=f"its cell does not define {task.id}")
    if not callable(answer) or isinstance(answer, type) != (task.kind == "class"):
        kind = type(answer).__name__
        return Frame(Status.WRONG_KIND, message=f"{task.id} should be a {task.kind}; it is of type {kind}")
    frame = Frame(Status.VALUES)
    for seed, expected in zip(job["seeds"], task.modified, strict=True):
        seen = observe(task.probe, answer, task.signature, seed, device="cpu", seconds=None)
        frame.printed = frame.printed or outputs.printed + seen.outputs.printed
        if isinstance(seen.error, MemoryError):
            return Frame(Status.OUT_OF_MEMORY)
        if isinstance(seen.error, NotImplementedError):
            return Frame(Status.NOT_ATTEMPTED, message=said(seen.error, answer))
        if seen.error is not None:
            return Frame(Status.RAISED, message=said(seen.error, answer), printed=frame.printed)
        if not frame.draws and (kind := returned(seen, task.kinds)):
            frame.other_kind, frame.message = True, kind
        frame.modified |= sorted(seen.modified) != expected
        frame.draws.append({task.names.index(n): v for n, v in seen.values.items() if n in task.names})
    return frame
