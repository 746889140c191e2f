"""Outputs, final states and every gradient against the float64 reference: published and random cells."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import settings

from nas_rnn.cells import Cell
from tests.cells.disguise import disguised
from tests.execution.fused.parity import DTYPES, Case, check, fitted, make_rnn, prepare_all
from tests.execution.zoo import zoo_cells
from tests.random_cells import random_cell

pytestmark = pytest.mark.usefixtures("no_eager")

CELLS = 500 if settings.default.max_examples == settings.get_profile("fuzz").max_examples else 40
"""How many random cells; `make fuzz` takes many more."""
AT_ONCE = 10
"""Cells compiled together, which is faster than one by one."""

CASES = [
    Case(),
    Case(lengths=(2, 5, 3), start=True, bidirectional=True, rows=4),
    Case(steps=1, batch=1),
    Case(start=True, strided=True, loss="state", rows=8),
    Case(layers=2, bidirectional=True, dropout=0.4),
    Case(batch_first=True, batch=4, threads=2),
    Case(steps=1, batch=1, start=True),
    Case(frozen=True, start=True),
    Case(x_needs=False, loss="output", lengths=(5, 5, 1), rows=6),
    Case(steps=9, batch=9, threads=2, lengths=(9, 1, 8, 2, 7, 3, 6, 4, 5), start=True, rows=10),
    Case(inputs=100, hidden=34, loss="output"),
    Case(layers=3, bidirectional=True, lengths=(3, 4, 5), start=True, batch_first=True),
]
EACH = 4
"""How many of the cases each random cell is run in, in turn."""

ZOO = zoo_cells()
ZOO_PARTS = [list(islice(ZOO, start, start + 12)) for start in range(0, len(ZOO), 12)]

Record = Callable[[str, object], None]


def compare(pairs: list[tuple[Cell, Case]], dtype: torch.dtype) -> list[float]:
    """Return the worst distance of each pair that can be compared."""
    pairs = [(tested, fitted(tested, case)) for tested, case in pairs]
    prepare_all(pairs, dtype)
    return [worst for pair in pairs if (worst := check(*pair, dtype)) is not None]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("names", ZOO_PARTS, ids=lambda names: f"{names[0]}-{names[-1]}")
def test_published_cells(names: list[str], dtype: torch.dtype, record_property: Record) -> None:
    cases = [Case(hidden=8), Case(hidden=8, lengths=(2, 5, 3), start=True, bidirectional=True, rows=7)]
    pairs = [(ZOO[name], case) for name in names for case in cases]
    found = compare(pairs, dtype)
    assert len(found) == len(pairs)
    record_property(f"published cells, {dtype}", max(found))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("start", range(0, CELLS, AT_ONCE))
def test_random_cells(start: int, dtype: torch.dtype, record_property: Record) -> None:
    seeds = range(start, start + AT_ONCE)
    pairs = [
        (random_cell(np.random.default_rng(seed)), CASES[(seed * EACH + k) % len(CASES)])
        for seed in seeds
        for k in range(EACH)
    ]
    found = compare(pairs, dtype)
    assert len(found) >= 0.7 * len(pairs)
    record_property(f"random cells, {dtype}", max(found))
    record_property(f"random cells, {dtype}, share that is not compared", 1 - len(found) / len(pairs))


@pytest.mark.parametrize("dtype", DTYPES)
def test_odd_sizes(dtype: torch.dtype, record_property: Record) -> None:
    sizes = [(1, 1), (3, 1), (1, 3), (17, 3), (3, 17), (17, 100), (100, 17), (1, 100), (3, 3), (17, 17)]
    pairs = [
        (random_cell(np.random.default_rng(seed), heads=(1,)), Case(inputs=i, hidden=h, batch=1 + seed % 4))
        for seed, (i, h) in enumerate(sizes)
    ]
    found = compare(pairs, dtype)
    assert len(found) >= 0.8 * len(pairs)
    record_property(f"odd sizes, {dtype}", max(found))


def test_equal_digests_give_equal_outputs_at_one_seed() -> None:
    """However the cell is written and in whatever order its further state paths stand.

    Not bit for bit, as by torch's operations: which of two products a compiler rounds before it adds them
    depends on the order in which they are computed.
    """
    drawn = [random_cell(np.random.default_rng(seed)) for seed in range(20)]
    pairs = [(one, disguised(one, seed, permute_states=True)) for seed, one in enumerate(drawn)]
    prepare_all([(tested, Case()) for both in pairs for tested in both], torch.float64)
    x = torch.randn(5, 3, 4, dtype=torch.float64)
    for both in pairs:
        outputs = []
        for tested in both:
            torch.manual_seed(7)
            outputs.append(make_rnn(tested, Case(), torch.float64)(x)[0])
        torch.testing.assert_close(*outputs, rtol=1e-12, atol=1e-13, equal_nan=True)
