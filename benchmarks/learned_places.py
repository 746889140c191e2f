"""Whether a net that learns where to look at pictures names more of them than the same net that looks anywhere.

    python benchmarks/learned_places.py --data mnist --train 8000 --seeds 3 --out places.jsonl
    python benchmarks/learned_places.py --out digits.jsonl                     # scikit-learn's digits

The LSTM of the task glimpses with the orders "learned" and "random" (Mnih et al. 2014), trained until it stops
improving, the same data order in each pair of seeds. Each run that has ended is a line of ``--out``; started again, the
script goes on where it was. Told is the mean of each on the test part, and the paired difference with its interval over
seeds and pictures.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from sized_runs import run_of, sized

from nas_rnn.comparison.statistics import paired_interval
from nas_rnn.tasks import TaskData
from nas_rnn.tasks.glimpses import Glimpses
from nas_rnn.training import TrainingOptions
from nas_rnn.training.trainer import Trainer

ORDERS = ("learned", "random")


def line(
    task: Glimpses, data: TaskData, given: argparse.Namespace, order: str, seed: int
) -> dict[str, object]:
    """Train one run; what it measured, as a line of the file."""
    options = TrainingOptions(
        device="cpu",
        epochs="auto",
        most_epochs=given.most_epochs,
        batch=given.batch,
        learning_rate=given.rate,
        length=32,
    )
    spec = sized(run_of("lstm", task, options, seed, id=f"{order}-{seed}"), task, data, given.parameters)
    trainer, began = Trainer(spec, task, data), time.perf_counter()
    while not trainer.finished:
        record = trainer.run_epoch()
        if given.verbose:
            print(f"{order} {seed} epoch {len(trainer.result().epochs)}: {record.metric:.2f}", flush=True)
    result = trainer.result()
    assert result.test_statistics is not None
    return {
        "order": order,
        "seed": seed,
        "hidden": spec.hidden_size,
        "epochs": len(result.epochs),
        "ended": result.ended_because,
        "seconds": round(time.perf_counter() - began),
        "correct": np.asarray(result.test_statistics["correct"]).astype(int).tolist(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--data", type=Path, help="IDX files or classes' folders; default: scikit-learn's digits"
    )
    parser.add_argument("--train", type=int, default=0, help="pictures to train and validate on")
    parser.add_argument("--looks", type=int, default=6)
    parser.add_argument("--patch", type=int, default=0)
    parser.add_argument("--scales", type=int, default=1)
    parser.add_argument("--parameters", type=int, default=60_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--most-epochs", type=int, default=100)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.003)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows = [json.loads(row) for row in given.out.read_text().splitlines()] if given.out.exists() else []
    known = {(row["order"], row["seed"]) for row in rows}
    for seed in range(given.seeds):
        for order in ORDERS:
            if (order, seed) in known:
                continue
            task = Glimpses(
                order=order, train=given.train, looks=given.looks, patch=given.patch, scales=given.scales
            )
            rows.append(line(task, task.load(given.data), given, order, seed))
            with given.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            told = {name: value for name, value in rows[-1].items() if name != "correct"}
            print(f"{np.mean(rows[-1]['correct']):.2f} % correct: {told}", flush=True)
    correct_SN = {
        order: np.array(
            [row["correct"] for row in sorted(rows, key=lambda row: row["seed"]) if row["order"] == order]
        )
        for order in ORDERS
    }
    for order, own_SN in correct_SN.items():
        print(
            f"{order}: {own_SN.mean():.2f} % ± {own_SN.mean(axis=1).std(ddof=1):.2f} over {len(own_SN)} seeds"
        )
    interval = paired_interval(
        correct_SN["learned"].astype(float),
        correct_SN["random"].astype(float),
        np.ones(correct_SN["random"].shape[1]),
    )
    assert interval.ci95 is not None
    low, high = interval.ci95
    print(f"learned - random: {interval.difference:+.2f} [{low:+.2f}, {high:+.2f}] (95 %, {interval.covers})")


if __name__ == "__main__":
    main()
