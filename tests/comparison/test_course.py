"""How it came to a final, in sentences: rungs, the winner's way, and random cells beside the winner."""

from __future__ import annotations

import json
from dataclasses import replace

from nas_rnn.comparison import Comparison, Course, Rung, TaskChoice, Way, course_lines, final_specs, judge
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
        "After 10 epochs 8 of 24 candidates went on; of those that came to their end, ranks there and then correlate "
        "by 0.81.",
        "After 12 epochs 3 of 8 settings went on; too few came to their end to say whether ranks there and then agree.",
        f"The way of `x`: 2.031 in the search, 2.046 on fresh seeds (bits per character, validation data), "
        f"{mean:.4g} on the test data (bits per character).",
    ]


def test_random_cells_are_counted_run_by_run_and_those_that_diverged_aside() -> None:
    assert course_lines(compared({"random": 0.0})) == [
        "5 of 5 random cells did as well as `x` or better, within the margin."
    ]
    assert course_lines(compared({"random": 0.2})) == [
        "0 of 5 random cells did as well as `x` or better, within the margin."
    ]
    assert course_lines(compared({"random": -0.2}, broken=True)) == [
        "4 of 4 random cells did as well as `x` or better, within the margin; 1 diverged."
    ]


def test_it_goes_to_json_and_back() -> None:
    comparison = replace(compared({}), course=COURSE)
    assert Comparison.from_dict(json.loads(json.dumps(comparison.to_dict()))) == comparison
    assert Comparison.from_dict(json.loads(json.dumps(compared({}).to_dict()))).course is None
