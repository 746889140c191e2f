"""The import directions of the architecture hold (the contracts are in pyproject.toml)."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_imports_go_downwards_only() -> None:
    """Layers, siblings, and where Ray, MLflow, Optuna and torch may be imported."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_an_import_upwards_would_be_found(tmp_path: Path) -> None:
    """The contracts bite: the same rules reject a package whose cells import the command line."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    for rule in rules:
        for container in rule.get("containers", []):
            for layer in re.findall(r"\w+", re.sub(r"\(.*?\)", "", " ".join(rule["layers"]))):
                folder = tmp_path.joinpath(*container.split("."), layer)
                folder.mkdir(parents=True, exist_ok=True)
    package = tmp_path / "nas_rnn"
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").touch()
    (package / "cells" / "__init__.py").write_text("import nas_rnn.cli\nimport torch\n")
    (package / "tasks" / "__init__.py").write_text("import ray, mlflow, optuna\n")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = sum(rule["type"] != "layers" or rule["containers"] == ["nas_rnn"] for rule in rules)
    assert f"{len(rules) - broken} kept, {broken} broken" in done.stdout
