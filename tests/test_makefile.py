"""The Makefile: the order of its targets, and what a newcomer's first commands do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "Makefile").read_text()


def _dry(*arguments: str) -> str:
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_search_comes_first_and_test_second() -> None:
    targets = re.findall(r"^([a-z-]+):", TEXT, re.MULTILINE)
    assert targets[:2] == ["search", "test"]
    assert set(targets) <= set(re.search(r"^\.PHONY: (.*)$", TEXT, re.MULTILINE)[1].split())  # type: ignore[index]


def test_they_make_the_environment_by_themselves(tmp_path: Path) -> None:
    """With the Python that is asked for, before anything of it is used."""
    for target, use in (("search", "nas-rnn search --name first-search"), ("test", "pytest -n 2")):
        planned = _dry(target, f"VENV={tmp_path}/venv", "PYTHON=python9", "NAME=first-search")
        made = planned.index(f"python9 -m venv {tmp_path}/venv")
        installed = planned.index("pip install --quiet --editable '.[dev]'")
        assert made < installed < planned.index(use)


def test_the_name_is_the_first_free_one(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(TEXT)
    (tmp_path / "pyproject.toml").touch()

    def name() -> str:
        done = subprocess.run(
            ["make", "-n", "search"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        found = re.search(r"--name (\S+)", done.stdout)
        assert found is not None
        return found[1]

    assert name() == "first-search"
    for expected in ("first-search-2", "first-search-3"):
        (tmp_path / "runs" / name()).mkdir(parents=True)
        assert name() == expected


def test_it_names_no_package_index() -> None:
    assert "://" not in TEXT and "index-url" not in TEXT


def test_help_lists_what_there_is() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    described = re.findall(r"^([a-z-]+):.*## ", TEXT, re.MULTILINE)
    assert re.findall(r"^  make ([a-z-]+) ", done.stdout, re.MULTILINE) == described
    assert "search" in described and "check" in described
