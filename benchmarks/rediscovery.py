"""Whether a search that knows the vanilla RNN alone finds gates, or a memory that adds up, where a task needs them.

    python benchmarks/rediscovery.py --folder rediscovery --seeds 5

Each search walks from the vanilla RNN by small changes of its graph (the space `rewrites`), with evolution, on the
adding problem of Hochreiter & Schmidhuber (1997) over 100 steps: the vanilla RNN does not beat always saying the mean
there. It is a run of its own under ``--folder``, with one worker; one that was interrupted is resumed, and one that has
ended is only read. A table of all goes to standard output: how many of each search's candidates learned to add, which
was the first, and of the best one its error on validation, whether it has a state path that is carried on by sums and
products alone, and its gates; and what share of test series it solves with fresh seeds, and the LSTM does.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nas_rnn.cells import Cell
from nas_rnn.cells.graph.nodes import Apply, State
from nas_rnn.cells.views.difference import Parts
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import RunReader

OPTIONS = shlex.split(
    """
--task memory --task-option steps=100 --task-option lengths=100 --task-option items=2000 --task-option tests=400
--space rewrites --strategy evolution --trials 60 --scheduler none --params 3000
--epochs 20 --learning-rate 0.02 --batch 20
--tune 0 --controls none --reference none --seeds 3 --workers 1
"""
)
LEARNED = 0.01
"""The squared error on validation below which a cell has learned to add; always to say the mean comes to 0.167."""
CARRIED = ("add", "sub", "mul", "neg", "blend")


def is_additive(cell: Cell) -> bool:
    """Return whether a state reaches its own next value by sums and products alone, past no activation or matrix."""
    canonical = cell.canonical()

    def reaches(index: int, path: int) -> bool:
        node = canonical.nodes[index]
        if isinstance(node, State):
            return node.path == path
        carried = isinstance(node, Apply) and node.operation in CARRIED
        return carried and any(reaches(i, path) for i in node.inputs)

    return any(
        reaches(output, path) and not isinstance(canonical.nodes[output], State)
        for path, output in enumerate(canonical.outputs)
    )


def searched(seed: int, folder: Path) -> dict[str, Any]:
    """Search with a seed, or go on with what was begun, and return what came of it."""
    name = f"seed-{seed}"
    run = folder / "runs" / name
    program = str(Path(sys.executable).with_name("nas-rnn"))
    began = time.monotonic()
    if not (run / "comparison.json").exists() and not (run / "no_final.json").exists():
        begin = (
            ["--resume", name]
            if (run / "config.toml").exists()
            else ["--name", name, "--seed", str(seed), *OPTIONS]
        )
        with (folder / f"{name}.log").open("a") as log:
            subprocess.run([program, "search", *begin], cwd=folder, check=True, stdout=log, stderr=log)
    minutes = (time.monotonic() - began) / 60
    reader = RunReader(RunFolder(folder / "runs", name))
    ended = [(trial.value, trial) for trial in reader.trials() if trial.value is not None]
    learned = [trial.number for value, trial in ended if value < LEARNED]
    error, best = min(ended, key=lambda pair: pair[0])
    comparison = reader.comparison()
    finals = [] if comparison is None else [comparison.contenders[0].standing, comparison.baseline]
    cell = best.candidate.cell
    return {
        "seed": seed,
        "minutes": minutes,
        "trials": len(ended),
        "dropped": len(reader.dropped()),
        "learned": len(learned),
        "first": learned[0] if learned else None,
        "cell": cell,
        "error": error,
        "additive": is_additive(cell),
        "gates": [gate.role for gate in Parts(cell.canonical()).gates],
        "solved": [standing.mean for standing in finals],
    }


def told(row: dict[str, Any]) -> str:
    """Return a row of the table."""
    equations = "; ".join(" ".join(line.split()) for line in str(row["cell"]).splitlines())
    solved = " and ".join("diverged" if mean is None else f"{mean:.1f}" for mean in row["solved"])
    cells = [
        row["seed"],
        f"{row['learned']} of {row['trials']}",
        "none" if row["first"] is None else row["first"] + 1,
        f"{row['error']:.5f}",
        f"`{equations}`",
        "yes" if row["additive"] else "no",
        ", ".join(row["gates"]) or "none",
        solved,
        row["dropped"],
    ]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("rediscovery"))
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(given.seeds):
        rows.append(searched(seed, folder))
        print(f"seed {seed}: {rows[-1]['minutes']:.1f} min", file=sys.stderr, flush=True)
    print(
        "| seed | learned | first | error | best cell | carried by sums | gates | % solved, LSTM | dropped |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print("\n".join(map(told, rows)))
    found = sum(row["error"] < LEARNED and (row["additive"] or bool(row["gates"])) for row in rows)
    print(f"{found} of {len(rows)} searches found a cell with gates, or carried by sums, that learned to add")


if __name__ == "__main__":
    main()
