"""Results that were written when tasks gave items' values and weights still tell their figure."""

from __future__ import annotations

from typing import Any

import pytest

from nas_rnn.errors import UserError
from nas_rnn.run_folder.trials import metrics_on_holdout as figures_of
from nas_rnn.tasks import Mean
from nas_rnn.tasks.metric import EARLIER
from nas_rnn.training import RunResult

EARLIER_RESULT: dict[str, Any] = {
    "id": "final-lstm-s0",
    "status": "finished",
    "reason": None,
    "epochs": [],
    "best_epoch": 1,
    "best_metric": 2.1,
    "parameters": 100,
    "test_values": [2.0, float("nan"), 3.0],
    "test_weights": [64.0, 0.0, 16.0],
    "seconds": 6.0,
}
BITS = Mean("bits_per_char", "bits per character", "minimize", 0.01, "relative", of="bits", per="characters")


def test_values_and_weights_become_statistics_with_the_same_mean() -> None:
    result = RunResult.from_dict(EARLIER_RESULT)
    assert result.test_statistics == {EARLIER[0]: [128.0, 0.0, 48.0], EARLIER[1]: [64.0, 0.0, 16.0]}
    assert figures_of(result, (BITS,)) == {"bits_per_char": pytest.approx(176 / 80)}
    assert RunResult.from_dict(result.to_dict()) == result


def test_a_run_that_read_no_test_part_has_no_statistics() -> None:
    result = RunResult.from_dict({**EARLIER_RESULT, "test_values": None, "test_weights": None})
    assert result.test_statistics is None and figures_of(result, (BITS,)) == {}


def test_one_of_the_two_alone_is_no_result() -> None:
    alone = {name: value for name, value in EARLIER_RESULT.items() if name != "test_weights"}
    with pytest.raises(UserError, match="test_values"):
        RunResult.from_dict(alone)
