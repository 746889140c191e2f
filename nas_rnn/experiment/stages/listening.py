"""Runs that are known beforehand, as a stage: those that have a result are not run again, and all are told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nas_rnn.engine import RunList
from nas_rnn.experiment.events import Notifier, Phase, PhaseStarted, epoch_done, run_ended, run_started
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.training import EpochRecord, RunResult, RunSpec

OnChange = Callable[[RunSpec, RunResult | None], None]
"""Hears of each run after it began, went on or ended, with its result once there is one."""


@dataclass(frozen=True)
class RunListener:
    """Tells how the runs of a stage go, and keeps their results."""

    folder: RunFolder
    notify: Notifier
    on_change: OnChange

    def on_start(self, spec: RunSpec) -> None:
        """Hear that a run begins."""
        self.notify(run_started(spec))
        self.on_change(spec, None)

    def on_epoch(self, spec: RunSpec, record: EpochRecord) -> None:
        """Hear of an epoch."""
        self.notify(epoch_done(spec, record))
        self.on_change(spec, None)

    def on_done(self, spec: RunSpec, result: RunResult, *, keep_checkpoint: bool = False) -> None:
        """Hear how a run ended; without ``keep_checkpoint`` nobody will train it on."""
        self.folder.keep_result(result)
        if spec.role in ("selection", "tuning", "supernet") and not keep_checkpoint:
            self.folder.store(spec.id).drop_checkpoint()
        event = run_ended(spec, result)
        if keep_checkpoint and result.status == "finished" and result.ended_because == "budget":
            event = replace(event, ending="stopped")  # at a rung: it may be taken on
        self.notify(event)
        self.on_change(spec, result)

    def stage(self, phase: Phase, specs: Sequence[RunSpec]) -> RunList:
        """Return those of ``specs`` that have no result yet as a stage; its results hold the others' already."""
        found = {spec.id: self.folder.earlier_result(spec) for spec in specs}
        results = {id: result for id, result in found.items() if result is not None}
        self.notify(PhaseStarted(phase=phase, runs=len(specs), before=len(results)))
        return RunList(
            specs, results=results, on_start=self.on_start, on_epoch=self.on_epoch, on_done=self.on_done
        )
