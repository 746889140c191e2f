"""``nas-rnn report``: the page of a search, comparison or ablation."""

from __future__ import annotations

from typing import Annotated

import typer

from nas_rnn.cli import options as o
from nas_rnn.cli.failures import command

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A search, comparison or ablation, finished or not; see `nas-rnn list searches`."
    ),
]


@command
def report(name: Name, runs: o.Runs = o.RUNS, debug: o.Debug = False) -> None:
    """Write the report of a search as one HTML page (report.html in its folder), and print its path."""
    from nas_rnn.cli.output import emit
    from nas_rnn.publishing.report_data import make_report

    emit(str(make_report(name, runs=runs)))
