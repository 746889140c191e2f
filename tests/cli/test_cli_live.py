"""The view that redraws itself: what it shows, at any width, and when it is not used."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.control import strip_control_codes
from rich.text import Text

from nas_rnn.cli.live import LiveView
from nas_rnn.cli.output import live_capable
from nas_rnn.experiment.events import EpochDone, Event, PhaseStarted, Progress, RunStarted
from nas_rnn.tasks import LOSS, Mean, Measures
from tests.cli.conftest import STARTED, STORY, ended, play


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def terminal(width: int = 80, height: int = 24) -> Console:
    """Return a console on a terminal of that size."""
    return Console(
        file=Terminal(),
        force_terminal=True,
        color_system=None,
        width=width,
        height=height,
        markup=False,
        highlight=False,
        _environ={},
    )


def shown(events: tuple[Event, ...], width: int = 80, height: int = 24) -> list[str]:
    """Return the lines that the view shows after ``events``."""
    screen = terminal(width, height)
    view = LiveView(screen)
    play(view, events)
    lines = screen.render_lines(view.render(), pad=False)
    return ["".join(segment.text for segment in line).rstrip() for line in lines]


def test_a_search_in_the_middle() -> None:
    lines = shown((*STORY[:6], *STORY[7:10]))
    assert [line.split()[0] for line in lines] == ["Search", "lstm", "Runs:", "LSTM", "Best:"]
    assert "3 of 4" in lines[0]
    assert "epoch 1/2" in lines[1] and "2.500" in lines[1]
    assert lines[2] == "Runs: 1 running, 1 finished, 1 stopped early, 1 diverged"
    assert lines[3] == "LSTM so far: 2.500 bits per character"
    assert lines[4] == "Best: 2.341 bits per character, 6.4 % better than the LSTM so far (gated-bbbb)"


def test_the_baseline_at_its_end() -> None:
    lines = shown(STORY[:8])
    assert lines[-2:] == [
        "LSTM: 2.400 bits per character",
        "Best: 2.600 bits per character, 8.3 % worse than the LSTM (gated-aaaa)",
    ]


def test_before_the_first_phase() -> None:
    assert shown(()) == ["Getting ready ..."]
    assert shown((STARTED,)) == ["Getting ready ..."]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (8, 3), (20, 8), (30, 200), (300, 5)])
def test_it_fits_any_terminal(width: int, height: int) -> None:
    for count in range(len(STORY) + 1):
        for line in shown(STORY[:count], width, height):
            assert Text(line).cell_len <= width


def test_more_runs_than_lines() -> None:
    """A terminal of 12 lines shows five of 40 runs, and says how many more there are."""
    many = tuple(RunStarted(id=str(i), role="candidate", name=f"cell-{i}", epochs=3) for i in range(40))
    lines = shown((STARTED, PhaseStarted(phase="search", runs=40), *many), height=12)
    assert [line.split()[0] for line in lines] == ["Search", *(f"cell-{i}" for i in range(5)), "...", "Runs:"]
    assert lines[6] == "... and 35 more runs"


def _printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return strip_control_codes(console.file.getvalue())


def test_what_stays_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases, new bests, failures and notices are printed above; text is not taken for markup."""
    screen = terminal(200)
    play(LiveView(screen))
    printed = Text.from_ansi(_printed(screen)).plain.splitlines()
    assert printed[0].startswith("Search first: task char-lm")
    assert printed[1:] == [
        "Search: 4 runs",
        "New best: gated-aaaa stopped early, 2.600, 4.0 % worse than the LSTM at this epoch",
        "New best: gated-bbbb finished, 2.341, 2.5 % better than the LSTM",
        "gated-cccc diverged, loss is nan at step 3",
        "Note: [bold]the search space is exhausted",
        "Final: 4 runs, 1 already done",
    ]


def test_the_best_so_far_is_by_what_steers_and_in_its_unit() -> None:
    """Here more of what decides is better, and less of what steers."""
    metric = Mean("rouge", "% overlap", "maximize", 1.0, "absolute", of="overlap")
    started = replace(STARTED, measures=Measures((metric,), LOSS))
    story = (started, *STORY[1:9])
    text = "\n".join(shown(story))
    assert "LSTM: 2.400 nats" in text and "Best: 2.341 nats, 2.4 % better than the LSTM" in text


def test_a_failure_keeps_to_one_line() -> None:
    screen = terminal(200)
    play(
        LiveView(screen),
        (STARTED, ended("a\nb", "failed", None, reason="CUDA\x1b[2J error:\n out of memory")),
    )
    assert (
        Text.from_ansi(_printed(screen)).plain.splitlines()[1] == "a b failed, CUDA [2J error: out of memory"
    )


def test_it_leaves_the_terminal_as_it_was() -> None:
    """The cursor is shown again, also after an error."""
    screen = terminal()
    with pytest.raises(KeyboardInterrupt), LiveView(screen) as view:
        play(view)
        raise KeyboardInterrupt
    assert isinstance(screen.file, io.StringIO)
    written = screen.file.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_better_is_green_and_worse_is_red_unless_colours_are_unwanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        screen = Console(
            file=Terminal(),
            force_terminal=True,
            color_system="standard",
            width=100,
            height=24,
            markup=False,
            _environ=environment,
        )
        view = LiveView(screen)
        play(view)
        screen.print(view.render())
        assert isinstance(screen.file, io.StringIO)
        assert ("\x1b[32m, 2.4 % better than the LSTM" in screen.file.getvalue()) is coloured
        assert "2.4 % better than the LSTM" in screen.file.getvalue()


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
        (io.StringIO(), {"TERM": "xterm", "FORCE_COLOR": "1"}, False),
    ],
)
def test_it_is_for_terminals_that_can_redraw(
    stream: io.StringIO, environment: dict[str, str], expected: bool
) -> None:
    assert live_capable(Console(file=stream, _environ=environment)) is expected


def test_epochs_move_the_bar() -> None:
    started = (STARTED, PhaseStarted(phase="search", runs=1))
    bars = []
    for epoch in (1, 3, 4):
        done = EpochDone(id="a", role="candidate", name="a", epoch=epoch, epochs=4, metric=2.0, seconds=1.0)
        bars.append(shown((*started, done))[1].count("━"))
    assert bars[0] < bars[1] < bars[2]


def test_progress_of_nothing_counts_nothing() -> None:
    progress = Progress()
    progress.update(PhaseStarted(phase="selection", runs=0))
    view = LiveView(terminal())
    view(PhaseStarted(phase="selection", runs=0), progress)
    assert "0 of 0" in shown((STARTED, PhaseStarted(phase="selection", runs=0)))[0]
