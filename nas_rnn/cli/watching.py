"""Which view shows a search or a comparison, and which form its result takes."""

from __future__ import annotations

from pathlib import Path

from nas_rnn.cli.lines import LineView
from nas_rnn.cli.live import LiveView
from nas_rnn.cli.output import console, emit_json, live_capable
from nas_rnn.cli.results import print_next, print_result
from nas_rnn.experiment.results import Result


def view(json: bool) -> LiveView | LineView:
    """Return what shows progress: redrawn on a terminal, lines elsewhere; stdout is left free for JSON."""
    target = console(stderr=json)
    return LiveView(target) if live_capable(target) else LineView(stderr=json)


def print_outcome(result: Result, json: bool, runs: Path) -> None:
    """Print ``result`` for people, or as JSON; how to resume an interrupted search in either case."""
    if not json:
        print_result(console(), result, runs)
        return
    emit_json(result.to_dict())
    if result.status == "interrupted":
        print_next(console(stderr=True), result, runs)
