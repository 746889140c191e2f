"""Items that belong together never fall into two blocks of the interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nas_rnn.comparison import paired_interval
from nas_rnn.comparison.statistics import block_of, super_blocks

Floats = NDArray[np.float64]


def samples(seed: int, items: int, seeds: int = 4) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    shape = (seeds, items)
    return rng.normal(2.2, 0.1, shape), rng.normal(2.3, 0.1, shape), rng.uniform(0.5, 2.0, items)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), items=st.integers(1, 300), groups=st.integers(1, 60))
def test_every_group_is_in_one_block(seed: int, items: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    group_N = rng.integers(0, groups, items)
    weights_N = rng.uniform(0.1, 2.0, items)
    block_N = block_of(weights_N / weights_N.sum(), group_N)
    assert sorted(set(block_N)) == list(range(block_N.max() + 1))
    for group in np.unique(group_N):
        assert len(set(block_N[group_N == group])) == 1
    present = len(np.unique(group_N))
    assert block_N.max() + 1 == present if present <= 10 else block_N.max() < 16


def test_blocks_follow_the_order_in_which_groups_first_appear() -> None:
    names = np.array(["zoe", "ann", "zoe", "bob", "ann", "bob"])
    assert block_of(np.full(6, 1 / 6), names).tolist() == [0, 1, 0, 2, 1, 2]


def test_groups_of_neighbours_in_order_are_as_before() -> None:
    """Ten groups of six: the very blocks of sixty items without groups."""
    candidate, baseline, _ = samples(1, 60)
    plain = paired_interval(candidate, baseline, np.ones(60))
    assert paired_interval(candidate, baseline, np.ones(60), groups=np.repeat(np.arange(10), 6)) == plain


def test_items_of_a_group_need_not_be_neighbours() -> None:
    candidate, baseline, weights = samples(2, 90)
    one = paired_interval(candidate, baseline, weights, groups=np.repeat(np.arange(9), 10))
    apart = np.concatenate(
        [np.arange(9) * 10 + place for place in range(10)]
    )  # one item of each group in turn
    other = paired_interval(
        candidate[:, apart], baseline[:, apart], weights[apart], groups=np.tile(np.arange(9), 10)
    )
    assert one.ci95 is not None and other.ci95 == pytest.approx(one.ci95)


def test_means_of_groups_stand_for_their_items() -> None:
    values = np.array([[1.0, 2.0, 3.0, 6.0]])
    means, weights = super_blocks(values, np.array([0.1, 0.2, 0.3, 0.4]), np.array([5, 9, 5, 9]))
    assert means[0] == pytest.approx([(0.1 + 0.9) / 0.4, (0.4 + 2.4) / 0.6])
    assert weights == pytest.approx([0.4, 0.6])


def test_items_that_resemble_each_other_in_groups_need_them() -> None:
    """Twelve speakers who differ, in turn: without groups two in five intervals and more miss."""
    rng = np.random.default_rng(5)
    speakers = np.tile(np.arange(12), 20)
    missed = {"groups": 0, "plain": 0}
    for _ in range(150):
        difference = rng.normal(0, 1, 12)[speakers] + rng.normal(0, 0.5, (4, 240))
        for name, groups in (("groups", speakers), ("plain", None)):
            low, high = paired_interval(difference, np.zeros((4, 240)), np.ones(240), groups=groups).ci95 or (
                0,
                0,
            )
            missed[name] += low > 0 or high < 0
    assert missed["groups"] / 150 <= 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5
    assert missed["plain"] / 150 > 0.4


def test_one_group_says_nothing_about_items() -> None:
    candidate, baseline, weights = samples(4, 50)
    interval = paired_interval(candidate, baseline, weights, groups=["all"] * 50, item="sentence")
    assert (interval.covers, interval.item_variance, interval.super_blocks) == ("seeds only", None, 1)
    single = paired_interval(candidate[:1], baseline[:1], weights, groups=["all"] * 50)
    assert (single.ci95, single.covers) == (None, "nothing")


def test_items_without_weight_take_their_group_with_them() -> None:
    candidate, baseline, weights = samples(6, 30)
    weights[::3] = 0.0
    groups = np.arange(30) // 5
    kept = weights > 0
    one = paired_interval(candidate, baseline, weights, groups=groups)
    assert one == paired_interval(candidate[:, kept], baseline[:, kept], weights[kept], groups=groups[kept])


def test_there_is_a_group_for_every_item() -> None:
    candidate, baseline, weights = samples(7, 30)
    with pytest.raises(ValueError, match="expected one group for each of 30 items"):
        paired_interval(candidate, baseline, weights, groups=np.arange(29))
