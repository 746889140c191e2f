"""What a strategy is: it proposes candidates and hears how they did."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from nas_rnn.spaces import Candidate, Space


class Exhausted(Exception):
    """Every candidate of the space has been proposed."""


class Strategy(ABC):
    """Proposes candidates of one space; lives in the driver and is told of every trial that ended.

    Parameters: the space, and a seed; a space that it cannot work with is a `UserError` there. Several candidates may
    be under way at once: `ask` is called again before they are told, and they end in any order. After a resume a new
    instance hears of all earlier trials in their order, of those that ended with `tell` and of those under way with
    `expect`; its seed differs from the first one's, so that it does not propose the same candidates again. Where
    `repeats` is set it has the same seed, and is asked for all earlier proposals again before it hears of them.
    """

    plugin_kind: ClassVar[str] = "strategy"
    name: ClassVar[str]
    summary: ClassVar[str] = ""
    repeats: ClassVar[bool] = False
    """Whether proposals follow from the seed alone, whatever came of earlier ones, and cost next to nothing."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space = space
        self.seed = seed

    @abstractmethod
    def ask(self) -> Candidate:
        """Return the next candidate; raise `Exhausted` when the space has no more."""

    @abstractmethod
    def tell(self, candidate: Candidate, loss: float | None) -> None:
        """Hear that ``candidate`` ended with ``loss`` (smaller is better; None: it diverged, failed or was dropped).

        The loss is the best of its epochs on the validation part, after the same number of epochs for all: those of
        the first rung of a halving, or all. A candidate may be told that was never asked for here.
        """

    def hear(self, candidate: Candidate, losses: Sequence[float]) -> None:  # noqa: B027  (most do not ask)
        """Hear the losses that ``candidate``, under way, has had so far, one after each of its epochs."""

    def expect(self, candidate: Candidate) -> None:  # noqa: B027  (a strategy that forgets it proposes some twice)
        """Hear that ``candidate``, asked of an earlier instance, is under way again; its `tell` follows."""


class ParetoStrategy(Strategy):
    """A strategy for several objectives: it looks for candidates that no other one beats in all of them.

    Where a search has several objectives, `tell_all` is called in the place of `tell`.
    """

    @abstractmethod
    def tell_all(self, candidate: Candidate, losses: tuple[float, ...] | None) -> None:
        """Hear that ``candidate`` ended with ``losses`` (smaller is better; None: it diverged or failed).

        The first is that of `tell`, the others are what the candidate costs: as many, and in the same order, each time.
        """

    def tell(self, candidate: Candidate, loss: float | None) -> None:
        """Hear of quality alone."""
        self.tell_all(candidate, None if loss is None else (loss,))
