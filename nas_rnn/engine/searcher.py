"""Hands a source's runs to Ray Tune, and Tune's news to the source."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ray.tune.search import Searcher

from nas_rnn.engine.source import Next, RunSource
from nas_rnn.training import CannotStore, EpochRecord, RunResult, RunSpec

MAX_WORKER_DEATHS = 2
"""How often a run is resumed after its worker died; once more, and the run itself is to blame."""

LONGEST_WAIT = 5.0
"""Seconds after which a run that no worker has begun gets the place of one that rests: so long Tune may take to hand it
over."""

REST = "rest"
"""The key of a trial's configuration that is no run: a worker waits for one."""


class SourceSearcher(Searcher):
    """Tune's view of a `RunSource`; ``notify`` hears of workers that died.

    Between two stages there are fewer runs than workers. Tune would end all idle workers but one, and new ones take
    seconds to start; so with ``keep_workers`` one that has nothing to do gets a trial that rests, until `ends_rest`.
    Places may be fewer than workers, or become fewer where a node is lost: no run waits for one that rests.

    Tune may pickle a searcher; this one leaves its source behind, since Tune's state is never restored from.
    """

    def __init__(
        self,
        source: RunSource | None = None,
        sign: int = 1,
        notify: Callable[[str], None] = lambda message: None,
        *,
        keep_workers: bool = False,
    ) -> None:
        super().__init__(metric="score", mode="min")
        self._source = source
        self._sign = sign
        self._notify = notify
        self._running: dict[str, RunSpec] = {}
        self._records: dict[str, list[EpochRecord]] = {}  # by run, as a run may have several of Tune's trials
        self._deaths: Counter[str] = Counter()
        self._again: list[RunSpec] = []
        self._keep_workers = keep_workers
        self._resting: set[str] = set()
        self._most_running = 0
        self._unplaced: dict[str, float] = {}  # since when
        self.stopping = False
        self.error: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "_source": None,
            "_notify": None,
            "_running": {},
            "_records": {},
            "_again": [],
            "error": None,
        }

    def suggest(self, trial_id: str) -> Any:
        if self.stopping or self._source is None:
            return Searcher.FINISHED
        try:
            spec = self._next()
        except BaseException as error:
            return self._fail(error)
        if spec is Next.END:
            return Searcher.FINISHED
        if not isinstance(spec, RunSpec):
            most = len(self._running) + len(self._resting)
            if not self._keep_workers or self._unplaced or most >= self._most_running:
                return None
            self._resting.add(trial_id)
            return {REST: True}
        self._running[trial_id] = spec
        self._unplaced[trial_id] = time.monotonic()
        self._records.setdefault(spec.id, [])
        return {"spec": spec.to_dict(), "sign": self._sign}

    def _next(self) -> RunSpec | Next:
        """Return the next run; WAIT as long as one is running, since that may have to be handed out again."""
        assert self._source is not None
        found = self._again.pop() if self._again else self._source.next()
        return Next.WAIT if found is Next.END and self._running else found

    def on_placed(self, trial_id: str) -> None:
        """Hear that a trial has its worker."""
        self._unplaced.pop(trial_id, None)
        self._most_running = max(self._most_running, len(self._running) - len(self._unplaced))

    def ends_rest(self, trial_id: str) -> bool:
        """Return whether a trial that rests is to end now: there is a run for its worker, or there will be none."""
        if trial_id not in self._resting or self.stopping:
            return False
        long_ago = time.monotonic() - LONGEST_WAIT
        if self._again or any(since < long_ago for since in self._unplaced.values()):
            return True
        try:
            found = self._next()
        except BaseException as error:
            self._fail(error)
            return False
        if isinstance(found, RunSpec):
            self._again.append(found)
        return found is not Next.WAIT

    def on_worker_died(self, trial_id: str, reason: str = "died") -> None:
        """Hear that a run's worker died, or could not begin, and that the run will be resumed."""
        spec = self._running.get(trial_id)
        if spec is not None and not self.stopping:
            self._unplaced[trial_id] = time.monotonic()
            self._deaths[spec.id] += 1
            self._notify(f"the worker of {spec.name} {reason}; the run resumes from its last checkpoint")

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        if self._source is None or trial_id not in self._running:
            return
        for data in result.get("records", []):
            record = EpochRecord.from_dict(data)
            # A run that was retried on another worker reports its earlier epochs again.
            spec = self._running[trial_id]
            if record.epoch > len(self._records[spec.id]):
                self._records[spec.id].append(record)
                self._guard(self._source.on_epoch, spec, record)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        self._resting.discard(trial_id)
        self._unplaced.pop(trial_id, None)
        if self.stopping or self._source is None or trial_id not in self._running:
            return
        if result:
            self.on_trial_result(trial_id, result)
            if "halt" in result:
                self._fail(CannotStore(result["halt"]))
                return
        if error and self._deaths[self._running[trial_id].id] < MAX_WORKER_DEATHS:
            # Tune itself retries a run, but not one that it gave to a worker which died while it had nothing to do.
            self.on_worker_died(trial_id)
            del self._unplaced[trial_id]
            self._again.append(self._running.pop(trial_id))
            return
        spec = self._running.pop(trial_id)
        records = self._records.pop(spec.id)
        told = json.loads(result["result"]) if result else None
        if told is not None:
            ended = RunResult.from_dict(told)
        elif error or not result:
            ended = self._ended(spec, records, "failed", "its worker died repeatedly")
        else:
            ended = self._ended(spec, records, result["ending"], result["reason"])
            told_last = {name: result[name] for name in ("parameters", "backend", "fallback")}
            ended = replace(ended, **told_last)
        self._guard(self._source.on_done, spec, ended)

    def _ended(self, spec: RunSpec, records: list[EpochRecord], status: Any, reason: str) -> RunResult:
        best = min(records, key=lambda record: self._sign * record.metric, default=None)
        return RunResult(
            id=spec.id,
            status=status,
            reason=reason,
            epochs=list(records),
            best_epoch=best.epoch if best else None,
            best_metric=best.metric if best else None,
            parameters=0,
            test_statistics=None,
            seconds=sum(record.seconds for record in records),
            ended_because=status,
        )

    def _guard(self, call: Any, *arguments: Any) -> None:
        """Keep an exception of the source for the engine to raise: Tune would swallow or wrap it."""
        try:
            call(*arguments)
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> Any:
        self.error = self.error or error
        self.stopping = True
        return Searcher.FINISHED

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: the study is the truth about a search."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: see `save`."""
