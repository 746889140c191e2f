"""Tables of counts against what comes out by hand, and on text whose structure is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nas_rnn.tasks import TaskData
from nas_rnn.tasks.char_lm import CharLM, floors
from nas_rnn.tasks.char_lm.floors import bigram_bits, by_block, unigram_bits
from nas_rnn.tasks.data import EVALUATION

TRAIN = np.array([0, 0, 1, 0], dtype=np.uint8)  # "aaba", of "a", "b" and a "c" that never occurs


def test_single_characters_by_hand() -> None:
    """Counts 3, 1, 0, each one larger: shares 4/7, 2/7, 1/7; the first character of a part is no target."""
    part = np.array([2, 0, 1, 2], dtype=np.uint8)
    assert unigram_bits(TRAIN, part, 3) == pytest.approx(
        [-math.log2(4 / 7), -math.log2(2 / 7), -math.log2(1 / 7)]
    )


def test_pairs_by_hand() -> None:
    """After a: one a, one b, so 2 kinds, each row's counts begin at 2 x (4/7, 2/7, 1/7); after b: one a, one kind."""
    part = np.array([0, 0, 1, 0, 2, 1], dtype=np.uint8)
    after_a = [(1 + 8 / 7) / 4, (1 + 4 / 7) / 4, (2 / 7) / 4]
    after_b = (1 + 4 / 7) / 2
    after_c = 2 / 7  # nothing was seen after c: as likely as by itself
    expected = [after_a[0], after_a[1], after_b, after_a[2], after_c]
    assert bigram_bits(TRAIN, part, 3) == pytest.approx([-math.log2(share) for share in expected])


@pytest.mark.parametrize("table", [unigram_bits, bigram_bits])
def test_shares_add_up_to_one_and_nothing_is_impossible(table) -> None:
    """Whatever the character before, also one that training ends with or lacks."""
    for before in range(4):
        bits = np.concatenate([table(TRAIN, np.array([before, after]), 4) for after in range(4)])
        assert np.isfinite(bits).all()
        assert np.exp2(-bits).sum() == pytest.approx(1.0)


def test_unseen_pairs_are_finite_in_small_integer_types() -> None:
    """Codes of 8 bits: before x symbols + after does not fit them."""
    train = np.arange(200, dtype=np.uint8)
    part = np.array([199, 0, 199, 198, 199], dtype=np.uint8)
    bits = bigram_bits(train, part, 200)
    assert np.isfinite(bits).all()
    assert bits[3] < 1.1 < bits[2]  # 198 is followed by 199, as seen; 198 never follows 199


def dense_bigram_bits(train: np.ndarray, part: np.ndarray, symbols: int) -> np.ndarray:
    """Return the bits by a table of all pairs, as the rule is written."""
    counts = np.zeros((symbols, symbols))
    np.add.at(counts, (train[:-1], train[1:]), 1)
    single = np.bincount(train, minlength=symbols) + 1.0
    kinds = np.maximum((counts > 0).sum(1), 1)
    smoothed = counts + kinds[:, None] * (single / single.sum())
    return -np.log2(smoothed / smoothed.sum(1, keepdims=True))[part[:-1], part[1:]]


@pytest.mark.parametrize(("symbols", "count"), [(2, 1), (2, 30), (40, 500), (300, 2000)])
def test_pairs_are_those_of_the_whole_table_however_the_text_is_cut(
    symbols: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floors, "PIECE", 64)
    random = np.random.default_rng(symbols)
    shares = random.dirichlet(np.full(symbols, 0.1))
    train, part = (random.choice(symbols, size=size, p=shares).astype(np.uint16) for size in (count, 400))
    found = bigram_bits(train, part, symbols)
    np.testing.assert_allclose(found, dense_bigram_bits(train, part, symbols), rtol=0, atol=1e-9)


def test_pairs_of_many_symbols_take_no_table_of_all() -> None:
    """Of 200,000 symbols it would have 40 billion numbers."""
    codes = np.random.default_rng(0).integers(200_000, size=1000).astype(np.uint32)
    assert np.isfinite(bigram_bits(codes, codes, 200_000)).all()


def test_blocks_hold_the_bits_and_characters_of_their_targets() -> None:
    found = by_block(np.array([1.0, 2.0, 4.0, 8.0]), np.array([0, 0, 2, 2]), 4)
    assert found["bits"].tolist() == [3.0, 0.0, 12.0, 0.0]
    assert found["characters"].tolist() == [2.0, 0.0, 2.0, 0.0]


def test_a_task_s_floors_are_of_the_items_that_models_are_scored_on() -> None:
    """A text of pairs: the table of pairs knows the second of each, so it halves the bits of single characters."""
    random = np.random.default_rng(0)
    codes = {
        part: {"codes": np.stack([(first := random.integers(8, size=count)), first + 8], axis=1).reshape(-1)}
        for part, count in (("train", 4000), ("valid", 100), ("test", 3000))
    }
    data = TaskData(codes, {"vocabulary": "abcdefghABCDEFGH"})  # type: ignore[arg-type]
    tables = CharLM().floors(data)
    assert list(tables) == ["unigram table", "bigram table"]
    batches = CharLM().batches(data, "test", EVALUATION)
    items = {item for batch in batches if batch.items is not None for item in batch.items.tolist()}
    for statistics in tables.values():
        assert len(statistics["bits"]) == len(statistics["characters"]) == len(items)
        assert statistics["characters"].sum() == 6000 - 1
    mean = {name: own["bits"].sum() / own["characters"].sum() for name, own in tables.items()}
    assert mean["unigram table"] == pytest.approx(4.0, abs=0.01)
    assert mean["bigram table"] == pytest.approx(1.5, abs=0.05)


def test_floors_have_the_items_of_the_model_whatever_the_length_of_the_test_part() -> None:
    """Also where the last streams' last blocks lie behind the end of the text, as of a short one."""
    random = np.random.default_rng(0)
    counts = [*range(2, 80), *range(80, 6000, 97), 2 * EVALUATION.batch * EVALUATION.length]
    for count in counts:
        sizes = {"train": 50, "valid": 20, "test": count}
        codes = {part: {"codes": random.integers(4, size=size)} for part, size in sizes.items()}
        data = TaskData(codes, {"vocabulary": "abcd"})  # type: ignore[arg-type]
        batches = list(CharLM().batches(data, "test", EVALUATION))
        items = 1 + max(int(batch.items.max()) for batch in batches if batch.items is not None)
        for floor in CharLM().floors(data).values():
            assert len(floor["bits"]) == len(floor["characters"]) == items, count
            assert floor["characters"].sum() == count - 1
