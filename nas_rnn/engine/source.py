"""What the engine runs: a source hands out RunSpecs, one by one, and hears how each run goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

from nas_rnn.training import EpochRecord, RunResult, RunSpec


class Next(Enum):
    """What a source says when it has no RunSpec to hand out."""

    WAIT = "nothing before some running one has ended"
    END = "nothing more at all"


class RunSource(Protocol):
    """Hands out runs and hears of them; all calls come from the driver's main thread."""

    def next(self) -> RunSpec | Next:
        """Return the next run to start, or why there is none."""
        ...

    def on_epoch(self, spec: RunSpec, record: EpochRecord) -> None:
        """Hear of an epoch, also of those that a resumed run had done before, in order and once each."""
        ...

    def on_done(self, spec: RunSpec, result: RunResult) -> None:
        """Hear how a run ended."""
        ...


class RunList:
    """A source of runs that are all known beforehand; ``results`` by id, filled as they end."""

    def __init__(
        self,
        specs: Sequence[RunSpec],
        *,
        on_epoch: Callable[[RunSpec, EpochRecord], None] = lambda spec, record: None,
        on_done: Callable[[RunSpec, RunResult], None] = lambda spec, result: None,
        on_start: Callable[[RunSpec], None] = lambda spec: None,
    ) -> None:
        self._on_start = on_start
        self._waiting = list(reversed(specs))
        self._on_epoch = on_epoch
        self._on_done = on_done
        self.results: dict[str, RunResult] = {}

    def next(self) -> RunSpec | Next:
        if not self._waiting:
            return Next.END
        spec = self._waiting.pop()
        self._on_start(spec)
        return spec

    def on_epoch(self, spec: RunSpec, record: EpochRecord) -> None:
        self._on_epoch(spec, record)

    def on_done(self, spec: RunSpec, result: RunResult) -> None:
        self.results[spec.id] = result
        self._on_done(spec, result)
