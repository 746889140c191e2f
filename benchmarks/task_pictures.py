"""Train a small LSTM on each task: what it comes to beside the floors, and the pictures that it makes of embedded data.

    python benchmarks/task_pictures.py --out docs/tasks
    python benchmarks/task_pictures.py music speech --parameters 20000 --seed 1
    python benchmarks/task_pictures.py glimpses --task-option order=learned --out pictures

Runs end by themselves, or after ``--most-epochs``. The test part is read; these are no comparisons. A line goes to
standard output for each task, and the files of its preview to ``--out``, called ``TASK-FILE``; texts are cut to their
first lines. The pictures in docs/tasks/ are made by it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from sized_runs import run_of, sized, trained

from nas_rnn import plugins
from nas_rnn.cli.parsing import key_values
from nas_rnn.tasks import PreviewOptions, Statistics, Task
from nas_rnn.tasks.metric import figure_of
from nas_rnn.tasks.options import typed
from nas_rnn.training import TrainingOptions

LINES = 12


def shown(task: Task, parameters: int, most_epochs: int, seed: int, out: Path | None) -> str:
    """Train, keep the preview's files, and return a line that says what came of it."""
    data = task.load(None)
    options = TrainingOptions(**{**task.training_defaults, "most_epochs": most_epochs})  # type: ignore[arg-type]

    spec = replace(run_of("lstm", task, options, seed), seed=seed, data_seed=seed)
    began = time.monotonic()
    trainer = trained(sized(spec, task, data, parameters), task, data)
    result = trainer.result()
    took = time.monotonic() - began
    if out is not None:
        preview = task.preview(
            trainer.best_model(), data.without("test"), seed=seed, options=PreviewOptions(length=400)
        )
        for name, content in preview.files.items():
            (out / f"{task.name}-{name}").write_bytes(content)
        print("\n".join(preview.text.splitlines()[:LINES]), end="\n\n")
    metric = task.measures(data.meta).metric
    assert result.test_statistics is not None

    def value(statistics: Statistics) -> float:
        return figure_of(metric, {name: np.asarray(rows) for name, rows in statistics.items()}) or 0.0

    floors = ", ".join(f"{name} {value(found):.4g}" for name, found in task.floors(data).items())
    return (
        f"{task.name}: {metric.name} {value(result.test_statistics):.4g} {metric.unit} (floors: {floors or 'none'}); "
        f"{len(result.epochs)} epochs, {result.ended_because}, {took:.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tasks", nargs="*", help="default: all")
    parser.add_argument("--parameters", type=int, default=20_000)
    parser.add_argument("--task-option", action="append", default=[], help="KEY=VALUE, repeatable")
    parser.add_argument("--most-epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for the pictures; default: none are kept")
    given = parser.parse_args()
    registry = plugins.registry()
    for name in given.tasks or registry.names("task"):
        kind = registry.find("task", name).value
        task = kind(**typed(kind.Options, key_values(given.task_option, "--task-option")))
        print(shown(task, given.parameters, given.most_epochs, given.seed, given.out), flush=True)


if __name__ == "__main__":
    main()
