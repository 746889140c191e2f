"""What a strategy is: it proposes candidates and hears how they did."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from nas_rnn.spaces import Candidate, Space


class Exhausted(Exception):
    """Every candidate of the space has been proposed."""


class Strategy(ABC):
    """Proposes candidates of one space; lives in the driver and is told of every trial that ended.

    Parameters: the space, and a seed. After a resume a new instance is told of all earlier trials with `tell`, in their
    order, and its seed differs from the first one's, so that it does not propose the same candidates again.
    """

    plugin_kind: ClassVar[str] = "strategy"
    name: ClassVar[str]
    summary: ClassVar[str] = ""

    def __init__(self, space: Space, seed: int) -> None:
        self.space = space
        self.seed = seed

    @abstractmethod
    def ask(self) -> Candidate:
        """Return the next candidate; raise `Exhausted` when the space has no more."""

    @abstractmethod
    def tell(self, candidate: Candidate, loss: float | None) -> None:
        """Hear that ``candidate`` ended with ``loss`` (smaller is better; None: it diverged or failed)."""
