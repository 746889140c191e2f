"""Prints what a table of trained cells is like: its losses, its named cells, its seeds, its ranks before the end.

    python benchmarks/cell_table_figures.py
    python benchmarks/cell_table_figures.py another.json.gz

The tables of docs/cell_table.md are these.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from cell_table import SHIPPED, CellTable, TabledCell
from numpy.typing import NDArray
from scipy.stats import spearmanr

from nas_rnn.plugins import load_cell

NAMED = ("rnn", "gru", "lstm")
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
FEW = 20

Floats = NDArray[np.float64]


def losses(table: CellTable, cells: Sequence[TabledCell], seed: int, epochs: int) -> Floats:
    """Return the losses of cells on one seed; of those that diverged, infinity."""
    found = (table.loss(cell.digest, seed, epochs) for cell in cells)
    return np.array([math.inf if loss is None else loss for loss in found])


def distribution(table: CellTable) -> Iterator[str]:
    """Yield a row for all cells and for each kind of memory: quantiles over those that did not diverge."""
    heads = ["best", *(f"{share:.0%}" for share in QUANTILES[1:-1]), "worst"]
    yield f"| memory | cells | diverged | {' | '.join(heads)} |"
    yield "|---" * (3 + len(QUANTILES)) + "|"
    kinds = dict.fromkeys(str(cell.decisions["memory"]) for cell in table.cells)
    for kind in ("all", *kinds):
        cells = [cell for cell in table.cells if kind in ("all", cell.decisions["memory"])]
        found = losses(table, cells, 0, table.epochs)
        ended = found[np.isfinite(found)]
        values = " | ".join(f"{value:.3f}" for value in np.quantile(ended, QUANTILES))
        yield f"| {kind} | {len(cells)} | {len(cells) - len(ended)} | {values} |"


def named(table: CellTable) -> Iterator[str]:
    """Yield a row for each published cell in the table: its rank on seed 0, and its losses on all of its seeds."""
    yield "| cell | hidden size | parameters | rank | losses by seed |"
    yield "|---|---|---|---|---|"
    order = losses(table, table.cells, 0, table.epochs)
    for name in NAMED:
        cell = table.cell(load_cell(name).digest)
        own = [losses(table, [cell], seed, table.epochs)[0] for seed in cell.seeds]
        told = ", ".join("diverged" if math.isinf(loss) else f"{loss:.3f}" for loss in own)
        rank = 1 + int((order < own[0]).sum())
        yield f"| `{name}` | {cell.hidden_size} | {cell.parameters:,} | {rank} | {told} |"


def by_seed(table: CellTable) -> Floats:
    """Return the losses (cells, seeds) of the cells that have every seed and diverged on none."""
    seeds = range(table.about["seeds"])
    cells = [cell for cell in table.cells if len(cell.seeds) == len(seeds)]
    found = np.stack([losses(table, cells, seed, table.epochs) for seed in seeds], axis=1)
    return found[np.isfinite(found).all(axis=1)]


def spread(table: CellTable) -> Iterator[str]:
    """Yield how far seeds lie apart among the cells that have several, beside how far the cells do.

    Who has several seeds was chosen by seed 0, so that its mean is too low and its deviation among them too small.
    """
    found = by_seed(table)
    variances = found.var(axis=1, ddof=1)
    pairs = [
        spearmanr(found[:, a], found[:, b]).statistic
        for a in range(found.shape[1])
        for b in range(a + 1, found.shape[1])
    ]
    yield f"| cells with {found.shape[1]} seeds that all ended | {len(found)} |"
    yield "|---|---|"
    within = f"{math.sqrt(variances.mean()):.4f}, {math.sqrt(np.median(variances)):.4f}"
    yield f"| deviation between seeds of a cell, pooled and the median | {within} |"
    yield f"| deviation between the cells' means | {found.mean(axis=1).std(ddof=1):.4f} |"
    yield f"| rank correlation between two seeds | {', '.join(f'{value:.2f}' for value in pairs)} |"
    means = f"{found[:, 0].mean():.4f}, {found[:, 1:].mean():.4f}"
    yield f"| mean on seed 0, by which they were chosen, and on the others | {means} |"


def early(table: CellTable) -> Iterator[str]:
    """Yield how ranks after a part of the epochs agree with those at the end, among all cells and among the best.

    Cells that diverged by the end are left out of the first two: their rank is no question of how far one looks.
    """
    end = losses(table, table.cells, 0, table.epochs)
    ended = np.isfinite(end)
    best = np.argsort(end)[: table.about["best"]]
    few = set(np.argsort(end)[:FEW].tolist())
    yield f"| epochs | all | best {len(best)} | of the best {FEW}, so many in the best third by then |"
    yield "|---|---|---|---|"
    for share in (9, 3, 1.5):
        epochs = max(1, round(table.epochs / share))
        then = losses(table, table.cells, 0, epochs)
        third = set(np.argsort(then)[: len(then) // 3].tolist())
        among = [spearmanr(then[chosen], end[chosen]).statistic for chosen in (ended, best)]
        yield f"| {epochs} of {table.epochs} | {among[0]:.2f} | {among[1]:.2f} | {len(few & third)} |"


def decisions(table: CellTable) -> Iterator[str]:
    """Yield the median loss of the cells of each label, of the choices that have several."""
    yield "| decision | median loss of the cells (diverged) |"
    yield "|---|---|"
    end = losses(table, table.cells, 0, table.epochs)
    for key in dict.fromkeys(key for cell in table.cells for key in cell.decisions):
        labels = dict.fromkeys(cell.decisions[key] for cell in table.cells if key in cell.decisions)
        told = []
        for label in labels if len(labels) > 1 else ():
            own = end[[cell.decisions.get(key) == label for cell in table.cells]]
            told.append(f"{label}: {np.median(own[np.isfinite(own)]):.3f} ({np.isinf(own).sum()})")
        if told:
            yield f"| {key} | {', '.join(told)} |"


def seconds(table: CellTable) -> Iterator[str]:
    """Yield what the runs took."""
    found = np.array(
        [run.cpu_seconds for cell in table.cells for run in cell.runs.values() if run.cpu_seconds is not None]
    )
    count = sum(len(cell.runs) for cell in table.cells)
    low, middle, high = np.quantile(found, (0.1, 0.5, 0.9))
    yield f"| runs | {count:,} |"
    yield "|---|---|"
    yield f"| CPU seconds of a run, median (a tenth is below, a tenth above) | {middle:.1f} ({low:.1f}, {high:.1f}) |"
    yield f"| CPU seconds of {len(found):,} runs | {found.sum():,.0f} |"


def everything(table: CellTable) -> Iterator[str]:
    """Yield the lines of all tables, with an empty one behind each."""
    for part in (distribution, named, spread, early, decisions, seconds):
        yield from (*part(table), "")


def main() -> None:
    table = CellTable.load(Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED)
    print("\n".join(everything(table)))


if __name__ == "__main__":
    main()
