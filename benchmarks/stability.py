"""What the filter drops of the candidates of a space, or of cells whose results are known.

    python benchmarks/stability.py --space gated --candidates 500 --out gated.jsonl
    python benchmarks/stability.py --recipes pool.jsonl.gz --every 2 --out pool.jsonl

``--recipes`` is a file of NAS-Bench-NLP's cells (Klyuchnikov et al. 2020), a line each: ``recipe``, and ``test_loss``,
the losses in nats of its runs, null where one diverged. A line for each cell goes to ``--out``; cells that are there
are not looked at again. A table goes to standard output: how many are dropped, by kind, and how long that takes; of
cells with results also how many that diverged are found, and what is dropped that did not.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from nas_rnn.cells import Cell
from nas_rnn.plugins import load_space
from nas_rnn.spaces import cell_from_recipe
from nas_rnn.training.stability import instability


def cells(given: argparse.Namespace) -> Iterator[tuple[str, Cell, list[float | None] | None]]:
    """Yield a name, a cell and the losses of its runs, where they are known."""
    if given.recipes is None:
        space = load_space(given.space)
        for seed in range(given.candidates):
            yield f"{given.space} {seed}", space.sample(seed).cell, None
        return
    lines = gzip.decompress(given.recipes.read_bytes()).decode().splitlines()
    for number, line in list(enumerate(lines))[:: given.every]:
        row = json.loads(line)
        yield f"recipe {number}", cell_from_recipe(row["recipe"]), row["test_loss"]


def judged(
    name: str, cell: Cell, losses: list[float | None] | None, given: argparse.Namespace
) -> dict[str, Any]:
    """Return what the filter says of a cell, and in how many seconds of the processor."""
    began = time.process_time()
    found = instability(cell, given.hidden_size, given.input_size)
    seconds = time.process_time() - began
    kind, reason = (None, None) if found is None else (found.kind, found.reason)
    return {"name": name, "kind": kind, "reason": reason, "losses": losses, "seconds": seconds}


def told(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table."""
    groups = {"all": rows}
    if any(row["losses"] for row in rows):
        groups["every run diverged"] = [row for row in rows if not any(row["losses"])]
        groups["some run did not"] = [row for row in rows if any(row["losses"])]
    lines = ["| cells | number | dropped | by values | by gradients | ms each, kept | ms each, dropped |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name, own in groups.items():
        kinds = Counter(row["kind"] for row in own)
        dropped = len(own) - kinds[None]
        share = f"{dropped} ({100 * dropped / max(len(own), 1):.0f} %)"
        times = [[1000 * r["seconds"] for r in own if (r["kind"] is None) == kept] for kept in (True, False)]
        means = [f"{sum(ms) / len(ms):.0f}" if ms else "" for ms in times]
        lines.append(
            f"| {name} | {len(own)} | {share} | {kinds['values']} | {kinds['gradients']} | {means[0]} | {means[1]} |"
        )
    lost = [
        math.exp(min(filter(None, row["losses"])))
        for row in groups.get("some run did not", [])
        if row["kind"]
    ]
    return [
        *lines,
        *([f"Perplexities of what was dropped and did not diverge: {sorted(lost)}"] if lost else []),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--space", default="gated")
    parser.add_argument("--candidates", type=int, default=500)
    parser.add_argument("--recipes", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every so many lines of --recipes")
    parser.add_argument("--hidden-size", type=int, default=64)
    parser.add_argument("--input-size", type=int, default=64)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = [json.loads(row) for row in given.out.read_text().splitlines()] if given.out.exists() else []
    known = {row["name"] for row in rows}
    for name, cell, losses in cells(given):
        if name not in known:
            rows.append(judged(name, cell, losses, given))
            with given.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    print("\n".join(told(rows)))


if __name__ == "__main__":
    main()
