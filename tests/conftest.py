"""Settings for all tests, and the figures that they report."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

# Triton's kernels run in its interpreter, which is chosen when Triton is first imported.
os.environ["TRITON_INTERPRET"] = "1"

import pytest
from hypothesis import HealthCheck, settings

from tests.made_once import made_once
from tests.strays import Strays

if TYPE_CHECKING:
    from tests.finished import Finished

# `make fuzz`: many more examples than a test run has time for; numbers in a test's own settings stay.
settings.register_profile(
    "fuzz",
    max_examples=5000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Strays(config))


@pytest.fixture(scope="session")
def finished_search(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A small search with everything in it; not to be changed, but for copies of it."""
    from tests.finished import finish_search

    return made_once(tmp_path_factory, "search", finish_search)


@pytest.fixture(scope="session")
def finished_comparison(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A small comparison with tuning; not to be changed, but for copies of it."""
    from tests.finished import finish_comparison

    return made_once(tmp_path_factory, "comparison", finish_comparison)


@pytest.fixture(scope="session")
def with_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return what puts an empty database of MLflow's into a folder of runs: to make one takes seconds."""
    from tests.stores import copy_store, make_store

    template = made_once(tmp_path_factory, "store", make_store)
    return lambda runs: copy_store(template, runs)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the largest of each figure that tests recorded (`record_property`), and of how many tests."""
    found: dict[str, list[float]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if isinstance(value, float):
                found.setdefault(name, []).append(value)
    for name, values in sorted(found.items()):
        terminalreporter.write_line(f"worst of {len(values)} tests, {name}: {max(values):.2g}")
