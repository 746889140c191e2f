"""The tables of a search's page in MLflow: as columns for its viewer, and as markdown for notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas_rnn.cells import parse_cell
from nas_rnn.comparison import Comparison
from nas_rnn.run_folder.dropped import Dropped
from nas_rnn.run_folder.front import Front
from nas_rnn.run_folder.trials import trial_id
from nas_rnn.tracking import markdown_text
from nas_rnn.training import RunResult, RunSpec

Table = dict[str, list[object]]


@dataclass(frozen=True)
class TrialRow:
    """One candidate that was trained; ``result`` is None where the run has not ended."""

    spec: RunSpec
    result: RunResult | None
    gap: float | None


def trials_table(rows: Sequence[TrialRow], metric: str) -> Table:
    """Return the candidates as columns, the smallest gap to the LSTM first, those without one last."""
    ordered = sorted(rows, key=lambda row: (row.gap is None, row.gap or 0.0, row.spec.id))
    found = [
        {"rank": None if row.gap is None else rank, **_trial(row, metric)}
        for rank, row in enumerate(ordered, start=1)
    ]
    return {column: [row[column] for row in found] for column in found[0]} if found else {}


def _trial(row: TrialRow, metric: str) -> dict[str, object]:
    result = row.result
    best = None if result is None else result.best_metric
    return {
        "cell": row.spec.name,
        "gap to the LSTM": None if row.gap is None else round(row.gap, 4),
        metric: None if best is None else round(best, 4),
        "equations": _in_one_line(row.spec.cell),
        "parameters": None if result is None else result.parameters,
        "epochs": 0 if result is None else len(result.epochs),
        "ending": "running" if result is None else result.status,
        "trial": row.spec.id,
    }


def _in_one_line(cell: str) -> str:
    """Return the equations of a cell's text in one line."""
    return "; ".join(" ".join(line.split()) for line in str(parse_cell(cell)).splitlines())


def dropped_table(dropped: Sequence[Dropped]) -> Table:
    """Return the candidates that were dropped before training as columns, in the order in which they were."""
    return {
        "cell": [one.name for one in dropped],
        "proposed by": [one.by for one in dropped],
        "hidden size": [one.hidden_size for one in dropped],
        "why": [one.reason for one in dropped],
        "equations": [_in_one_line(one.cell) for one in dropped],
    }


def front_table(front: Front, metric: str) -> Table:
    """Return the front of a search with several objectives as columns, the best quality first."""
    rows: list[dict[str, object]] = []
    for member in front.best:
        low, middle, high = (
            (None, None, None)
            if member.step_seconds is None
            else (round(1000 * each, 4) for each in member.step_seconds)
        )
        rows.append(
            {
                "cell": member.name,
                metric: round(member.quality, 4),
                "parameters": member.parameters,
                "ms a step": middle,
                "lower quartile": low,
                "upper quartile": high,
                "trial": trial_id(member.trial),
            }
        )
    return {column: [row[column] for row in rows] for column in rows[0]} if rows else {}


def comparison_table(comparison: Comparison) -> Table:
    """Return the comparison as columns, the baseline first."""
    rows: list[dict[str, object]] = []
    for standing, row in [
        (comparison.baseline, None),
        *((row.standing, row) for row in comparison.contenders),
    ]:
        interval = None if row is None or row.ci95 is None else f"[{row.ci95[0]:+.4f}, {row.ci95[1]:+.4f}]"
        rows.append(
            {
                "cell": standing.name,
                "hidden size": standing.hidden_size,
                "parameters": standing.parameters,
                "mismatch": f"{standing.mismatch:+.2%}",
                "seeds": len(standing.seeds),
                "mean": standing.mean,
                "std": standing.std,
                "difference": None if row is None else row.difference,
                "95 % interval": interval,
                "verdict": "baseline" if row is None else row.verdict,
                "tuned": "tuned" if standing.tuned else "untuned",
            }
        )
    return {column: [row[column] for row in rows] for column in rows[0]}


def markdown_table(table: Table) -> str:
    """Return ``table`` as markdown; cells' names and whatever else users wrote cannot break it."""

    def shown(value: object) -> str:
        if value is None:
            return ""
        return markdown_text(f"{value:.4f}" if isinstance(value, float) else str(value)).replace("|", "\\|")

    head = f"| {' | '.join(table)} |\n|{'---|' * len(table)}"
    rows = [f"| {' | '.join(shown(value) for value in row)} |" for row in zip(*table.values(), strict=True)]
    return "\n".join([head, *rows])
