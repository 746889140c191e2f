"""Progress as plain lines, one for each event that matters: for files, pipes, simple terminals."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Final

from nas_rnn.cli.failures import report_plugin_problems
from nas_rnn.cli.output import emit
from nas_rnn.cli.phrases import ENDINGS, count, figure, gap_words, one_line
from nas_rnn.experiment.events import Event, Notice, PhaseStarted, Progress, RunEnded, Started, roughly
from nas_rnn.tasks import Measures, Metric

PHASES: Final[Mapping[str, str]] = {
    "baseline": "Tuning the LSTM: candidates are searched with its best settings",
    "supernet": "Supernet: weights that all candidates share are trained, and rank them",
    "search": "Search: every candidate is trained for a while, beside the LSTM",
    "halving": "Search: the best candidates are trained on",
    "control": "Random search: as many random candidates, as a control",
    "control-halving": "Random search: its best candidates are trained on",
    "selection": "Selection: the best few again, with fresh seeds",
    "length": "Tuning: how long the baseline needs as it is",
    "tuning": "Tuning: the same number of settings for every cell, on validation data",
    "lstm-all": "Control: the LSTM is tuned with as much training as search, selection and tuning took",
    "promotion": "Tuning: the best settings of each cell, trained to the end",
    "final": "Final: all cells on the same fresh seeds; each run reads the test data once",
    "timing": "Timing: a training step of each cell, one after another, while nothing else runs",
}


class LineView:
    """An observer that prints lines without escape codes, on stdout or, where that is for JSON, on stderr."""

    def __init__(self, *, stderr: bool) -> None:
        self._stderr = stderr

    def __enter__(self) -> LineView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, event: Event, progress: Progress) -> None:
        """Print what ``event`` has to say, if anything."""
        if isinstance(event, Started):
            report_plugin_problems()
        line = describe(event, progress)
        if line is None:
            return
        if self._stderr:
            print(line, file=sys.stderr, flush=True)
        else:
            emit(line)


def describe(event: Event, progress: Progress) -> str | None:
    """Return the line for ``event``; None for those too frequent to print."""
    match event:
        case Started():
            return started_line(event)
        case PhaseStarted(phase=phase, runs=runs, before=before):
            done = f", {before} already done" if before else ""
            left = progress.seconds_left()
            time = "" if left is None else f"; about {roughly(left)} left in all"
            return f"{PHASES[phase]} ({count(runs, 'run')}{done}{time})"
        case RunEnded():
            return f"  {_place(event, progress)}{ended_line(event)}"
        case Notice(message=message):
            return f"Note: {one_line(message)}"
    return None


def started_line(event: Started) -> str:
    """Return what begins, on what, and how large it is."""
    what = {"compare": "Comparison", "ablate": "Ablation"}.get(event.kind, "Search")
    parts = [f"task {event.task} ({_measured(event.measures)})"]
    if event.space is not None:
        narrowed = f" with {' and '.join(event.constraints)}" if event.constraints else ""
        parts.append(f"space {event.space}{narrowed}")
    if event.trials is not None:
        parts.append(count(event.trials, "trial"))
    parts.append(f"{event.parameters:,} parameters")
    if event.workers is not None:
        parts.append(f"{count(event.workers, 'run')} at a time")
    return f"{what} {one_line(event.name)}: {one_line(', '.join(parts))}; in {one_line(event.folder)}"


def ended_line(event: RunEnded) -> str:
    """Return how a run ended, with its value and gap or its reason."""
    parts = [f"{one_line(event.name)} {ENDINGS[event.ending]}"]
    if event.value is not None:
        parts.append(figure(event.value))
    gap = gap_words(event.gap) if event.role != "baseline" else ""
    if gap:
        parts.append(f"{gap} at this epoch" if event.gap_so_far else gap)
    if event.reason:
        parts.append(one_line(event.reason))
    if event.fallback:
        parts.append(f"ran on the {event.backend} backend, since {one_line(event.fallback)}")
    return ", ".join(parts)


def _place(event: RunEnded, progress: Progress) -> str:
    if event.role == "baseline" or not progress.phase_runs:
        return ""
    return f"[{progress.phase_done}/{progress.phase_runs}] "


def _measured(measures: Measures) -> str:
    decides, monitor = measures.metric, measures.monitor
    text = f"{decides.name}, in {decides.unit}, {_direction(decides)}"
    if monitor == decides:
        return text
    return f"{text}; before the final {monitor.name}, in {monitor.unit}, {_direction(monitor)}"


def _direction(metric: Metric) -> str:
    return "lower is better" if metric.direction == "minimize" else "higher is better"
