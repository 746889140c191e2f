"""What every plugin must keep: for each kind a check that returns what is wrong, in sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nas_rnn.testing.contracts.cells import check_cell
from nas_rnn.testing.contracts.operations import check_operation
from nas_rnn.testing.contracts.spaces import check_changes, check_one_trains
from nas_rnn.testing.contracts.strategies import space_for
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
        promise="valid; its text reads back; outputs and gradients agree on all backends; it trains",
    ),
    "operation": Contract(
        checks=(check_operation,),
        promise="derivatives match its value; NaN is never hidden; its templates can be filled",
    ),
    "space": Contract(
        checks=(
            check_space,
            check_changes,
            check_one_trains,
        ),
        promise="200 samples are valid, read back and replay, and so do mutations if it mutates; one trains",
    ),
    "strategy": Contract(
        checks=(lambda kind: check_strategy(kind, [space_for(kind)]),),
        promise="proposes candidates of its space, handles every outcome, and repeats itself with the same seed",
    ),
    "task": Contract(
        checks=(check_task,),
        promise="its data load, its batches repeat, and a model trains on it and is scored",
    ),
}
"""Each kind of plugin and its contract."""
