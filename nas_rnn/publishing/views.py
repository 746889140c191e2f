"""How a search looks in MLflow: one view for each run, made from what lies in its folder.

The views are functions of the folder alone, so that MLflow's picture can be drawn again at any time.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.comparison import Comparison, sentence, speed_lines
from nas_rnn.errors import UserError
from nas_rnn.publishing.tables import (
    Table,
    TrialRow,
    comparison_table,
    dropped_table,
    front_table,
    markdown_table,
    trials_table,
)
from nas_rnn.run_folder.front import step_quartiles, stored_front
from nas_rnn.run_folder.layout import REPORT, RunFolder
from nas_rnn.run_folder.lifecycle import CHANGEABLE
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.run_folder.trials import Gap, is_stopped, metrics_on_holdout
from nas_rnn.tasks import Measures
from nas_rnn.tracking import DatasetView, ModelView, Point, RunView, fenced, markdown_text
from nas_rnn.training import EpochRecord, RunResult, RunSpec

_STATUS = {"finished": "FINISHED", "stopped": "FINISHED", "diverged": "FAILED", "failed": "FAILED"}
COLUMNS = (
    "metrics.gap_to_lstm",
    "metrics.best_value",
    "metrics.parameters",
    "metrics.epochs",
    "metrics.targets",
    "tags.role",
    "tags.ending",
    "tags.search",
    "tags.budget",
    "tags.verdict",
)
"""The columns of the table of runs, in their order; MLflow gives each kind a heading of its own."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What all views of one search share."""

    id: str
    folder: RunFolder
    measures: Measures
    unit: str
    settings: dict[str, Any]
    began_ms: int
    data: dict[str, Any] | None


def run_view(
    about: About,
    spec: RunSpec,
    records: Sequence[EpochRecord],
    samples: Mapping[int, Mapping[str, float]],
    result: RunResult | None,
    gap: Gap | None,
    decisions: dict[str, Any] | None,
    began_ms: int,
    ended_ms: int,
) -> RunView:
    """Return the view of one training run: a candidate, the baseline, or a run of the final."""
    cell = parse_cell(spec.cell)
    tags = {
        "role": spec.role,
        "cell": spec.name,
        "search": about.folder.name,
        **({} if spec.role == "supernet" else {"digest": cell.digest}),
        "ending": "running" if result is None else _ending(about, result),
        "trial": spec.id,
        **_budget(about),
    }
    if result is not None and result.reason:
        tags["reason"] = result.reason
    if result is not None and result.ended_because:
        tags["ended_because"] = result.ended_because
        tags["converged"] = "yes" if result.converged else "no"
    if result is not None and result.backend:
        tags["backend"] = result.backend
    if result is not None and result.fallback:
        tags["fallback"] = result.fallback
    shown = result is not None and spec.role in ("candidate", "baseline")
    artifacts = cell_artifacts(cell) if shown else {}
    return RunView(
        key=f"{about.id}/{spec.id}",
        name=_run_name(spec),
        parent=about.id,
        status="RUNNING" if result is None else _STATUS[result.status],
        params=_params(spec, decisions),
        tags=tags,
        metrics=_metrics(about, records, result, gap),
        curves=(*_curves(about, records, began_ms), *_system_curves(samples)),
        artifacts=artifacts,
        note=_run_note(about, cell, result, gap, artifacts, supernet=spec.role == "supernet"),
        start_ms=began_ms,
        end_ms=None if result is None else ended_ms,
        dataset=dataset_view(about.data, tested=spec.read_test),
    )


def _ending(about: About, result: RunResult) -> str:
    return "stopped" if is_stopped(result, about.settings.get("epochs")) else result.status


def _metrics(
    about: About, records: Sequence[EpochRecord], result: RunResult | None, gap: Gap | None
) -> dict[str, float]:
    """Return the single values; MLflow shows and compares first what is written first, so nothing before an epoch."""
    metrics: dict[str, float] = {}
    if gap is not None:
        metrics["gap_to_lstm"] = gap.value
    if result is not None and result.best_metric is not None:
        metrics["best_value"] = result.best_metric
        metrics[f"best_{about.measures.monitor.name}"] = result.best_metric
        metrics["parameters"] = float(result.parameters)
    tested = {} if result is None else metrics_on_holdout(result, about.measures.metrics)
    metrics |= {f"test_{name}": value for name, value in tested.items() if math.isfinite(value)}
    if records:
        metrics["epochs"] = float(len(records))
        metrics["targets"] = float(sum(record.targets for record in records))
        metrics["seconds"] = sum(record.seconds for record in records)
    quartiles = step_quartiles(records)
    if quartiles is not None:
        metrics["step_ms"] = 1000 * quartiles[1]
    return {name: round(value, 4) for name, value in metrics.items()}


