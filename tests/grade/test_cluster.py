"""A class graded by Dask workers over TLS gets what it gets from processes of this machine."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import trustme
from classes import SOLVED, TILE, UNTOUCHED, command, hand_in, instead

from minigen.grade import cluster
from minigen.grade.batch import Work
from minigen.grade.inside.wall import Limits
from minigen.grade.submission import Handed

pytestmark = pytest.mark.usefixtures("walls")


def certificates(folder):
    """Of an authority of its own: the options of Dask and those of `minigen grade`."""
    authority = trustme.CA()
    one = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    one.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    one.private_key_pem.write_to_path(folder / "key.pem")
    files = [folder / name for name in ("ca.pem", "cert.pem", "key.pem")]
    return [
        [word for pair in zip(names, files, strict=True) for word in pair]
        for names in (["--tls-ca-file", "--tls-cert", "--tls-key"], ["--ca", "--cert", "--key"])
    ]


@contextlib.contextmanager
def running(*command, log):
    with open(log, "w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=os.environ)
    try:
        yield process
    finally:
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    """A scheduler with two workers, as the README starts them: (address, options of minigen, the workers)."""
    folder = tmp_path_factory.mktemp("dask")
    theirs, ours = certificates(folder)
    told, quiet = folder / "scheduler.json", ["--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    program = [sys.executable, "-m", "dask"]
    where = ["--protocol", "tls", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", told]
    with running(*program, "scheduler", *where, *quiet, *theirs, log=folder / "scheduler.log"):
        address = when(lambda: told.exists() and json.loads(told.read_text())["address"])
        many = ["--nthreads", "1", "--nworkers", "2", "--local-directory", folder]
        with running(
            *program, "worker", address, *many, *quiet, *theirs, log=folder / "worker.log"
        ) as workers:
            yield address, ours, psutil.Process(workers.pid)


def when(what):
    """What a function gives as soon as it gives anything."""
    deadline = time.monotonic() + 120
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def name(process):
    """The name of a process that may end just now; empty when it has."""
    with contextlib.suppress(psutil.Error):
        return process.name() if process.status() != psutil.STATUS_ZOMBIE else ""
    return ""


def test_a_cluster_gives_the_same_grades_as_this_machine(dask, tmp_path):
    address, options, _ = dask
    folder = hand_in(
        tmp_path / "class",
        ada=SOLVED,
        bob=UNTOUCHED,
        carl=instead("while True: pass\n" + TILE),
        dora=instead("import os\nos._exit(0)\n" + TILE),
        eve=instead("import os, signal\nos.kill(-1, 9)\n" + TILE),
        fred=b"not a notebook",
        gina=instead("import time\ntime.sleep(60)\n" + TILE),  # graded once more, alone
        zoe=SOLVED,
    )
    subprocess.run(command(folder, tmp_path / "here"), check=True, capture_output=True)
    far = subprocess.run(
        command(folder, tmp_path / "there", "--cluster", address, *options), capture_output=True, text=True
    )
    assert far.returncode == 0, far.stderr
    here, there = [(tmp_path / out / "grades.csv").read_text() for out in ("here", "there")]
    assert here == there and here.count("\n") == 9
    assert "timed out" in here and "malformed output" in here and "refused" in here


def test_a_killed_worker_costs_nobody_anything_and_nothing_counts_twice(dask, tmp_path):
    address, options, workers = dask
    slow = instead("import time\ntime.sleep(1)\ndef tile(images, columns): return images")
    folder = hand_in(tmp_path / "class", **{f"s{i:02}": slow if i % 2 else SOLVED for i in range(12)})
    run = subprocess.Popen(
        command(folder, tmp_path / "out", "--cluster", address, *options), stderr=subprocess.PIPE
    )

    def results():
        assert run.poll() is None, run.stderr.read()
        with contextlib.suppress(sqlite3.OperationalError):
            file = sqlite3.connect(f"file:{tmp_path / 'out' / 'grades.sqlite'}?mode=ro", uri=True)
            with contextlib.closing(file):
                return file.execute("SELECT count(*) FROM result").fetchone()[0]

    when(results)
    victim = next(p for p in workers.children() if "bwrap" in map(name, p.children()))
    lost = victim.children(recursive=True)
    os.kill(victim.pid, signal.SIGKILL)
    assert run.wait() == 0, run.stderr.read()
    rows = (tmp_path / "out" / "grades.csv").read_text().splitlines()[1:]
    found = {row.split(",")[0]: row.split(",")[4] for row in rows}
    assert len(rows) == 12 and found == {f"s{i:02}": "2" if i % 2 else "4" for i in range(12)}
    when(lambda: not any(p.is_running() and name(p) for p in lost))


def test_the_sandbox_outlives_the_thread_of_a_task():
    told = {"secret": "00", "lesson": None, "limits": vars(Limits()), "tier": "bwrap"}
    told |= {"versions": cluster._versions(), "alone": False, "student": "ada", "refused": ""}
    told |= {"name": "00_start_here.ipynb"}
    scores, processes = [], []
    for _ in range(2):
        task = threading.Thread(
            target=lambda: scores.append(json.loads(cluster.graded(SOLVED, json.dumps(told)))["score"])
        )
        task.start()
        task.join()
        [grader] = cluster._kept.values()
        processes.append(grader._sandbox.process)
    assert scores == [4, 4] and processes[0] is processes[1] and processes[0].poll() is None
    cluster._thread.submit(grader.close).result()
    cluster._kept.clear()


def test_a_worker_of_another_version_is_refused_in_a_sentence(dask, monkeypatch):
    address, options, _ = dask
    work = Work(b"secret", None, Limits(), "bwrap")
    monkeypatch.setattr(cluster, "_versions", lambda: {"minigen": "0", "torch": "1.0", "python": "3.11"})
    with (
        cluster.Cluster(work, address, *map(Path, options[1::2])) as workers,
        pytest.raises(
            RuntimeError, match=r"cannot grade: .* has minigen .* and not 0, torch .* and not 1\.0"
        ),
    ):
        list(workers.grade([[("key", Handed("ada", "00_start_here.ipynb", SOLVED))]], alone=False))


def test_who_has_no_certificate_of_the_authority_is_not_let_in(dask, monkeypatch, tmp_path):
    address, _, _ = dask
    _, strangers = certificates(tmp_path)
    monkeypatch.setattr(cluster, "PATIENCE", 3)
    work = Work(b"secret", None, Limits(), "bwrap")
    with pytest.raises(RuntimeError, match=r"no scheduler answers at .* certificates of the same authority"):
        cluster.Cluster(work, address, *map(Path, strangers[1::2]))


@pytest.mark.parametrize(
    "address, said",
    [
        ("tcp://10.0.0.1:8786", "over plain tcp everybody on the way can read submissions"),
        ("tcp://localhost.example.org:8786", "start Dask with certificates, and name tls://"),
        ("tcp://2130706433:8786", "over plain tcp"),
        ("ws://host:8786", "--cluster should be like tls://host:8786; got 'ws://host:8786'"),
        ("host:8786", "--cluster should be like tls://host:8786"),
        ("tls://host", "--cluster should be like tls://host:8786"),
        ("tls://host:8786", "needs certificates: --ca, --cert and --key"),
    ],
)
def test_what_would_not_be_safe_is_refused_in_a_sentence(address, said):
    with pytest.raises(ValueError, match="--cluster") as error:
        cluster._security(address, None, None, None)
    assert said in str(error.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "127.1.2.3"])
def test_plain_tcp_is_for_this_machine_alone(host):
    assert not cluster._security(f"tcp://{host}:8786", None, None, None).require_encryption


def test_what_is_graded_alone_has_a_machine_for_itself():
    class Client:
        def nthreads(self):
            return dict.fromkeys(["tls://10.0.0.1:1", "tls://10.0.0.1:2", "tls://10.0.0.2:1"], 1)

    pool = object.__new__(cluster.Cluster)
    pool._client = Client()
    assert dict([pool._place(True, []), pool._place(True, ["10.0.0.1"])]).keys() == {"10.0.0.1", "10.0.0.2"}
    assert pool._place(True, ["10.0.0.1", "10.0.0.2"]) is None
    assert pool._place(False, [""] * 6) and not pool._place(False, [""] * 7)  # two for each, and one more
    pool._client.nthreads = dict
    assert pool._place(True, []) and pool._place(False, [])  # for the worker that comes next


def test_a_worker_gets_bytes_and_json_and_gives_json(monkeypatch):
    sent = []

    class Client:
        def submit(self, function, *values, key, **place):
            sent.append((function, values, key))

    pool = object.__new__(cluster.Cluster)
    pool.work, pool._client = Work(b"secret", None, Limits(), "bwrap"), Client()
    pool._submit("key", Handed("ada", "a.ipynb", b"notebook"), False, None)
    pool._submit("key", Handed("ada", "a.ipynb", b"notebook"), True, "tls://a:1")
    [(function, (data, told), first), (*_, second)] = sent
    assert (function, data, first) == (cluster.graded, b"notebook", "key") and second != first
    assert json.loads(told)["student"] == "ada"
