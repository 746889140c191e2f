"""What each regulariser does to a cell: validation after training on one text, at some rates, over some seeds.

    python benchmarks/regularisers.py --out regularisers.jsonl
    python benchmarks/regularisers.py --out regularisers.jsonl --cell lstm --cell found.cell --data text.txt

Every cell has the hidden size at which its whole model is nearest to --params. Each run is a line of --out, as soon as
it has ended; a second call trains what is missing there, and prints the table of all. Run s of every row of a cell has
the same data order and the same initial weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from sized_runs import sized

from nas_rnn.cells import Cell
from nas_rnn.plugins import load_cell
from nas_rnn.tasks import TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.training import Diverged, RunSpec, TrainingOptions
from nas_rnn.training.trainer import Trainer

RATES: dict[str, tuple[float, ...]] = {
    "variational_dropout": (0.05, 0.1, 0.2, 0.35, 0.5),
    "weight_drop": (0.05, 0.1, 0.2, 0.35, 0.5),
    "dropout": (0.1, 0.25, 0.5),
    "weight_decay": (0.001, 0.01, 0.1),
}
NONE = ("none", 0.0)


def settings() -> list[tuple[str, float]]:
    """Return each regulariser at each rate, alone; first none of them."""
    return [NONE, *((name, rate) for name, rates in RATES.items() for rate in rates)]


def plain(cell: Cell, task: CharLM, data: TaskData, args: argparse.Namespace) -> RunSpec:
    """Return a run of ``cell`` without regulariser, of the size asked for."""
    training = TrainingOptions(
        epochs=args.epochs, most_epochs=args.most_epochs, layers=args.layers, batch=args.batch, device="cpu"
    )
    spec = RunSpec(
        id=cell.name, role="candidate", name=cell.name, cell=cell.to_text(), hidden_size=8, task=task.name,
        training=training, seed=0, data_seed=0,
    )  # fmt: skip
    return sized(spec, task, data, args.params)


def wanted(specs: dict[str, RunSpec], seeds: int) -> Iterator[tuple[dict[str, Any], RunSpec]]:
    """Return each run with what names it; seed by seed, so that a table cut short has whole seeds."""
    for seed in range(seeds):
        for cell, spec in specs.items():
            for name, rate in settings():
                options = {} if (name, rate) == NONE else {name: rate}
                training = replace(spec.training, **options)
                key = {"cell": cell, "what": name, "rate": rate, "seed": seed, "training": training.to_dict()}
                key["hidden_size"], key["text"] = spec.hidden_size, spec.cell
                yield key, replace(spec, training=training, seed=seed, data_seed=seed)


def measured(spec: RunSpec, task: CharLM, data: TaskData) -> dict[str, Any]:
    """Train one run to its end and return its best validation, with what the curve showed there."""
    trainer = Trainer(spec, task, data)
    try:
        while not trainer.finished:
            trainer.run_epoch()
    except Diverged as error:
        return {"value": None, "reason": str(error)}
    best = min(trainer.records, key=lambda record: record.metric)
    return {"value": best.metric, "train_loss": best.train_loss, "epochs": trainer.epoch}


def earlier(out: Path, data: str) -> list[dict[str, Any]]:
    """Return the runs in ``out`` on these data; a line that a kill cut short is none."""
    found = []
    for line in out.read_text(encoding="utf-8").splitlines() if out.is_file() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row["key"]["data"] == data:
            found.append(row)
    return found


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Return the lines of a table: for each cell and regulariser the mean over seeds and its deviation."""
    yield "| cell | regulariser | rate | seeds | validation, bits per character | training, nats | epochs |"
    yield "|---|---|---|---|---|---|---|"
    groups: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["key"]["cell"], row["key"]["what"], row["key"]["rate"]), []).append(row)
    order = settings()
    for (cell, what, rate), group in sorted(groups.items(), key=lambda g: (g[0][0], order.index(g[0][1:]))):
        ended = [row for row in group if row["value"] is not None]
        if not ended:
            yield f"| {cell} | {what} | {rate:g} | {len(group)} | diverged | | |"
            continue
        values = [row["value"] for row in ended]
        spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
        lost = f" ({len(group) - len(ended)} diverged)" if len(ended) < len(group) else ""
        trained, epochs = fmean(row["train_loss"] for row in ended), fmean(row["epochs"] for row in ended)
        yield (
            f"| {cell} | {what} | {rate:g} | {len(group)} | {fmean(values):.4f}{spread}{lost} | {trained:.4f} "
            f"| {epochs:.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines of all runs, to go on from")
    parser.add_argument("--cell", action="append", help="a name or a .cell file; repeatable; default: lstm")
    parser.add_argument("--data", type=Path, help="a text; default: the embedded one")
    parser.add_argument(
        "--characters", type=int, default=150_000, help="of the embedded text; default: 150000"
    )
    parser.add_argument("--params", type=int, default=10_000, help="of each whole model; default: 10000")
    parser.add_argument("--epochs", default="auto", help="a number, or auto (default)")
    parser.add_argument("--most-epochs", type=int, default=100)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    args.epochs = args.epochs if args.epochs == "auto" else int(args.epochs)
    torch.set_num_threads(1)

    task = CharLM() if args.data else CharLM(characters=args.characters)
    data = task.load(args.data)
    name = str(args.data.resolve()) if args.data else f"embedded, {args.characters}"
    specs = {cell: plain(load_cell(cell), task, data, args) for cell in args.cell or ["lstm"]}
    rows, asked = earlier(args.out, name), []
    for key, spec in wanted(specs, args.seeds):
        key["data"] = name
        row = next((row for row in rows if row["key"] == key), None)
        if row is None:
            row = {"key": key, **measured(spec, task, data)}
            with args.out.open("a", encoding="utf-8") as file:
                file.write(f"\n{json.dumps(row)}\n")  # on a line of its own, whatever a kill left before it
        asked.append(row)
    print("\n".join(table(asked)))


if __name__ == "__main__":
    main()
