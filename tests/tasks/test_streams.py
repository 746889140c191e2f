"""How a sequence is cut: what is covered, in which order, and that chunks of a stream join up."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas_rnn.errors import UserError
from nas_rnn.tasks import Batch, Batching
from nas_rnn.tasks.char_lm.streams import IGNORED, evaluation_blocks, evaluation_chunks, training_chunks

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


@settings(deadline=None)
@given(st.integers(2, 200), st.integers(1, 9), st.integers(1, 20))
def test_evaluation_has_every_symbol_but_the_first_as_target_once(
    count: int, batch: int, length: int
) -> None:
    targets_seen: list[int] = []
    sizes = set()
    for inputs, targets in map(both, evaluation_chunks(np.arange(count), batch=batch, length=length)):
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


def test_evaluation_streams_are_contiguous() -> None:
    chunks = map(both, evaluation_chunks(np.arange(101), batch=4, length=10))
    stream = np.concatenate([inputs[:, 1].numpy() for inputs, _ in chunks])
    assert stream.tolist() == list(range(25, 50))


@settings(deadline=None)
@given(st.integers(2, 200), st.integers(1, 9), st.integers(1, 20))
def test_items_are_blocks_in_the_order_of_the_sequence(count: int, batch: int, length: int) -> None:
    """Every target's item, by the chunks and by itself: neighbours in the sequence are neighbours among items."""
    item_of = {}
    for chunk in evaluation_chunks(np.arange(count), batch=batch, length=length):
        _, targets = both(chunk)
        assert chunk.items is not None
        for column, item in zip(targets.T.tolist(), chunk.items.tolist(), strict=True):
            item_of |= {target: item for target in column if target != IGNORED}
    in_order = [item_of[target] for target in range(1, count)]
    assert evaluation_blocks(np.arange(count), batch=batch, length=length).tolist() == in_order
    assert in_order == sorted(in_order)
    assert set(in_order) == set(range(max(in_order) + 1))
    assert np.bincount(in_order).max() <= length
