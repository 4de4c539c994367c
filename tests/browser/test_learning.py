"""A learner's first minutes, in a real browser: open lesson 10, run all, answer wrongly, then rightly."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from minigen.course.script import LESSONS, read
from minigen.doctor import BROWSERS, chromium

CHROMIUM = chromium()
EXERCISES = len(read(LESSONS / "10_autoencoder.py").exercises)
FLAGS = [
    "--no-sandbox",  # containers and CI run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START = "from minigen.course.workbook import learn; import sys; from pathlib import Path\n"
WRONG = """def pca(x, k):
    mean = x.mean(0)
    _, _, axes = torch.linalg.svd(x, full_matrices=False)
    return mean, axes[:k]"""
RIGHT = """def pca(x, k):
    mean = x.mean(0)
    _, _, axes = torch.linalg.svd(x - mean, full_matrices=False)
    return mean, axes[:k]"""
MINUTE = 60_000

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason=f"skipped, because none of {', '.join(BROWSERS)} is installed"
)


@pytest.fixture
def jupyter(tmp_path):
    """JupyterLab as `make learn LESSON=10` starts it, on a workbook of its own. Yields the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = tmp_path / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(
        json.dumps({"windowingMode": "none"})
    )  # keep all cells
    environment = os.environ | {
        "MINIGEN_BUDGET": "smoke",
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "CI": "true",  # no browser of its own
    }
    environment.pop("MINIGEN_STRICT", None)
    options = [f"--port={port}", "--IdentityProvider.token=learner"]
    code = f"{START}learn('10', {options!r}, workbook=Path({str(tmp_path / 'workbook')!r}))"
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token=learner", server, tmp_path / "log")
        yield f"http://127.0.0.1:{port}/lab/tree/10_autoencoder.ipynb?token=learner"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(address, server, log):
    for _ in range(240):
        try:
            return urllib.request.urlopen(address, timeout=5)
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.25)
    raise AssertionError(f"JupyterLab did not answer: {log.read_text()}")


def test_a_wrong_card_becomes_a_right_one(jupyter, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.goto(jupyter, timeout=2 * MINUTE)
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=2 * MINUTE)
        page.get_by_text("Python 3", exact=False).first.wait_for(timeout=MINUTE)

        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        cards = page.locator(".minigen-card")
        expect(cards).to_have_count(EXERCISES, timeout=3 * MINUTE)  # an untouched lesson runs to its end
        assert {card.get_attribute("data-outcome") for card in cards.all()} == {"not attempted"}
        expect(
            page.locator(".jp-Notebook").get_by_text(f"10_autoencoder: 0 of {EXERCISES} done")
        ).to_be_visible(timeout=MINUTE)

        card = _answer(page, WRONG)
        expect(card).to_have_attribute("data-outcome", "wrong", timeout=MINUTE)
        expect(card).to_contain_text("Subtract the mean first")
        card.get_by_text("Hint 1 of 3").click()
        expect(card).to_contain_text("Two lines of work")
        page.screenshot(path=tmp_path / "wrong.png")

        card = _answer(page, RIGHT)
        expect(card).to_have_attribute("data-outcome", "right", timeout=MINUTE)
        expect(card).to_contain_text("the library runs on your code")
        page.screenshot(path=tmp_path / "right.png")
        browser.close()
    done = json.loads((tmp_path / "workbook" / ".progress.json").read_text())["pca"]
    assert (done["first"], done["done"], done["mistakes"]) == ("wrong", True, ["not centred"])
    if keep := os.environ.get("MINIGEN_SCREENSHOTS"):
        for name in ("wrong.png", "right.png"):
            shutil.copy(tmp_path / name, Path(keep) / name)


def _answer(page, code):
    """Types an answer into the cell of the exercise, runs it and its check, and returns the card."""
    cell = page.locator(".jp-CodeCell", has=page.locator(".cm-content", has_text="def pca(")).first
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")
    check = page.locator(".jp-CodeCell", has=page.locator(".cm-content", has_text='check("pca"')).first
    check.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    return check.locator(".minigen-card")
