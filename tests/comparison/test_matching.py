"""Hidden sizes that match a number of parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_rnn.comparison import Match, mismatch_warning, nearest_hidden_size
from nas_rnn.errors import UserError


def lstm_parameters(hidden: int) -> int:
    """A one-layer language model over 64 symbols, one-hot input."""
    return 4 * hidden * (64 + hidden + 1) + 64 * (hidden + 1)


@given(
    square=st.integers(0, 12),
    linear=st.integers(1, 500),
    fixed=st.integers(0, 1000),
    multiple_of=st.integers(1, 9),
    target=st.integers(1, 20_000),
)
def test_no_other_size_is_nearer(square: int, linear: int, fixed: int, multiple_of: int, target: int) -> None:
    def count(hidden: int) -> int:
        return square * hidden * hidden + linear * hidden + fixed

    if count(multiple_of) > 2 * target:
        with pytest.raises(UserError, match=f"{count(multiple_of):,}"):
            nearest_hidden_size(count, target, multiple_of=multiple_of)
        return
    match = nearest_hidden_size(count, target, multiple_of=multiple_of)
    sizes = range(multiple_of, 20_000 + 2 * multiple_of, multiple_of)
    reachable = [size for size in sizes if count(size) <= 4 * target + fixed] or [multiple_of]
    nearest = min(abs(count(size) - target) for size in reachable)
    assert abs(match.parameters - target) == nearest
    assert match.hidden_size % multiple_of == 0
    assert match.parameters == count(match.hidden_size)
    assert match.mismatch == pytest.approx(match.parameters / target - 1)


def test_the_same_cell_finds_its_own_size_again() -> None:
    assert nearest_hidden_size(lstm_parameters, lstm_parameters(137)) == Match(137, lstm_parameters(137), 0.0)


def test_of_two_sizes_equally_near_the_smaller_is_taken() -> None:
    assert nearest_hidden_size(lambda hidden: 10 * hidden, 25).hidden_size == 2


def test_counting_is_done_a_logarithmic_number_of_times() -> None:
    asked: list[int] = []

    def count(hidden: int) -> int:
        asked.append(hidden)
        return hidden

    assert nearest_hidden_size(count, 100_000).hidden_size == 100_000
    assert len(asked) < 50


def test_a_count_that_does_not_grow_is_an_error_and_not_an_endless_search() -> None:
    with pytest.raises(UserError, match="still has only 10"):
        nearest_hidden_size(lambda hidden: 10, 1000)


def test_a_target_that_is_too_small_is_answered_by_one_that_leaves_the_cell_something() -> None:
    with pytest.raises(UserError, match=r"has 28,928, .* give a larger target, such as 58000$"):
        nearest_hidden_size(lambda hidden: 28_927 + hidden**2, 2000)
    with pytest.raises(UserError, match=r"such as 6$"):
        nearest_hidden_size(lambda hidden: 3 * hidden, 1)


@pytest.mark.parametrize(("target", "multiple_of"), [(0, 1), (10, 0)])
def test_nonsense_is_refused(target: int, multiple_of: int) -> None:
    with pytest.raises(UserError):
        nearest_hidden_size(lambda hidden: hidden, target, multiple_of=multiple_of)


def test_a_warning_comes_above_one_per_cent_only() -> None:
    assert mismatch_warning(Match(8, 1009, 0.009)) is None
    assert "has 1,020 parameters, 2.0 % more" in (mismatch_warning(Match(8, 1020, 0.02)) or "")
    assert "3.0 % fewer" in (mismatch_warning(Match(8, 970, -0.03)) or "")
