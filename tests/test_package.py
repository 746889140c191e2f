"""What is installed: types, the version, the spaces."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import nas_rnn

ROOT = Path(__file__).resolve().parent.parent


def test_a_wheel_has_the_version_of_the_code_and_says_that_it_is_typed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as built:
        names = built.namelist()
        (about,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        facts = built.read(about).decode()
    assert {"nas_rnn/py.typed", "nas_rnn/__init__.pyi", "nas_rnn/search_spaces/gated.py"} <= set(names)
    assert f"\nVersion: {nas_rnn.__version__}\n" in facts
    assert "\nClassifier: Typing :: Typed\n" in facts


def test_the_version_stands_in_one_place() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", nas_rnn.__version__)
    assert "\nversion =" not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_editors_find_the_names_that_there_are() -> None:
    """The stub beside `nas_rnn/__init__.py` has the same names from where they are the same values."""
    stub = ast.parse((ROOT / "nas_rnn/__init__.pyi").read_text(encoding="utf-8"))
    found = {
        alias.asname: getattr(import_module(node.module), alias.name)
        for node in stub.body
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }
    assert {*found, "__version__"} == {*nas_rnn.__all__}
    for name, value in found.items():
        assert getattr(nas_rnn, name) is value, name
