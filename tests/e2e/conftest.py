"""A finished search, its dashboard as a process, and a headless browser in front of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nas_rnn.experiment.results import Result

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.finished import Finished

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDE = {"width": 1920, "height": 1080}  # the grid of runs makes only those columns that can be seen
# MLflow's assistant opens by itself on the first visit, over a quarter of the page.
NO_ASSISTANT = """
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
"""


def missing(what: str) -> None:
    """Skip the test for want of ``what``; fail where it must not be skipped."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}: .ci/run installs it, and with CI set these tests must run")
    pytest.skip(what)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one nothing else of the fixtures is made."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing(f"none of the browsers {', '.join(BROWSERS)} is there")
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        missing("the package playwright is not there (pip install 'nas_rnn[dev]')")
    return str(found)


@pytest.fixture(scope="session")
def searched(finished_search: Finished) -> tuple[Path, Result]:
    """The folder of a finished search called ``mine``, and how it ended."""
    return finished_search.runs, finished_search.result


@pytest.fixture(scope="session")
def dashboard(chromium: str, searched: tuple[Path, Result]) -> Iterator[str]:
    """The address that ``nas-rnn ui`` prints."""
    runs, _ = searched
    code = "from nas_rnn.cli import main; main()"
    command = [sys.executable, "-c", code, "ui", "--runs", str(runs), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = process.stdout.readline()
    try:
        assert told.startswith("Open http://127.0.0.1:"), told + process.communicate(timeout=60)[1]
        yield told.split()[1]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, dashboard: str) -> Iterator[Page]:
    """A new visitor's page, at the address that was printed."""
    context = browser.new_context(viewport=WIDE)
    context.set_default_timeout(60_000)
    context.add_init_script(NO_ASSISTANT)
    page = context.new_page()
    page.goto(dashboard)
    yield page
    context.close()
