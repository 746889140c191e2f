"""Settings for all tests, and the figures that they report."""

from __future__ import annotations

import os

# Triton's kernels run in its interpreter, which is chosen when Triton is first imported.
os.environ["TRITON_INTERPRET"] = "1"

import pytest
from hypothesis import HealthCheck, settings

from tests.strays import Strays

# `make fuzz`: many more examples than a test run has time for; numbers in a test's own settings stay.
settings.register_profile(
    "fuzz",
    max_examples=5000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Strays(config))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the largest of each figure that tests recorded (`record_property`), and of how many tests."""
    found: dict[str, list[float]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if isinstance(value, float):
                found.setdefault(name, []).append(value)
    for name, values in sorted(found.items()):
        terminalreporter.write_line(f"worst of {len(values)} tests, {name}: {max(values):.2g}")
