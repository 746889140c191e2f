"""Which cells the measurement of rediscoveries takes for carried on by sums, and its row of a table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nas_rnn import load_cell

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import rediscovery


@pytest.mark.parametrize(
    ("name", "additive"),
    [("lstm", True), ("gru", True), ("lstm_nfg", True), ("mingru", True), ("rnn", False), ("indrnn", False)],
)
def test_sums_and_products_carry_a_state_past_no_activation(name: str, additive: bool) -> None:
    assert rediscovery.is_additive(load_cell(name)) == additive


def test_a_row_says_what_was_found() -> None:
    row = {
        "seed": 2,
        "minutes": 9.0,
        "trials": 60,
        "dropped": 4,
        "learned": 7,
        "first": 11,
        "cell": load_cell("gru"),
        "error": 0.00123,
        "additive": True,
        "gates": ["forget gate"],
        "solved": [91.25, None],
    }
    told = rediscovery.told(row)
    assert told.startswith("| 2 | 7 of 60 | 12 | 0.00123 | `")
    assert told.endswith("| yes | forget gate | 91.2 and diverged | 4 |")
