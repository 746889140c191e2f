"""Cells whose results are known, so that a search of a hundred trainings takes seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np
from cell_table import CellTable

from nas_rnn.errors import UserError
from nas_rnn.spaces import FiniteSpace, Space, StoredRecipe, load_recipes

DIVERGED = 1800.0
"""The test perplexity of a cell without a finite run, and the most that counts for any."""


@dataclass(frozen=True)
class Problem:
    """A space whose every cell has a result; smaller is better.

    ``truth`` is what a search is judged by, ``seen`` what it is told: None for a cell that diverged. ``curves`` are the
    losses after each epoch, where there are any.
    """

    name: str
    unit: str
    space: Space
    truth: Mapping[str, float]
    seen: Mapping[str, float | None]
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def best(self) -> float:
        """The mean of the ten best cells of all: what perfect knowledge gives."""
        return fmean(sorted(self.truth.values())[:10])


def pool_problem(path: Path, half: str = "") -> Problem:
    """Return the problem of a file of recipes with ``test_loss``, in nats a word, one for each training run.

    A cell's result is its mean test perplexity, each run 1,800 at most and where it has none. ``half`` takes every
    second cell alone, "A" or "B", divided at random once and for all.

    Raises `UserError` for a file without such results.
    """
    rows = load_recipes(path)
    for row in rows:
        _check_losses(row, path)
    rows = _halved(rows, half)
    truth: dict[str, float] = {}
    cells = []
    for row in rows:
        cell = row.cell
        cells.append(cell)
        truth.setdefault(cell.digest, fmean(_perplexity(loss) for loss in row.details["test_loss"]))
    name = path.name + (f", half {half}" if half else "")
    seen = {digest: None if value >= DIVERGED else value for digest, value in truth.items()}
    return Problem(name, "test perplexity", FiniteSpace("pool", cells), truth, seen)


def table_problem(table: CellTable) -> Problem:
    """Return the problem of a table of trained cells; a search is told the loss of the first seed.

    It is judged by the mean over the seeds that a cell has: the best have three, so a lucky run counts little. What
    diverged counts as the worst that did not.
    """
    truth: dict[str, float] = {}
    seen: dict[str, float | None] = {}
    curves = {}
    for cell in table.cells:
        losses = [table.loss(cell.digest, seed, table.epochs) for seed in cell.seeds]
        seen[cell.digest] = losses[0]
        finite = [loss for loss in losses if loss is not None]
        truth[cell.digest] = fmean(finite) if len(finite) == len(losses) else math.inf
        curves[cell.digest] = table.curve(cell.digest, 0)
    worst = max(value for value in truth.values() if math.isfinite(value))
    truth = {digest: min(value, worst) for digest, value in truth.items()}
    return Problem("table of gated cells", "bits per character", table.space, truth, seen, curves)


def _check_losses(row: StoredRecipe, path: Path) -> None:
    losses = row.details.get("test_loss")
    if not isinstance(losses, list) or not losses or not all(_is_loss(loss) for loss in losses):
        raise UserError(
            f"{path}: the cell {row.name!r} has no test_loss that is a list of numbers or null, one for each run, "
            f"but {losses!r:.60}"
        )


def _is_loss(loss: object) -> bool:
    return loss is None or (isinstance(loss, int | float) and not isinstance(loss, bool))


def _perplexity(loss: float | None) -> float:
    if loss is None or not loss < math.log(DIVERGED):
        return DIVERGED
    return math.exp(loss)


def _halved(rows: list[StoredRecipe], half: str) -> list[StoredRecipe]:
    if not half:
        return rows
    order = np.random.default_rng(12345).permutation(len(rows))
    middle = len(rows) // 2
    kept = order[:middle] if half == "A" else order[middle:]
    return [rows[place] for place in sorted(kept)]
