"""What a command loads: nothing that takes long and that it does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nas_rnn.plugins import GROUPS, registry
from nas_rnn.plugins.registry import _ONE_EACH
from tests.finished import Finished

HEAVY = ("torch", "ray", "mlflow", "pydantic_settings", "pandas", "statsmodels", "sklearn")
"""What no command loads that only looks at cells; each takes from half a second to several."""
NOT_SHOWN = (*HEAVY, "optuna", "scipy.special", "scipy.optimize", "scipy.stats", "matplotlib")


def loaded(*arguments: str, cwd: object = None) -> set[str]:
    """Return the modules that a process has loaded which ran the program with ``arguments``."""
    program = (
        "import sys\nfrom nas_rnn.cli import main\n"
        f"try:\n    main({list(arguments)!r})\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return {*done.stderr.split()}


@pytest.mark.parametrize(
    "arguments", [("show", "lstm"), ("show", "lstm", "--diff", "gru"), ("list", "cells"), ("list", "spaces")]
)
def test_looking_at_cells_loads_nothing_slow(arguments: tuple[str, ...]) -> None:
    assert not loaded(*arguments) & {*NOT_SHOWN}


def test_showing_the_best_cell_of_a_search_loads_nothing_slow(finished_search: Finished) -> None:
    found = loaded("show", finished_search.name, "--plugins", "plugins", cwd=finished_search.place)
    assert not found & {*NOT_SHOWN}


def test_a_sample_draws_no_picture(finished_search: Finished) -> None:
    """Its text alone is printed."""
    found = loaded("sample", finished_search.name, "--length", "5", cwd=finished_search.place)
    assert not found & {*HEAVY, "matplotlib", "optuna", "scipy.special"} - {"torch"}
    assert "nas_rnn.tasks.char_lm" in found and "nas_rnn.tasks.speech" not in found


def test_a_report_loads_no_task(finished_search: Finished) -> None:
    found = loaded("report", finished_search.name, cwd=finished_search.place)
    assert not found & {*HEAVY}
    assert not any(
        name.startswith(f"nas_rnn.tasks.{task}") for name in found for task in ("char_lm", "speech")
    )


@pytest.mark.parametrize("kind", _ONE_EACH)
def test_entry_points_of_one_object_each_are_called_as_it_is(kind: str) -> None:
    """So that one can be found without the others, and none can hide that two have one name."""
    from importlib.metadata import entry_points

    ours = [entry for entry in entry_points(group=GROUPS[kind]) if entry.module.startswith("nas_rnn.")]
    assert ours
    for entry in ours:
        registered = [name for name in registry().names(kind) if _home(kind, name).startswith(entry.module)]
        assert registered == [entry.name]


def _home(kind: str, name: str) -> str:
    return str(registry().find(kind, name).value.__module__)


def test_the_name_of_an_unknown_task_is_looked_for_among_all() -> None:
    with pytest.raises(Exception, match="char-lm"):
        registry().find("task", "char-ln")
