"""What a supernet's run is told besides its spec, and what it tells besides its result: plain data. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nas_rnn.spaces import Decisions
from nas_rnn.training.plain_data import from_plain, to_plain


@dataclass(frozen=True, kw_only=True)
class SupernetPlan:
    """The space whose cells share weights, by name, and the texts of its constraints.

    With ``mixes`` the choices are weighted against each other and learned (DARTS), without it a random cell is trained
    at each step. ``ranked`` is how many cells are ranked at the end.
    """

    space: str
    constraints: Sequence[str] = ()
    mixes: bool
    ranked: int

    def to_dict(self) -> dict[str, Any]:
        return to_plain(self)

    @classmethod
    def from_dict(cls, data: object) -> SupernetPlan:
        """Read what `to_dict` gave; unknown and missing keys raise a UserError."""
        return from_plain(cls, data)


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A cell by its decisions, and what it is ranked by.

    That is the task's monitor on the validation part with shared weights, or the probability of its choices.
    """

    decisions: Decisions
    value: float


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The best cells of a supernet, the best first, and the seconds that it took to rank them."""

    cells: Sequence[Ranked] = field(default_factory=tuple)
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return to_plain(self)

    @classmethod
    def from_dict(cls, data: object) -> Ranking:
        """Read what `to_dict` gave; unknown and missing keys raise a UserError."""
        if isinstance(data, Mapping) and isinstance(data.get("cells"), Sequence):
            data = {**data, "cells": tuple(from_plain(Ranked, cell) for cell in data["cells"])}
        return from_plain(cls, data)
