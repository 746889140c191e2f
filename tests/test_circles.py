"""No module of the package imports itself by a detour, not even for type checking; no file is too long to be read."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 400
"""Lines of a product's file."""


def modules(package: Path) -> dict[str, Path]:
    """Return the files of a package by the names of their modules."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """Return which modules of ``known`` a file imports, wherever in it that stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            deeper = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (deeper & known.keys()) or {node.module}
    return names & known.keys()


def check_circles(package: Path) -> None:
    """Raise CycleError with a circle, where there is one."""
    known = modules(package)
    TopologicalSorter({name: imported(path, known) - {name} for name, path in known.items()}).prepare()


def test_there_is_no_import_circle() -> None:
    check_circles(ROOT / "nas_rnn")


def test_a_circle_is_found_even_where_it_is_for_types_alone(tmp_path: Path) -> None:
    package = tmp_path / "house"
    (package / "rooms").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "rooms" / "__init__.py").write_text("from house.rooms.kitchen import cook\n")
    (package / "rooms" / "kitchen.py").write_text("def cook():\n    from house import garden\n")
    (package / "garden.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from house.rooms.kitchen import cook\n"
    )
    with pytest.raises(CycleError) as told:
        check_circles(package)
    assert {"house.garden", "house.rooms.kitchen"} <= set(told.value.args[1])


@pytest.mark.parametrize("folder", ["nas_rnn", "search_spaces"])
def test_no_file_is_longer_than_can_be_read(folder: str) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}
