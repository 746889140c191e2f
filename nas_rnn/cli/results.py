"""What a search or a comparison found, as people read it at the end."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from nas_rnn.cli.options import RUNS
from nas_rnn.cli.output import print_block, width_of
from nas_rnn.cli.phrases import count, duration, endings, figure, one_line
from nas_rnn.comparison import (
    Comparison,
    ContenderRow,
    Standing,
    answer_lines,
    cost_sentence,
    course_lines,
    ranked_rows,
    scale_lines,
    speed_lines,
)
from nas_rnn.comparison.sentences import signed, verdict_remark
from nas_rnn.comparison.spreads import spread_text
from nas_rnn.experiment.results import Result
from nas_rnn.run_folder.config import SMOKE_WARNING
from nas_rnn.run_folder.front import Front, cost_words
from nas_rnn.run_folder.layout import REPORT

VERDICT_STYLES = {
    "better": "bold green",
    "equivalent": "bold",
    "worse": "bold red",
    "undecided": "bold yellow",
}


COLUMNS = ("cell", "hidden size", "parameters", "mismatch", "mean ± std", "difference [95 %]", "verdict")


def print_result(console: Console, result: Result, runs: Path) -> None:
    """Print the best cell, the comparison, the verdict, where things are and what to do next."""
    console.print()
    if result.best is not None:
        _print_best(console, result)
    if result.front is not None and result.front.best:
        _print_front(console, result.front, result.measures.monitor.unit)
    if result.comparison is not None and result.ablation is not None:
        _print_ablation(console, result)
        _print_verdict(console, result)
    elif result.comparison is not None:
        _print_comparison(console, result.comparison)
        _print_lines(console, scale_lines(result.comparison))
        _print_lines(console, course_lines(result.comparison))
        _print_settings(console, result.comparison)
        _print_verdict(console, result)
    else:
        _print_withoutverdict_text(console, result)
    if result.trials:
        dropped = sum(one["by"] == "search" for one in result.dropped)
        more = f"; {count(dropped, 'candidate')} dropped before training" if dropped else ""
        console.print(f"Trials: {endings(result.trials)}{more}")
    console.print(f"Time: {duration(result.seconds)}")
    console.print(f"Folder: {one_line(result.folder)}", soft_wrap=True)
    report = Path(result.folder, REPORT)
    if report.is_file():
        console.print(f"Report: {one_line(str(report))}", soft_wrap=True)
    print_next(console, result, runs)


def _print_best(console: Console, result: Result) -> None:
    assert result.best is not None
    best = result.best
    console.print(Panel(Text(best.equations.rstrip("\n")), title=Text(one_line(best.name)), expand=False))
    if result.comparison is None:
        console.print(f"Hidden size {best.hidden_size}, {best.parameters:,} parameters")


def _print_front(console: Console, front: Front, unit: str) -> None:
    """Print the candidates that no other one beats in all objectives."""
    console.print(f"\nThe front by {' and '.join(front.objectives)}, on validation data:", style="bold")
    for member in front.best:
        costs = ", ".join(
            cost_words(name, cost) for name in front.costs if (cost := member.cost(name)) is not None
        )
        console.print(f"  {one_line(member.name)}: {figure(member.quality)} {unit}, {costs}", soft_wrap=True)


def _print_comparison(console: Console, comparison: Comparison) -> None:
    """Print the comparison as a table, or in lines where the terminal is too narrow for it."""
    console.print(f"\nOn the test data, {comparison.metric} in {comparison.unit}:", style="bold")
    table = comparison_table(comparison)
    if width_of(console, table) <= console.width:
        print_block(console, table)
        return
    for heading, *figures, difference, verdict in _rows(comparison):
        console.print(f"{heading}: {verdict}")
        size, parameters, mismatch, mean = figures
        console.print(f"  hidden size {size}, {parameters} parameters ({mismatch})")
        console.print(f"  {mean}" + (f", difference {difference} (95 %)" if difference else ""))


def _print_lines(console: Console, lines: list[str]) -> None:
    """Print sentences below a free line."""
    if lines:
        console.print()
    for line in lines:
        console.print(one_line(line), soft_wrap=True)


def _print_settings(console: Console, comparison: Comparison) -> None:
    """Print with which settings each tuned cell was trained."""
    standings = [comparison.baseline, *(row.standing for row in comparison.rows)]
    tuned = [standing for standing in standings if standing.tuned and standing.training]
    if tuned:
        console.print("\nTuned on validation data:", style="bold")
    for standing in tuned:
        console.print(f"  {one_line(standing.name)}: {_settings(standing.training)}", soft_wrap=True)
        if standing.second:
            console.print(f"    and in every second run: {_settings(standing.second)}", soft_wrap=True)


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {value if isinstance(value, int | str) else f'{value:.3g}'}"
        for name, value in settings.items()
        if value is not None
    )


def _print_ablation(console: Console, result: Result) -> None:
    """Print what each change costs, the greatest loss first, below the whole cell."""
    comparison = result.comparison
    assert comparison is not None and result.ablation is not None
    console.print(f"\nOn the test data, {comparison.metric} in {comparison.unit}:", style="bold")
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("what was changed", "hidden size", "parameters", *COLUMNS[4:]):
        left = column in ("what was changed", "verdict")
        table.add_column(column, justify="left" if left else "right", overflow="fold")
    _, size, parameters, _, mean = _standing(comparison.baseline)
    table.add_row(Text(f"nothing: {one_line(comparison.baseline.name)}"), size, parameters, mean, "", "whole")
    changes = {row["name"]: row["what"] for row in result.ablation}
    for row in ranked_rows(comparison):
        _, size, parameters, _, mean = _standing(row.standing)
        what = Text(one_line(changes[row.standing.name]))
        table.add_row(what, size, parameters, mean, difference_text(row), styled(verdict_text(row)))
    print_block(console, table)


def comparison_table(comparison: Comparison) -> Table:
    """Return the comparison as a table, the baseline first; a negative difference is better."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("cell", "verdict") else "right")
    for *figures, verdict in _rows(comparison):
        table.add_row(*figures, styled(verdict))
    return table


