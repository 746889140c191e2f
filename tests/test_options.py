"""Declarations of options: what is read off a field, and which values its rule refuses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt

from nas_rnn.options import BUDGET, RUN, Option, declared


@dataclass(frozen=True, kw_only=True)
class Base:
    share: Annotated[float, Ge(0), Lt(1), Option("A share.", BUDGET)] = 0.5
    count: Annotated[int, Ge(1), Le(9), Option("A number of things.", BUDGET)] = 3
    any: Annotated[int, Option("Any number.", BUDGET)] = 0
    note: str = "no option"


@dataclass(frozen=True, kw_only=True)
class Further(Base):
    rate: Annotated[float, Gt(0), Option("A rate.", RUN, rule="greater than 0, such as 0.01")] = 1.0
    sort: Annotated[Literal["a", "b"], Option("A sort.", RUN, flag="--kind")] = "b"
    place: Annotated[Path | None, Option("A place.", RUN, unset="here")] = None
    code: Annotated[str, Option("A code.", RUN, rule="x and a digit", pattern=r"x\d")] = "x1"
    fast: Annotated[bool, Option("Whether to hurry.", RUN)] = False
    any: int = 0


def test_what_a_class_adds_comes_before_what_it_inherits() -> None:
    """A field without an `Option` is none, also where the field that it replaces was one."""
    assert [*declared(Base)] == ["share", "count", "any"]
    assert [*declared(Further)] == ["rate", "sort", "place", "code", "fast", "share", "count"]


def test_flags_and_words() -> None:
    options = declared(Further)
    assert [options[name].flag for name in ("sort", "place")] == ["--kind", "--place"]
    words = {name: (one.default_words, one.range_words) for name, one in options.items()}
    assert words == {
        "rate": ("1.0", "greater than 0, such as 0.01"),
        "sort": ("b", ""),
        "place": ("here", ""),
        "code": ("x1", "x and a digit"),
        "fast": ("off", ""),
        "share": ("0.5", "at least 0 and less than 1"),
        "count": ("3", "at least 1 and at most 9"),
    }
    assert (options["place"].kind, options["sort"].choices) == (Path, ("a", "b"))


@pytest.mark.parametrize(
    ("name", "good", "bad", "rule"),
    [
        ("share", [0, 0.0, 0.999], [-0.1, 1, 1.0], "at least 0 and less than 1"),
        ("share", [0.5], [math.nan, math.inf, "0.5", True, None], "a finite number"),
        ("count", [1, 9], [0, 10, 2.0, "3", True], "a whole number of at least 1 and at most 9"),
        ("rate", [1e-9], [0, -1], "greater than 0, such as 0.01"),
        ("sort", ["a", "b"], ["c", "", None, []], "one of a, b"),
        ("code", ["x1"], ["x", "x12", "", 3], "x and a digit"),
    ],
)
def test_a_value_that_breaks_the_rule_is_told_the_rule(
    name: str, good: list[Any], bad: list[Any], rule: str
) -> None:
    option = declared(Further)[name]
    assert [option.broken_rule(value) for value in good] == [None] * len(good)
    assert [option.broken_rule(value) for value in bad] == [rule] * len(bad)


def test_a_whole_number_without_bounds() -> None:
    option = declared(Base)["any"]
    assert option.broken_rule(-5) is None
    assert option.broken_rule(0.5) == "a whole number"
