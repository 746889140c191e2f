"""Progress that redraws itself, for terminals: what runs, how far it is, the best against the baseline."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nas_rnn.cli.failures import report_plugin_problems
from nas_rnn.cli.lines import ended_line, started_line
from nas_rnn.cli.phrases import (
    count,
    endings,
    figure,
    gap_colour,
    gap_words,
    one_line,
    relative_gap,
)
from nas_rnn.experiment.events import (
    EpochDone,
    Event,
    Notice,
    PhaseStarted,
    Progress,
    RunEnded,
    RunStarted,
    Started,
    roughly,
)

NAMES: Final = {
    "length": "Tuning (length)",
    "baseline": "Tuning the LSTM",
    "supernet": "Supernet",
    "search": "Search",
    "halving": "Search (to the end)",
    "control": "Random search",
    "control-halving": "Random search (to the end)",
    "selection": "Selection",
    "tuning": "Tuning",
    "lstm-all": "Tuning the LSTM with all",
    "promotion": "Tuning (to the end)",
    "final": "Final",
    "timing": "Timing",
}
REDRAWS_PER_SECOND: Final = 4
FIXED_LINES: Final = 6
"""Lines of the view besides those of running runs, and a free one below."""


class LiveView:
    """An observer that keeps a few lines up to date on a terminal, and prints lasting news above them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress()
        self._best: float | None = None
        self._live = Live(
            console=console,
            get_renderable=self.render,
            refresh_per_second=REDRAWS_PER_SECOND,
            transient=True,
            vertical_overflow="crop",
        )

    def __enter__(self) -> LiveView:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event, progress: Progress) -> None:
        """Take the state in, and print what should stay to be read."""
        self._progress = progress
        if isinstance(event, Started):
            report_plugin_problems()
        news = self._news(event, progress)
        if news is not None:
            self._console.print(news)

    def _news(self, event: Event, progress: Progress) -> Text | None:
        match event:
            case Started():
                return Text(started_line(event))
            case PhaseStarted(phase=phase, runs=runs, before=before):
                done = f", {before} already done" if before else ""
                return Text(f"{NAMES[phase]}: {count(runs, 'run')}{done}", style="bold")
            case RunEnded(ending="diverged" | "failed"):
                return Text(ended_line(event), style="yellow" if event.ending == "diverged" else "red")
            case RunEnded() if progress.best_value != self._best:
                self._best = progress.best_value
                return Text(f"New best: {ended_line(event)}", style=gap_colour(event.gap))
            case Notice(message=message):
                return Text(f"Note: {one_line(message)}", style="yellow")
        return None

    def render(self) -> RenderableType:
        """Return the lines as they are now, no more than fit the terminal."""
        progress = self._progress
        if progress.phase is None:
            return Text("Getting ready ...")
        running = list(progress.running.values())
        room = max(1, self._console.height - FIXED_LINES)
        shown = running if len(running) <= room else running[: room - 1]
        rows: list[RenderableType] = [_heading(progress), *(_bar(run) for run in shown)]
        if len(shown) < len(running):
            rows.append(_cropped(f"... and {count(len(running) - len(shown), 'more run')}"))
        return Group(*rows, *_summary(progress, len(running)))


def _heading(progress: Progress) -> RenderableType:
    """Return the phase with its bar, how much of it is done, and the time left for everything."""
    assert progress.phase is not None
    left = progress.seconds_left()
    table = _row()
    table.add_row(
        Text(NAMES[progress.phase], style="bold"),
        ProgressBar(total=max(1, progress.phase_runs), completed=progress.phase_done),
        Text(f"{progress.phase_done} of {progress.phase_runs}"),
        Text("" if left is None else f"about {roughly(left)} left"),
    )
    return table


def _bar(run: RunStarted | EpochDone) -> RenderableType:
    """Return one running run: its name, its epochs, its metric on validation data."""
    done = run.epoch if isinstance(run, EpochDone) else 0
    metric = figure(run.metric) if isinstance(run, EpochDone) else ""
    table = _row()
    table.add_row(
        Text(one_line(run.name)),
        ProgressBar(total=max(1, run.epochs), completed=done),
        Text(f"epoch {done}/{run.epochs}"),
        Text(metric),
    )
    return table


def _row() -> Table:
    """Return a one-line table whose columns give way, first the bar, where the terminal is narrow."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column(ratio=4)
    table.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
    return table


def _summary(progress: Progress, running: int) -> list[RenderableType]:
    """Return the trials by ending, the baseline, and the best so far against it."""
    counts: dict[str, int] = {"running": running, **{str(name): n for name, n in progress.endings.items()}}
    lines: list[RenderableType] = [_cropped(f"Runs: {endings(counts)}")]
    unit = "" if progress.started is None else f" {progress.started.measures.monitor.unit}"
    if progress.baseline_value is not None:
        so_far = "" if progress.baseline_done else " so far"
        lines.append(_cropped(f"LSTM{so_far}: {figure(progress.baseline_value)}{unit}"))
    if progress.best_value is not None:
        direction = "minimize" if progress.started is None else progress.started.measures.monitor.direction
        gap = relative_gap(progress.best_value, progress.baseline_value, direction)
        words = gap_words(gap, "the LSTM" if progress.baseline_done else "the LSTM so far")
        line = _cropped(f"Best: {figure(progress.best_value)}{unit}")
        line.append(f", {words}" if words else "", style=gap_colour(gap))
        line.append(f" ({one_line(progress.best_name or '')})")
        lines.append(line)
    return lines


def _cropped(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")
