"""Train many LSTMs and GRUs that differ in nothing but their seeds, and keep what each measured on every test item.

    python benchmarks/calibration_runs.py char-lm --epochs 4 --parameters 20000 --gru 0 --out char-lm.npz
    python benchmarks/calibration_runs.py glimpses --epochs 10 --parameters 8000 --gru 24 --out glimpses.npz
    python benchmarks/calibration_runs.py char-lm --characters 100000 --parameters 10000 --out char-lm.npz

It is what `calibration.py` resamples, and the tests do. The data come with the tasks. Without ``--epochs`` the runs end
by themselves. A file holds, for each cell, ``CELL`` (runs, items) in the metric's units, and the items' ``weights``
(items,).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sized_runs import run_of, sized, trained

from nas_rnn import plugins
from nas_rnn.tasks import Mean, Task, TaskData
from nas_rnn.training import TrainingOptions


def measured(
    task: Task, data: TaskData, cell: str, options: TrainingOptions, parameters: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Train one model of about ``parameters``; return the value and the weight of each test item, (N,)."""
    result = trained(sized(run_of(cell, task, options, seed), task, data, parameters), task, data).result()
    assert result.test_statistics is not None
    metric = task.measures(data.meta).metric
    assert isinstance(metric, Mean)
    return metric.items({name: np.asarray(rows) for name, rows in result.test_statistics.items()})


def _epochs(text: str) -> int | str:
    return text if text == "auto" else int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--epochs", type=int, default="auto", help="default: until each has stopped improving"
    )
    parser.add_argument("--characters", type=int, default=0, help="of char-lm's text; default: the task's")
    parser.add_argument("--parameters", type=int, required=True, help="of each model")
    parser.add_argument("--lstm", type=int, default=40, help="how many runs of the LSTM")
    parser.add_argument("--gru", type=int, default=0, help="how many runs of the GRU")
    given = parser.parse_args()
    own = {"characters": given.characters} if given.task == "char-lm" else {}
    task = plugins.registry().find("task", given.task).value(**own)
    data = task.load(None)
    defaults = {"batch": 32, "length": 32, **task.training_defaults}
    options = TrainingOptions(device="cpu", **{**defaults, "epochs": given.epochs})
    kept: dict[str, NDArray[np.float32]] = {}
    for cell, runs in (("lstm", given.lstm), ("gru", given.gru)):
        began, rows = time.monotonic(), []
        for seed in range(runs):
            values, weights = measured(task, data, cell, options, given.parameters, seed)
            rows.append(values)
            kept["weights"] = weights.astype(np.float32)
            mean = float(np.average(values, weights=weights))
            print(
                f"{cell} {seed}: {mean:.4f} ({(time.monotonic() - began) / (seed + 1):.1f} s a run)",
                flush=True,
            )
        if rows:
            kept[cell] = np.stack(rows).astype(np.float32)
        np.savez_compressed(given.out, **kept)
    print(f"{given.out}: {given.out.stat().st_size:,} bytes, {len(kept['weights'])} items")


if __name__ == "__main__":
    main()
