"""Final runs with the two best settings of each cell, in turn, and how their spread widens the interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from nas_rnn.comparison import Entry, FinalPlan, TaskChoice, final_specs, judge, paired_interval, sentence
from nas_rnn.comparison.power import Levels, hopeless, more_seeds
from nas_rnn.comparison.statistics import settings_of_seeds, settings_variance, widened
from nas_rnn.tasks import Mean, Metric, Perplexity
from nas_rnn.training import RunResult, TrainingOptions

BITS = Mean("bits", "bits", "minimize", 0.005, "relative", of="value", per="weight")
PERPLEXITY = Perplexity("perplexity", "perplexity", "minimize", 0.01, "relative", of="value", per="weight")
TASK = TaskChoice("char-lm", {})
SECOND = {"learning_rate": 0.5, "weight_decay": 0.25}


def entry(name: str, second: dict[str, float] | None = SECOND) -> Entry:
    return Entry(
        name=name, cell="", digest=name, hidden_size=4, parameters=100, training=TrainingOptions(learning_rate=0.1),
        tuned=True, tried=8, second=second,
    )  # fmt: skip


def plan(seeds: int, second: dict[str, float] | None = SECOND) -> FinalPlan:
    return final_specs(entry("lstm", second), [entry("own", second)], task=TASK, seed=0, seeds=seeds)


def results(
    given: FinalPlan, shifts: dict[tuple[str, float], float], noise: float = 0.0
) -> dict[str, RunResult]:
    """Results of 60 items, shifted by cell and learning rate."""
    rng = np.random.default_rng(1)
    items = rng.normal(2.0, 0.1, 60)
    found = {}
    for spec in given.specs:
        values = items + shifts[spec.name, spec.training.learning_rate] + rng.normal(0, noise or 1e-9, 60)
        found[spec.id] = RunResult(
            id=spec.id, status="finished", reason=None, epochs=[], best_epoch=1, best_metric=2.0, parameters=100,
            test_statistics={"value": (8 * values).tolist(), "weight": [8.0] * 60}, seconds=1.0,
        )  # fmt: skip
    return found


def test_runs_have_the_one_and_the_other_in_turn() -> None:
    made = plan(5)
    for planned in (made.baseline, *made.contenders):
        assert [spec.training.learning_rate for spec in planned.specs] == [0.1, 0.5, 0.1, 0.5, 0.1]
        assert [spec.training.weight_decay for spec in planned.specs] == [0.0, 0.25, 0.0, 0.25, 0.0]
        assert [planned.entry.setting_of(run) for run in range(5)] == [0, 1, 0, 1, 0]
    assert len({spec.training for spec in plan(5, None).specs}) == 1
    assert [spec.seed for spec in plan(5, None).specs] == [spec.seed for spec in made.specs]


@pytest.mark.parametrize(
    ("broken", "verdict", "told"),
    [
        (
            (1,),
            "undecided",
            "diverged in 1 of 5 runs, with its second-best settings alone, the baseline in none",
        ),
        (
            (1, 3),
            "undecided",
            "diverged in 2 of 5 runs, with its second-best settings alone, the baseline in none",
        ),
        ((0, 1), "worse", "diverged in 2 of 5 runs, the baseline in none"),
    ],
)
def test_to_diverge_with_the_second_best_settings_alone_is_not_to_be_worse(
    broken: tuple[int, ...], verdict: str, told: str
) -> None:
    """Which settings are the second best is chance, and with the best ones the cell trains."""
    made = plan(5)
    given = results(made, {(name, rate): 0.0 for name in ("lstm", "own") for rate in (0.1, 0.5)})
    found = given | {
        spec.id: replace(given[spec.id], status="diverged", reason="loss became nan", test_statistics=None)
        for number, spec in enumerate(made.contenders[0].specs)
        if number in broken
    }
    comparison = judge([BITS], made, found)
    assert (comparison.contenders[0].verdict, comparison.contenders[0].reason) == (
        verdict,
        f"{told} ({made.contenders[0].specs[broken[0]].id}: loss became nan)",
    )
    assert "more seeds" not in sentence(comparison)


def test_the_variance_of_the_mean_by_the_choice_of_settings() -> None:
    assert settings_variance([1.0, 3.0], [0, 1]) == pytest.approx(2.0 / 2)
    assert settings_variance([1.0, 4.0, 2.0], [0, 1, 0]) == pytest.approx(2.5**2 / 2 * (4 + 1) / 9)
    assert settings_variance([1.0, 4.0], [0, 0]) == settings_variance([1.0], [1]) == 0.0


def test_two_settings_that_are_drawn_have_a_mean_of_that_variance() -> None:
    rng = np.random.default_rng(0)
    settings = rng.normal(0, 1, (20_000, 2))
    values = settings[:, [0, 1, 0, 1, 0]]
    expected = np.mean([settings_variance(row, [0, 1, 0, 1, 0]) for row in values.tolist()])
    assert values.mean(axis=1).var() == pytest.approx(expected, rel=0.05)


def test_seeds_alone_make_settings_differ() -> None:
    rng = np.random.default_rng(0)
    settings = [0, 1, 0, 1, 0]
    values = rng.normal(0, 1, (4_000, 5)).tolist()
    expected = np.mean([settings_variance(row, settings) for row in values])
    by_seeds, least = np.transpose([settings_of_seeds(row, settings) for row in values])
    # Never more than there is, so less than expected.
    assert 0.4 * expected < by_seeds.mean() < expected
    assert (least > 0).mean() == pytest.approx(0.05, abs=0.01)
    apart = [10.0, 0.1, 10.2, 0.0, 10.1]
    of_seeds, left = settings_of_seeds(apart, settings)
    assert (
        0 < of_seeds < 0.01 * settings_variance(apart, settings) < left < settings_variance(apart, settings)
    )
    # Of two values nobody knows: all may be of the seeds.
    assert settings_of_seeds([1.0, 3.0], [0, 1]) == (settings_variance([1.0, 3.0], [0, 1]), 0.0)
    assert settings_of_seeds([1.0, 1.0, 1.0], [0, 1, 0]) == (0.0, 0.0)


@pytest.mark.parametrize("seeds", [4, 5, 8, 16])
def test_more_seeds_are_not_called_useless_for_what_seeds_alone_did(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    settings, levels = (
        [run % 2 for run in range(seeds)],
        Levels(difference=0.05, equivalence=0.05, margin=0.5),
    )
    called = 0
    for _ in range(200):
        differences = rng.normal(0, 1, (seeds, 1)) + rng.normal(0, 0.1, (1, 20))
        found = paired_interval(differences, np.zeros_like(differences), np.ones(20))
        by = settings_variance(found.per_seed, settings)
        wide = widened(found, by, of_seeds=settings_of_seeds(found.per_seed, settings))
        called += hopeless(wide, levels) == "settings"
    assert called <= 4


def test_more_seeds_are_still_called_useless_where_settings_lie_apart() -> None:
    values = [3.0, -3.1, 3.1, -3.0, 3.05, -3.05, 2.95, -2.95]
    settings, levels = [0, 1] * 4, Levels(difference=0.05, equivalence=0.05, margin=0.1)
    found = paired_interval(np.outer(values, np.ones(20)), np.zeros((8, 20)), np.ones(20))
    by, of_seeds = settings_variance(values, settings), settings_of_seeds(values, settings)
    wide = widened(found, by, of_seeds=of_seeds)
    assert more_seeds(wide, levels) is None


def test_an_interval_is_widened_around_its_middle() -> None:
    rng = np.random.default_rng(0)
    found = paired_interval(rng.normal(0.5, 1, (5, 40)), rng.normal(0, 1, (5, 40)), np.ones(40))
    wide = widened(found, 0.3, alpha=0.1)
    assert wide.variance == pytest.approx(found.variance + 0.3)
    assert wide.ci95 is not None
    half = special.stdtrit(found.degrees_of_freedom, 0.95) * (found.variance + 0.3) ** 0.5
    assert wide.ci95 == pytest.approx((found.difference - half, found.difference + half))
    assert widened(found, 0.0).ci95 == found.ci95


@pytest.mark.parametrize("metric", [BITS, PERPLEXITY], ids=["a mean", "by its ratio"])
def test_differences_that_lie_apart_leave_undecided_what_their_seeds_alone_would_decide(
    metric: Metric,
) -> None:
    apart = {("lstm", 0.1): 0.0, ("lstm", 0.5): 0.2, ("own", 0.1): -0.3, ("own", 0.5): 0.5}
    made = plan(4)
    found = judge((metric,), made, results(made, apart, 0.01))
    (row,) = found.contenders
    assert row.verdict == "undecided"
    assert (
        row.more_seeds_reason
        == "the difference at the best settings and that at the second best lie too far apart"
    )
    assert "over 4 seeds, two settings of each cell and the test items" in sentence(found)
    assert found.baseline.second == SECOND and row.standing.second == SECOND
    near = {**apart, ("lstm", 0.5): 0.0, ("own", 0.5): -0.3}
    assert judge((metric,), made, results(made, near, 0.01)).contenders[0].verdict == "better"


@pytest.mark.parametrize("metric", [BITS, PERPLEXITY], ids=["a mean", "by its ratio"])
def test_what_both_cells_lose_by_a_setting_is_no_difference_between_them(metric: Metric) -> None:
    alike = {("lstm", 0.1): 0.0, ("lstm", 0.5): 0.2, ("own", 0.1): -0.1, ("own", 0.5): 0.1}
    made = plan(4)
    row = judge((metric,), made, results(made, alike, 0.01)).contenders[0]
    assert row.verdict == "better" and row.ci95 is not None
    assert row.ci95[1] - row.ci95[0] < 0.3
    assert row.covers == "seeds, two settings of each cell and test items"


def test_the_width_is_that_of_the_differences_at_both_settings() -> None:
    apart = {("lstm", 0.1): 0.0, ("lstm", 0.5): 0.2, ("own", 0.1): -0.1, ("own", 0.5): 0.3}
    made = plan(4)
    row = judge((BITS,), made, results(made, apart)).contenders[0]
    assert row.difference == pytest.approx(0.0, abs=1e-6)
    assert row.in_margins is not None
    margin = 0.005 * (2.0 + 0.1)  # about: the items' own mean is near 2
    # Differences of -0.1 and 0.1 have a variance of 0.2 ** 2 / 2, their mean half of it. Between the four seeds it is
    # 0.04 / 3, and a quarter of that is added: what settings differ by counts as a difference of seeds as well.
    assert row.in_margins.error * margin == pytest.approx((0.01 + 0.01 / 3) ** 0.5, rel=0.02)


def test_of_pairs_that_are_left_only_with_one_setting_nothing_is_added() -> None:
    made = plan(4)
    found = results(
        made, dict.fromkeys([("lstm", 0.1), ("own", 0.1), ("lstm", 0.5), ("own", 0.5)], 0.0), 0.01
    )
    for spec in made.contenders[0].specs[1::2]:
        found[spec.id] = replace(found[spec.id], status="failed", test_statistics=None)
    row = judge((BITS,), made, found).contenders[0]
    assert row.pairs == 2 and row.covers == "seeds and test items"


def test_what_is_covered_is_told_of_one_cell_where_the_other_has_but_one_setting() -> None:
    apart = {("lstm", 0.1): 0.0, ("own", 0.1): -0.1, ("own", 0.5): 0.1}
    made = final_specs(entry("lstm", None), [entry("own")], task=TASK, seed=0, seeds=4)
    found = judge((BITS,), made, results(made, apart, 0.01))
    assert found.contenders[0].covers == "seeds, two settings of one cell and test items"
    assert "over 4 seeds, two settings of one cell and the test items;" in sentence(found)
    assert found.baseline.second == {}


def test_one_run_has_no_second_settings_to_tell_of() -> None:
    made = plan(1)
    found = judge((BITS,), made, results(made, {("lstm", 0.1): 0.0, ("own", 0.1): -0.1}, 0.01))
    assert found.baseline.second == {} == found.contenders[0].standing.second
    assert found.contenders[0].covers == "test items only"


def test_without_items_to_compare_the_seeds_and_settings_are_covered() -> None:
    found = replace(paired_interval([[1.0], [2.0], [4.0]], [[0.0], [0.5], [1.0]], [1.0]))
    assert found.covers == "seeds only"
    assert (
        widened(found, 0.1, covers="two settings of each cell").covers
        == "seeds and two settings of each cell only"
    )
