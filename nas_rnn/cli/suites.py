"""``nas-rnn compare --suite``: what the same cells did on several tasks, as people read it at the end."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nas_rnn.cli.options import RUNS
from nas_rnn.cli.output import console, emit_json, print_block
from nas_rnn.cli.phrases import duration, figure, one_line
from nas_rnn.cli.results import difference_text, styled, verdict_text
from nas_rnn.comparison import Comparison, ContenderRow
from nas_rnn.experiment import SuiteResult
from nas_rnn.run_folder.layout import REPORT

COLUMNS = ("task", "cell", "metric", "baseline", "mean", "difference [95 %]", "margins", "verdict")
_WORDS = ("task", "cell", "metric", "verdict")


def print_suite(result: SuiteResult, json: bool, runs: Path) -> None:
    """Print ``result`` for people, or as JSON; how to go on with an interrupted suite in either case."""
    target = console(stderr=json)
    if json:
        emit_json(result.to_dict())
    elif result.comparison is not None:
        _print_answer(target, result)
    if result.status == "interrupted":
        where = "" if runs == RUNS else f" --runs {shlex.quote(str(runs))}"
        target.print("\nInterrupted; finished work is kept.", style="bold")
        target.print(f"Go on with it with: nas-rnn compare --resume {result.name}{where}", soft_wrap=True)


def _print_answer(target: Console, result: SuiteResult) -> None:
    assert result.comparison is not None
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in _WORDS else "right", overflow="fold")
    for part, comparison in result.comparison.comparisons.items():
        for row in comparison.contenders:
            table.add_row(*_row(part, comparison, row))
    target.print("\nOn the test data of each task:", style="bold")
    print_block(target, table)
    target.print()
    for line in result.lines:
        target.print(Text(one_line(line)), soft_wrap=True)
    target.print(f"\nTime: {duration(result.seconds)}")
    target.print(f"Folder: {one_line(result.folder)}", soft_wrap=True)
    target.print(f"Report: {one_line(str(Path(result.folder, REPORT)))}", soft_wrap=True)
    target.print(f"Comparisons: {', '.join(result.parts)}", soft_wrap=True)


def _row(part: str, comparison: Comparison, row: ContenderRow) -> list[str | Text]:
    own, gap = row.standing, row.in_margins
    mean = f"{own.diverged} of {len(own.seeds)} diverged" if own.diverged else figure(own.mean)
    return [
        part,
        one_line(own.name),
        comparison.metric,
        figure(comparison.baseline.mean),
        mean,
        difference_text(row),
        "-" if gap is None else f"{gap.difference:+.2f}",
        styled(verdict_text(row)),
    ]
