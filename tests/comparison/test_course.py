"""How it came to a final, in sentences: rungs, the winner's way, and random cells beside the winner."""

from __future__ import annotations

import json
from dataclasses import replace

from nas_rnn.comparison import (
    Comparison,
    Course,
    Reading,
    Rung,
    TaskChoice,
    Way,
    course_lines,
    final_specs,
    judge,
)
from nas_rnn.comparison.spreads import random_text, spread_text
from tests.comparison.test_judging import BITS, entry, measured, with_status

COURSE = Course(
    search=(Rung(epochs=10, went_on=8, of=24, correlation=0.812),),
    tuning=Rung(epochs=12, went_on=3, of=8),
    way=Way(name="x", score=2.03125, fresh=2.0456),
    monitor="bits per character",
)


def compared(shifts: dict[str, float], *, broken: bool = False) -> Comparison:
    random = replace(entry("random"), control="random cells", digest="")
    plan = final_specs(entry("lstm"), [entry("x"), random], task=TaskChoice("char-lm", {}), seed=0, seeds=5)
    results = measured(plan, shifts)
    if broken:
        with_status(results, "final-random-s2", "diverged", "loss became inf")
    return judge((BITS,), plan, results, item="block")


def test_rungs_and_the_winners_way_are_told() -> None:
    comparison = replace(compared({}), course=COURSE)
    mean = comparison.contenders[0].standing.mean
    assert course_lines(comparison)[:3] == [
        "After 10 epochs 8 of 24 candidates went on; of those that came to their end, the ranks then and at the "
        "end correlate by 0.81.",
        "After 12 epochs 3 of 8 settings went on; too few came to their end to say whether the ranks then and at "
        "the end agree.",
        "From the search to the test, `x`: 2.031 in the search, 2.046 on fresh seeds (bits per character, "
        f"validation data), {mean:.4g} on the test data (bits per character).",
    ]


def test_random_cells_are_counted_run_by_run_and_those_that_diverged_aside() -> None:
    for shift, as_good in ((0.0, 5), (0.2, 0)):
        comparison = compared({"random": shift})
        middle = sorted(value or 0.0 for value in comparison.controls[0].standing.values)[2]
        assert course_lines(comparison) == [
            f"{as_good} of 5 random cells did as well as `x` or better, within the margin; their median is "
            f"{middle:#.4g}."
        ]
    assert course_lines(compared({"random": -0.2}, broken=True)) == [
        "4 of 4 random cells did as well as `x` or better, within the margin; 1 diverged."
    ]


def test_one_random_cell_that_ends_at_an_absurd_value_shows() -> None:
    """It takes the mean with it, which a deviation would hide: the range and the median say so."""
    comparison = compared({})
    (row,) = comparison.controls
    values = (2.0, 1.98, 150.0, 2.04, 2.02)
    absurd = replace(row.standing, values=values, mean=31.608, std=66.18)
    assert spread_text(absurd) == " (1.980 to 150.0)"
    told = course_lines(replace(comparison, controls=(replace(row, standing=absurd),)))
    assert told[-1].endswith("; their median is 2.020.")
    baseline = replace(comparison.baseline, name="lstm", mean=1.9)
    asked = replace(comparison, baseline=baseline, unit="bits")
    assert random_text(asked, absurd) == "2.020 (1.980 to 150.0), the mean of lstm 1.900 bits"
    assert random_text(asked, replace(absurd, values=(None,) * 5)) == ""
    reading = Reading(values=(55.0, None, 10.0), mean=32.5, std=31.8)
    assert spread_text(absurd, reading) == " (10.00 to 55.00)"
    # One cell over several seeds has a deviation, a control too.
    assert spread_text(replace(absurd, digest="c1-0")) == " ± 66"
    assert spread_text(replace(absurd, control="")) == " ± 66"
    assert spread_text(replace(absurd, values=(2.0,), std=None)) == ""


def test_it_goes_to_json_and_back() -> None:
    comparison = replace(compared({}), course=COURSE)
    assert Comparison.from_dict(json.loads(json.dumps(comparison.to_dict()))) == comparison
    assert Comparison.from_dict(json.loads(json.dumps(compared({}).to_dict()))).course is None
