"""The best so far, and the expected best of so many random draws, against counting all of them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from nas_rnn.comparison.budget import best_so_far, expected_best


def test_the_best_so_far_never_rises_and_begins_with_the_first_result() -> None:
    assert best_so_far([None, 3.0, math.nan, 4.0, 2.0, math.inf]) == [None, 3.0, 3.0, 3.0, 2.0, 2.0]


@pytest.mark.parametrize("losses", [[3.0, 1.0, 2.0, 5.0, 4.0], [1.0, 1.0, 2.0], [7.0]])
def test_the_expectation_is_the_mean_over_all_ways_to_draw(losses: list[float]) -> None:
    found = expected_best(losses)
    assert [best.draws for best in found] == list(range(1, len(losses) + 1))
    for best in found:
        bests = [min(drawn) for drawn in itertools.combinations(losses, best.draws)]
        assert best.expected == pytest.approx(np.mean(bests))
        low, high = np.quantile(bests, [0.1, 0.9], method="inverted_cdf")
        assert (best.low, best.high) == (low, high)


def test_who_diverged_counts_as_the_worst() -> None:
    assert expected_best([1.0, None, 3.0]) == expected_best([1.0, 3.0, 3.0])
    assert expected_best([None, None]) == [] == expected_best([])


def test_many_draws_stay_exact() -> None:
    found = expected_best([float(n) for n in range(1, 2001)])
    assert found[0].expected == pytest.approx(1000.5)
    assert found[-1].expected == pytest.approx(1.0)
    # The smallest of k of the numbers 1 .. N is (N + 1) / (k + 1) on average.
    assert found[499].expected == pytest.approx(2001 / 501)
