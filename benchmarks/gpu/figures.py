"""What was found on a GPU, kept as it comes, within a time that is kept."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock, Timer
from typing import Any

from rich.console import Console
from rich.table import Table

OVERDUE = 4
"""The exit code where something did not come back before the time was over."""
SPARE = 10.0
"""So many seconds before the end of the time everything is written, whatever still runs."""


@dataclass
class Figures:
    """``parity``, ``times`` and ``together`` are rows as plain data; ``left_out`` what there was no time for."""

    seconds: float
    path: Path | None
    machine: dict[str, Any]
    parity: list[dict[str, Any]] = field(default_factory=list)
    times: list[dict[str, Any]] = field(default_factory=list)
    together: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    lock: Any = field(default_factory=RLock, repr=False)

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.seconds - (time.monotonic() - self.began)

    def add(self, kind: str, row: dict[str, Any]) -> None:
        with self.lock:
            getattr(self, kind).append(row)
            self.write()

    def leave_out(self, what: str) -> None:
        with self.lock:
            self.left_out.append(what)
            self.write()

    def write(self) -> None:
        if self.path is not None:
            kept = ("machine", "seconds", "parity", "times", "together", "left_out")
            told = {name: getattr(self, name) for name in kept}
            told["took"] = time.monotonic() - self.began
            whole = self.path.with_name(self.path.name + ".part")
            whole.write_text(json.dumps(told, indent=1) + "\n")
            whole.replace(self.path)

    def failures(self) -> list[dict[str, Any]]:
        """Return the rows whose values are not those of the reference."""
        return [row for row in self.parity if not row["right"]]


def end_in_time(figures: Figures, console: Console, stop: Callable[[int], object] = os._exit) -> Timer:
    """Start a clock that shows what there is and ends the process, should anything still run then."""

    def overdue() -> None:
        with figures.lock:
            figures.left_out.append("what ran when the time was over")
            figures.write()
            show(figures, console)
        stop(OVERDUE)

    clock = Timer(max(figures.left() - SPARE, 0.1), overdue)
    clock.daemon = True
    clock.start()
    return clock


def show(figures: Figures, console: Console) -> None:
    """Print the tables."""
    console.print(" ".join(f"{name}: {value}" for name, value in figures.machine.items()), highlight=False)
    if figures.parity:
        wrong = figures.failures()
        console.print(f"parity: {len(figures.parity) - len(wrong)} of {len(figures.parity)} right")
        _worst(figures, console)
        for row in wrong:
            told = (
                row["problem"]
                or f"error {row['error']:.1e}, allowed {row['allowed']:.0e}, moved {row['moved']}"
            )
            console.print(f"  WRONG {row['cell']} {row['kind']} {row['loop']} {row['products']}: {told}")
    if figures.times:
        console.print(_times(figures.times))
    if figures.together:
        table = _table("candidates on one GPU", ["together", "seconds", "one after the other", "ratio", ""])
        for row in figures.together:
            spans = (_number(row[name]) for name in ("seconds", "after_each_other", "ratio"))
            table.add_row(str(row["count"]), *spans, row["problem"] or "")
        console.print(table)
    if figures.left_out:
        console.print("left out for want of time: " + "; ".join(figures.left_out))


def _worst(figures: Figures, console: Console) -> None:
    table = _table(
        "largest errors, ‖ours - reference‖ / ‖reference‖", ["loop", "products", "rows", "error", "allowed"]
    )
    for key in dict.fromkeys((row["loop"], row["products"]) for row in figures.parity):
        rows = [row for row in figures.parity if (row["loop"], row["products"]) == key]
        errors = [row["error"] for row in rows if row["error"] is not None]
        worst = f"{max(errors):.1e}" if errors else "-"
        table.add_row(*key, str(len(rows)), worst, f"{rows[0]['allowed']:.0e}")
    console.print(table)


def _times(rows: list[dict[str, Any]]) -> Table:
    columns = ["cell", "(T, B, I, H)", "who", "ms a step", "quartiles", "/ rival", "MB", "first s", ""]
    table = _table("training steps, forwards and backwards", columns)
    for row in rows:
        rival = next(
            (r["ms"] for r in rows if r["case"] == row["case"] and r["peer"] == row["against"] and r["ms"]),
            None,
        )
        ratio = row["ms"] / rival if rival and row["ms"] else None
        quartiles = f"{row['low']:.3f}-{row['high']:.3f}" if row["ms"] else "-"
        table.add_row(
            row["cell"],
            ", ".join(map(str, row["shape"])),
            row["peer"],
            _number(row["ms"]),
            quartiles,
            _number(ratio),
            _number(row["megabytes"]),
            _number(row["first_seconds"]),
            row["problem"] or "",
        )
    return table


def _table(title: str, columns: list[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
