"""How fast a cell learns: when its validation comes to where the baseline's ends. The verdict knows nothing of it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from learning_speed import Population, draw, plan_for
from learning_speed import result as result_of

from nas_rnn.comparison import (
    Comparison,
    FinalPlan,
    LearningSpeed,
    judge,
    speed_lines,
    with_learning_speeds,
    with_seconds,
)
from nas_rnn.comparison.learning_speed import Crossing, crossing, ratio_of
from nas_rnn.tasks import Mean, Metric
from nas_rnn.training import EpochRecord, RunResult

LOSS = Mean("loss", "nats", "minimize", 0.1, "absolute")
ACCURACY = Mean("accuracy", "% right", "maximize", 0.5, "absolute")
VERDICTS = ("better", "worse", "equivalent", "undecided")


def records(values: Sequence[float], targets: Sequence[int] | int = 100) -> list[EpochRecord]:
    counts = [targets] * len(values) if isinstance(targets, int) else targets
    found = result_of("any", np.array(values)).epochs
    return [replace(record, targets=count) for record, count in zip(found, counts, strict=True)]


def compared(
    curves: dict[str, Sequence[Sequence[float]]],
    metric: Metric = LOSS,
    *,
    changed: dict[str, dict[str, object]] | None = None,
) -> tuple[Comparison, FinalPlan, dict[str, RunResult]]:
    """Compare ``found`` with ``lstm``, whose runs have these curves; ``changed`` are fields of results by run."""
    plan = plan_for(len(curves["lstm"]))
    results = {
        spec.id: replace(result_of(spec.id, np.array(curve)), **(changed or {}).get(spec.id, {}))  # type: ignore[arg-type]
        for planned in (plan.baseline, *plan.contenders)
        for spec, curve in zip(planned.specs, curves[planned.entry.name], strict=True)
    }
    comparison = judge((replace(metric, of="value"),), plan, results, counted="characters")  # type: ignore[call-arg]
    return with_learning_speeds(comparison, metric, plan, results), plan, results


def speed(comparison: Comparison) -> LearningSpeed:
    found = comparison.contenders[0].learning_speed
    assert found is not None
    return found


def line(slope: float, epochs: int = 40, end: float = 1.0) -> list[float]:
    """A curve that falls in a straight line from 5 and stays where it ends."""
    return [max(end, 5.0 - slope * epoch) for epoch in range(1, epochs + 1)]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_straight_curve_crosses_where_it_does_whatever_the_window(sign: int) -> None:
    """Values stand in the middle of their windows, so smoothing moves nothing; more may be better as well."""
    values = [sign * (10.0 - 0.25 * epoch) for epoch in range(1, 41)]
    for at in (2.0, 3.5, 9.25, 17.75, 30.0):
        found = crossing(records(values), sign * (10.0 - 0.25 * at), sign)
        assert found is not None and found.targets == pytest.approx(100 * at)


def test_epochs_of_unequal_targets_count_with_what_they_had() -> None:
    """The curve crosses half way through the third epoch, which has as many targets as the two before together."""
    found = crossing(records([4.0, 3.0, 2.0, 1.0], [100, 100, 200, 800]), 2.5, 1)
    assert found == Crossing(300.0)


def test_the_first_crossing_counts_even_if_the_curve_rises_again() -> None:
    values = [4.0, 3.0, 1.0, 1.0, *[3.0] * 20]
    found = crossing(records(values), 2.0, 1)
    assert found is not None and found.targets == pytest.approx(250.0)


def test_one_lucky_epoch_is_no_crossing() -> None:
    values = [3.0] * 40
    values[25] = 0.5
    assert crossing(records(values), 2.0, 1) is None


def test_what_is_there_after_the_first_epoch_has_no_known_time() -> None:
    assert crossing(records([1.0, 0.5]), 1.0, 1) == Crossing(100.0, at_once=True)
    assert crossing([], 1.0, 1) is None


def test_the_level_is_the_mean_plateau_and_the_margin_on_its_worse_side() -> None:
    ends = [1.0, 1.02, 0.98, 1.0, 1.0]
    found = speed(compared({"lstm": [line(0.5, end=end) for end in ends], "found": [line(1.0)] * 5})[0])
    assert (found.plateau, found.level, found.within) == (pytest.approx(1.0), pytest.approx(1.1), "")
    rising = {
        name: [[-value for value in line(slope)]] * 5 for name, slope in (("lstm", 0.5), ("found", 1.0))
    }
    found = speed(compared(rising, ACCURACY)[0])
    assert (found.plateau, found.level) == (pytest.approx(-1.0), pytest.approx(-1.5))
    assert found.targets[0] == pytest.approx(1000 * 3.5) and found.baseline_targets[0] == pytest.approx(7000)


def test_five_pairs_have_the_interval_that_scipy_computes() -> None:
    slopes = {"lstm": [0.2, 0.25, 0.3, 0.22, 0.27], "found": [0.5, 0.4, 0.45, 0.55, 0.35]}
    found = speed(compared({name: [line(slope) for slope in each] for name, each in slopes.items()})[0])
    pairs = zip(found.targets, found.baseline_targets, strict=True)
    logs = np.log([own / theirs for own, theirs in pairs if own and theirs])
    assert logs.shape == (5,) and logs.std() > 0.1
    low, high = stats.t.interval(0.95, 4, loc=logs.mean(), scale=stats.sem(logs))
    assert found.ratio == pytest.approx(math.exp(logs.mean()))
    assert found.ci95 == (pytest.approx(math.exp(low)), pytest.approx(math.exp(high)))
    assert found.reached == (5, 5)


def test_without_every_run_at_the_level_there_is_a_count_and_no_ratio() -> None:
    curves = {"lstm": [line(0.5)] * 5, "found": [*[line(0.5)] * 3, *[line(0.5, end=1.4)] * 2]}
    comparison, plan, _ = compared(curves)
    found = speed(comparison)
    assert (found.reached, found.ratio, found.ci95) == ((3, 5), None, None)
    assert speed_lines(comparison)[0] == (
        "`found` reached the LSTM's plateau (1.1 nats on validation, margin included) in 3 of 5 seeds, "
        "the LSTM in 5 of 5 (not every run came to it)."
    )
    late = plan.contenders[0].specs[0].id
    lost = speed(compared(curves, changed={late: {"status": "diverged", "test_statistics": None}})[0])
    assert (lost.reached, lost.targets[0]) == ((2, 5), None)


def test_a_pair_without_both_runs_is_left_out() -> None:
    curves = {name: [line(0.5)] * 6 for name in ("lstm", "found")}
    plan = plan_for(6)
    lost = {plan.baseline.specs[2].id: {"status": "failed", "test_statistics": None}}
    found = speed(compared(curves, changed=lost)[0])
    assert (len(found.targets), found.reached, found.ratio) == (5, (5, 5), pytest.approx(1.0))


def test_fewer_than_five_seeds_and_first_epochs_give_no_ratio() -> None:
    few = speed(compared({name: [line(0.5)] * 4 for name in ("lstm", "found")})[0])
    assert (few.reached, few.ratio, few.reason) == ((4, 4), None, "fewer than 5 seeds give no ratio")
    at_once = speed(compared({"lstm": [line(0.5)] * 5, "found": [[1.0] * 40] * 5})[0])
    assert at_once.ratio is None and "first epoch" in at_once.reason and at_once.reached == (5, 5)


def test_runs_that_end_far_apart_give_no_ratio_though_all_come_to_the_level() -> None:
    """The margin is 0.1: ends from 0.85 to 1.05 all lie below the level, those from 0.98 to 1.01 near each other."""
    far = {"lstm": [line(0.5)] * 5, "found": [line(0.5, end=end) for end in (0.85, 0.9, 0.95, 1.0, 1.05)]}
    near = {"lstm": [line(0.5)] * 5, "found": [line(0.5, end=end) for end in (0.98, 0.99, 1.0, 1.0, 1.01)]}
    apart, together = speed(compared(far)[0]), speed(compared(near)[0])
    assert apart.reached == together.reached == (5, 5)
    assert apart.ratio is None and "end too far apart" in apart.reason
    assert together.ratio is not None and together.reason == ""


def test_a_baseline_that_still_improves_has_a_level_with_a_limit() -> None:
    plan = plan_for(5)
    cut = {spec.id: {"converged_epoch": None, "ended_because": "cap"} for spec in plan.baseline.specs}
    falling = {"lstm": [line(0.05)] * 5, "found": [line(0.1)] * 5}
    cut = {id: {**fields, "best_epoch": 40} for id, fields in cut.items()}
    comparison = compared(falling, changed=cut)[0]
    assert speed(comparison).within == "within 40 epochs, still improving"
    told = speed_lines(comparison)[0]
    assert told.startswith("`found` reaches what the LSTM comes to within 40 epochs, still improving (")
    assert "plateau" not in told


def test_a_decaying_rate_says_nothing_of_speed() -> None:
    comparison, plan, results = compared({name: [line(0.5)] * 5 for name in ("lstm", "found")})
    bare = replace(comparison, contenders=(replace(comparison.contenders[0], learning_speed=None),))
    training = replace(plan.baseline.entry.training, epochs=40, decay="cosine")
    falling = replace(plan.baseline, entry=replace(plan.baseline.entry, training=training))
    assert with_learning_speeds(bare, LOSS, replace(plan, baseline=falling), results) is bare
    assert speed_lines(bare) == []


def test_it_changes_nothing_of_the_verdict_and_uses_none_of_its_words() -> None:
    comparison, plan, results = compared({"lstm": [line(0.2)] * 5, "found": [line(0.4)] * 5})
    before = judge((replace(LOSS, of="value"),), plan, results, counted="characters")
    without = replace(comparison, contenders=(replace(comparison.contenders[0], learning_speed=None),))
    assert without == before
    told = " ".join(speed_lines(comparison)).lower()
    assert told and not any(word in told for word in VERDICTS)


def test_the_sentence_has_the_ratio_the_seconds_and_for_what_was_tuned() -> None:
    comparison, *_ = compared({"lstm": [line(0.2)] * 5, "found": [line(0.4)] * 5})
    (row,) = comparison.contenders
    timed = replace(comparison, contenders=(with_seconds(row, 3e-5, 2e-5),))
    assert speed(timed).seconds_ratio == pytest.approx(0.75)
    first, remark = speed_lines(timed)
    assert first == (
        "`found` reaches the LSTM's plateau (1.1 nats on validation, margin included) after 0.50 [0.50, 0.50] "
        "times as many characters (95 %, over 5 seeds), 0.75 times the seconds of training."
    )
    assert "settings were not tuned; seconds are those of training steps" in remark
    tuned = replace(timed, baseline=replace(timed.baseline, tuned=True))
    assert "settings were tuned for the end of training, not for speed" in speed_lines(tuned)[-1]
    assert "seconds" not in " ".join(speed_lines(comparison))


def test_it_survives_json_and_files_from_before_have_none() -> None:
    comparison, *_ = compared({"lstm": [line(0.2)] * 5, "found": [line(0.4)] * 5})
    values = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert Comparison.from_dict(values) == comparison
    assert values["contenders"][0]["learning_speed"]["ratio"] == pytest.approx(0.5)
    del values["contenders"][0]["learning_speed"]
    assert Comparison.from_dict(values).contenders[0].learning_speed is None


def test_the_interval_covers_the_true_ratio() -> None:
    """Of a curve and the same one stretched; the figures in docs/statistics.md are of more comparisons."""
    rng = np.random.default_rng(1)
    repeats = 150
    found = [draw(rng, Population(0.7)).ci95 for _ in range(repeats)]
    intervals = [ci95 for ci95 in found if ci95 is not None]
    assert len(intervals) > 0.95 * repeats
    missed = np.mean([not low <= 0.7 <= high for low, high in intervals])
    assert missed <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert np.median([high / low for low, high in intervals]) < 2.0


def test_a_ratio_of_equal_times_is_one() -> None:
    assert ratio_of([2.0, 4.0, 6.0], [2.0, 4.0, 6.0]) == (1.0, (1.0, 1.0))
