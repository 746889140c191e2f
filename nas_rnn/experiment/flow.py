"""Gradient flow of what was compared: gathered from the final runs, kept in ``best/`` with its picture, drawn."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_rnn import plugins
from nas_rnn.cells import Cell
from nas_rnn.comparison import FinalPlan, Planned
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.experiment.session import Bench
from nas_rnn.run_folder.layout import Workspace

if TYPE_CHECKING:
    from nas_rnn.training.gradient_flow import GradientFlow

FLOW = "best/gradient_flow"
MOST_CONTENDERS = 4
REFERENCES = ("lstm", "rnn")

Models = list[tuple[str, list["GradientFlow"]]]


def keep_flow(bench: Bench, plan: FinalPlan, pair: int) -> None:
    """Write ``best/gradient_flow`` as .json, .png and .svg: run number ``pair`` of everyone, and a fresh RNN.

    The workers measured the runs' flow when they ended; where one could not, a notice says why.
    """
    from nas_rnn.training.flow_chart import FORMATS, draw_flow

    models: Models = []
    of_one_cell = [planned for planned in plan.contenders if not planned.entry.members]
    for planned in (plan.baseline, *of_one_cell[:MOST_CONTENDERS]):
        flows = _of_run(bench, planned, pair)
        if flows:
            models.append((planned.entry.name, flows))
    if not models:
        return
    rnn = plugins.load_cell("rnn")
    if rnn.digest not in {planned.entry.digest for planned in (plan.baseline, *plan.contenders)}:
        models += _fresh(bench, rnn)
    content = [{"name": name, "flows": [flow.to_dict() for flow in flows]} for name, flows in models]
    bench.workspace.write_json(f"{FLOW}.json", content)
    for format in FORMATS:
        bench.workspace.write(f"{FLOW}.{format}", draw_flow(_titled(models), format))


def flow_picture(
    what: str, cell: Cell, format: str, *, runs: Path, search: bool, input_size: int, hidden_size: int
) -> bytes:
    """Return the picture of gradient flow: of a search's measured models, or of ``cell`` with fresh weights.

    Raises UserError where the search ``what`` has no measured flow.
    """
    from nas_rnn.training.device import threads
    from nas_rnn.training.flow_chart import draw_flow
    from nas_rnn.training.gradient_flow import fresh_flow

    if search:
        workspace = Workspace.open_existing(runs, what)
        measured = measured_flows(workspace)
        if not measured:
            raise UserError(
                f"{what!r} has no measured gradient flow: its final is not done, or could not measure it; its cell "
                f"with fresh weights: nas-rnn show {workspace.best / 'cell.cell'} --gradient-flow FILE"
            )
        return draw_flow(measured, format)
    cells = {known.digest: known for known in (cell, *map(plugins.load_cell, REFERENCES))}
    cells[cell.digest] = cell
    with threads(1):  # products are small, and threads only wait for each other
        models = [(each.name, [fresh_flow(each, input_size, hidden_size)]) for each in cells.values()]
    return draw_flow(_titled(models), format)


def measured_flows(workspace: Workspace, without: Collection[str] = ()) -> Models:
    """Return the models whose flow was kept with a search or comparison, each under its title."""
    from nas_rnn.training.gradient_flow import GradientFlow

    kept: list[dict[str, Any]] = workspace.read_json(f"{FLOW}.json") or []
    shown = [row for row in kept if row["name"] not in without]
    return _titled([(row["name"], [GradientFlow.from_dict(flow) for flow in row["flows"]]) for row in shown])


def _of_run(bench: Bench, planned: Planned, pair: int) -> list[GradientFlow]:
    from nas_rnn.training.gradient_flow import GradientFlow

    spec = planned.specs[pair]
    kept = bench.workspace.store(spec.id).read_flow()
    if kept is None:
        return []
    if kept["problem"]:
        bench.warn(f"the gradient flow of {spec.id} was not measured: {kept['problem']}")
    return [GradientFlow.from_dict(flow) for flow in kept["flows"]]


def _fresh(bench: Bench, cell: Cell) -> Models:
    """Return the flow of a model of ``cell`` as the search would begin to train it; nothing where there is none."""
    from nas_rnn.training.device import threads
    from nas_rnn.training.gradient_flow import flows_of_run

    models = bench.models
    try:
        size = models.match(cell, bench.config.params).hidden_size
        spec = models.spec(cell.name, "candidate", cell, size, seed=bench.config.seed)
        with threads(bench.config.threads):
            return [(cell.name, flows_of_run(spec, models.task, models.data, None))]
    except NasRnnError as error:
        bench.warn(f"the gradient flow of {cell.name} was not measured: {error}")
        return []


def _titled(models: Models) -> Models:
    """Return the models under titles that say how often training clipped."""
    titled: Models = []
    for name, flows in models:
        shares = [flow.clipped_share for flow in flows if flow.clipped_share is not None and flow.clip]
        short = name if len(name) <= 28 else name[:27] + "…"
        titled.append((f"{short}: {shares[0]:.0%} of steps clipped" if shares else short, flows))
    return titled
