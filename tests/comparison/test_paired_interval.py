"""The interval holds its level: simulated coverage, symmetry, and the cases at the edge."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from nas_rnn.comparison import paired_interval
from nas_rnn.comparison.statistics import plural

Floats = NDArray[np.float64]


def correlated(rng: np.random.Generator, shape: tuple[int, int], rho: float) -> Floats:
    """Rows of unit variance in which neighbours correlate by ``rho``."""
    rows = rng.normal(size=shape)
    for step in range(1, shape[1]):
        rows[:, step] = rho * rows[:, step - 1] + math.sqrt(1 - rho * rho) * rows[:, step]
    return rows


def differences(
    rng: np.random.Generator,
    seeds: int,
    items: int,
    seed_sd: float,
    item_sd: float,
    rest_sd: float,
    rho: float,
) -> Floats:
    """Paired differences whose true mean is zero; ``seed_sd`` is in units of an item's share in the mean."""
    seed = rng.normal(0, seed_sd / math.sqrt(items), (seeds, 1))
    item = correlated(rng, (1, items), rho)
    return seed + item_sd * item + rest_sd * correlated(rng, (seeds, items), rho)


def coverage(
    repeats: int, seeds: int, items: int, sds: tuple[float, float, float], rho: float = 0.0
) -> float:
    """Return how often the interval contains the true difference of 0.3."""
    rng = np.random.default_rng(20_240)
    hits = 0
    for _ in range(repeats):
        baseline = rng.normal(2.0, 0.5, (1, items)) + np.zeros((seeds, 1))
        candidate = baseline + 0.3 + differences(rng, seeds, items, *sds, rho)
        ci95 = paired_interval(candidate, baseline, np.ones(items)).ci95
        assert ci95 is not None
        hits += ci95[0] <= 0.3 <= ci95[1]
    return hits / repeats


@pytest.mark.parametrize("seeds", [2, 3, 5, 8])
@pytest.mark.parametrize("sds", [(1.5, 0.1, 0.1), (1.5, 1.0, 1.0), (0.0, 1.0, 1.0), (2.0, 0.0, 1.0)])
def test_it_covers_seeds_and_items(seeds: int, sds: tuple[float, float, float]) -> None:
    assert coverage(400, seeds, 60, sds) >= 0.92


@pytest.mark.parametrize("seeds", [5, 8])
def test_neighbours_that_resemble_each_other_do_not_narrow_it(seeds: int) -> None:
    assert coverage(400, seeds, 200, (1.5, 1.0, 1.0), rho=0.5) >= 0.92


def test_it_is_not_wider_than_it_must_be() -> None:
    """At most a fifth wider than with the standard error known, and the seeds' degrees of freedom."""
    rng = np.random.default_rng(5)
    seeds, items = 8, 100
    widths = []
    for _ in range(200):
        sample = differences(rng, seeds, items, 10.0, 2.0, 1.0, 0.0)
        low, high = paired_interval(sample, np.zeros_like(sample), np.ones(items)).ci95 or (0.0, 0.0)
        widths.append((high - low) / 2)
    error = math.sqrt(10.0**2 / items / seeds + 2.0**2 / items + 1.0 / items / seeds)
    assert np.mean(widths) < 1.2 * error * float(stats.t.ppf(0.975, seeds))


@pytest.mark.parametrize("seeds", [5, 8])
@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_a_cell_against_itself_is_seldom_called_better_or_worse(seeds: int, rho: float) -> None:
    rng = np.random.default_rng(99)
    wrong = 0
    for _ in range(400):
        sample = differences(rng, seeds, 200, 1.5, 1.0, 1.0, rho)
        low, high = paired_interval(sample, np.zeros_like(sample), np.ones(200)).ci95 or (0.0, 0.0)
        wrong += low > 0 or high < 0
    assert wrong / 400 <= 0.07


def samples(seed: int, seeds: int, items: int) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    shape = (seeds, items)
    return rng.normal(2.2, 0.1, shape), rng.normal(2.3, 0.1, shape), rng.uniform(0.5, 2.0, items)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), seeds=st.integers(1, 6), items=st.integers(1, 130))
def test_swapping_the_two_flips_the_signs(seed: int, seeds: int, items: int) -> None:
    candidate, baseline, weights = samples(seed, seeds, items)
    one = paired_interval(candidate, baseline, weights)
    other = paired_interval(baseline, candidate, weights)
    assert other.difference == pytest.approx(-one.difference)
    assert (one.ci95 is None) == (other.ci95 is None) == (seeds == items == 1)
    if one.ci95 and other.ci95:
        assert other.ci95 == pytest.approx((-one.ci95[1], -one.ci95[0]))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    seeds=st.integers(2, 6),
    items=st.integers(2, 130),
    scale=st.sampled_from([1e-120, 1e-3, 7.0, 1e120]),
)
def test_units_do_not_matter(seed: int, seeds: int, items: int, scale: float) -> None:
    candidate, baseline, weights = samples(seed, seeds, items)
    one = paired_interval(candidate, baseline, weights)
    other = paired_interval(scale * candidate, scale * baseline, 3.0 * weights)
    assert one.ci95 is not None
    assert other.ci95 == pytest.approx((scale * one.ci95[0], scale * one.ci95[1]))
    assert other.degrees_of_freedom == pytest.approx(one.degrees_of_freedom)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), seeds=st.integers(1, 6), items=st.integers(1, 400))
