"""The report of a search, comparison or ablation, made from what lies in its folder."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from nas_rnn import __version__, plugins
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.comparison import Comparison
from nas_rnn.comparison.checklist import Facts, checklist
from nas_rnn.experiment.bench import Bench
from nas_rnn.experiment.config import load_toml
from nas_rnn.experiment.environment import ENVIRONMENT
from nas_rnn.experiment.flow import measured_flows
from nas_rnn.experiment.provenance import STUDY, recorded
from nas_rnn.experiment.trials import BASELINE_ID, count_endings, trial_id
from nas_rnn.experiment.workspace import REPORT, Workspace
from nas_rnn.strategies import Study, Trial
from nas_rnn.tasks import Task

if TYPE_CHECKING:
    from nas_rnn.report import Draw, Part, Report, Run

_PARTS = {
    "candidate": "search",
    "baseline": "search",
    "selection": "selection",
    "tuning": "tuning",
    "final": "final",
}


def make_report(name: str, *, runs: str | Path = "runs") -> Path:
    """Write ``report.html`` of a search, comparison or ablation anew; return where it is.

    Raises UserError where there is none of that name, or its task is not to be found any more.
    """
    return write_report(Workspace.open_existing(Path(runs), name))


def write_report(workspace: Workspace, task: Task | None = None) -> Path:
    """Write the report of what lies in ``workspace``, finished or not; return where it is.

    Where ``task`` is not given, the plugins of the configuration are loaded for it.
    """
    from nas_rnn.report import render

    workspace.write(REPORT, render(gather(workspace, task)))
    return workspace.folder / REPORT


def keep_report(bench: Bench) -> None:
    """Write the report of a run that came to its end; where that fails, a notice says why, and nothing is lost."""
    try:
        write_report(bench.workspace, bench.task)
    except Exception as error:
        bench.warn(
            f"the report was not written: {type(error).__name__}: {error}; try again with "
            f"`nas-rnn report {bench.workspace.name}`"
        )


def gather(workspace: Workspace, task: Task | None = None) -> Report:
    """Return everything that the report shows; see `write_report`."""
    from nas_rnn.report import Report

    config = load_toml(workspace.config_path)
    task = task or _task(config)
    facts = workspace.read_json("search.json") or {}
    kind = facts.get("kind", "search")
    kept = workspace.read_json("comparison.json") or {}
    comparison = Comparison.from_dict(kept) if kept else None
    runs = _runs(workspace)
    of_id = {run.spec.id: run for run in runs}
    trials = Study.open(workspace.study_path, STUDY).trials() if workspace.study_path.is_file() else []
    baseline = of_id.get(BASELINE_ID)
    report = Report(
        name=workspace.name,
        kind=kind,
        metric=task.metric,
        task=task.name,
        unit=task.unit,
        began=_date(facts.get("began_ms")),
        settings=config,
        config=workspace.config_path.read_text(encoding="utf-8"),
        command=_command(workspace, kind, config),
        comparison=comparison,
        kept=kept,
        changes=_changes(workspace),
        runs=tuple(runs),
        strategy=config.get("strategy"),
        trials=count_endings(trials) if trials else {},
        draws=tuple(
            _draw(trial, of_id.get(trial_id(trial.number)))
            for trial in trials
            if trial.ending or trial.copy_of
        ),
        control=tuple(_control(run) for run in runs if re.fullmatch(r"r\d+", run.spec.id)),
        baseline_value=None if baseline is None else baseline.result.best_metric,
        cells=_cells(comparison, runs),
        flows=tuple(measured_flows(workspace)),
        parts=tuple(_parts(kept, runs)),
        plugins=recorded(facts),
        environment=workspace.read_json(ENVIRONMENT) or {},
    )
    return _with_checklist(report, workspace)


def _task(config: Mapping[str, Any]) -> Task:
    """Return the task of a stored configuration, found among its plugins."""
    plugins.use_folders(tuple(Path(folder) for folder in config.get("plugins", ())))
    task = plugins.registry().find("task", config["task"]).value(**config.get("task_options", {}))
    assert isinstance(task, Task)
    return task


def _runs(workspace: Workspace) -> list[Run]:
    """Return the runs that have ended, in the order of their ids."""
    from nas_rnn.report import Run

    found = []
    for folder in sorted(workspace.trials.iterdir()) if workspace.trials.is_dir() else []:
        store = workspace.store(folder.name)
        spec, result = store.read_spec(), store.read_result()
        if spec is not None and result is not None:
            found.append(Run(spec, result))
    return found


def _draw(trial: Trial, run: Run | None) -> Draw:
    from nas_rnn.report import Draw

    return Draw(
        name=trial.candidate.cell.name,
        value=trial.value,
        ending="reused" if trial.copy_of is not None else trial.ending or "failed",
        seconds=0.0 if run is None else run.result.seconds,
        parameters=None if run is None else run.result.parameters or None,
        epoch_seconds=None if run is None else run.epoch_seconds,
    )


def _control(run: Run) -> Draw:
    from nas_rnn.report import Draw

    return Draw(
        name=run.spec.name,
        value=run.result.best_metric,
        ending=run.result.status,
        seconds=run.result.seconds,
        parameters=run.result.parameters or None,
        epoch_seconds=run.epoch_seconds,
    )


def _cells(comparison: Comparison | None, runs: Sequence[Run]) -> tuple[Cell, ...]:
    """Return the cells of the comparison, the baseline first."""
    if comparison is None:
        return ()
    texts = {run.spec.name: run.spec.cell for run in runs if run.spec.role == "final"}
    names = [comparison.baseline.name, *(row.standing.name for row in comparison.contenders)]
    return tuple(parse_cell(texts[name]) for name in names if name in texts)


def _changes(workspace: Workspace) -> dict[str, str]:
    """Return what an ablation's variants have otherwise, by name."""
    stored = workspace.read_json("ablation.json") or {"variants": []}
    return {parse_cell(row["cell"]).name: row["what"] for row in stored["variants"]}


