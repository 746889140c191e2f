"""A script of a few lines that proposes mutations through `evaluate`, beside `evolution`, on cells with known results.

    python benchmarks/outside_proposer.py --pool FILE --evaluations 100 --seeds 20 --json OUT.json

The file is that of benchmarks/search_efficiency.py. Everything is as in a real study but for the training: run p of a
cell has the p-th loss of the file. A cell counts as one evaluation, as it does there, though `evaluate` may train it on
several seeds; how many trainings there were is told beside it. The proposer starts from the first random cell that does
not diverge, and cells that diverged on the way count.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from efficiency.problems import Problem, pool_problem
from efficiency.searching import Searches, joined, result, search
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import nas_rnn
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.errors import UserError
from nas_rnn.experiment import challenge
from nas_rnn.spaces import load_recipes
from nas_rnn.strategies import Evolution
from nas_rnn.training import EpochRecord, RunResult, RunSpec

PARENTS = 5
"""The proposer mutates one of so many of the best cells."""
STUDY: dict[str, Any] = {
    "task": "char-lm",
    "task_options": {"characters": 20_000},
    "params": 10_000,
    "epochs": 1,
    "backend": "eager",
    "most_seeds": 3,
}
"""Of the study; cells of the file have three losses at least."""


def propose(study: nas_rnn.OutsideStudy, space: Any, evaluations: int, seed: int) -> list[str]:
    """Propose mutations of the best cells through ``study.evaluate``; return the digests, in their order."""
    rng = np.random.default_rng(seed)
    found: dict[str, tuple[float, Cell]] = {}
    cell = study.baseline
    while len(found) < evaluations:
        if cell.digest not in found:
            value = study.evaluate(cell).value
            found[cell.digest] = (math.inf if value is None else value, cell)
        best = sorted(found.values(), key=lambda one: one[0])[:PARENTS]
        parent = best[int(rng.integers(len(best)))][1]
        near = [space.mutate(parent, rng) for _ in range(10)]
        unknown = [one for one in near if one.digest not in found]
        cell = unknown[0] if unknown else space.sample(rng).cell
    return list(found)


@dataclass(frozen=True)
class Pool:
    """A problem, and the losses of each cell's runs."""

    problem: Problem
    losses: Mapping[str, Sequence[float | None]]

    @classmethod
    def read(cls, path: Path) -> Pool:
        problem = pool_problem(path)
        losses: dict[str, Sequence[float | None]] = {}
        for row in load_recipes(path):
            losses.setdefault(row.cell.digest, row.details["test_loss"])
        return cls(problem, losses)

    def simulated(self, spec: RunSpec, *_: Any, **__: Any) -> RunResult:
        """Return the result of a run, as the file has it."""
        pair = int(spec.id.rpartition("-s")[2])
        known = self.losses[parse_cell(spec.cell).digest]
        loss = known[pair % len(known)]
        if loss is None:
            return _result(spec.id, "diverged", "the loss became infinite in epoch 1", [], None)
        bits = loss / math.log(2)
        record = EpochRecord(
            epoch=1, train_loss=loss, valid_loss=loss, metric=bits, seconds=1.0, units_per_second=1.0,
            gradient_norm=1.0, clipped=0.0,
        )  # fmt: skip
        return _result(spec.id, "finished", None, [record], bits)

    def outside(self, evaluations: int, seed: int, runs: Path) -> tuple[Searches, int]:
        """Return what a study met, in its order, and how many trainings it took."""
        rng = np.random.default_rng(seed)
        space, truth = self.problem.space, self.problem.truth
        diverged: list[str] = []
        while True:
            start = space.sample(rng).cell
            if None not in self.losses[start.digest][: STUDY["most_seeds"]]:
                break
            diverged.append(start.digest)
        file = runs / f"start-{seed}.cell"
        file.write_text(start.to_text(), encoding="utf-8")
        with mock.patch.object(challenge, "run_in_process", self.simulated):
            study = nas_rnn.OutsideStudy.open(
                f"study-{seed}", runs=runs, baseline=str(file), seed=seed, **STUDY
            )
            digests = propose(study, space, evaluations - len(diverged), seed)
        trained = len(list((study.folder / "trials").iterdir())) + len(diverged)
        return Searches(np.array([[truth[digest] for digest in [*diverged, *digests]]]), 0.0), trained


def _result(
    run: str, status: Any, reason: str | None, epochs: list[EpochRecord], value: float | None
) -> RunResult:
    return RunResult(
        id=run, status=status, reason=reason, epochs=epochs, best_epoch=1 if epochs else None, best_metric=value,
        parameters=10_000, test_statistics=None, seconds=1.0,
    )  # fmt: skip


def main() -> int:
    options = _parse()
    try:
        pool = Pool.read(options.pool)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    outside, evolution, trainings = [], [], []
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with (
        tempfile.TemporaryDirectory() as folder,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        for seed in progress.track(range(options.seeds)):
            found, trained = pool.outside(options.evaluations, seed, Path(folder))
            outside.append(found)
            trainings.append(trained)
            evolution.append(
                search(
                    lambda problem, seed: Evolution(problem.space, seed),
                    pool.problem,
                    options.evaluations,
                    seed,
                )
            )
    places = sorted({place for place in (25, 50, 75) if place < options.evaluations} | {options.evaluations})
    told = {
        "problem": pool.problem.name,
        "evaluations": options.evaluations,
        "seeds": options.seeds,
        "trainings": {"median": float(np.median(trainings)), "least": min(trainings), "most": max(trainings)},
        "strategies": {
            name: result(joined(searches), places)
            for name, searches in (("proposer", outside), ("evolution", evolution))
        },
    }
    if options.json is not None:
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    Console(width=None if sys.stdout.isatty() else 140).print(_table(told))
    return 0


def _table(told: Mapping[str, Any]) -> Table:
    trainings = told["trainings"]
    table = Table(
        title=f"{told['problem']}: test perplexity after {told['evaluations']} cells, median of {told['seeds']} "
        f"searches; the proposer's took {trainings['median']:.0f} trainings ({trainings['least']} to "
        f"{trainings['most']})",
        title_justify="left",
    )
    for heading in ("", "best", "mean of ten best", "95 % interval", "quartiles"):
        table.add_column(heading)
    for name, one in told["strategies"].items():
        top = one["top10_at"][str(told["evaluations"])]
        table.add_row(
            name,
            f"{one['best_at'][str(told['evaluations'])]['median']:.2f}",
            f"{top['median']:.2f}",
            f"{top['low']:.2f} to {top['high']:.2f}",
            f"{top['first_quartile']:.2f} to {top['third_quartile']:.2f}",
        )
    return table


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pool", type=Path, metavar="FILE", required=True, help="recipes with results, .jsonl or .gz"
    )
    parser.add_argument("--evaluations", type=int, default=100, help="cells of each search (default: 100)")
    parser.add_argument("--seeds", type=int, default=20, help="searches (default: 20)")
    parser.add_argument("--json", type=Path, help="file for all figures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
