"""Hands a source's runs to Ray Tune, and Tune's news to the source."""

from __future__ import annotations

import json
from typing import Any

from ray.tune.search import Searcher

from nas_rnn.engine.source import Next, RunSource
from nas_rnn.training import CannotStore, EpochRecord, RunResult, RunSpec


class SourceSearcher(Searcher):
    """Tune's view of a `RunSource`.

    Tune may pickle a searcher; this one leaves its source behind, since Tune's state is never restored from.
    """

    def __init__(self, source: RunSource | None = None, sign: int = 1) -> None:
        super().__init__(metric="score", mode="min")
        self._source = source
        self._sign = sign
        self._running: dict[str, RunSpec] = {}
        self._records: dict[str, list[EpochRecord]] = {}
        self.stopping = False
        self.error: BaseException | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_source": None, "_running": {}, "_records": {}, "error": None}

    def suggest(self, trial_id: str) -> Any:
        if self.stopping or self._source is None:
            return Searcher.FINISHED
        try:
            spec = self._source.next()
        except BaseException as error:
            return self._fail(error)
        if spec is Next.WAIT:
            return None
        if spec is Next.END:
            return Searcher.FINISHED
        assert isinstance(spec, RunSpec)
        self._running[trial_id] = spec
        self._records[trial_id] = []
        return {"spec": spec.to_dict(), "sign": self._sign}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        if self._source is None or trial_id not in self._running:
            return
        for data in result.get("records", []):
            record = EpochRecord.from_dict(data)
            # A run that was retried on another worker reports its earlier epochs again.
            if record.epoch > len(self._records[trial_id]):
                self._records[trial_id].append(record)
                self._guard(self._source.on_epoch, self._running[trial_id], record)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        if self.stopping or self._source is None or trial_id not in self._running:
            return
        if result:
            # When a scheduler stops a trial, its last result comes here only.
            self.on_trial_result(trial_id, result)
            if "halt" in result:
                self._fail(CannotStore(result["halt"]))
                return
        spec = self._running.pop(trial_id)
        records = self._records.pop(trial_id)
        told = json.loads(result["result"]) if result else None
        if told is not None:
            ended = RunResult.from_dict(told)
        elif error or not result:
            ended = self._ended(spec, records, "failed", "its worker died again and again")
        else:
            status, reason = result["ending"] or "stopped", result["reason"]
            reason = reason or f"behind the others at epoch {len(records)}"
            ended = self._ended(spec, records, status, reason, result["parameters"])
        self._guard(self._source.on_done, spec, ended)

    def _ended(
        self, spec: RunSpec, records: list[EpochRecord], status: Any, reason: str, parameters: int = 0
    ) -> RunResult:
        best = min(records, key=lambda record: self._sign * record.metric, default=None)
        return RunResult(
            id=spec.id,
            status=status,
            reason=reason,
            epochs=list(records),
            best_epoch=best.epoch if best else None,
            best_metric=best.metric if best else None,
            parameters=parameters,
            test_values=None,
            test_weights=None,
            seconds=sum(record.seconds for record in records),
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
