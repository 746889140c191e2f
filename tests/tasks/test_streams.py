"""How a sequence is cut: what is covered, in which order, and that chunks of a stream join up."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas_rnn.errors import UserError
from nas_rnn.tasks import Arrays, Batch, Batching, Part, TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.data import EVALUATION, PARTS
from nas_rnn.tasks.streams import (
    CONTEXT,
    IGNORED,
    evaluation_blocks,
    evaluation_chunks,
    training_chunks,
)

Chunks = list[tuple[Tensor, Tensor]]


def training(count: int, batch: int, length: int, seed: int | None = 0, epoch: int = 1) -> Chunks:
    batching = Batching(batch=batch, length=length, seed=seed, epoch=epoch)
    return [both(chunk) for chunk in training_chunks(np.arange(count), batching)]


def both(chunk: Batch) -> tuple[Tensor, Tensor]:
    assert isinstance(chunk.inputs, Tensor) and isinstance(chunk.targets, Tensor)
    return chunk.inputs, chunk.targets


@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 60), st.integers(0, 3), st.integers(0, 3))
def test_training_chunks_have_one_shape_and_no_symbol_twice(
    batch: int, length: int, spare: int, seed: int, epoch: int
) -> None:
    count = batch * length + spare
    chunks = training(count, batch, length, seed, epoch)
    assert len(chunks) == count // batch // length
    seen: list[int] = []
    for inputs, targets in chunks:
        assert inputs.shape == targets.shape == (length, batch)
        assert ((inputs + 1) % count == targets).all()
        seen += targets.flatten().tolist()
    assert len(seen) == len(set(seen))


def test_each_training_stream_goes_on_where_its_last_chunk_ended() -> None:
    chunks = training(100, batch=3, length=5)
    for (_, before), (after, _) in pairwise(chunks):
        assert (before[-1] == after[0]).all()


def test_training_order_depends_on_seed_and_epoch_only() -> None:
    def first(seed: int | None, epoch: int) -> int:
        return int(training(1000, 2, 10, seed, epoch)[0][0][0, 0])

    assert first(1, 1) == first(1, 1)
    assert len({first(seed, epoch) for seed in range(3) for epoch in range(3)}) == 9
    assert first(None, 1) == first(None, 2) == 0


def test_training_on_too_little_says_what_would_fit() -> None:
    assert len(training(12, batch=3, length=4)) == 1
    with pytest.raises(UserError, match="has 11 symbols, too few for batch 3 x length 4 = 12"):
        training(11, batch=3, length=4)


def evaluation(count: int, batch: int, length: int, before: int) -> tuple[Chunks, list[Batch]]:
    """Return context and scored chunks of symbols 0, 1, ..., which ``before`` negative ones precede."""
    found = list(
        evaluation_chunks(np.arange(count), batch=batch, length=length, before=np.arange(-before, 0))
    )
    context = [both(chunk) for chunk in found if chunk.context]
    assert all(chunk.context for chunk in found[: len(context)])
    return context, found[len(context) :]


SIZES = given(
    st.integers(2, 2000), st.integers(1, 9), st.integers(1, 90), st.sampled_from([0, 3, 255, 256, 999])
)


@settings(deadline=None)
@SIZES
def test_evaluation_has_every_symbol_but_the_first_as_target_once(
    count: int, batch: int, length: int, before: int
) -> None:
    targets_seen: list[int] = []
    sizes = set()
    for inputs, targets in map(both, evaluation(count, batch, length, before)[1]):
        real = targets != IGNORED
        assert (inputs[real] + 1 == targets[real]).all()
        assert inputs.shape == targets.shape
        assert real.any(0).any()
        assert inputs.shape[0] <= length
        assert inputs.shape[1] <= batch
        sizes.add(inputs.shape[1])
        targets_seen += targets[real].tolist()
    assert sorted(targets_seen) == list(range(1, count))
    assert len(sizes) == 1


@settings(deadline=None)
@SIZES
def test_what_precedes_a_stream_is_read_before_it(count: int, batch: int, length: int, before: int) -> None:
    """As many symbols of each stream, and those that end where it starts; in chunks that are no longer than others."""
    context, scored = evaluation(count, batch, length, before)
    starts = both(scored[0])[0][0]
    assert sum(len(inputs) for inputs, _ in context) == min(CONTEXT, before)
    assert all(len(inputs) <= length and inputs.shape == targets.shape for inputs, targets in context)
    if context:
        inputs, targets = (np.concatenate(each).T for each in zip(*context, strict=True))
        for start, column, following in zip(starts.tolist(), inputs, targets, strict=True):
            assert column.tolist() == list(range(start - len(column), start))
            assert following.tolist() == list(range(start - len(column) + 1, start + 1))


@pytest.mark.parametrize(
    ("count", "before", "streams"),
    [
        (257, 256, 1),
        (512, 256, 1),
        (513, 256, 2),
        (1880, 999, 7),
        (100_000, 256, 32),
        (100_000, 255, 1),
        (2, 0, 1),
    ],
)
def test_streams_are_no_shorter_than_their_context(count: int, before: int, streams: int) -> None:
    """And there is only one where not all would have the whole of it."""
    assert both(evaluation(count, 32, 64, before)[1][0])[0].shape[1] == streams


def test_evaluation_streams_are_contiguous() -> None:
    _, chunks = evaluation(4 * 300 + 1, batch=4, length=100, before=256)
    stream = np.concatenate([inputs[:, 1].numpy() for inputs, _ in map(both, chunks)])
    assert stream.tolist() == list(range(300, 600))


def test_what_precedes_a_part_is_text_of_earlier_parts() -> None:
    """Of the test part also training text, where the validation part is short; nothing that comes later."""
    codes = np.split(np.arange(700), [400, 500])
    parts: dict[Part, Arrays] = {part: {"codes": own} for part, own in zip(PARTS, codes, strict=True)}
    data = TaskData(parts)

    def read(part: Part, known: TaskData = data) -> list[int]:
        batches = CharLM().batches(known, part, EVALUATION)
        return [int(symbol) for chunk in batches if chunk.context for symbol in both(chunk)[0][:, 0]]

    assert read("valid") == list(range(400 - CONTEXT, 400))
    assert read("test") == list(range(500 - CONTEXT, 500))
    assert read("valid", data.without("test")) == read("valid")
    assert read("test", data.only("test")) == []


@settings(deadline=None)
@SIZES
def test_items_are_blocks_in_the_order_of_the_sequence(
    count: int, batch: int, length: int, before: int
) -> None:
    """Every target's item, by the chunks and by itself: neighbours in the sequence are neighbours among items."""
    item_of, items = {}, set[int]()
    for chunk in evaluation(count, batch, length, before)[1]:
        _, targets = both(chunk)
        assert chunk.items is not None
        items |= set(chunk.items.tolist())
        for column, item in zip(targets.T.tolist(), chunk.items.tolist(), strict=True):
            item_of |= {target: item for target in column if target != IGNORED}
    in_order = [item_of[target] for target in range(1, count)]
    blocks, number = evaluation_blocks(
        np.arange(count), batch=batch, length=length, before=np.arange(-before, 0)
    )
    assert blocks.tolist() == in_order == sorted(in_order)
    assert items == set(range(number))
    assert set(in_order) == set(range(max(in_order) + 1))
    assert np.bincount(in_order).max() <= length
