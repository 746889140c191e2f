"""The help: quick, complete, and in step with the configuration."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import typer.main

from nas_rnn.cli.app import app
from nas_rnn.run_folder.config import CompareConfig, SearchConfig
from tests.cli.conftest import Run

COMMANDS = ("search", "compare", "ablate", "show", "list", "sample", "export", "report", "ui", "new", "check")
SLOW = ("torch", "ray", "mlflow", "optuna", "pydantic", "numpy", "nas_rnn.experiment", "nas_rnn.plugins")


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]
)
def test_help_imports_nothing_slow(arguments: list[str]) -> None:
    """What takes long to import is imported inside the commands."""
    program = (
        "import sys\nfrom nas_rnn.cli import main\n"
        f"try:\n    main({arguments!r})\n"
        f"except SystemExit as end:\n    assert end.code == 0, end.code\n"
        f"print([name for name in {SLOW!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"
    assert "nas-rnn" in done.stdout


def _options(command: str) -> dict[str, str]:
    """Return every option's help by its name as Python writes it."""
    found = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    return {p.name: p.help for p in found.params if p.opts[0].startswith("--") and p.name != "help"}


def _stated_default(help: str) -> str:
    stated = re.search(r"Default: (.+)\.$", help)
    assert stated is not None, f"no default in {help!r}"
    return stated[1]


@pytest.mark.parametrize(
    ("command", "kind", "elsewhere"), [("search", SearchConfig, set()), ("compare", CompareConfig, {"cells"})]
)
def test_help_states_the_defaults_of_the_configuration(
    command: str, kind: type[SearchConfig] | type[CompareConfig], elsewhere: set[str]
) -> None:
    """Each field is an option, and its help says the default that it has."""
    options = _options(command)
    options["task_options"] = options.pop("task_option")
    if "constraint" in options:
        options["constraints"] = options.pop("constraint")
    for name, field in kind.model_fields.items():
        if name in elsewhere:
            continue
        stated = _stated_default(options.pop(name))
        if field.default in (None, (), {}):
            assert not re.fullmatch(r"[\d.]+|None|\(\)|\{\}", stated), (
                f"--{name} has no such default: {stated}"
            )
        else:
            assert stated == str(field.default), f"--{name}"
    left = {"config", "json", "runs", "debug", "resume"} | (
        {"changed_plugins"} if command == "search" else set()
    )
    assert set(options) == left


@pytest.mark.parametrize("command", ["search", "compare"])
def test_every_option_of_a_run_states_its_default(command: str) -> None:
    for help in _options(command).values():
        assert _stated_default(help)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_does(command: str) -> None:
    for name, help in _options(command).items():
        assert help and help[0].isupper() and help.rstrip().endswith("."), name


def test_help_groups_the_options(run: Run) -> None:
    outcome = run("search", "--help")
    for panel in ("What to search for", "Budget", "Training", "Run"):
        assert f"─ {panel} ─" in outcome.out


def test_alone_it_prints_its_help(run: Run) -> None:
    alone, asked = run(), run("--help")
    assert (alone.code, alone.err) == (0, "")
    assert alone.out == asked.out
    for command in COMMANDS:
        assert f" {command} " in alone.out


@pytest.mark.parametrize("width", [20, 40, 200])
def test_help_fits_any_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERMINAL_WIDTH", str(width))
    outcome = run("search", "--help")
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= width