def _budget(about: About) -> dict[str, str]:
    """Return the tag that says how large models are and how long they may be trained: runs of one budget compare."""
    try:
        parameters, epochs, most = (about.settings[name] for name in ("params", "epochs", "most_epochs"))
    except KeyError:  # of an earlier version
        return {}
    return {"budget": f"{parameters:,} parameters, {f'up to {most}' if epochs == 'auto' else epochs} epochs"}


def _run_name(spec: RunSpec) -> str:
    if spec.role == "baseline":
        return f"{spec.name} (baseline)"
    if spec.role == "control":
        return f"{spec.name} (control)"
    return spec.name if spec.role == "candidate" else spec.id


def _params(spec: RunSpec, decisions: dict[str, Any] | None) -> dict[str, str]:
    params = {"hidden_size": str(spec.hidden_size), "seed": str(spec.seed)}
    options = spec.training.to_dict()
    if spec.role in ("tuning", "candidate", "control"):
        del options["epochs"]  # a rung's, then another: MLflow keeps the first value of a parameter
    params |= {name: str(value) for name, value in options.items()}
    params |= {f"task.{name}": str(value) for name, value in spec.task_options.items()}
    params |= {f"choice.{name}": str(label) for name, label in (decisions or {}).items()}
    return params


def _curves(about: About, records: Sequence[EpochRecord], began_ms: int) -> list[Point]:
    """Return a point an epoch of everything measured, at the time at which its training had got there.

    MLflow makes a section of charts of each first word, in alphabetical order: validation comes first.
    """
    points, seconds = [], 0.0
    for record in records:
        seconds += record.seconds
        values = {
            f"valid/{about.measures.monitor.name}": record.metric,
            "valid/loss": record.valid_loss,
            "while_training/loss": record.train_loss,
            "while_training/gradient_norm": record.gradient_norm,
            "while_training/clipped_share": record.clipped,
            "while_training/seconds": record.seconds,
            f"while_training/{about.unit}_per_second": record.units_per_second,
        }
        at_ms = began_ms + int(1000 * seconds)
        points += [Point(name, record.epoch, value, at_ms) for name, value in values.items()]
    return points


def _system_curves(samples: Mapping[int, Mapping[str, float]]) -> list[Point]:
    """Return what the worker sampled of its machine, under the names of MLflow's page of system metrics."""
    return [
        Point(f"system/{name}", number, float(value), int(sample["at_ms"]))
        for number, sample in samples.items()
        for name, value in sample.items()
        if name != "at_ms" and isinstance(value, int | float)
    ]


@lru_cache(
    maxsize=64
)  # a run is shown again whenever something about it changes; drawing takes half a second
def cell_artifacts(cell: Cell) -> Mapping[str, str | bytes]:
    """Return the cell as text, equations and pictures; of one that is too large for a picture, the reason."""
    try:
        pictures: dict[str, str | bytes] = {
            "cell/diagram.svg": cell.diagram("svg"),
            "cell/diagram.png": cell.diagram("png"),
        }
    except UserError as error:
        pictures = {"cell/diagram.txt": f"{error}\n"}
    return {
        "cell/cell.py": cell.to_text(),
        "cell/equations.txt": str(cell) + "\n",
        "cell/equations.tex": cell.latex() + "\n",
        **pictures,
    }


def _run_note(
    about: About,
    cell: Cell,
    result: RunResult | None,
    gap: Gap | None,
    artifacts: Collection[str],
    *,
    supernet: bool = False,
) -> str:
    lines = []
    if result is not None and result.best_metric is not None:
        lines.append(f"**{result.best_metric:.4f} {about.measures.monitor.unit}** on validation data")
        if gap is not None:
            when = "both trained to their end" if gap.at_end else "after as much training"
            lines[-1] += f", {describe_gap(gap.value)}, {when}"
        lines[-1] += "."
    if result is not None and result.reason:
        lines.append(f"Ended as *{result.status}*: {markdown_text(result.reason)}.")
    if supernet:
        lines.append("All cells of the space share the weights of this one:")
    lines.append(fenced(str(cell)))
    if "cell/diagram.svg" in artifacts:
        lines.append(f"![{cell.name}](get-artifact?path=cell/diagram.svg&run_uuid={{run_id}})")
    elif artifacts:
        lines.append("No diagram: the cell is too large for one.")
    return "\n\n".join(lines)


def describe_gap(gap: float) -> str:
    """Return a relative gap in words: ``1.2 % better than the LSTM``."""
    if abs(gap) < 5e-5:
        return "equal to the LSTM"
    return f"{abs(gap):.2%} {'worse' if gap > 0 else 'better'} than the LSTM"


