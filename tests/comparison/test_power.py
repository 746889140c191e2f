"""What is promised of more seeds comes true in simulated comparisons."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from nas_rnn.comparison import Levels, Spread, more_seeds, p_values, paired_interval, power, verdict_of
from nas_rnn.comparison.power import PROMISED, hopeless
from nas_rnn.comparison.statistics import widened

Floats = NDArray[np.float64]
BLOCKS = 16
LEVELS = Levels(difference=0.05, equivalence=0.05, margin=0.0)


def spread(seed: float, item: float, rest: float) -> Spread:
    """Standard deviations of the mean: of a pair of seeds without rest, of items, of the rest of one pair."""
    return Spread(seed=seed**2 + rest**2, item=item**2, rest=rest**2, item_freedom=BLOCKS - 1)


def comparisons(
    rng: np.random.Generator, effect: float, sds: tuple[float, float, float], seeds: int
) -> Floats:
    seed, item, rest = sds
    return (
        effect
        + rng.normal(0, seed, (seeds, 1))
        + rng.normal(0, item * math.sqrt(BLOCKS), (1, BLOCKS))
        + rng.normal(0, rest * math.sqrt(BLOCKS), (seeds, BLOCKS))
    )


def settled_share(effect: float, sds: tuple[float, float, float], seeds: int, levels: Levels) -> float:
    rng, repeats, found = np.random.default_rng(17), 1200, 0
    for _ in range(repeats):
        sample = comparisons(rng, effect, sds, seeds)
        interval = paired_interval(sample, np.zeros_like(sample), np.ones(BLOCKS))
        tests = p_values(interval, levels.margin)
        assert tests is not None
        verdict = verdict_of(interval.difference, tests.difference, tests.equivalence, levels.difference)
        found += verdict != "undecided"
    return found / repeats


@pytest.mark.parametrize("seeds", [3, 5, 8])
@pytest.mark.parametrize("sds", [(1.0, 0.1, 0.1), (1.0, 0.4, 0.7), (0.1, 0.5, 1.0)])
def test_a_known_effect_is_found_as_often_as_promised(sds: tuple[float, float, float], seeds: int) -> None:
    effect = 0.1
    while power(effect, spread(*sds), seeds, LEVELS) < PROMISED:
        effect *= 1.05
    promised = power(effect, spread(*sds), seeds, LEVELS)
    assert PROMISED <= promised < PROMISED + 0.05
    assert settled_share(effect, sds, seeds, LEVELS) == pytest.approx(promised, abs=0.035)


@pytest.mark.parametrize("effect", [0.0, 0.5])
def test_equivalence_is_found_as_often_as_promised(effect: float) -> None:
    sds, levels = (1.0, 0.2, 0.5), Levels(difference=0.05, equivalence=0.05, margin=1.6)
    promised = power(effect, spread(*sds), 8, levels)
    assert 0.3 < promised < 0.95
    assert settled_share(effect, sds, 8, levels) == pytest.approx(promised, abs=0.035)


def test_without_an_effect_a_difference_is_found_in_at_most_five_per_cent() -> None:
    for seeds in (2, 3, 5, 8, 32):
        for sds in ((1.0, 0.0, 0.0), (1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.3, 0.5)):
            assert power(0.0, spread(*sds), seeds, LEVELS) <= 0.06


def interval_of(effect: float, sds: tuple[float, float, float], seeds: int):
    sample = comparisons(np.random.default_rng(4), 0.0, sds, seeds)
    sample += effect - sample.mean()
    return paired_interval(sample, np.zeros_like(sample), np.ones(BLOCKS))


def test_so_many_more_seeds_settle_it_on_these_items() -> None:
    """With the spread and the difference seen, on the same items, four of five such comparisons are settled."""
    interval = interval_of(0.8, (1.0, 0.1, 0.5), 5)
    extra = more_seeds(interval, LEVELS)
    assert extra is not None and 0 < extra < 60
    seen = Spread.seen(interval)
    assert seen is not None
    rng, found = np.random.default_rng(23), 0
    item = rng.normal(size=(1, BLOCKS))
    item = (item - item.mean()) * math.sqrt(seen.item or 0.0) * math.sqrt(BLOCKS) / item.std(ddof=1)
    own = math.sqrt(seen.seed - seen.rest)
    for _ in range(600):
        sample = 0.8 + item + comparisons(rng, 0.0, (own, 0.0, math.sqrt(seen.rest)), 5 + extra)
        tests = p_values(paired_interval(sample, np.zeros_like(sample), np.ones(BLOCKS)), 0.0)
        assert tests is not None
        found += tests.difference < 0.05
    assert found / 600 >= PROMISED - 0.04
    assert power(0.8, seen, 5 + extra - 1, LEVELS, same_items=True) < PROMISED


def test_smaller_differences_and_stricter_tests_need_more() -> None:
    extra = [more_seeds(interval_of(effect, (1.0, 0.0, 0.3), 5), LEVELS) for effect in (0.9, 0.6, 0.4)]
    assert None not in extra and sorted(extra, key=lambda count: count or 0) == extra and extra[0] != extra[2]
    strict = Levels(difference=0.01, equivalence=0.01, margin=0.0)
    interval = interval_of(0.6, (1.0, 0.0, 0.3), 5)
    assert (more_seeds(interval, strict) or 0) > (more_seeds(interval, LEVELS) or 0)


def test_where_the_items_are_too_few_no_number_of_seeds_helps() -> None:
    interval = interval_of(0.1, (0.2, 3.0, 0.2), 5)
    assert more_seeds(interval, LEVELS) is None
    assert hopeless(interval, LEVELS) == "items"
    assert hopeless(interval_of(0.1, (3.0, 0.2, 0.2), 5), LEVELS) == ""
    wide = Levels(difference=0.05, equivalence=0.05, margin=20.0)
    assert hopeless(interval, wide) == ""


def test_where_settings_lie_too_far_apart_no_number_of_seeds_helps() -> None:
    interval = interval_of(0.6, (1.0, 0.0, 0.3), 5)
    assert hopeless(interval, LEVELS) == "" and more_seeds(interval, LEVELS) is not None
    apart = widened(interval, 4.0)
    assert hopeless(apart, LEVELS) == "settings" and more_seeds(apart, LEVELS) is None
    assert hopeless(widened(interval_of(0.1, (0.2, 3.0, 0.2), 5), 4.0), LEVELS) == "items"


def test_one_pair_of_seeds_does_not_say() -> None:
    interval = paired_interval([[1.0, 2.0, 4.0]], [[0.0, 0.5, 5.0]], np.ones(3))
    assert more_seeds(interval, LEVELS) is None and hopeless(interval, LEVELS) == ""


def test_seeds_alone_without_items() -> None:
    """Student's own case: the known sample size for an effect of one standard deviation."""
    seeds = Spread(seed=1.0, item=None, rest=0.0, item_freedom=0.0)
    assert power(1.0, seeds, 10, LEVELS) == pytest.approx(0.8031, abs=0.02)
