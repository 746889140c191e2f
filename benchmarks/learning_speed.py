"""How often the interval of learning speed holds the true ratio: on curves whose stretching is known.

    python benchmarks/learning_speed.py
    python benchmarks/learning_speed.py --comparisons 2000

Curves fall as 1 + e^(-t / scale) towards a plateau of 1, with noise in every epoch and a plateau of its own for every
run. The contender's scale is ``ratio`` times the baseline's, and every run's differs from that by 15 %: so its curve is
the baseline's stretched, and the true ratio is known whatever the level. For each row: in how many comparisons there
was a ratio, how many of those intervals left out the truth (5 % is promised), their half width and bias, as factors.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nas_rnn.comparison import Entry, FinalPlan, LearningSpeed, TaskChoice, final_specs, judge
from nas_rnn.comparison.learning_speed import with_learning_speeds
from nas_rnn.tasks import Mean
from nas_rnn.training import EpochRecord, RunResult, TrainingOptions

METRIC = Mean("loss", "nats", "minimize", 0.01, "relative")
SEED_SPREAD = 0.15
LENGTH = 120
TARGETS = 1000


@dataclass(frozen=True)
class Population:
    """``seeds`` pairs; ``noise`` of an epoch and ``spread`` of the plateaus between runs, as shares of the margin."""

    ratio: float
    seeds: int = 5
    noise: float = 0.3
    spread: float = 0.3


def plan_for(seeds: int) -> FinalPlan:
    """Return a plan of one baseline and one contender."""
    baseline, contender = (
        Entry(name=name, cell="", digest=name, hidden_size=1, parameters=1, training=TrainingOptions())
        for name in ("lstm", "found")
    )
    return final_specs(baseline, [contender], task=TaskChoice("char-lm", {}), seed=0, seeds=seeds)


def result(id: str, curve: np.ndarray) -> RunResult:
    """Return the result of a run with this validation curve, (T,)."""
    records = [
        EpochRecord(
            epoch=epoch, train_loss=1.0, valid_loss=1.0, metric=float(value), seconds=1.0, units_per_second=1.0,
            gradient_norm=1.0, clipped=0.0, targets=TARGETS,
        )
        for epoch, value in enumerate(curve, start=1)
    ]  # fmt: skip
    return RunResult(
        id=id, status="finished", reason=None, epochs=records, best_epoch=1, best_metric=float(curve.min()),
        parameters=1, test_statistics={"value": [1.0, 1.0]}, seconds=1.0, ended_because="converged",
        converged_epoch=len(records),
    )  # fmt: skip


def draw(rng: np.random.Generator, population: Population) -> LearningSpeed:
    """Return the learning speed of a contender in one comparison."""
    plan, results = plan_for(population.seeds), {}
    for planned, scale in ((plan.baseline, 6.0), (plan.contenders[0], 6.0 * population.ratio)):
        for spec in planned.specs:
            own = scale * math.exp(rng.normal(0.0, SEED_SPREAD))
            epoch = np.arange(1, LENGTH + 1)
            clean = 1.0 + np.exp(-epoch / own) + 0.01 * population.spread * rng.normal()
            results[spec.id] = result(spec.id, clean + 0.01 * population.noise * rng.normal(size=LENGTH))
    comparison = judge((METRIC,), plan, results)
    found = with_learning_speeds(comparison, METRIC, plan, results).contenders[0].learning_speed
    assert found is not None
    return found


def rows(comparisons: int) -> Iterator[tuple[object, ...]]:
    for population in (
        Population(0.7),
        Population(1.0),
        Population(1.5),
        Population(0.7, noise=1.0),
        Population(1.0, noise=1.0),
        Population(1.0, spread=1.0),
        Population(0.7, seeds=10),
    ):
        rng = np.random.default_rng(0)
        found = [draw(rng, population) for _ in range(comparisons)]
        known = [(one.ratio, one.ci95) for one in found if one.ratio is not None and one.ci95 is not None]
        missed = [not low <= population.ratio <= high for _, (low, high) in known]
        yield (
            population.ratio,
            population.seeds,
            population.noise,
            population.spread,
            f"{len(known) / comparisons:.0%}",
            f"{np.mean(missed):.1%}" if known else "",
            f"{np.median([math.sqrt(high / low) for _, (low, high) in known]):.2f}" if known else "",
            f"{math.exp(np.mean([math.log(ratio / population.ratio) for ratio, _ in known])):.3f}"
            if known
            else "",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=400, help="for each row; default: 400")
    comparisons = parser.parse_args().comparisons
    print("| true ratio | seeds | noise | spread | with a ratio | missed | half width | bias |")
    print(f"|{'---|' * 8}")
    for row in rows(comparisons):
        print(f"| {' | '.join(map(str, row))} |")


if __name__ == "__main__":
    main()
