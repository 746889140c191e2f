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
from nas_rnn.publishing.checklist_facts import run_facts
from nas_rnn.publishing.flows import measured_flows
from nas_rnn.run_folder.dataset import Shown, shown_of, stored_shown
from nas_rnn.run_folder.front import stored_front
from nas_rnn.run_folder.layout import REPORT, RunFolder
from nas_rnn.run_folder.reader import CONTROL_JOURNAL, DATA, RunReader
from nas_rnn.run_folder.trials import BASELINE_ID, count_endings, trial_id
from nas_rnn.strategies import Trial
from nas_rnn.tasks import Task

if TYPE_CHECKING:
    from nas_rnn.report import Draw, Part, Report, Run

_ROLES = {
    "supernet": "supernet",
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

    Raises UserError where there is none of that name, or it is of before facts of its task were kept and the task is
    not to be found any more.
    """
    return write_report(RunFolder.open_existing(Path(runs), name))


def write_report(folder: RunFolder, task: Task | None = None) -> Path:
    """Write the report of what lies in ``folder``, finished or not; return where it is.

    Where ``task`` is not given, what the folder keeps of it is shown.
    """
    from nas_rnn.report import render

    folder.write(REPORT, render(gather(folder, task)))
    return folder.path / REPORT


def gather(folder: RunFolder, task: Task | None = None) -> Report:
    """Return everything that the report shows; see `write_report`."""
    from nas_rnn.report import Report, Run

    reader = RunReader(folder)
    config = reader.settings()
    shown = (
        _shown(config, reader.data(), str(folder.path / DATA))
        if task is None
        else shown_of(task, reader.data())
    )
    manifest = reader.manifest()
    comparison = reader.comparison()
    controls = [] if comparison is None else [row.standing.name for row in comparison.controls]
    runs = [Run(*ended) for ended in reader.runs()]
    of_id = {run.spec.id: run for run in runs}
    trials = reader.trials()
    baseline = of_id.get(BASELINE_ID)
    report = Report(
        name=folder.name,
        kind=reader.final_kind(),
        metric=shown.metric,
        monitor=shown.monitor,
        task=config["task"],
        unit=shown.unit,
        began=_date(manifest.began_ms),
        settings=config,
        config=folder.config_path.read_text(encoding="utf-8"),
        command=_command(folder, manifest.kind, config),
        comparison=comparison,
        sentence=reader.answer(),
        no_final=reader.no_final(),
        changes=_changes(reader),
        runs=tuple(runs),
        strategy=config.get("strategy"),
        trials=count_endings(trials) if trials else {},
        draws=_draws(trials, of_id),
        control=_draws(reader.trials(CONTROL_JOURNAL), of_id, control=True),
        dropped=tuple(reader.dropped()),
        baseline_value=None if baseline is None else baseline.result.best_metric,
        front=stored_front(reader, shown.monitor),
        cells=_cells(reader, comparison, runs),
        previews=reader.previews(),
        flows=tuple(measured_flows(folder, without=controls)),
        parts=tuple(_parts(comparison, runs)),
        plugins=manifest.plugins,
        environment=reader.environment(),
    )
    return replace(report, checklist=tuple(checklist(run_facts(report, folder))))


def _shown(config: Mapping[str, Any], facts: Mapping[str, Any] | None, place: str) -> Shown:
    """Return what a stored configuration measures: as it was kept, or else as its task, one of its plugins, says."""
    plugins.use_folders(tuple(Path(folder) for folder in config.get("plugins", ())))
    kept = stored_shown(facts, place)
    if kept is not None:
        plugins.registry().names("operation")  # which cells' texts may use
        return kept
    task = plugins.registry().find("task", config["task"]).value(**config.get("task_options", {}))
    assert isinstance(task, Task)
    return shown_of(task, facts)


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


def _cells(reader: RunReader, comparison: Comparison | None, runs: Sequence[Run]) -> tuple[Cell, ...]:
    """Return the baseline's and the contenders' cells: as they were found, not with biases that tuning moved."""
    if comparison is None:
        return ()
    standings = [comparison.baseline, *(row.standing for row in comparison.contenders)]
    found = reader.final_cells()
    if len(found) < len(standings):  # made before that was kept
        texts = {run.spec.seed: run.spec.cell for run in runs if run.spec.role == "final"}
        found = [text for each in standings for seed in each.seeds[:1] if (text := texts.get(seed))]
    return tuple(parse_cell(text) for text in found[: len(standings)])


def _changes(reader: RunReader) -> dict[str, str]:
    """Return what was changed in each of an ablation's variants, by name."""
    found = reader.ablation()
    return {} if found is None else {parse_cell(row["cell"]).name: row["what"] for row in found.variants}


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


def _command(folder: RunFolder, kind: str, config: Mapping[str, Any]) -> str:
    """Return the command that does the same once more, under another name."""
    path = os.path.relpath(folder.config_path)
    path = str(folder.config_path) if path.startswith("..") else path
    words = ["nas-rnn", kind, "--config", path]
    if kind == "ablate":
        words.insert(2, config["cells"][0])
        found = RunReader(folder).ablation()
        elements = dict.fromkeys(row["element"] for row in found.variants) if found else {}
        words += ["--elements", ",".join(elements)] if elements else []
    return shlex.join([*words, "--name", f"{folder.name}-again"])
