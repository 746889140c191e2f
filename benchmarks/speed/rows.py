"""What is measured, as plain rows, and the tables that show them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table


class Shape(NamedTuple):
    """Time steps, sequences of the batch, and the sizes of a layer."""

    steps: int
    batch: int
    input_size: int
    hidden_size: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison: ``ratio`` is the median, over interleaved pairs, of our figure over the peer's.

    ``low`` and ``high`` are the quartiles of the pairs' ratios; ``ours`` and ``theirs`` the medians, in
    ``unit``. ``first_seconds`` is how long the peer's first step took, where that was waited for;
    ``wait_seconds`` how much longer our first step took than a later one, where that was asked.
    """

    set: str
    cell: str
    shape: Shape
    threads: int
    peer: str
    ratio: float
    low: float
    high: float
    ours: float
    theirs: float
    unit: str = "ms"
    pairs: int
    first_seconds: float | None = None
    wait_seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "shape": list(self.shape)}


def make_row(ours: Sequence[float], theirs: Sequence[float], **about: Any) -> Row:
    """Return the row of figures that were taken in pairs."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    low, middle, high = quartiles(ratios)
    medians = {"ours": statistics.median(ours), "theirs": statistics.median(theirs)}
    return Row(ratio=middle, low=low, high=high, pairs=len(ratios), **medians, **about)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the quartiles of ``values``, of which there is at least one."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(statistics.fmean(math.log(max(value, 1e-9)) for value in values))


def print_rows(rows: Sequence[Row], console: Console) -> None:
    """Print every row, by set."""
    for name in dict.fromkeys(row.set for row in rows):
        table = Table(title=f"{name}: our figure over the peer's, median (quartiles)", title_justify="left")
        for column in (
            "cell",
            "(T, B, input, hidden)",
            "threads",
            "peer",
            "ratio",
            "ours",
            "peer's",
            "pairs",
        ):
            table.add_column(column, justify="left" if column in ("cell", "peer") else "right")
        for row in rows:
            if row.set == name:
                spread = f"{row.ratio:.3f} ({row.low:.2f}-{row.high:.2f})"
                figures = [f"{value:.2f} {row.unit}" for value in (row.ours, row.theirs)]
                note = f" (first step {row.first_seconds:.1f} s)" if row.first_seconds is not None else ""
                note += f" (wait {row.wait_seconds:.3f} s)" if row.wait_seconds is not None else ""
                shape = ", ".join(map(str, row.shape))
                table.add_row(
                    row.cell, shape, str(row.threads), row.peer + note, spread, *figures, str(row.pairs)
                )
        console.print(table)


def print_summary(rows: Sequence[Row], console: Console) -> None:
    """Print, for each peer, what the ratios come to over shapes (twins) or over cells (other sets); of first
    steps, what the waits come to."""
    table = Table(title="Ratios by peer (first-step: seconds of waiting)", title_justify="left")
    for column in ("set", "over", "threads", "peer", "rows", "geometric mean", "median", "best", "worst"):
        table.add_column(column, justify="left" if column in ("set", "over", "peer") else "right")
    for key, group in summarised(rows).items():
        ratios = [row.ratio if row.wait_seconds is None else row.wait_seconds for row in group]
        figures = (geometric_mean(ratios), statistics.median(ratios), min(ratios), max(ratios))
        table.add_row(*map(str, key), str(len(group)), *(f"{figure:.3f}" for figure in figures))
    console.print(table)


def summarised(rows: Iterable[Row]) -> dict[tuple[str, str, int, str], list[Row]]:
    """Return the rows by set, by cell (twins) or shape (others), by threads and peer."""
    groups: dict[tuple[str, str, int, str], list[Row]] = {}
    for row in rows:
        over = row.cell if row.set == "twins" else str(tuple(row.shape))
        groups.setdefault((row.set, over, row.threads, row.peer), []).append(row)
    return dict(sorted(groups.items()))
