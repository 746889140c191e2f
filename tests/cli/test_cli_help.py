"""The help: quick, complete, and in step with the configuration."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields

import pytest
import typer.main

from nas_rnn.cli.app import app
from nas_rnn.options import PANELS, declared
from nas_rnn.run_folder.config import AblateConfig, CompareConfig, SearchConfig
from nas_rnn.run_folder.evaluate_config import EvaluateConfig
from nas_rnn.training import TrainingOptions
from tests.cli.conftest import Run

COMMANDS = (
    "search",
    "compare",
    "ablate",
    "evaluate",
    "ask",
    "tell",
    "promote",
    "show",
    "list",
    "sample",
    "export",
    "report",
    "ui",
    "new",
    "check",
    "download",
)
NOT_OF_A_STUDY = {
    *("cells", "top", "reference", "seeds", "tune", "tune_over", "longer", "fresh_test", "time"),
    *("workers", "address", "gpus_per_trial", "storage", "name"),
}
"""Options of the final alone, or of more machines than one process."""
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
    ("command", "kind", "other_fields"),
    [
        ("search", SearchConfig, set()),
        ("compare", CompareConfig, {"cells"}),
        ("ablate", AblateConfig, {"cells", "baseline", "top", "reference"}),
        ("evaluate", EvaluateConfig, NOT_OF_A_STUDY),
    ],
)
def test_every_field_of_a_configuration_is_an_option(
    command: str, kind: type[TrainingOptions], other_fields: set[str]
) -> None:
    """Beside what no configuration has; its help is a sentence, and its default has words."""
    options = declared(kind)
    assert {field.name for field in fields(kind)} - set(options) == other_fields
    own = {
        "search": {"changed_plugins"},
        "compare": {"suite"},
        "ablate": {"elements"},
        "evaluate": {"study", "time"},
    }[command]
    resumed = set() if command == "evaluate" else {"resume"}
    assert set(_options(command)) == {*options, *own, *resumed, "config", "json", "runs", "debug"}
    for name, one in options.items():
        assert one.option.help.endswith(".") and "efault: " not in one.option.help, name
        assert one.option.panel in PANELS and one.default_words, name


@pytest.mark.parametrize("command", ["search", "compare", "ablate", "evaluate"])
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