def test_the_mean_is_the_weighted_mean_of_all_items_whatever_the_blocks(
    seed: int, seeds: int, items: int
) -> None:
    candidate, baseline, weights = samples(seed, seeds, items)
    interval = paired_interval(candidate, baseline, weights)
    per_seed = np.average(candidate - baseline, axis=1, weights=weights)
    assert interval.per_seed == pytest.approx(tuple(per_seed))
    assert interval.difference == pytest.approx(per_seed.mean())
    assert interval.super_blocks <= 16


def test_one_item_gives_students_interval_of_the_seeds() -> None:
    sample = np.array([[0.1], [0.4], [0.2], [0.3], [0.6]])
    interval = paired_interval(sample, np.zeros_like(sample), [7.0], item="sentence")
    expected = stats.t.interval(0.95, 4, loc=sample.mean(), scale=stats.sem(sample[:, 0]))
    assert interval.ci95 == pytest.approx(expected)
    assert interval.covers == "seeds only"


def test_one_seed_gives_students_interval_of_the_items_and_says_so() -> None:
    sample = np.array([[0.1, 0.4, 0.2, 0.3, 0.6]])
    interval = paired_interval(sample, np.zeros_like(sample), np.ones(5), item="block")
    expected = stats.t.interval(0.95, 4, loc=sample.mean(), scale=stats.sem(sample[0]))
    assert interval.ci95 == pytest.approx(expected)
    assert interval.covers == "test blocks only"


def test_two_seeds_and_items_cover_both() -> None:
    assert paired_interval([[1.0, 2.0], [3.0, 5.0]], np.zeros((2, 2)), [1, 1], item="melody").covers == (
        "seeds and test melodies"
    )


def test_no_spread_gives_an_interval_of_no_width() -> None:
    items = np.tile(np.arange(60.0), (5, 1))
    interval = paired_interval(items + 0.5, items, np.ones(60))
    assert interval.ci95 == pytest.approx((0.5, 0.5))
    assert paired_interval(items, items, np.ones(60)).ci95 == (0.0, 0.0)


@pytest.mark.parametrize("correct", [100.0, 1.0])
@pytest.mark.parametrize("others_err", [False, True])
def test_a_few_items_all_right_do_not_show_that_there_is_no_difference(
    correct: float, others_err: bool
) -> None:
    """With N items the half width is about 2 / N of the step between right and wrong."""
    values = np.full((5, 40), correct)
    values[:, 7] = 0.0 if others_err else correct
    low, high = paired_interval(values, values, np.ones(40)).ci95 or (0.0, 0.0)
    assert low == -high
    assert 2.0 / 42 < high / correct < 2.3 / 42
    many = np.tile(values, 100)
    assert (paired_interval(many, many, np.ones(4000)).ci95 or (0.0, 1.0))[1] < 2.3 * correct / 4000


def test_values_of_many_kinds_need_no_such_care() -> None:
    candidate, baseline, weights = samples(3, 5, 60)
    plain = paired_interval(candidate, baseline, weights)
    assert plain.item_variance is not None
    deviations = np.average(candidate - baseline, axis=0)
    assert plain.item_variance < 2 * deviations.var() / 60


def test_one_item_that_outweighs_all_others_leaves_one_degree_of_freedom_and_no_error() -> None:
    sample = np.array([[0.1, 0.4, 0.2]])
    interval = paired_interval(sample, np.zeros_like(sample), [1.0, 1e6, 1.0])
    assert interval.degrees_of_freedom == 1.0
    assert interval.difference == pytest.approx(0.4, abs=1e-5)


def test_items_without_weight_count_for_nothing() -> None:
    candidate, baseline, weights = samples(1, 3, 20)
    padded = np.pad(candidate, ((0, 0), (0, 3)), constant_values=np.nan)
    interval = paired_interval(padded, np.pad(baseline, ((0, 0), (0, 3))), np.pad(weights, (0, 3)))
    assert interval == paired_interval(candidate, baseline, weights)


@pytest.mark.parametrize(
    ("candidate", "baseline", "weights"),
    [
        ([1.0, 2.0], [1.0, 2.0], [1, 1]),
        ([[1.0, 2.0]], [[1.0]], [1]),
        ([[1.0, 2.0]], [[1.0, 2.0]], [1]),
        ([[1.0, np.nan]], [[1.0, 2.0]], [1, 1]),
        ([[1.0, np.inf]], [[1.0, 2.0]], [1, 1]),
        ([[1.0, 2.0]], [[1.0, 2.0]], [0, 0]),
        ([[1.0, 2.0]], [[1.0, 2.0]], [2, -1]),
    ],
)
def test_what_cannot_be_compared_is_refused(
    candidate: list[list[float]], baseline: list[list[float]], weights: list[float]
) -> None:
    with pytest.raises(ValueError, match=r"expected|must be"):
        paired_interval(candidate, baseline, weights)


@pytest.mark.parametrize(
    ("word", "several"),
    [("block", "blocks"), ("series", "series"), ("glass", "glasses"), ("day", "days"), ("entry", "entries")],
)
def test_the_plural_of_an_item(word: str, several: str) -> None:
    assert plural(word) == several
