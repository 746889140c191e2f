"""What the engine runs: a source hands out RunSpecs, one by one, and hears how each run goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
    """A source of runs that are all known beforehand; ``results`` by id, filled as they end.

    Runs that ``results`` has already are not run again.
    """

    def __init__(
        self,
        specs: Sequence[RunSpec],
        *,
        results: dict[str, RunResult] | None = None,
        on_start: Callable[[RunSpec], None] = lambda spec: None,
        on_epoch: Callable[[RunSpec, EpochRecord], None] = lambda spec, record: None,
        on_done: Callable[[RunSpec, RunResult], None] = lambda spec, result: None,
    ) -> None:
        self.results = dict(results or {})
        self._waiting = [spec for spec in reversed(specs) if spec.id not in self.results]
        self._on_start = on_start
        self._on_epoch = on_epoch
        self._on_done = on_done

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


class Sequential:
    """Several sources one after the other, on the same workers.

    ``stages`` is asked for the next source once all runs of the one before have ended; so a generator can plan each
    stage from the results of the last.
    """

    def __init__(self, stages: Iterable[RunSource]) -> None:
        self._stages = iter(stages)
        self._stage: RunSource | None = None
        self._running: dict[str, RunSource] = {}

    def next(self) -> RunSpec | Next:
        while True:
            if self._stage is None:
                self._stage = next(self._stages, None)
                if self._stage is None:
                    return Next.END
            found = self._stage.next()
            if found is Next.END:
                if self._running:
                    return Next.WAIT
                self._stage = None
                continue
            if isinstance(found, RunSpec):
                self._running[found.id] = self._stage
            return found

    def on_epoch(self, spec: RunSpec, record: EpochRecord) -> None:
        self._running[spec.id].on_epoch(spec, record)

    def on_done(self, spec: RunSpec, result: RunResult) -> None:
        self._running.pop(spec.id).on_done(spec, result)
