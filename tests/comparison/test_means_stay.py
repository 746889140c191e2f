"""Means over items are compared exactly: figures of one fixed set of results, to the last digits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from nas_rnn.comparison import (
    ContenderRow,
    Entry,
    TaskChoice,
    final_specs,
    judge,
    paired_interval,
)
from nas_rnn.tasks import Mean
from nas_rnn.training import RunResult, TrainingOptions

BITS = Mean("bits_per_char", "bits per character", "minimize", 0.005, "relative", of="bits", per="characters")
ACCURACY = Mean("accuracy", "share", "maximize", 0.01, "absolute", of="bits", per="characters")
ITEMS = 80


def judged(metric: Mean, shift: float, *, seeds: int = 5, spread: float = 0.002) -> ContenderRow:
    """A contender against a baseline around 2.25, of blocks of 64 characters."""
    entries = [
        Entry(name=name, cell="", digest=name, hidden_size=1, parameters=1, training=TrainingOptions())
        for name in ("lstm", "gated")
    ]
    plan = final_specs(entries[0], entries[1:], task=TaskChoice("char-lm", {}), seed=0, seeds=seeds)
    rng = np.random.default_rng(3)
    difficulty = rng.normal(2.25, 0.3, ITEMS)
    results = {}
    for spec in plan.specs:
        noise = rng.normal(0, spread) + rng.normal(0, spread, ITEMS)
        values = difficulty + (shift if spec.name == "gated" else 0.0) + noise
        results[spec.id] = RunResult(
            id=spec.id,
            status="finished",
            reason=None,
            epochs=[],
            best_epoch=1,
            best_metric=2.2,
            parameters=1,
            test_statistics={"bits": (64 * values).tolist(), "characters": [64] * ITEMS},
            seconds=2.0,
        )
    (row,) = judge((metric,), plan, results).contenders
    return row


@pytest.mark.parametrize(
    ("row", "expected", "more_seeds", "verdict"),
    [
        (
            lambda: judged(BITS, 0.06),
            (
                0.05922787255666558,
                0.05316199492175673,
                0.06529375019157443,
                0.026656409233268463,
                1.0684690775233829e-05,
                0.9999877530689518,
            ),
            None,
            "worse",
        ),
        (
            lambda: judged(BITS, 0.003, spread=0.05),
            (
                -0.016303186083361544,
                -0.16795012695608297,
                0.1353437547893599,
                -0.007303746630188759,
                0.7804760863289077,
                0.5351934009575675,
            ),
            439,
            "undecided",
        ),
        (
            lambda: judged(ACCURACY, 0.06, seeds=1),
            (
                -0.0557754888457987,
                -0.056419887021941,
                -0.0551310906696564,
                -0.0250683753508477,
                3.8704897107075614e-22,
                1.0,
            ),
            None,
            "better",
        ),
    ],
)
def test_judged_means(row, expected, more_seeds, verdict) -> None:  # type: ignore[no-untyped-def]
    found = row()
    figures = (found.difference, *found.ci95, found.relative_difference, found.p_value, found.p_equivalence)
    assert figures == pytest.approx(expected, rel=1e-11)
    assert (found.more_seeds, found.verdict) == (more_seeds, verdict)


def weighted() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(7)
    weights = 2.0 ** rng.integers(0, 4, 90)
    baseline = rng.normal(2, 0.3, (4, 90))
    return baseline + rng.normal(0.02, 0.1, (4, 90)), baseline, weights


def test_intervals_of_weighted_items_and_of_right_and_wrong_answers() -> None:
    candidate, baseline, weights = weighted()
    smooth = paired_interval(candidate, baseline, weights)
    assert (*(smooth.ci95 or ()), smooth.item_variance, smooth.degrees_of_freedom) == pytest.approx(
        (-0.01271649506392539, 0.02900649597562636, 2.822685236330563e-05, 5.534079112991388), rel=1e-11
    )
    binary = paired_interval((candidate > 2.1) * 100.0, (baseline > 2.1) * 100.0, weights)
    assert (*(binary.ci95 or ()), binary.item_variance, binary.degrees_of_freedom) == pytest.approx(
        (-5.681412937221537, 14.930742695934672, 5.0955178607942235, 4.766900299791738), rel=1e-11
    )
