"""How fast the cells of a final learn: read from their curves, and a step of each timed while nothing else runs."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace

from nas_rnn.comparison import Comparison, FinalPlan, with_learning_speeds, with_seconds
from nas_rnn.engine import RunList, RunSource
from nas_rnn.experiment.events import PhaseStarted
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.training import RunResult

ID = "timing"


def learning_speeds(
    models: Models,
    listener: RunListener,
    plan: FinalPlan,
    results: Mapping[str, RunResult],
    comparison: Comparison,
) -> Generator[RunSource, None, Comparison]:
    """Return ``comparison`` with how fast its contenders learn; all runs of the final have ended.

    The seconds that their epochs took are those of runs that shared a machine. So one worker measures training steps,
    of each contender that has a ratio in turns with the baseline's, and no other run is handed out meanwhile.
    """
    found = with_learning_speeds(comparison, models.measures.monitor, plan, results)
    asked = [planned for planned in plan.contenders if planned.entry.asked]
    timed = [
        (number, planned.specs[0])
        for number, planned in enumerate(asked)
        if (speed := found.contenders[number].learning_speed) is not None and speed.ratio is not None
    ]
    if not timed:
        return found
    first, store = plan.baseline.specs[0], listener.folder.store(ID)
    store.write_timed([first, *(spec for _, spec in timed)])
    listener.notify(PhaseStarted(phase="timing", runs=1))
    run = RunList([replace(first, id=ID, role="timing", name=ID, read_test=False)])
    yield run
    times = store.read_times()
    if times is None:
        reason = run.results[ID].reason if ID in run.results else "it did not run"
        listener.notify.warn(f"the time of a training step was not measured: {reason}")
        return found
    rows = list(found.contenders)
    for (number, _), pair in zip(timed, times, strict=True):
        if pair is not None:
            rows[number] = with_seconds(rows[number], *pair)
    return replace(found, contenders=tuple(rows))
