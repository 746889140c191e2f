"""An LSTM on words beside what needs no recurrence: trained until validation stops improving, then tested once.

    python benchmarks/word_lm.py FOLDER --hidden 100 --least 2 --rate 0.004 --dropout 0.4

FOLDER is what `nas-rnn search --task word-lm --data` takes: a text, or three.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from nas_rnn.catalogue.cells import find_cell
from nas_rnn.tasks.metric import totals_of
from nas_rnn.tasks.word_lm import WordLM
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.trainer import Trainer

PATIENCE = 3
"""Epochs without an improvement by a thousandth of a nat after which a run ends."""


def main() -> None:
    """Print the shares of unknown words, the floors, each epoch's validation, and the test's perplexity."""
    asked = arguments()
    task = WordLM(least=asked.least, embedding=asked.hidden)
    data = task.load(asked.data)
    print("\n".join(task.notices(data)))
    for name, statistics in task.floors(data).items():
        print(f"{name}: {task.metrics[0].value(totals_of(statistics)):.1f}", flush=True)
    given = {"learning_rate": asked.rate, "dropout": asked.dropout, "average": asked.average, "threads": 1}
    training = TrainingOptions(device="cpu", **{**task.training_defaults, **given})
    spec = RunSpec(
        id="lstm",
        role="final",
        name="lstm",
        cell=find_cell("lstm", Path("runs")).to_text(),
        hidden_size=asked.hidden,
        task=task.name,
        training=training,
        seed=0,
        data_seed=0,
        read_test=True,
    )
    trainer, best, since, began = Trainer(spec, task, data), np.inf, 0, time.process_time()
    print(f"LSTM of {trainer.parameters:,} parameters", flush=True)
    while since < PATIENCE and time.process_time() - began < asked.seconds:
        record = trainer.run_epoch()
        since = 0 if record.metric < best - 1e-3 else since + 1
        best = min(best, record.metric)
        spent = time.process_time() - began
        print(f"epoch {record.epoch}: validation {np.exp(record.metric):.1f}, {spent:.0f} s", flush=True)
    found = trainer.result().test_statistics
    assert found is not None
    totals = totals_of({name: np.asarray(values) for name, values in found.items()})
    print(f"LSTM: {task.metrics[0].value(totals):.1f}")


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--hidden", type=int, default=100)
    parser.add_argument("--least", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.004)
    parser.add_argument("--dropout", type=float, default=0.4)
    parser.add_argument("--average", type=float, default=0.1)
    parser.add_argument("--seconds", type=float, default=900.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
