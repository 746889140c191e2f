"""The report of a search, comparison or ablation, made from what lies in its folder."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_rnn import plugins
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.comparison import Comparison
from nas_rnn.comparison.checklist import checklist
from nas_rnn.experiment.session import Bench
from nas_rnn.run_folder.config import load_toml
from nas_rnn.run_folder.dataset import STORED, stored_measures
from nas_rnn.run_folder.environment import ENVIRONMENT
from nas_rnn.experiment.flow import measured_flows
from nas_rnn.publishing.checklist_facts import run_facts
from nas_rnn.run_folder.provenance import STUDY, recorded
from nas_rnn.run_folder.trials import BASELINE_ID, count_endings, trial_id
from nas_rnn.run_folder.layout import FINAL, REPORT, Workspace
from nas_rnn.strategies import Study, Trial
from nas_rnn.tasks import Task

if TYPE_CHECKING:
    from nas_rnn.report import Draw, Part, Report, Run

_ROLES = {
    "baseline": "search",
    "candidate": "search",
    "control": "control",
    "selection": "selection",
    "tuning": "tuning",
    "final": "final",
}
"""The part of the whole that the runs of each role belong to, in order."""


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
    from nas_rnn.experiment.search import CONTROL_JOURNAL  # which imports this module
    from nas_rnn.report import Report

    config = load_toml(workspace.config_path)
    task = task or _task(config)
    facts = workspace.read_json("search.json") or {}
    kind = facts.get("kind", "search")
    kept = workspace.read_json("comparison.json") or {}
    comparison = Comparison.from_dict(kept) if kept else None
    controls = [] if comparison is None else [row.standing.name for row in comparison.controls]
    runs = _runs(workspace)
    of_id = {run.spec.id: run for run in runs}
    trials = _trials(workspace, workspace.study_path.name)
    baseline = of_id.get(BASELINE_ID)
    report = Report(
        name=workspace.name,
        kind=kind,
        measures=stored_measures(task, workspace.read_json(STORED)),
        task=task.name,
        unit=task.unit,
        began=_date(facts.get("began_ms")),
        settings=config,
        config=workspace.config_path.read_text(encoding="utf-8"),
        command=_command(workspace, kind, config),
        comparison=comparison,
        sentence=kept.get("sentence", ""),
        changes=_changes(workspace),
        runs=tuple(runs),
        strategy=config.get("strategy"),
        trials=count_endings(trials) if trials else {},
        draws=_draws(trials, of_id),
        control=_draws(_trials(workspace, CONTROL_JOURNAL), of_id, control=True),
        baseline_value=None if baseline is None else baseline.result.best_metric,
        cells=_cells(workspace, comparison, runs),
        flows=tuple(measured_flows(workspace, without=controls)),
        parts=tuple(_parts(comparison, runs)),
        plugins=recorded(facts),
        environment=workspace.read_json(ENVIRONMENT) or {},
    )
    return replace(report, checklist=tuple(checklist(run_facts(report, workspace))))


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


def _trials(workspace: Workspace, journal: str) -> list[Trial]:
    path = workspace.folder / journal
    return Study.open(path, STUDY).trials() if path.is_file() else []


def _draws(trials: Sequence[Trial], of_id: Mapping[str, Run], *, control: bool = False) -> tuple[Draw, ...]:
    """Return the trials that have ended."""
    return tuple(
        _draw(trial, of_id.get(trial_id(trial.number, control=control))) for trial in trials if trial.ending
    )


def _draw(trial: Trial, run: Run | None) -> Draw:
    from nas_rnn.report import Draw

    return Draw(
        name=trial.candidate.cell.name,
        value=trial.value,
        ending="reused" if trial.copy_of is not None else str(trial.ending),
        seconds=0.0 if run is None else run.result.seconds,
        parameters=None if run is None else run.result.parameters or None,
        epoch_seconds=None if run is None else run.epoch_seconds,
    )


def _cells(workspace: Workspace, comparison: Comparison | None, runs: Sequence[Run]) -> tuple[Cell, ...]:
    """Return the baseline's and the contenders' cells: as they were found, not with biases that tuning moved."""
    if comparison is None:
        return ()
    standings = [comparison.baseline, *(row.standing for row in comparison.contenders)]
    found = [entry["cell"] for entry in (workspace.read_json(FINAL) or {"entries": []})["entries"]]
    if len(found) < len(standings):  # made before that was kept
        texts = {run.spec.seed: run.spec.cell for run in runs if run.spec.role == "final"}
        found = [text for each in standings for seed in each.seeds[:1] if (text := texts.get(seed))]
    return tuple(parse_cell(text) for text in found[: len(standings)])


def _changes(workspace: Workspace) -> dict[str, str]:
    """Return what an ablation's variants have otherwise, by name."""
    stored = workspace.read_json("ablation.json") or {"variants": []}
    return {parse_cell(row["cell"]).name: row["what"] for row in stored["variants"]}


def _parts(comparison: Comparison | None, runs: Sequence[Run]) -> list[Part]:
    """Return what each part cost: as the comparison has it, or else what the runs so far add up to."""
    from nas_rnn.report import Part

    if comparison is not None and comparison.costs:
        return [
            Part(part=cost.part, runs=cost.runs or None, seconds=cost.seconds, units=cost.units or None)
            for cost in comparison.costs
        ]
    parts: dict[str, list[Run]] = {name: [] for name in _ROLES.values()}
    for run in runs:
        parts[_ROLES[run.spec.role]].append(run)
    return [
        Part(part=name, runs=len(done), seconds=sum(run.result.seconds for run in done))
        for name, done in parts.items()
        if done
    ]


def _date(began_ms: int | None) -> str:
    if began_ms is None:
        return "unknown"
    return datetime.fromtimestamp(began_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _command(workspace: Workspace, kind: str, config: Mapping[str, Any]) -> str:
    """Return the command that does the same once more, under another name."""
    path = os.path.relpath(workspace.config_path)
    path = str(workspace.config_path) if path.startswith("..") else path
    words = ["nas-rnn", kind, "--config", path]
    if kind == "ablate":
        words.insert(2, config["cells"][0])
        stored = workspace.read_json("ablation.json") or {"variants": []}
        elements = dict.fromkeys(row["element"] for row in stored["variants"])
        words += ["--elements", ",".join(elements)] if elements else []
    return shlex.join([*words, "--name", f"{workspace.name}-again"])
