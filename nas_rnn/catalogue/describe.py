"""What `show` tells about a cell: equations, sizes, costs, differences, pictures."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_rnn import plugins
from nas_rnn.catalogue.cells import find_cell
from nas_rnn.catalogue.listing import search_row
from nas_rnn.cells import Cell
from nas_rnn.cells.graph.costs import HIDDEN_SIZE, INPUT_SIZE, Costs, costs
from nas_rnn.cells.views.difference import Difference, difference
from nas_rnn.errors import UserError
from nas_rnn.publishing.flows import measured_flows, titled
from nas_rnn.run_folder.layout import RunFolder, names
from nas_rnn.run_folder.reader import RunReader

REFERENCES = ("lstm", "rnn")
"""The cells beside which the gradient flow of fresh weights is drawn."""


@dataclass(frozen=True, kw_only=True)
class CellDescription:
    """A cell with its equations, sizes and costs at ``input_size`` and ``hidden_size``."""

    name: str
    cell: Cell
    doc: str
    equations: str
    text: str
    digest: str
    costs: Costs
    source: str
    input_size: int
    hidden_size: int
    search: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            **{name: value for name, value in vars(self).items() if name not in ("cell", "costs")},
            "states": [vars(path) for path in self.cell.states],
            "costs": vars(self.costs),
        }


def show(
    what: str, *, runs: str | Path = "runs", input_size: int = INPUT_SIZE, hidden_size: int = HIDDEN_SIZE
) -> CellDescription:
    """Return what is known of a cell: a registered one by name, a ``.cell`` file's, or a search's best."""
    runs = Path(runs)
    cell = find_cell(what, runs)
    found: dict[str, Any] | None = None
    if what in names(runs) and what not in plugins.registry().names("cell"):
        source = str(RunFolder(runs, what).best / "cell.cell")
        found = search_row(RunFolder(runs, what)) | _sizes(RunFolder(runs, what), cell.digest)
    elif what in plugins.registry().names("cell"):
        source = plugins.registry().find("cell", what).origin
    else:
        source = str(Path(what))
    return CellDescription(
        name=cell.name,
        cell=cell,
        doc=cell.doc,
        equations=str(cell),
        text=cell.to_text(),
        digest=cell.digest,
        costs=costs(cell, input_size, hidden_size),
        source=source,
        input_size=input_size,
        hidden_size=hidden_size,
        search=found,
    )


def _sizes(folder: RunFolder, digest: str) -> dict[str, int]:
    """Return the sizes that a search's best cell had in the final; none where there was none."""
    comparison = RunReader(folder).comparison()
    for row in comparison.contenders if comparison else ():
        if row.standing.digest == digest:
            return {"hidden_size": row.standing.hidden_size, "parameters": row.standing.parameters}
    return {}


def compared(shown: CellDescription, base: str, *, runs: str | Path = "runs") -> Difference:
    """Return the differences of the shown cell from ``base``, which is named as in `show`."""
    return difference(shown.cell, find_cell(base, Path(runs)))


def difference_diagram(found: Difference, format: str) -> bytes:
    """Return the picture of the cell in which the differences from the base are framed."""
    from nas_rnn.cells.views.diagram import draw

    frames = f"heavy dashed frame: differs from {found.base.name}"
    legend = f"no difference from {found.base.name}" if found.is_empty else frames
    return draw(found.cell, format, found.differing, legend)


def gradient_flow(shown: CellDescription, what: str, format: str, *, runs: str | Path = "runs") -> bytes:
    """Return a picture of gradient flow: a search's measured models, or the cell with fresh weights at its sizes.

    Raises UserError where the search ``what`` has no measured flow.
    """
    from nas_rnn.training.device import threads
    from nas_rnn.training.flow_chart import draw_flow
    from nas_rnn.training.gradient_flow import fresh_flow

    if shown.search is not None:
        folder = RunFolder.open_existing(Path(runs), what)
        measured = measured_flows(folder)
        if not measured:
            raise UserError(
                f"{what!r} has no measured gradient flow: its final is not done, or could not measure it; its cell "
                f"with fresh weights: nas-rnn show {shlex.quote(str(folder.best / 'cell.cell'))} --gradient-flow FILE"
            )
        return draw_flow(measured, format)
    cells = {known.digest: known for known in (shown.cell, *map(plugins.load_cell, REFERENCES))}
    cells[shown.cell.digest] = shown.cell
    sizes = shown.input_size, shown.hidden_size
    with threads(1):  # products are small, and threads only wait for each other
        models = [(each.name, [fresh_flow(each, *sizes)]) for each in cells.values()]
    return draw_flow(titled(models), format)


def schedule(shown: CellDescription) -> str:
    """Return in words what is computed when a sequence runs through the shown cell, at its sizes."""
    from nas_rnn.execution.fused.explain import explain_schedule

    return explain_schedule(shown.cell, shown.input_size, shown.hidden_size)
