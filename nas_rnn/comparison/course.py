"""How it came to a final: what the rungs decided and whether they were right, and the winner's way to the test part.

A score that somebody was chosen by is flattered by the choice; so the winner's stand side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Rung:
    """How one rung of a halving decided: after how many ``epochs``, how many went on of how many.

    ``correlation`` is Spearman's, between the ranks there and at the end, of those that went on to their end: the mean
    over cells where each has a ranking of its own. None where these are too few to tell.
    """

    epochs: int
    went_on: int
    of: int
    correlation: float | None = None


@dataclass(frozen=True, kw_only=True)
class Way:
    """The validation values of a search's winner: the ``score`` in the search, the mean on ``fresh`` seeds."""

    name: str
    score: float | None
    fresh: float | None


@dataclass(frozen=True, kw_only=True)
class Course:
    """The rungs of a ``search`` and of ``tuning``, and the winner's ``way``; what there was not is empty or None.

    ``monitor`` is the unit of the values on validation data.
    """

    search: tuple[Rung, ...] = ()
    tuning: Rung | None = None
    way: Way | None = None
    monitor: str = ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Course:
        """Return the course that `dataclasses.asdict` described, also after a trip through JSON."""
        tuning, way = values["tuning"], values["way"]
        return cls(
            search=tuple(Rung(**rung) for rung in values["search"]),
            tuning=None if tuning is None else Rung(**tuning),
            way=None if way is None else Way(**way),
            monitor=str(values["monitor"]),
        )
