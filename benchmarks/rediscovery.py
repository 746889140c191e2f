"""Whether a search that knows the vanilla RNN alone finds gates, or a memory that adds up, where a task needs them.

    python benchmarks/rediscovery.py --folder rediscovery --seeds 5

Each search walks from the vanilla RNN by small changes of its graph (the space `rewrites`), with evolution, on the
adding problem of Hochreiter & Schmidhuber (1997) over 100 steps: the vanilla RNN does not beat always saying the mean
there. It is a run of its own under ``--folder``, with one worker; one that was interrupted is resumed, and one that has
ended is only read. A table of all goes to standard output: the best cell of each search, the share of test series that
it solves and the LSTM does, whether it has a state path that is carried on by sums and products alone, and its gates.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nas_rnn import parse_cell
from nas_rnn.cells import Cell
from nas_rnn.cells.graph.nodes import Apply, State
from nas_rnn.cells.views.difference import Parts

OPTIONS = (
    *("--task", "memory", "--task-option", "steps=100", "--task-option", "lengths=100"),
    *("--task-option", "items=2000", "--task-option", "tests=400"),
    *(
        "--space",
        "rewrites",
        "--strategy",
        "evolution",
        "--trials",
        "60",
        "--epochs",
        "20",
        "--params",
        "3000",
    ),
    *(
        "--learning-rate",
        "0.01",
        "--scheduler",
        "none",
        "--tune",
        "0",
        "--controls",
        "none",
        "--reference",
        "none",
    ),
    *("--seeds", "3", "--workers", "1"),
)
SOLVED = 95.0
"""Per cent of test series, in the mean over the final's runs, from which on a cell solves the task."""
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
    dropped = json.loads((run / "dropped.json").read_text()) if (run / "dropped.json").exists() else []
    if not (run / "comparison.json").exists():
        return {"seed": seed, "minutes": minutes, "dropped": len(dropped), "cell": None}
    found = json.loads((run / "comparison.json").read_text())
    cell = parse_cell((run / "best" / "cell.cell").read_text())
    gates = [gate.role for gate in Parts(cell.canonical()).gates]
    return {
        "seed": seed,
        "minutes": minutes,
        "dropped": len(dropped),
        "cell": cell.to_text(),
        "solved": found["contenders"][0]["mean"],
        "lstm": found["baseline"]["mean"],
        "additive": is_additive(cell),
        "gates": gates,
    }


def told(row: dict[str, Any]) -> str:
    """Return a row of the table."""
    if row["cell"] is None:
        return f"| {row['seed']} | none | | | | | {row['dropped']} |"
    equations = "; ".join(" ".join(line.split()) for line in str(parse_cell(row["cell"])).splitlines())
    values = ["diverged" if row[key] is None else f"{row[key]:.1f}" for key in ("solved", "lstm")]
    gates = ", ".join(row["gates"]) or "none"
    cells = [f"`{equations}`", *values, "yes" if row["additive"] else "no", gates, str(row["dropped"])]
    return f"| {row['seed']} | {' | '.join(cells)} |"


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
    print("| seed | best cell | % solved | LSTM, % solved | carried by sums | gates | dropped |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(map(told, rows)))
    solving = [row for row in rows if row["cell"] is not None and (row["solved"] or 0.0) >= SOLVED]
    print(
        f"{len(solving)} of {len(rows)} searches found a cell that solves at least {SOLVED:g} % of test series"
    )


if __name__ == "__main__":
    main()
