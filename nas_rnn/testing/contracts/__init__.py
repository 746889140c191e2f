"""What every plugin must keep: for each kind a check that returns what is wrong, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nas_rnn.testing.contracts.cells import check_cell
from nas_rnn.testing.contracts.operations import check_operation
from nas_rnn.testing.contracts.spaces import check_changes, check_one_trains
from nas_rnn.testing.contracts.strategies import small_space
from nas_rnn.testing.spaces import check_space
from nas_rnn.testing.strategies import check_strategy
from nas_rnn.testing.tasks import check_task

Check = Callable[[Any], list[str]]


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The checks of one kind of plugin, and what holds where they find nothing."""

    checks: tuple[Check, ...]
    promise: str


CONTRACTS = {
    "cell": Contract(
        checks=(check_cell,),
        promise="keeps the rules, its text reads back, the backends agree forward and backward, it trains",
    ),
    "operation": Contract(
        checks=(check_operation,),
        promise="derivatives are those of its value, NaN comes out where it goes in, its templates can be filled",
    ),
    "space": Contract(
        checks=(
            check_space,
            check_changes,
            check_one_trains,
        ),
        promise="200 samples keep the rules, read back and replay, mutated ones too where it mutates; one trains",
    ),
    "strategy": Contract(
        checks=(lambda kind: check_strategy(kind, [small_space]),),
        promise="proposes candidates of its space, hears of every ending, and repeats itself at one seed",
    ),
    "task": Contract(
        checks=(check_task,),
        promise="its data load, batches repeat, a model trains on it and is scored",
    ),
}
"""Each kind of plugin and its contract."""
