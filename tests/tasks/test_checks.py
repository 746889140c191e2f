"""Data that cannot be trained on are refused in one line, whichever part is at fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nas_rnn.errors import UserError
from nas_rnn.tasks import Batch, Batching, Part, TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.checks import require_sound
from nas_rnn.tasks.data import EVALUATION, PARTS
from tests.tasks.test_contract import Good

TRAINING = Batching(batch=8, length=16)


def data_with(part: Part, **arrays: Any) -> TaskData:
    data = Good().load(None)
    return replace(data, parts={**data.parts, part: {**data.part(part), **arrays}})


def test_sound_data_are_gone_over_once_each_part_as_it_will_be_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[Part, Batching] = {}
    own = Good.batches

    def noting(self: Good, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        assert part not in asked
        asked[part] = batching
        return own(self, data, part, batching)

    monkeypatch.setattr(Good, "batches", noting)
    require_sound(Good(), Good().load(None), TRAINING)
    assert asked == {"train": replace(TRAINING, seed=0), "valid": EVALUATION, "test": EVALUATION}


@pytest.mark.parametrize("part", PARTS)
def test_an_empty_part(part: Part) -> None:
    data = data_with(part, numbers=np.zeros((0, 4), np.float32), lengths=np.zeros(0, np.int64))
    with pytest.raises(
        UserError, match=f"the {part} part of the data of task 'good' is empty; give data that fill"
    ):
        require_sound(Good(), data, TRAINING)


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part(part: Part) -> None:
    with pytest.raises(UserError, match=f"the data of task 'good' have no {part} part; give data that fill"):
        require_sound(Good(), Good().load(None).without(part), TRAINING)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_of_an_array_that_are_not_finite(part: Part, value: float) -> None:
    numbers = Good().load(None).part(part)["numbers"].copy()
    numbers[3, 1] = numbers[4, 0] = value
    said = rf"is not finite in 2 of {numbers.size} numbers of array 'numbers': the first is {value} at \[3, 1\]; remove"
    with pytest.raises(UserError, match=rf"the {part} part of the data of task 'good' {said}"):
        require_sound(Good(), data_with(part, numbers=numbers), TRAINING)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("field", ["inputs", "targets"])
def test_what_batches_compute_that_is_not_finite(part: Part, field: str, named: bool) -> None:
    """Of sound arrays: a logarithm of 0, a division by no deviation."""

    class Overflowing(Good):
        def batches(self, data: TaskData, own: Part, batching: Batching) -> Iterator[Batch]:
            for number, batch in enumerate(Good().batches(data, own, batching)):
                value = torch.full((4, len(batch.targets)), torch.inf if (own, number) == (part, 0) else 1.0)
                change: dict[str, Any] = {field: {"log": value} if named else value}
                yield replace(batch, **change)

    shown = f"{field}['log']" if named else field
    with pytest.raises(UserError) as caught:
        require_sound(Overflowing(), Good().load(None), TRAINING)
    assert f"the {part} part of the data of task 'good' has inf among the {shown} of batch 1" in str(
        caught.value
    )


def test_too_small_a_training_part_is_said_by_the_task() -> None:
    codes = {part: {"codes": np.arange(30) % 3} for part in PARTS}
    with pytest.raises(
        UserError, match="the training part has 30 symbols, too few for batch 8 x length 16 = 128"
    ):
        require_sound(CharLM(), TaskData(codes, {"vocabulary": "abc"}), TRAINING)


@pytest.mark.parametrize("part", PARTS)
def test_context_is_not_what_a_part_consists_of(part: Part) -> None:
    """Nor is anything read without being learned in the training part."""

    class Reading(Good):
        def batches(self, data: TaskData, own: Part, batching: Batching) -> Iterator[Batch]:
            for batch in Good().batches(data, own, batching):
                yield replace(batch, items=None, context=True) if own == part else batch

    with pytest.raises((UserError, ValueError)) as caught:
        require_sound(Reading(), Good().load(None), TRAINING)
    expected = {"train": "batches to train on must not be context"}.get(part, f"the {part} part of the data")
    assert expected in str(caught.value)


@pytest.mark.parametrize("part", PARTS)
def test_items_are_asked_for_where_something_is_measured(part: Part) -> None:
    class Nameless(Good):
        def batches(self, data: TaskData, own: Part, batching: Batching) -> Iterator[Batch]:
            for batch in Good().batches(data, own, batching):
                yield replace(batch, items=None) if own == part else batch

    if part == "train":
        require_sound(Nameless(), Good().load(None), TRAINING)
        return
    with pytest.raises(ValueError, match=f"batches of the {part} part must say which items they hold"):
        require_sound(Nameless(), Good().load(None), TRAINING)
