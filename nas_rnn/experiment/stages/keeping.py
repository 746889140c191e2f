"""What stays of a final: chart, comparison, report, the best weights, and the gradient flow beside them."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from nas_rnn import plugins
from nas_rnn.cells import Cell
from nas_rnn.comparison import Comparison, FinalPlan, Planned, chart
from nas_rnn.errors import NasRnnError
from nas_rnn.experiment.events import Notifier
from nas_rnn.experiment.models import Models
from nas_rnn.publishing.flows import FlowsByModel, titled
from nas_rnn.publishing.report_data import write_report
from nas_rnn.run_folder.environment import environment
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import COMPARISON, ENVIRONMENT, FLOW
from nas_rnn.run_folder.trials import sign_of
from nas_rnn.tasks import Preview, PreviewOptions, Task, TaskData
from nas_rnn.training import RunResult, RunSpec

if TYPE_CHECKING:  # loads torch
    from nas_rnn.training.flow import GradientFlow

MOST_CONTENDERS = 4
"""Of so many the gradient flow is drawn."""


def keep_comparison(
    task: Task, folder: RunFolder, notify: Notifier, plan: FinalPlan, comparison: Comparison, answer: str
) -> None:
    """Write what the comparison found, and the report; checkpoints are not needed any more."""
    picture = chart(comparison)
    folder.write("comparison.png", picture.png)
    folder.write("comparison.svg", picture.svg)
    for spec in plan.specs:
        folder.store(spec.id).drop_checkpoint()
    folder.write_json(ENVIRONMENT, environment())
    folder.write_json(COMPARISON, {**comparison.to_dict(), "sentence": answer})
    write_report_or_warn(folder, notify, task)


def write_report_or_warn(folder: RunFolder, notify: Notifier, task: Task | None = None) -> None:
    """Write the report; where that fails a notice says why, and nothing that was found is lost."""
    try:
        write_report(folder, task)
    except Exception as error:
        notify.warn(
            f"the report was not written: {type(error).__name__}: {error}; try again with "
            f"`nas-rnn report {shlex.quote(folder.name)}`"
        )


def keep_best(
    models: Models, folder: RunFolder, notify: Notifier, plan: FinalPlan, results: dict[str, RunResult]
) -> None:
    """Write the final weights of the first contender, and the gradient flow of everyone's run of that pair."""
    winner = plan.contenders[0]
    usable = [s for s in winner.specs if s.id in results and results[s.id].best_metric is not None]
    if usable:
        sign = sign_of(models.measures.monitor)
        best = min(usable, key=lambda spec: sign * (results[spec.id].best_metric or 0.0))
        _keep_weights(models.task, models.data, folder, best, winner.entry.cell)
        _keep_flow(models, folder, notify, plan, winner.specs.index(best))


def _keep_weights(task: Task, data: TaskData, folder: RunFolder, run: RunSpec, cell: str) -> None:
    """Put the model of ``run``, with the weights of its best epoch, into ``best/``.

    Its cell is written as it was found: where its biases started is no part of it once it is trained.
    """
    from nas_rnn.execution import mark_weights, repacked
    from nas_rnn.export import ExportBundle, TaskModelBundle, example_inputs, folder_files
    from nas_rnn.training.model import build_model, recurrent_nets

    checkpoint = folder.store(run.id).read_checkpoint()
    if checkpoint is None:
        return  # a resumed final whose weights were kept before
    spec = replace(run, cell=cell)
    trained, model = (build_model(each, task, data.meta) for each in (run, spec))
    trained.load_state_dict(mark_weights(trained, checkpoint.best))
    model.load_state_dict(repacked(trained, model))
    model.eval()
    first = next(iter(recurrent_nets(model).values()))
    example = example_inputs(task, data)
    bundle = TaskModelBundle(task=task, model=model, spec=spec, meta=data.meta, example=example)
    for name, content in folder_files(ExportBundle(name=folder.name, rnn=first, task_model=bundle)).items():
        folder.write(f"best/{name}", content)
    preview = task.preview(model, data.without("test"), seed=spec.seed, options=PreviewOptions())
    for name, content in preview_files(preview).items():
        folder.write(f"best/{name}", content)


def preview_files(preview: Preview) -> dict[str, bytes]:
    """Return the files of a preview; its text is one too, where no text is among them."""
    files = dict(preview.files)
    if preview.text and not any(name.endswith(".txt") for name in files):
        files["preview.txt"] = preview.text.encode()
    return files


def _keep_flow(models: Models, folder: RunFolder, notify: Notifier, plan: FinalPlan, pair: int) -> None:
    """Write the flow as .json, .png and .svg: run number ``pair`` of everyone, and a fresh RNN.

    The workers measured the runs' flow when they ended; where one could not, a notice says why.
    """
    from nas_rnn.training.flow_chart import FORMATS, draw_flow

    shown: FlowsByModel = []
    of_one_cell = [planned for planned in plan.contenders if not planned.entry.members]
    for planned in (plan.baseline, *of_one_cell[:MOST_CONTENDERS]):
        flows = _flows_of(folder, notify, planned, pair)
        if flows:
            shown.append((planned.entry.name, flows))
    if not shown:
        return
    rnn = plugins.load_cell("rnn")
    if rnn.digest not in {planned.entry.digest for planned in (plan.baseline, *plan.contenders)}:
        shown += _fresh_flow(models, notify, rnn)
    content = [{"name": name, "flows": [flow.to_dict() for flow in flows]} for name, flows in shown]
    folder.write_json(FLOW, content)
    for format in FORMATS:
        folder.write(FLOW.replace("json", format), draw_flow(titled(shown), format))


def _flows_of(folder: RunFolder, notify: Notifier, planned: Planned, pair: int) -> list[GradientFlow]:
    from nas_rnn.training.flow import GradientFlow

    spec = planned.specs[pair]
    kept = folder.store(spec.id).read_flow()
    if kept is None:
        return []
    if kept["problem"]:
        notify.warn(f"the gradient flow of {spec.id} was not measured: {kept['problem']}")
    return [GradientFlow.from_dict(flow) for flow in kept["flows"]]


def _fresh_flow(models: Models, notify: Notifier, cell: Cell) -> FlowsByModel:
    """Return the flow of a model of ``cell`` as the search would begin to train it; nothing where there is none."""
    from nas_rnn.training.device import threads
    from nas_rnn.training.gradient_flow import flows_of_run

    try:
        size = models.match(cell, models.config.params).hidden_size
        spec = models.spec(cell.name, "candidate", cell, size, seed=models.config.seed)
        with threads(models.config.threads):
            return [(cell.name, flows_of_run(spec, models.task, models.data, None))]
    except NasRnnError as error:
        notify.warn(f"the gradient flow of {cell.name} was not measured: {error}")
        return []
