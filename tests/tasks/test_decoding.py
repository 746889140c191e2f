"""Greedy and beam search over models whose every sequence can be counted out."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas_rnn.tasks.decoding import beam_search, follow

END, SYMBOLS, LONGEST = 1, 4, 4


class Table:
    """Logits by column, the last symbol and the step: what follows depends on both, and on nothing beside it."""

    def __init__(self, seed: int, columns: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        shape = (columns, LONGEST, SYMBOLS, SYMBOLS)
        self.logits = 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
        self.start = torch.arange(columns), torch.zeros(columns, dtype=torch.long)

    def step(self, symbols_R: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        columns_R, places_R = state
        return self.logits[columns_R, places_R, symbols_R], (columns_R, places_R + 1)

    @staticmethod
    def select(state: tuple[Tensor, Tensor], rows_R: Tensor) -> tuple[Tensor, Tensor]:
        return state[0][rows_R], state[1][rows_R]

    def best(self, column: int) -> tuple[list[int], float]:
        """Return the sequence that ends with the best mean log-probability, of all there are."""
        found = list[tuple[float, list[int]]]()
        log = self.logits[column].log_softmax(-1)
        others = [symbol for symbol in range(SYMBOLS) if symbol != END]
        for length in range(LONGEST):
            for symbols in itertools.product(others, repeat=length):
                whole = [0, *symbols, END]
                total = sum(
                    float(log[place, one, other])
                    for place, (one, other) in enumerate(itertools.pairwise(whole))
                )
                found.append((total / (length + 1), list(symbols)))
        score, symbols_of_best = max(found)
        return symbols_of_best, score


def searched(table: Table, beam: int, **how: Any) -> Any:
    first = torch.zeros(len(table.logits), dtype=torch.long)
    return beam_search(
        table.step, table.select, table.start, first, end=END, longest=LONGEST, beam=beam, **how
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_a_beam_as_wide_as_all_sequences_finds_the_best(seed: int) -> None:
    table = Table(seed, 3)
    found = searched(table, beam=200)
    for column, row in enumerate(found.rows()):
        best, score = table.best(column)
        assert row == best
        assert float(found.log_B[column]) / (len(row) + 1) == pytest.approx(score, abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_every_column_is_searched_by_itself(seed: int, beam: int) -> None:
    table = Table(seed, 4)
    together = searched(table, beam)
    for column in range(4):
        alone = Table(seed, 4)
        alone.logits = alone.logits[column : column + 1]
        alone.start = (torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=torch.long))
        own = searched(alone, beam)
        assert own.rows()[0] == together.rows()[column]
        assert float(own.log_B[0]) == float(together.log_B[column])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_greedy_takes_the_likeliest_symbol_each_time(seed: int) -> None:
    table = Table(seed, 3)
    rows = searched(table, beam=1).rows()
    for column, row in enumerate(rows):
        last, expected = 0, list[int]()
        for place in range(LONGEST):
            last = int(table.logits[column, place, last].argmax())
            if last == END:
                break
            expected.append(last)
        assert row == expected


def test_nothing_that_ends_gives_what_goes_on() -> None:
    table = Table(3, 2)
    table.logits[..., END] = -torch.inf
    for beam in (1, 3):
        found = searched(table, beam)
        assert found.lengths_B.tolist() == [LONGEST, LONGEST]
        assert bool(found.log_B.isfinite().all())


def test_draws_have_the_model_s_own_shares_and_repeat() -> None:
    table = Table(5, 1)
    columns = 4000
    state = (torch.zeros(columns, dtype=torch.long), torch.zeros(columns, dtype=torch.long))
    first = torch.zeros(columns, dtype=torch.long)

    def drawn(temperature: float, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        how = {"end": END, "longest": 1, "temperature": temperature, "generator": generator}
        return follow(table.step, state, first, **how).symbols_TB[0]  # type: ignore[arg-type]

    for temperature in (0.5, 2.0):
        expected_V = (table.logits[0, 0, 0] / temperature).softmax(-1)
        shares_V = torch.bincount(drawn(temperature, 1), minlength=SYMBOLS) / columns
        assert torch.allclose(shares_V.double(), expected_V, atol=0.03)
    assert torch.equal(drawn(1.0, 2), drawn(1.0, 2))
    assert not torch.equal(drawn(1.0, 2), drawn(1.0, 3))
