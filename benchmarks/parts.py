"""Whether validation tells when to stop: the validation and the test part of a text over the epochs of a run.

    python benchmarks/parts.py
    python benchmarks/parts.py --cell lstm --places 1 8 --seeds 2 --epochs 150

One cell is trained on the beginning of the embedded text, whose validation and test part come from its end alone or
from several places. Both are read after every epoch with the averaged weights. The table has what each comes to after
some epochs (the median of the last quarter), the best epoch on validation with what both are there, and that on test.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from sized_runs import run_of, sized, trained

from nas_rnn import plugins
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.training import TrainingOptions
from nas_rnn.training.ending import smoothed

SHOWN = (10, 20, 50, 100, 150, 200, 300)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cell", default="gru", choices=sorted(plugins.registry().names("cell")))
    parser.add_argument("--places", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--characters", type=int, default=36_000)
    parser.add_argument("--parameters", type=int, default=30_000)
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--dropout", type=float, default=0.05, help="variational")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    options = TrainingOptions(
        batch=32,
        length=32,
        epochs=given.epochs,
        learning_rate=given.learning_rate,
        variational_dropout=given.dropout,
        device="cpu",
    )
    shown = [epoch for epoch in SHOWN if epoch <= given.epochs]
    print(f"| places | seed | {' | '.join(map(str, shown))} | best on validation | best on test |")
    print("|---" * (len(shown) + 4) + "|")
    for places in given.places:
        task = CharLM(characters=given.characters, places=places)
        data = task.load(None)
        # What validates has no say in training, so the same run with the test part in its place gives its curve.
        other = replace(data, parts={**data.parts, "valid": data.part("test")})
        for seed in range(given.seeds):
            spec = sized(run_of(given.cell, task, options, seed), task, data, given.parameters)
            valid, test = (
                np.array([record.metric for record in trained(spec, task, one).records])
                for one in (data, other)
            )
            curves = [f"{smoothed(valid)[at - 1]:.2f}, {smoothed(test)[at - 1]:.2f}" for at in shown]
            bests = [f"{at + 1}: {valid[at]:.2f}, {test[at]:.2f}" for at in (valid.argmin(), test.argmin())]
            print(f"| {places} | {seed} | {' | '.join([*curves, *bests])} |", flush=True)


if __name__ == "__main__":
    main()
