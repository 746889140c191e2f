"""A small search of every task on its embedded data: the minutes it takes, the LSTM beside the floors, the word.

    python benchmarks/task_searches.py --out searches.jsonl
    python benchmarks/task_searches.py draw music --out searches.jsonl

Each is ``nas-rnn search --task TASK --trials 4 --params 20000 --tune 0 --seeds 3 --controls none``, in a run folder of
its own under ``--folder``. A line for each goes to ``--out``; tasks that are there are not searched again. A table of
all goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nas_rnn import plugins

OPTIONS = ("--trials", "4", "--params", "20000", "--tune", "0", "--seeds", "3", "--controls", "none")


def searched(task: str, folder: Path) -> dict[str, Any]:
    """Search, and return what came of it."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    subprocess.run(
        [str(Path(sys.executable).with_name("nas-rnn")), "search", "--task", task, "--name", task, *OPTIONS],
        cwd=folder,
        check=True,
        stdout=(folder / f"{task}.log").open("w"),
    )
    minutes = (time.monotonic() - began) / 60
    found = json.loads((folder / "runs" / task / "comparison.json").read_text())
    metric = found["metric"]
    sign = -1 if found["direction"] == "maximize" else 1
    floors = {floor["name"]: floor["values"].get(metric) for floor in found["floors"]}
    known = {name: value for name, value in floors.items() if value is not None}
    best = min(known, key=lambda name: sign * known[name], default="")
    (row,) = found["contenders"][:1]
    return {
        "task": task,
        "metric": metric,
        "unit": found["unit"],
        "minutes": round(minutes, 1),
        "lstm": found["baseline"]["mean"],
        "std": found["baseline"]["std"],
        "floor": best,
        "floor_value": known.get(best),
        "cell": row["name"],
        "mean": row["mean"],
        "verdict": row["verdict"],
        "epochs": found["baseline"]["epochs"],
        "ended": found["baseline"]["ended_because"],
        "sentence": found["sentence"],
    }


def told(line: dict[str, Any]) -> str:
    """Return a row of the table."""
    floor = "none" if line["floor_value"] is None else f"{line['floor_value']:.4g} ({line['floor']})"
    mean = "diverged" if line["mean"] is None else f"{line['mean']:.4g}"
    epochs = "-".join(str(count) for count in sorted({min(line["epochs"]), max(line["epochs"])}))
    lstm = f"{line['lstm']:.4g} ± {line['std']:.2g}"
    cells = [
        f"`{line['task']}`",
        line["metric"],
        floor,
        lstm,
        epochs,
        mean,
        line["verdict"],
        f"{line['minutes']}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tasks", nargs="*", help="default: all")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path("searches"))
    given = parser.parse_args()
    rows = [json.loads(row) for row in given.out.read_text().splitlines()] if given.out.exists() else []
    for task in given.tasks or plugins.registry().names("task"):
        if all(row["task"] != task for row in rows):
            rows.append(searched(task, given.folder.resolve()))
            with given.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(f"{task}: {rows[-1]['minutes']} min; {rows[-1]['sentence']}", file=sys.stderr, flush=True)
    print("| task | metric | best floor | LSTM | epochs | found cell | word | minutes |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(map(told, rows)))


if __name__ == "__main__":
    main()
