"""Small files of events for the task behavior."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path


def write(path: Path, rows: Iterable[Sequence[object]], separator: str = ",") -> Path:
    """Write rows of cells, the names of columns first."""
    path.write_text("\n".join(separator.join(map(str, row)) for row in rows) + "\n", encoding="utf-8")
    return path


def alternating(folder: Path, count: int = 100) -> Path:
    """Write sessions that go through one of two letters' items and take turns with it: only the item before the last
    says which comes next. Now and then comes a rare item.
    """
    draw = random.Random(0)
    rows: list[Sequence[object]] = [("session_id", "item_id", "timestamp")]
    for session in range(count):
        first, second = draw.sample("abc", 2)
        place = draw.randrange(4)
        for step in range(draw.randrange(4, 12)):
            letter = (first, second)[step % 2]
            item = f"{letter}{(place + step // 2) % 4}"
            if draw.random() < 0.05:
                item = f"rare{draw.randrange(3)}"
            rows.append((f"s{session}", item, 1_600_000_000 + 1000 * session + step))
    return write(folder / "events.csv", rows)
