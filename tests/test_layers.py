"""The import directions of the architecture hold (the contracts are in pyproject.toml)."""

from __future__ import annotations

import subprocess
import sys
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
    package = tmp_path / "nas_rnn"
    for layer in (
        "cli",
        "engine",
        "tracking",
        "report",
        "comparison",
        "strategies",
        "training",
        "tasks",
        "spaces",
        "cells",
    ):
        (package / layer).mkdir(parents=True)
        (package / layer / "__init__.py").touch()
    for module in ("__init__", "plugins", "outside", "errors", "experiment/__init__", "execution/__init__"):
        path = package / f"{module}.py"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (package / "cells" / "__init__.py").write_text("import nas_rnn.cli\nimport torch\n")
    (package / "tasks" / "__init__.py").write_text("import ray, mlflow, optuna\n")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "0 kept, 5 broken" in done.stdout
