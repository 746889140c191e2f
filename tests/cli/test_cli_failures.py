"""Exit codes and messages of everything that can go wrong while a command runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nas_rnn import plugins
from nas_rnn.errors import NasRnnError, UserError
from tests.cli.conftest import FakeRun, Run


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("the rule, the value"), 2, "nas-rnn: the rule, the value\n"),
        (UserError("one\ntwo"), 2, "nas-rnn: one\ntwo\n"),
        (
            NasRnnError("the disk\nis full"),
            1,
            "nas-rnn: search failed: the disk is full (add --debug for the traceback)\n",
        ),
        (
            ZeroDivisionError("oh"),
            1,
            "nas-rnn: search failed: ZeroDivisionError: oh (add --debug for the traceback)\n",
        ),
        (MemoryError(), 1, "nas-rnn: search failed: MemoryError (add --debug for the traceback)\n"),
        (
            BrokenPipeError(32, "Broken pipe"),
            1,
            "nas-rnn: search failed: BrokenPipeError: [Errno 32] Broken pipe ",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_a_line_and_an_exit_code(
    run: Run, fake: FakeRun, error: BaseException, code: int, message: str
) -> None:
    fake.error = error
    outcome = run("search")
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith(message)
    assert "Traceback" not in outcome.err


def test_debug_shows_the_traceback(run: Run, fake: FakeRun) -> None:
    fake.error = ZeroDivisionError("oh")
    outcome = run("search", "--debug")
    assert outcome.code == 1
    assert "Traceback (most recent call last)" in outcome.err
    assert outcome.err.endswith("nas-rnn: search failed: ZeroDivisionError: oh\n")


def test_list_is_called_list(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise NasRnnError("no")

    monkeypatch.setattr("nas_rnn.catalogue.listing.listing", fail)
    assert run("list").err.startswith("nas-rnn: list failed: no")


@pytest.fixture
def broken_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a plugin that does not load; the process has its own registry afterwards."""
    monkeypatch.setattr(plugins, "_registry", None)
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "broken.py").write_text("x = 1\nraise ValueError('two\\nlines')\n")
    return folder


def test_a_broken_plugin_is_named_once(run: Run, broken_plugin: Path) -> None:
    """With its file and line, on stderr; the command does its work."""
    outcome = run("list", "spaces", "--plugins", broken_plugin)
    assert outcome.code == 0
    told = [line for line in outcome.err.splitlines() if "broken.py" in line]
    assert told == [f"plugin not loaded: {broken_plugin}/broken.py, line 2: ValueError: two lines"]
    assert "gated" in outcome.out


def test_a_broken_plugin_is_named_beside_a_mistake(run: Run, broken_plugin: Path) -> None:
    """It may be the reason for it."""
    outcome = run("search", "--plugins", broken_plugin, "--space", "mine")
    assert outcome.code == 2
    assert "unknown space 'mine'" in outcome.err
    assert "broken.py, line 2" in outcome.err


def test_nobody_reads_any_more() -> None:
    """As in ``nas-rnn list ops | head -1``: a quiet end."""
    program = "from nas_rnn.cli import main\nmain(['show', 'lstm', '--text'])"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 1
    assert "Broken" not in errors and "Traceback" not in errors


def test_an_encoding_without_greek(tmp_path: Path) -> None:
    """Output is shown with question marks rather than not at all."""
    program = "from nas_rnn.cli import main\nmain(['show', 'lstm'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert b"i? = ?(W_i x? + U_i h??? + b_i)" in done.stdout
