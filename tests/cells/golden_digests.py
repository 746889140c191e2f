"""The digests that every published cell and the first samples of every search space have, kept in a file.

    python -m tests.cells.golden_digests check    # all of them; a minute or two
    python -m tests.cells.golden_digests write    # where a change of the canonical form or of a space is meant

A digest that changes without `nas_rnn.cells.graph.canonical.VERSION` makes known cells look new to a search that is
resumed, and gives a cell other weights at the same seed. A sample that changes makes a search at one seed try
other cells.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from nas_rnn import plugins
from nas_rnn.cells import Cell

FILE = Path(__file__).parent / "golden" / "digests.json"
SAMPLES = 1000
"""Of each space, with the seeds from 0."""
SHORT = 6
"""Hexadecimal digits that are kept of a sample's digest: a changed one looks the same once in 17 million."""
IN_A_ROW = 10

Golden = Mapping[str, str]
"""What each cell's digest is, or how its digits begin, by the cell's name."""


@cache
def registry() -> plugins.Registry:
    """Return what is built in, whatever other tests have registered."""
    return plugins.Registry(plugins.default_folders())


def spaces() -> list[str]:
    return registry().names("space")


def published() -> Iterator[tuple[str, Cell]]:
    """Yield every published cell by its name."""
    for name in registry().names("cell"):
        yield name, registry().find("cell", name).value


def samples(space: str, seeds: Iterable[int]) -> Iterator[tuple[str, Cell]]:
    """Yield the sample of each seed as ``seed N``."""
    found = registry().find("space", space).value
    for seed in seeds:
        yield f"seed {seed}", found.sample(seed).cell


@cache
def read() -> tuple[Golden, dict[str, Golden]]:
    """Return the digests of the published cells, and of each space how those of its samples begin."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    drawn = {
        space: {f"seed {seed}": digits for seed, digits in enumerate(" ".join(rows).split())}
        for space, rows in kept["samples"].items()
    }
    return kept["published"], drawn


def first_difference(found: Iterable[tuple[str, Cell]], golden: Golden) -> str | None:
    """Say which cell is the first without its golden digest, and show it; None where all have theirs."""
    for name, cell in found:
        expected = golden.get(name, "none at all")
        if cell.digest != expected and not digits(cell).startswith(expected):
            return f"{name} has the digest {cell.digest}, not {expected}:\n{cell.to_text()}"
    return None


def digits(cell: Cell) -> str:
    """Return the digest without its version."""
    return cell.digest.rpartition("-")[2]


def check() -> int:
    """Print the first difference among the published cells and in each space; return how many of them have one."""
    cells, drawn = read()
    found = {"published": first_difference(published(), cells)}
    for space in spaces():
        found[space] = first_difference(samples(space, range(SAMPLES)), drawn.get(space, {}))
    for where, difference in found.items():
        print(f"{where}: {difference or 'as they were'}", flush=True)
    return sum(difference is not None for difference in found.values())


def write() -> int:
    """Write the file anew."""
    rows: dict[str, list[str]] = {}
    for space in spaces():
        short = [digits(cell)[:SHORT] for _, cell in samples(space, range(SAMPLES))]
        rows[space] = [" ".join(short[i : i + IN_A_ROW]) for i in range(0, SAMPLES, IN_A_ROW)]
    kept = {"published": {name: cell.digest for name, cell in published()}, "samples": rows}
    FILE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit({"check": check, "write": write}[sys.argv[1]]())
