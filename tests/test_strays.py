"""A store of MLflow's in the wrong place fails the suite, and the test is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = """
from tests.strays import Strays

def pytest_configure(config):
    config.pluginmanager.register(Strays(config))
"""
TESTS = """
from pathlib import Path

def test_tidy():
    Path("runs/mlflow.database").mkdir(parents=True)

def test_untidy():
    Path("runs/mlflow.db").touch()

def test_hidden():
    Path("deep/inside/mlruns").mkdir(parents=True)
"""


@pytest.mark.parametrize(
    ("options", "errors", "hidden"),
    [
        (["-k", "tidy and not untidy"], [], False),
        ([], ["test_untidy"], True),
        (["-p", "xdist", "-n", "1"], ["test_untidy"], True),
        (["-k", "hidden"], [], True),
    ],
)
def test_a_store_in_the_checkout_fails_the_suite(
    tmp_path: Path, options: list[str], errors: list[str], hidden: bool
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "mlflow.db").touch()  # what was there before is no fault of the tests
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-rE", *options],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == (1 if errors or hidden else 0), ran.stdout + ran.stderr
    told = [
        line.split("::")[1].split()[0] for line in ran.stdout.splitlines() if line.startswith("ERROR test_")
    ]
    assert told == errors
    stray = f"{tmp_path}/deep/inside/mlruns appeared: something called MLflow without an address"
    assert (stray in ran.stdout) == hidden and "old/mlflow.db" not in ran.stdout
