"""Memory that is used again: by whom, how much of it is kept, and that nothing is ever shared."""

from __future__ import annotations

import gc
import math
import mmap
import os
import threading
from collections.abc import Iterator

import pytest
import torch

from nas_rnn.cells.zoo.classic import lstm
from nas_rnn.execution import RNN
from nas_rnn.execution.fused import buffers, compiled, memory
from nas_rnn.execution.fused.memory import empty
from tests.execution.fused.parity import DTYPES, Case, check, fitted
from tests.execution.zoo import zoo_cells

LIKE = torch.zeros(1)
MANY = memory.LEAST // 4


@pytest.fixture(autouse=True)
def none_free() -> Iterator[None]:
    gc.collect()
    memory._free.clear()
    yield
    memory._free.clear()


def test_a_block_is_used_again_by_a_tensor_of_about_its_size() -> None:
    first = empty(LIKE, 2, MANY)
    place = first.data_ptr()
    assert first.shape == (2, MANY)
    assert first.dtype == LIKE.dtype
    del first
    assert empty(LIKE.double(), MANY).data_ptr() == place
    assert empty(LIKE, 5 * MANY).data_ptr() != place
    assert empty(LIKE, MANY // 2 + MANY // 3).data_ptr() != place  # small ones are the C library's
    assert empty(LIKE, 2 * MANY - 9).data_ptr() == place


def test_a_block_waits_for_all_that_look_at_it() -> None:
    whole = empty(LIKE, 4, MANY)
    part, place = whole[2].view(-1, 2), whole.data_ptr()
    del whole
    assert empty(LIKE, 4, MANY).data_ptr() != place
    part.fill_(3.0)
    del part
    assert place in {empty(LIKE, 4, MANY).data_ptr() for _ in range(2)}


def test_only_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST", 10 * memory.LEAST)
    tensors = [empty(LIKE, 3, MANY) for _ in range(5)]
    last = tensors[-1].data_ptr()
    while tensors:
        del tensors[0]
    assert sum(map(len, memory._free)) == 9 * memory.LEAST
    places = [empty(LIKE, 3, MANY) for _ in range(3)]
    assert last in {t.data_ptr() for t in places}


def test_a_kernel_without_huge_pages_gives_blocks_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(mmap.mmap):
        def madvise(self, *advice: int) -> None:
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(mmap, "mmap", Refusing)
    assert bool((empty(LIKE, MANY).fill_(1.0) == 1.0).all())


def test_where_there_is_no_memory_torch_says_so_and_what_waits_is_given_back() -> None:
    _ = empty(LIKE, MANY)
    del _
    assert memory._free
    with pytest.raises(RuntimeError, match="memory"):
        empty(LIKE, 1 << 50)
    assert not memory._free


def test_threads_never_share_a_block() -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(200):
            tensor = empty(LIKE, 2, MANY).fill_(number)
            again = empty(LIKE, MANY).fill_(-number)
            if not (bool((tensor == number).all()) and bool((again == -number).all())):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(k + 1,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes fork here")
def test_a_forked_process_has_memory_of_its_own() -> None:
    tensor = empty(LIKE, MANY).fill_(1.0)
    child = os.fork()
    if child == 0:
        tensor.fill_(2.0)
        os._exit(0)
    os.waitpid(child, 0)
    assert bool((tensor == 1.0).all())


def test_training_steps_take_the_same_memory() -> None:
    rnn, x = RNN(lstm, 64, 64), torch.randn(40, 16, 64)
    for _ in range(3):
        rnn.zero_grad()
        rnn(x)[0].sum().backward()
    kept = {id(block) for block in memory._free}
    assert kept
    rnn.zero_grad()
    rnn(x)[0].sum().backward()
    assert {id(block) for block in memory._free} == kept


def test_results_and_gradients_outlive_later_steps() -> None:
    rnn, x = RNN(lstm, 128, 128), torch.randn(40, 16, 128)
    output, _ = rnn(x)
    output.sum().backward()
    first = [output.clone(), *(p.grad.clone() for p in rnn.parameters() if p.grad is not None)]
    held = [output, *(p.grad for p in rnn.parameters())]
    for _ in range(3):
        rnn.zero_grad()
        rnn(-2 * x)[0].sum().backward()
    for ours, before in zip(held, first, strict=True):
        assert ours is not None
        assert torch.equal(ours, before)


GUARD = 64


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_is_read_before_it_is_written_and_nothing_written_beside(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that is used again holds anything: here NaN, with marks before and behind it."""
    guarded: list[torch.Tensor] = []

    def poisoned(like: torch.Tensor, *shape: int) -> torch.Tensor:
        count = math.prod(shape)
        whole = like.new_full((count + 2 * GUARD,), float("nan"))
        whole[:GUARD] = whole[GUARD + count :] = 7.0
        guarded.append(whole)
        return whole[GUARD : GUARD + count].view(shape)

    monkeypatch.setattr(compiled, "empty", poisoned)
    monkeypatch.setattr(buffers, "empty", poisoned)
    zoo = zoo_cells()
    names = ("lstm", "gru", "qrnn", "mingru", "slstm4", "lstm_ln", "indrnn", "rhn2")
    lengths = (9, 1, 8, 2, 7, 3, 6, 4, 5)
    cases = [
        Case(inputs=13, hidden=36, steps=9, batch=9, lengths=lengths, rows=20, threads=2, start=True),
        Case(inputs=8, hidden=52, steps=7, batch=5, rows=11, bidirectional=True),
        Case(inputs=8, hidden=8, steps=40, batch=1, rows=16),
        Case(inputs=8, hidden=8, steps=2, batch=270, x_needs=False),
    ]
    for name in names:
        for case in cases:
            assert check(zoo[name], fitted(zoo[name], case), dtype) is not None
    assert guarded
    for whole in guarded:
        assert bool((whole[:GUARD] == 7.0).all() and (whole[-GUARD:] == 7.0).all())