def _parts(kept: Mapping[str, Any], runs: Sequence[Run]) -> list[Part]:
    """Return what each part cost: as the comparison has it, or else what the runs add up to."""
    from nas_rnn.report import Part

    if kept.get("costs"):
        return [
            Part(part=row["part"], runs=row.get("runs"), seconds=row["seconds"], units=row.get("units"))
            for row in kept["costs"]
        ]
    parts: dict[str, list[Run]] = {}
    for run in runs:
        control = re.fullmatch(r"r\d+", run.spec.id) is not None
        parts.setdefault("control" if control else _PARTS.get(run.spec.role, run.spec.role), []).append(run)
    order = ("search", "control", "selection", "tuning", "final")
    return [
        Part(part=name, runs=len(parts[name]), seconds=sum(run.result.seconds for run in parts[name]))
        for name in order
        if name in parts
    ]


def _date(began_ms: int | None) -> str:
    if began_ms is None:
        return "unknown"
    return datetime.fromtimestamp(began_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _command(workspace: Workspace, kind: str, config: Mapping[str, Any]) -> str:
    """Return the command that does the same once more, under another name."""
    path = os.path.relpath(workspace.config_path)
    path = str(workspace.config_path) if path.startswith("..") else path
    cells = list(config.get("cells", ()))
    words = ["nas-rnn", kind, *cells, "--config", path]
    if kind == "ablate":
        stored = workspace.read_json("ablation.json") or {"variants": []}
        elements = dict.fromkeys(row["element"] for row in stored["variants"])
        words += ["--elements", ",".join(elements)] if elements else []
    return shlex.join([*words, "--name", f"{workspace.name}-again"])


def _with_checklist(report: Report, workspace: Workspace) -> Report:
    from dataclasses import replace

    return replace(report, checklist=tuple(checklist(_facts(report, workspace))))


def _facts(report: Report, workspace: Workspace) -> Facts:
    """Return what the checklist asks."""
    comparison = report.comparison
    rows = (
        [] if comparison is None else [comparison.baseline, *(row.standing for row in comparison.contenders)]
    )
    used = report.of_role("final", "selection", "candidate", "baseline", "tuning")
    tuning = [run.spec.name for run in report.of_role("tuning")]
    random = report.draws if report.strategy == "random" else report.control
    return Facts(
        kind=report.kind,
        name=report.name,
        task=report.task,
        own_data=report.settings.get("data") is not None,
        version=__version__,
        own_plugins=_own_plugins(report.plugins),
        space=report.settings.get("space"),
        strategy=report.strategy,
        seed=report.settings.get("seed", 0),
        candidates=len(report.draws),
        control=len(report.control),
        best=_best_gap(report, report.draws),
        control_best=_best_gap(report, report.control),
        typical=_median_gap(report, random),
        ablations=_ablations_of(workspace),
        final_seeds=0 if comparison is None else len(comparison.baseline.seeds),
        mismatch=max((abs(row.mismatch) for row in rows), default=0.0),
        tuned=tuple(row.tuned for row in rows),
        tuning=tuple(tuning.count(name) for name in dict.fromkeys(tuning)),
        options=_options(report.settings),
        parts=tuple((part.part, part.runs or 0, part.seconds) for part in report.parts),
        hosts=_hosts(workspace, [run.spec.id for run in used]),
        backends=tuple(sorted({run.result.backend for run in used if run.result.backend})),
        environment=", ".join(f"{name} {value}" for name, value in report.environment.items()),
        complete=comparison is not None,
    )


def _best_gap(report: Report, draws: Sequence[Draw]) -> float | None:
    gaps = [report.gap(draw.value) for draw in draws if draw.ending == "finished"]
    return min((gap for gap in gaps if gap is not None), default=None)


def _median_gap(report: Report, draws: Sequence[Draw]) -> float | None:
    """Return the median gap of random candidates; those that were stopped early count with the value they had."""
    gaps = [gap for draw in draws if (gap := report.gap(draw.value)) is not None]
    return median(gaps) if gaps else None


def _own_plugins(found: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return the plugins that do not come with nas_rnn."""
    package = Path(__file__).resolve().parents[1]
    ours = {package / "search_spaces", package.parent / "search_spaces"}
    return tuple(
        name
        for name, identity in found.items()
        if not identity.get("origin", "").startswith("nas_rnn ")
        and Path(identity.get("origin", "")).parent not in ours
    )


def _ablations_of(workspace: Workspace) -> tuple[str, ...]:
    """Return the finished ablations of this search's cell that lie beside it."""
    found = []
    for path in sorted(workspace.runs.glob("*/ablation.json")):
        other = Workspace(workspace.runs, path.parent.name)
        stored = load_toml(other.config_path) if other.config_path.is_file() else {}
        if stored.get("baseline") == workspace.name and (other.folder / "comparison.json").is_file():
            found.append(other.name)
    return tuple(found)


def _options(settings: Mapping[str, Any]) -> str:
    """Return the training options that tuning would have chosen."""
    return ", ".join(
        f"{name.replace('_', ' ')} {settings[name]:g}"
        for name in ("learning_rate", "dropout", "clip")
        if name in settings
    )


def _hosts(workspace: Workspace, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the machines on which the runs were trained."""
    places = [place for id in ids for place in workspace.store(id).read_workers()]
    return tuple(sorted({str(place["host"]) for place in places if place.get("host")}))