def styled(verdict: str) -> Text:
    return Text(verdict, style=VERDICT_STYLES.get(verdict.partition(" ")[0], ""))


def _rows(comparison: Comparison) -> list[list[str]]:
    """Return the texts of the table's rows, in the order of `COLUMNS`."""
    rows = [[*_standing(row.standing), difference_text(row), verdict_text(row)] for row in comparison.rows]
    return [[*_standing(comparison.baseline), "", "baseline"], *rows]


def verdict_text(row: ContenderRow) -> str:
    return f"{row.verdict}{verdict_remark(row)}"


def _standing(standing: Standing) -> list[str]:
    mean = f"{figure(standing.mean)}{spread_text(standing)}"
    if standing.diverged:
        mean = f"{standing.diverged} of {len(standing.seeds)} diverged"
    mismatch = f"{standing.mismatch * 100:+.1f} %"
    return [one_line(standing.name), str(standing.hidden_size), f"{standing.parameters:,}", mismatch, mean]


def difference_text(row: ContenderRow) -> str:
    if row.difference is None:
        return "-"
    if row.ci95 is None:
        return f"{row.difference:+.3g}"
    low, high = row.ci95
    digits = 3 if high == low else min(6, max(2, 1 - math.floor(math.log10((high - low) / 2))))
    return f"{signed(row.difference, digits)} [{signed(low, digits)}, {signed(high, digits)}]"


def _print_verdict(console: Console, result: Result) -> None:
    assert result.comparison is not None
    rows = result.comparison.contenders
    if SMOKE_WARNING in result.notices:
        console.print(f"\nThis is {SMOKE_WARNING}:", style="bold yellow")
    style = VERDICT_STYLES[rows[0].verdict] if len(rows) == 1 else "bold"
    console.print()
    for line in answer_lines(result.comparison, result.verdict or ""):
        console.print(Text(one_line(line), style=style))
    for line in [] if result.kind == "ablate" else speed_lines(result.comparison):
        console.print(Text(one_line(line)))
    cost = cost_sentence(result.comparison)
    if cost:
        console.print(cost)
    console.print()


def _print_withoutverdict_text(console: Console, result: Result) -> None:
    """Print the results on validation data, which are no verdict."""
    if result.best is not None and result.best.value is not None:
        console.print(
            f"Best so far on validation data: {figure(result.best.value)} {result.measures.monitor.unit}"
        )
    if result.baseline is not None:
        console.print(
            f"The LSTM on validation data: {figure(result.baseline)} {result.measures.monitor.unit}"
        )
    why = result.no_final or "the final has not ended"
    console.print(Text(f"No verdict: {one_line(why)}.", style="bold yellow"), soft_wrap=True)


def print_next(console: Console, result: Result, runs: Path) -> None:
    """Print what to do next; for an interrupted search, how to resume it."""
    name, where = shlex.quote(result.name), "" if runs == RUNS else f" --runs {shlex.quote(str(runs))}"
    if result.status == "interrupted":
        console.print("\nInterrupted; finished work is kept.", style="bold")
        console.print(f"Resume it with: nas-rnn {result.kind} --resume {name}{where}", soft_wrap=True)
        return
    console.print("\nNext:")
    commands = [(f"nas-rnn ui{where}", "every run and curve in the browser")]
    if result.kind == "search" and result.comparison is not None:
        commands.append((f"nas-rnn show {name}{where}", "the best cell: equations, costs, diagram"))
        commands.append((f"nas-rnn sample {name}{where}", "a sample from its trained model"))
        commands.append((f"nas-rnn export {name}{where}", "export its trained model"))
    width = max(len(command) for command, _ in commands)
    for command, what in commands:
        console.print(f"  {command:<{width}}  {what}", soft_wrap=True)
