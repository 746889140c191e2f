"""Which candidates a search dropped before it trained them, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from nas_rnn.cells import parse_cell
from nas_rnn.spaces import Candidate, Decisions

By = Literal["search", "random search", "random cells"]
"""What proposed a candidate: the search itself, or a control beside it."""

WORDS: Final[Mapping[str, str]] = {
    "values": "whose states grow without bound",
    "gradients": "whose gradients grow without bound",
}


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A candidate that was dropped: at which hidden size, of what ``kind`` its fault is, and the reason in words."""

    name: str
    digest: str
    cell: str
    decisions: Decisions | None
    hidden_size: int
    kind: str
    reason: str
    by: By

    @property
    def candidate(self) -> Candidate:
        return Candidate(parse_cell(self.cell), self.decisions)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Dropped:
        return cls(**values)


def counted(dropped: Sequence[Dropped]) -> str:
    """Return how many were dropped and why: "3 candidates, 2 whose states grow without bound and ..."; "" for none."""
    if not dropped:
        return ""
    kinds = Counter(one.kind for one in dropped)
    told = [f"{number} {WORDS[kind]}" for kind, number in kinds.most_common()]
    return f"{len(dropped)} candidate{'s' if len(dropped) > 1 else ''}, {' and '.join(told)}"
