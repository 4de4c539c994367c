"""The doctor: what is there is found, what is missing has a remedy, and nothing keeps it from speaking."""

import json
from types import SimpleNamespace

import pytest
import torch

from minigen import computer, doctor
from minigen.data.classics import MNIST


def test_every_thing_is_named_once_and_every_lack_has_a_remedy():
    found = doctor.report()
    names = [f.name for f in found]
    wanted = {"python", "torch", "device", "memory", "disk", "jupyter", "datasets", "downloads", "sandbox"}
    assert wanted <= set(names) and len(names) == len(set(names))
    assert {f.state for f in found} <= {"ok", "missing", "optional"}
    assert [f.name for f in found if f.state != "ok" and not f.remedy] == []
    states = {f.name: f.state for f in found}
    assert (
        states["python"] == states["torch"] == states["jupyter"] == states["datasets"] == "ok"
    )  # or no test runs


def test_a_broken_package_is_a_finding_and_the_others_are_still_looked_at(monkeypatch):
    def torch():
        raise ImportError("libcudart.so.13: cannot open shared object file\nmore")

    names = [f.name for f in doctor.report()]
    monkeypatch.setattr(doctor, "torch", torch)
    found = {f.name: f for f in doctor.report()}
    assert list(found) == names
    assert found["torch"].state == "missing" and "requirements.lock" in found["torch"].remedy
    assert found["torch"].found == "ImportError: libcudart.so.13: cannot open shared object file"


@pytest.mark.parametrize("wanted", ["toaster", "cuda:99"])
def test_a_device_that_does_not_work_is_missing_and_named(wanted, monkeypatch):
    monkeypatch.setenv("MINIGEN_DEVICE", wanted)
    found = doctor.device()
    assert found.state == "missing" and wanted in found.found and "MINIGEN_DEVICE" in found.remedy


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="a GPU works here")
def test_a_gpu_that_torch_cannot_use_is_pointed_out(monkeypatch):
    monkeypatch.delenv("MINIGEN_DEVICE", raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert doctor.device() == doctor.Finding("device", "ok", "cpu")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    found = doctor.device()
    assert found.state == "optional" and "NVIDIA" in found.found and "pytorch.org" in found.remedy


@pytest.mark.parametrize(("gigabytes", "state"), [(2, "missing"), (16, "ok")])
def test_memory_below_what_a_lesson_wants_is_missing(gigabytes, state, monkeypatch):
    pages = {"SC_PHYS_PAGES": gigabytes * 1_000_000, "SC_PAGE_SIZE": 1000}
    monkeypatch.setattr("os.sysconf", pages.__getitem__, raising=False)
    monkeypatch.setattr(computer, "MEMORY_LIMIT", doctor.Path("no such file"))
    found = doctor.memory()
    assert (found.state, found.found) == (state, f"{gigabytes:.1f} GB")


@pytest.mark.parametrize(("limit", "found"), [("3000000000\n", "3.0 GB"), ("max\n", "8.0 GB")])
def test_the_limit_of_a_container_counts_as_its_memory(limit, found, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "os.sysconf", {"SC_PHYS_PAGES": 8_000_000, "SC_PAGE_SIZE": 1000}.__getitem__, raising=False
    )
    (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr(computer, "MEMORY_LIMIT", tmp_path / "memory.max")
    assert doctor.memory().found == found


@pytest.mark.parametrize(("free", "state"), [(1e9, "missing"), (5e9, "ok")])
def test_a_full_disk_is_missing(free, state, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free))
    assert doctor.disk().state == state


def test_a_download_counts_when_all_its_files_are_whole(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIGEN_DATA", str(tmp_path))
    (tmp_path / MNIST.name).mkdir()
    first, *others = MNIST.sha256
    for name in (f"{first}.part", *others):
        (tmp_path / MNIST.name / name).touch()
    assert doctor.downloads().found.startswith("none in ")
    (tmp_path / MNIST.name / first).touch()
    found = doctor.downloads()
    assert found.found.startswith("mnist in ") and "cifar10" in found.remedy and " mnist" not in found.remedy


@pytest.mark.skipif(not doctor.sys.platform.startswith("linux"), reason="the sandbox needs Linux")
def test_bubblewrap_counts_only_when_it_can_build_its_walls(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.sandbox().state == "optional" and "install bubblewrap" in doctor.sandbox().remedy
    bwrap = tmp_path / "bwrap"
    bwrap.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2; exit 1\n")
    bwrap.chmod(0o755)
    assert doctor.sandbox().state == "optional" and "Permission denied" in doctor.sandbox().found
    bwrap.write_text("#!/bin/sh\nexit 0\n")
    assert doctor.sandbox().state == "optional"  # what only looks like it is not believed


def test_the_browser_is_the_first_chromium_on_the_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.chromium() is None and doctor.browser().state == "optional"
    (tmp_path / "google-chrome").write_text("#!/bin/sh\n")
    (tmp_path / "google-chrome").chmod(0o755)
    assert doctor.chromium() == str(tmp_path / "google-chrome") == doctor.browser().found


def test_the_table_and_the_json_say_the_same():
    found = [doctor.Finding("torch", "ok", "2.13.0"), doctor.Finding("disk", "missing", "0 GB", "free some")]
    assert doctor.table(found).splitlines() == [
        "✓ torch      2.13.0",
        "✗ disk       0 GB",
        "             → free some",
    ]
    assert [doctor.Finding(**entry) for entry in json.loads(doctor.as_json(found))] == found