def parent_view(
    about: About,
    status: str,
    comparison: Comparison | None,
    counts: dict[str, int],
    trials: Sequence[TrialRow],
    ended_ms: int | None,
    model: ModelView | None = None,
) -> RunView:
    """Return the view of the search as a whole: the verdict first, and ``model`` as its winner."""
    if comparison is None and RunReader(about.folder).no_final():
        status = "failed"
    metrics: dict[str, float] = {f"trials_{name}": float(count) for name, count in counts.items()}
    gaps = [row.gap for row in trials if row.gap is not None]
    if gaps:
        metrics["best_gap_in_search"] = min(gaps)
    tags = {"role": "search", "search": about.folder.name, "ending": status, **_budget(about)}
    artifacts: dict[str, str | bytes] = {}
    tables: dict[str, Table] = {}
    dropped = RunReader(about.folder).dropped()
    if dropped:
        metrics["candidates_dropped"] = float(sum(one.by == "search" for one in dropped))
        tables["trials/dropped.json"] = dropped_table(dropped)
    if trials:
        tables["trials/table.json"] = trials_table(trials, about.measures.monitor.name)
    front = stored_front(RunReader(about.folder), about.measures.monitor) if trials else None
    if front is not None and front.best:
        tables["trials/front.json"] = front_table(front, about.measures.monitor.name)
        tags |= {"objectives": ", ".join(front.objectives), "front": ", ".join(m.name for m in front.best)}
        metrics["front_size"] = float(len(front.best))
    if comparison is not None:
        row = comparison.contenders[0]
        tags |= {"verdict": row.verdict, "tuned": "tuned" if row.standing.tuned else "untuned"}
        if row.within:
            tags["verdict_within"] = row.within
        if row.relative_difference is not None:
            # Not `gap_to_lstm`: sorted by that, the search would stand among its own candidates.
            metrics["final_gap"] = row.relative_difference
        if row.learning_speed is not None and row.learning_speed.ratio is not None:
            metrics["speed_targets_ratio"] = row.learning_speed.ratio
            if row.learning_speed.seconds_ratio is not None:
                metrics["speed_seconds_ratio"] = row.learning_speed.seconds_ratio
        for suffix in ("png", "svg"):
            path = about.folder.path / f"comparison.{suffix}"
            if path.is_file():
                artifacts[f"comparison/chart.{suffix}"] = path.read_bytes()
        tables["comparison/table.json"] = comparison_table(comparison)
        artifacts |= {
            f"best/{path.name}": path.read_bytes()
            for path in sorted(about.folder.best.glob("*"))
            if path.suffix in (".png", ".svg", ".txt", ".html")
        }
        if (about.folder.best / "cell.cell").is_file():
            artifacts["best/cell.py"] = (about.folder.best / "cell.cell").read_text(encoding="utf-8")
    artifacts |= {path.name: path.read_bytes() for path in about.folder.path.glob(REPORT)}
    config = about.folder.config_path
    if config.is_file():
        artifacts["config.toml"] = config.read_text(encoding="utf-8")
    return RunView(
        key=about.id,
        name=about.folder.name,
        status={"complete": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}.get(status, "RUNNING"),
        params={name: str(value) for name, value in sorted(about.settings.items()) if name not in CHANGEABLE},
        tags={**{name: str(about.settings[name]) for name in sorted(CHANGEABLE & {*about.settings})}, **tags},
        metrics={name: round(value, 4) for name, value in metrics.items()},
        artifacts=artifacts,
        tables=tables,
        note=_parent_note(about, status, comparison, counts),
        start_ms=about.began_ms,
        end_ms=ended_ms,
        dataset=dataset_view(about.data, tested=True),
        model=model,
    )


def _parent_note(about: About, status: str, comparison: Comparison | None, trials: dict[str, int]) -> str:
    counted = ", ".join(f"{count} {name}" for name, count in trials.items() if count)
    no_final = RunReader(about.folder).no_final()
    without = f"No verdict: {markdown_text(no_final)}" if no_final else f"The search is {status}"
    lines = [f"## {markdown_text(sentence(comparison)) if comparison else without}"]
    if comparison is not None:
        table = comparison_table(comparison)
        lines.append(markdown_table(table))
        lines += [markdown_text(line) for line in speed_lines(comparison)]
    lines.append(
        f"Trials: {counted or 'none'}. Sort the runs by `gap_to_lstm`: negative is better than the LSTM."
    )
    return "\n\n".join(lines)


def dataset_view(facts: dict[str, Any] | None, *, tested: bool) -> DatasetView | None:
    """Return the data as a run shows it; only a run that ``tested`` has read the test part."""
    if facts is None:
        return None  # a search from before there were such facts
    columns = {
        name: f"{array['dtype']} {' x '.join(str(size) for size in array['shape'])}"
        for name, array in facts["arrays"].items()
    }
    return DatasetView(
        name=facts["name"],
        digest=facts["digest"],
        source=facts["source"],
        origin=f"comes with the task {facts['task']}",
        context="training, validation, testing" if tested else "training, validation",
        columns=columns,
    )
