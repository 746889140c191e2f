"""No test leaves a store of MLflow's outside its own folder: what calls MLflow without an address makes one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NAMES = ("mlflow.db", "mlruns")
"""Where MLflow keeps runs in the current folder, unless it is told another place."""


class Strays:
    """A plugin of pytest: the test during which such a store appears ends with an error, and so does the session."""

    def __init__(self, config: pytest.Config) -> None:
        self._root = config.rootpath
        self._is_worker = hasattr(config, "workerinput")
        here = (self._root, self._root / "runs", Path(config.invocation_params.dir), Path.home())
        self._places = [folder / name for folder in (*here, Path(tempfile.gettempdir())) for name in NAMES]
        self._known = {path for path in self._places if path.exists()} | (
            set() if self._is_worker else self._all()
        )
        self._found: list[Path] = []

    def _all(self) -> set[Path]:
        """Return every store in the checkout."""
        found: set[Path] = set()
        for folder, folders, files in os.walk(self._root):
            found.update(Path(folder, name) for name in (*folders, *files) if name in NAMES)
            folders[:] = [name for name in folders if not name.startswith(".")]
        return found

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        yield
        new = [path for path in self._places if path not in self._known and path.exists()]
        self._known.update(new)
        if new:
            pytest.fail(
                f"{', '.join(map(str, new))} appeared while this test ran, or one beside it", pytrace=False
            )

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._is_worker:
            return
        self._found = sorted(self._all() - self._known)
        if self._found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for path in self._found:
            terminalreporter.write_line(
                f"{path} appeared: something called MLflow without an address", red=True
            )
