"""A task's data by part: what is withheld, and put together again."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from nas_rnn.tasks import TaskData
from nas_rnn.tasks.data import PARTS, MissingPart, symbol_dtype

DATA = TaskData(
    {part: {"numbers": np.full(3, number)} for number, part in enumerate(PARTS)},
    meta={"size": 3},
    groups={"valid": np.array([0, 0, 1]), "test": np.array([4, 5, 5])},
)


def test_a_part_that_is_withheld_leaves_no_trace() -> None:
    rest = DATA.without("test")
    assert list(rest.parts) == ["train", "valid"]
    assert list(rest.groups) == ["valid"]
    assert rest.meta == {"size": 3}
    with pytest.raises(MissingPart, match="the test part is not here: only final runs have it"):
        rest.part("test")
    assert rest.nbytes == DATA.nbytes * 2 // 3
    assert DATA.without("train").without("train").parts.keys() == {"valid", "test"}


def test_what_is_withheld_is_all_that_is_withheld() -> None:
    kept = DATA.only("test")
    assert list(kept.parts) == ["test"]
    assert kept.part("test")["numbers"].tolist() == [2, 2, 2]
    assert kept.groups["test"].tolist() == [4, 5, 5]
    assert kept.meta == {}
    assert DATA.only("train").groups == {}
    with pytest.raises(MissingPart, match="the test part is not here"):
        DATA.without("test").only("test")


@pytest.mark.parametrize("part", PARTS)
def test_joined_they_are_what_they_were(part: str) -> None:
    whole = DATA.without(part).joined(DATA.only(part))  # type: ignore[arg-type]
    assert whole.parts.keys() == DATA.parts.keys()
    assert all(whole.part(own)["numbers"] is DATA.part(own)["numbers"] for own in PARTS)
    assert whole.groups.keys() == DATA.groups.keys()
    assert all(whole.groups[own] is DATA.groups[own] for own in DATA.groups)
    assert whole.meta == DATA.meta


def test_data_travel() -> None:
    again = pickle.loads(pickle.dumps(DATA))
    assert again.part("test")["numbers"].tolist() == [2, 2, 2]
    assert again.groups["valid"].tolist() == [0, 0, 1]
    assert again.meta == DATA.meta


@pytest.mark.parametrize(
    ("symbols", "kind"),
    [(2, np.uint8), (256, np.uint8), (257, np.uint16), (65536, np.uint16), (65537, np.uint32)],
)
def test_the_smallest_type_that_numbers_all_symbols(symbols: int, kind: type) -> None:
    assert symbol_dtype(symbols) is kind
    assert kind(symbols - 1) == symbols - 1  # type: ignore[call-arg]
