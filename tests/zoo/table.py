"""The table of `docs/cells.md`: every published cell, its paper, what it was checked against, and the worst error.

python -m tests.zoo.table
"""

from __future__ import annotations

import re

from nas_rnn.cells import Cell, zoo
from tests.zoo import test_torchrecurrent as package
from tests.zoo import test_zoo_parity as papers


def paper(cell: Cell) -> str:
    """Return the authors and the year, with a link where the docstring names the paper's number."""
    found = re.search(r"\(([^\W\d_][^()]*? (?:19|20)\d\d)\b", cell.doc)
    assert found is not None
    number = re.search(r"arXiv:(\d{4}\.\d{5}|\d{4}\.\d{4})", cell.doc)
    return f"[{found[1]}](https://arxiv.org/abs/{number[1]})" if number else found[1]


def errors(name: str) -> tuple[float, float | None]:
    """Return the worst errors against the equations written out in torch, and against torchrecurrent."""
    sizes = papers.sizes_of(name)
    own = max(
        papers.compare(name, backend, *sizes, given_starts=given)
        for backend in papers.BACKENDS
        for given in (False, True)
    )
    if name not in package.TWINS:
        return own, None
    twin = package.TWINS[name]
    return own, max(package.worst_error(package.CELLS[name], twin, backend) for backend in package.BACKENDS)


def rows() -> list[str]:
    """Return the table's lines, by family and in the order of the files."""
    lines = [
        "| cell | family | paper | error against the paper's equations | against torchrecurrent 0.2.5 |",
        "|---|---|---|---|---|",
    ]
    for name, cell in package.CELLS.items():
        own, other = errors(name)
        beside = "another equation, below" if name in package.DEPARTURES else ""
        beside = beside if other is None else f"{package.TWINS[name].theirs}, {other:.0e}"
        lines.append(f"| `{name}` | {zoo.family(cell)} | {paper(cell)} | {own:.0e} | {beside} |")
    return lines


if __name__ == "__main__":
    print("\n".join(rows()))
