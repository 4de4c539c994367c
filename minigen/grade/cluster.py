"""Dask workers that grade: on other machines, over TLS.

What goes to a worker is the bytes of a notebook and a JSON text, what comes back is a JSON text. Dask itself
pickles what its parties send each other: whoever has a certificate can run code on all of them, and so the
certificates are for them alone. A learner's code is behind the walls of the worker's own sandbox.
"""

import ipaddress
import json
import platform
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from minigen.grade.batch import Chunk, Result, Work, records
from minigen.grade.gradebook import code_version
from minigen.grade.grader import Grader
from minigen.grade.inside.wall import Limits
from minigen.grade.submission import Handed
from minigen.grade.tiers import NoSandbox, choose

AHEAD = 2  # submissions for each worker that are on their way, so that none waits for the next
PATIENCE = 60  # seconds to wait for the scheduler, and for a first worker
MISSING = "--cluster needs Dask: python -m pip install distributed, here and where the workers are"


class Unfit(RuntimeError):
    """A worker cannot grade as this command would."""


class Cluster:
    """The workers of a Dask scheduler. A `Pool` of `batch`.

    address: tls://host:port, or tcp://127.0.0.1:port on this machine alone.  ca, cert, key: PEM files; those
    that are not given are Dask's own settings.
    """

    together = 1  # the key of a task is that of a submission

    def __init__(
        self, work: Work, address: str,
        ca: Path | None = None, cert: Path | None = None, key: Path | None = None,
    ):  # fmt: skip
        try:
            import dask
            import distributed
        except ImportError:
            raise RuntimeError(MISSING) from None
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})  # a notebook may be large
        self.work, self._as_completed = work, distributed.as_completed
        security = _security(address, ca, cert, key)
        try:
            self._client = distributed.Client(
                address, security=security, timeout=PATIENCE, set_as_default=False
            )
        except OSError as error:
            why = f"no scheduler answers at {address} ({error})"
            raise RuntimeError(f"{why}; is it running, with certificates of the same authority?") from error
        try:
            self._expect_workers(address)
        except BaseException:
            self.close()
            raise

    @property
    def jobs(self) -> int:
        """How many workers there are now."""
        return len(self._client.nthreads())

    def grade(self, chunks: Iterable[Chunk], alone: bool) -> Iterator[Result]:
        """Yields (key, record). A worker's tasks run again elsewhere when it is lost."""
        waiting, ended = iter(chunks), self._as_completed(loop=self._client.loop)
        sent: dict[str, tuple[str, str]] = {}  # {key of a task: (key of the submission, machine)}
        while True:
            while place := self._place(alone, [machine for _, machine in sent.values()]):
                if not (chunk := next(waiting, None)):
                    break
                [(key, handed)] = chunk
                future = self._submit(key, handed, alone, place[1])
                sent[future.key] = key, place[0]
                ended.add(future)
            if not sent:
                return
            future = next(ended)
            key, _ = sent.pop(future.key)
            if future.status == "finished":
                yield key, json.loads(future.result())
            elif future.status != "error":
                raise RuntimeError("the scheduler has gone; what is graded is kept: run the command again")
            elif isinstance(error := future.exception(), (Unfit, ImportError)):
                raise RuntimeError(f"a worker of the cluster cannot grade: {error}")

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _place(self, alone: bool, taken: list[str]) -> tuple[str, str | None] | None:
        """(machine, its worker) that can have one more submission; None when all have enough.

        A submission that is graded alone has a machine for itself, unless its worker is lost.
        """
        if not alone:
            return ("", None) if len(taken) <= AHEAD * self.jobs else None
        machines = {urlsplit(worker).hostname or worker: worker for worker in self._client.nthreads()}
        return next((place for place in (machines or {"": None}).items() if place[0] not in taken), None)

    def _submit(self, key: str, handed: Handed, alone: bool, worker: str | None) -> Any:
        told = asdict(self.work) | {"secret": self.work.secret.hex(), "versions": _versions(), "alone": alone}
        told |= {"student": handed.student, "name": handed.name, "refused": handed.refused}
        name = f"{key}-alone" if alone else key
        place = {"workers": [worker], "allow_other_workers": True} if worker else {}
        return self._client.submit(graded, handed.data, json.dumps(told), key=name, **place)

    def _expect_workers(self, address: str) -> None:
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            said = f"no worker has come to {address}; start one: dask worker {address} …"
            raise RuntimeError(said) from None


def _security(address: str, ca: Path | None, cert: Path | None, key: Path | None) -> Any:
    """Dask's security for an address. Plain tcp goes to this machine alone."""
    from distributed.security import Security

    parts = urlsplit(address)
    if parts.scheme not in ("tls", "tcp") or not parts.hostname or not parts.port:
        raise ValueError(f"--cluster should be like tls://host:8786; got {address!r}")
    if parts.scheme == "tcp":
        if _loopback(parts.hostname):
            return Security(require_encryption=False)
        why = "over plain tcp everybody on the way can read submissions and run code on the workers"
        raise ValueError(f"--cluster {address}: {why}; start Dask with certificates, and name tls://…")
    given = {"tls_ca_file": ca, "tls_client_cert": cert, "tls_client_key": key}
    made = Security(require_encryption=True, **{name: str(path) for name, path in given.items() if path})
    if not (made.tls_ca_file and made.tls_client_cert):
        wanted = "--ca, --cert and --key (or Dask's settings distributed.comm.tls.*)"
        raise ValueError(f"--cluster {address} needs certificates: {wanted}")
    return made


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _versions() -> dict[str, str]:
    """What has to be the same on both sides for the same grades."""
    return {"minigen": code_version()[:12], "torch": version("torch"), "python": platform.python_version()}


# What follows runs on a worker. Bubblewrap ends with the thread that started it, and Dask's threads come and
# go: so one thread of ours does everything, as long as the process lives.
_thread = ThreadPoolExecutor(1, "grader")
_kept: dict[str, Grader] = {}  # the one of this process, by what it was made for


def fit(versions: dict[str, str], tier: str) -> None:
    """Raises Unfit unless this process grades as the one with these versions does."""
    if differ := [name for name, mine in _versions().items() if mine != versions[name]]:
        said = ", ".join(f"{name} {_versions()[name]} and not {versions[name]}" for name in differ)
        raise Unfit(f"{platform.node()} has {said}; install the same there, and start its worker again")
    try:
        choose(tier)
    except NoSandbox as error:
        raise Unfit(f"on {platform.node()}, {error}") from error


def graded(data: bytes, told: str) -> str:
    """The record of one submission as JSON; `null` for one that has to be graded again, alone."""
    return _thread.submit(_graded, data, json.loads(told)).result()


def _graded(data: bytes, told: dict[str, Any]) -> str:
    secret, limits = bytes.fromhex(told["secret"]), Limits(**told["limits"])
    work = Work(secret, told["lesson"], limits, told["tier"])
    made_for = json.dumps([told[name] for name in ("secret", "limits", "tier", "versions")])
    if made_for not in _kept:
        fit(told["versions"], work.tier)
        while _kept:
            _kept.popitem()[1].close()
        _kept[made_for] = Grader(secret, limits, work.tier)
    handed = Handed(told["student"], told["name"], data, told["refused"])
    [found] = records(_kept[made_for], work, [handed], told["alone"])
    return json.dumps(found)
