"""Folders of searches and comparisons made from plain values, as finished runs would have left them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas_rnn.cells import parse_cell
from nas_rnn.comparison import Comparison, ContenderRow, Cost, Standing
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import STUDY
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import Study
from nas_rnn.training import EpochRecord, RunResult, RunSpec, TrainingOptions
from nas_rnn.training.flow import GradientFlow, PathFlow

SCRIPT = "<script>alert(1)</script>"
BASE = """@cell
def lstm(x, h, c):
    f = sigmoid(linear(x, h, bias=1.0))
    c = f * c + (1 - f) * tanh(linear(x, h))
    return tanh(c), c
"""
FOUND = f'''@cell
def found(x, h):
    """Doc {SCRIPT}"""
    z = sigmoid(linear(x, h))
    return z * h + (1 - z) * relu(linear(x, h))
'''
SEEDS = {"lstm": (11, 12), "found": (21, 22), "random cells": (31, 32)}


def records(best: float, epochs: int = 3) -> list[EpochRecord]:
    """Return a falling curve that ends at ``best``."""
    return [
        EpochRecord(
            epoch=epoch, train_loss=best + epochs - epoch, valid_loss=best, metric=best + 0.1 * (epochs - epoch),
            seconds=2.0, units_per_second=1e4, gradient_norm=1.0, clipped=0.25,
        )
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip


class Folder:
    """Writes one folder."""

    def __init__(self, runs: Path, name: str, kind: str, **config: Any) -> None:
        self.folder = RunFolder(runs, name)
        self.folder.trials.mkdir(parents=True)
        own = {"task": "char-lm", "epochs": 3, "learning_rate": 0.01, "clip": 1.0, "dropout": 0.0, "seed": 7}
        lines = [f"{key} = {json.dumps(value)}" for key, value in {**own, **config}.items()]
        self.folder.write("config.toml", "\n".join(lines) + "\n")
        origin = {"origin": f"/plugins/{SCRIPT}/mine.py", "version": "", "digest": "0" * 64}
        facts = {"id": "1", "kind": kind, "began_ms": 1_700_000_000_000, "plugins": {"space mine": origin}}
        self.folder.write_json("search.json", facts)

    def run(self, id: str, role: Any, text: str, best: float | None, **changes: Any) -> None:
        """Write a run that ended; without ``best`` it diverged."""
        seed = changes.pop("seed", 1)
        name = changes.pop("name", parse_cell(text).name)
        training = TrainingOptions(epochs=3, learning_rate=changes.pop("learning_rate", 0.01))
        store = self.folder.store(id)
        store.write_spec(
            RunSpec(
                id=id, role=role, name=name, cell=text, hidden_size=32, task="char-lm", training=training,
                seed=seed, data_seed=5,
            )
        )  # fmt: skip
        usual = RunResult(
            id=id, status="diverged" if best is None else "finished", reason=None,
            epochs=[] if best is None else records(best), best_epoch=3, best_metric=best, parameters=5000,
            test_statistics=None, seconds=6.0, backend="fused",
        )  # fmt: skip
        store.write_result(replace(usual, **changes))
        store.append_worker({"host": "host-1", "node": "n", "pid": 1})

    def study(self, journal: str, values: Sequence[float | None], *, control: bool = False) -> None:
        """Write a study whose trials came to ``values``, and their runs."""
        study = Study.create(self.folder.path / journal, STUDY, "minimize")
        for value in values:
            cell = parse_cell(FOUND)
            number = study.add(Candidate(cell, {}))
            study.finish(number, "diverged" if value is None else "finished", value, f"reason {SCRIPT}")
            role = "control" if control else "candidate"
            self.run(f"{'r' if control else 't'}{number:04d}", role, FOUND, value)

    def final(self, changes: dict[str, Any] | None = None, **more: Any) -> Comparison:
        """Write the final's runs and the comparison; ``changes`` are of the contender's row."""
        for name, text, level in (("lstm", BASE, 2.5), ("found", FOUND, 2.3), ("random cells", FOUND, 2.6)):
            for number, seed in enumerate(SEEDS[name]):
                self.run(
                    f"final-{name.replace(' ', '-')}-s{number}",
                    "final",
                    text,
                    level + 0.01 * number,
                    seed=seed,
                )
        comparison = replace(
            Comparison(
                metric="bits_per_char", unit="bits per character", direction="minimize", margin=0.025,
                baseline=standing("lstm", 2.5), contenders=(replace(row("found", -0.2), **(changes or {})),),
                costs=(Cost(part="search", runs=5, seconds=30.0, units=1000), Cost(part="final", runs=4, seconds=24.0)),
                counted="characters",
            ),
            **more,
        )  # fmt: skip
        sentence = f"`found` is better than the LSTM {SCRIPT}."
        self.folder.write_json("comparison.json", {**comparison.to_dict(), "sentence": sentence})
        return comparison

    def flow(self) -> None:
        """Write a measured gradient flow."""
        path = PathFlow(path="h", layer=0, norms=[1.0, 0.5, 0.25, 0.1])
        flow = GradientFlow(
            cell="found", weights="trained", steps=3, batch=2, paths=[path], clip=1.0, clipped=[0.5]
        )
        rows = [{"name": name, "flows": [flow.to_dict()]} for name in ("lstm", f"found {SCRIPT}", "rnn")]
        self.folder.write_json("best/gradient_flow.json", rows)


def standing(name: str, mean: float, **changes: Any) -> Standing:
    usual = Standing(
        name=name, digest=f"c1-{name}", hidden_size=32, parameters=5000, mismatch=0.001, tuned=True,
        seeds=SEEDS[name], values=(mean, mean), mean=mean, std=0.01, diverged=0,
    )  # fmt: skip
    return replace(usual, **changes)


def row(name: str, difference: float, **changes: Any) -> ContenderRow:
    usual = ContenderRow(
        standing=standing(name, 2.5 + difference), difference=difference, ci95=(difference - 0.1, difference + 0.1),
        relative_difference=difference / 2.5, seed_differences=(difference, difference), pairs=2,
        covers="seeds and test blocks", verdict="better", reason=f"reason {SCRIPT}", p_value=0.004, p_adjusted=0.008,
        p_equivalence=0.9, p_equivalence_adjusted=0.9,
    )  # fmt: skip
    return replace(usual, **changes)


def full_search(
    runs: Path, name: str = "search", *, strategy: str = "tpe", control: bool = True
) -> RunFolder:
    """Write a search with everything: controls, tuning, a final, gradient flow."""
    folder = Folder(
        runs, name, "search", space="mine", strategy=strategy, trials=4, data=f"/data/{SCRIPT}.txt"
    )
    folder.run("baseline", "baseline", BASE, 2.5)
    folder.study("study.journal", [2.9, None, 2.4, 2.2])
    if control:
        folder.study("control.journal", [3.0, 2.7, 2.5, 2.45], control=True)
    for number in range(2):
        folder.run(f"select-found-s{number}", "selection", FOUND, 2.3 + 0.02 * number)
    for number, (rate, value) in enumerate([(0.01, 2.4), (0.003, 2.35)]):
        folder.run(f"tune-found-{number:03d}", "tuning", FOUND, value, learning_rate=rate)
        folder.run(f"tune-lstm-{number:03d}", "tuning", BASE, value + 0.2, learning_rate=rate)
    mean = standing("random cells", 2.6, digest="", control=f"mean of random cells {SCRIPT}")
    controls = (row("random cells", 0.1, standing=mean, verdict="worse"),)
    folder.final(controls=controls)
    folder.flow()
    folder.folder.write_json(
        "environment.json", {"nas_rnn": "0.1.0", "torch": "2.9", "processor": f"P {SCRIPT}"}
    )
    return folder.folder
