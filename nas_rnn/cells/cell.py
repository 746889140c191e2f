"""`Cell`: a graph with its identity, its text, its equations and its picture; and the ways to make one."""

from __future__ import annotations

import base64
import html
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NoReturn

from nas_rnn.cells.graph.canonical import Canonical, canonicalise
from nas_rnn.cells.graph.nodes import Apply, CellError, CellGraph, Linear, Node, StatePath
from nas_rnn.cells.graph.text import print_cell
from nas_rnn.cells.language.assembly import assemble
from nas_rnn.cells.language.parsing import parse
from nas_rnn.cells.language.tracing import trace
from nas_rnn.cells.views.equations import latex_equations, plain_equations
from nas_rnn.errors import UserError

LONGEST_NAME = 24
"""Characters of a name that a `repr` shows."""


@dataclass(frozen=True)
class Cell(CellGraph):
    """One step of recurrence, as equations.

    ``nodes[outputs[p]]`` is the next value of state path ``states[p]``; the first is also the layer's output.
    Cells are compared by value; `digest` says whether two are the same cell up to renaming and reordering.
    """

    plugin_kind: ClassVar[str] = "cell"

    @classmethod
    def of(cls, graph: CellGraph) -> Cell:
        """Return the cell of a graph."""
        return cls(graph.name, graph.doc, graph.states, graph.nodes, graph.outputs)

    def __call__(self, *values: object) -> NoReturn:
        raise CellError(
            f"{self.name} is a cell, and a cell has no cells inside; to share equations, put them "
            "into a plain function of values (without @cell) and call that from both"
        )

    @cached_property
    def _canonical(self) -> Canonical:
        return canonicalise(self)

    @property
    def digest(self) -> str:
        """The identity of the cell's structure: version and hash, e.g. ``c1-0f3a…``."""
        return self._canonical.digest

    def canonical(self) -> Canonical:
        """Return the canonical form: simplified nodes, in whose order parameters are stored."""
        return self._canonical

    def to_text(self) -> str:
        """Return the cell in its text form (the content of a ``.cell`` file)."""
        return print_cell(self)

    def __str__(self) -> str:
        return plain_equations(self)

    def __repr__(self) -> str:
        """One short line, with what is written counted: ``Cell('gru', 1 state path, 6 matrices, 6 operations)``."""
        name = self.name if len(self.name) <= LONGEST_NAME else self.name[: LONGEST_NAME - 3] + "..."
        matrices = sum(len(node.arguments) for node in self.nodes if isinstance(node, Linear))
        operations = sum(isinstance(node, Apply) for node in self.nodes)
        counts = (
            _counted(len(self.states), "state path", "state paths"),
            _counted(matrices, "matrix", "matrices"),
            _counted(operations, "operation", "operations"),
        )
        return f"Cell({name!r}, {', '.join(counts)})"

    def _repr_html_(self) -> str | None:
        """For notebooks: the picture with the equations; None (so the equations alone) where it is too large."""
        try:
            picture = self.diagram("svg")
        except UserError:
            return None
        # As an image of its own: names within two drawings on one page would be mixed up.
        source = "data:image/svg+xml;base64," + base64.b64encode(picture).decode()
        name = html.escape(self.name)
        return (
            f'<img alt="{name}" style="max-width: 100%" src="{source}">\n<pre>{html.escape(str(self))}</pre>'
        )

    def _repr_markdown_(self) -> str:
        """For notebooks: the equations, typeset."""
        return f"$$\n{self.latex()}\n$$"

    def latex(self) -> str:
        """Return the cell's equations as a LaTeX ``aligned`` environment."""
        return latex_equations(self)

    def diagram(self, format: str = "svg") -> bytes:
        """Return a picture of the cell: ``format`` is ``"svg"`` or ``"png"``."""
        from nas_rnn.cells.views.diagram import draw

        return draw(self, format)


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def make_cell(
    name: str, doc: str, states: Sequence[StatePath], nodes: Sequence[Node], outputs: Sequence[int]
) -> Cell:
    """Return a verified cell from ``nodes`` in any order in which each reads only earlier ones.

    ``nodes[0]`` is the input and the next ones are the states. Raises `CellError` listing every violation.
    """
    return Cell.of(assemble(name, doc, states, nodes, outputs))


def cell(function: Callable[..., Any]) -> Cell:
    """Trace ``function`` into a `Cell` of its name; raises `CellError` listing what breaks the rules."""
    if not inspect.isfunction(function):
        raise CellError(f"@cell stands before a function, `def name(x, h)`, not before {function!r}")
    return trace_cell(function, function.__name__)


def trace_cell(
    function: Callable[..., Any],
    name: str,
    *leading: Any,
    optional_states: bool = False,
    doc: str | None = None,
) -> Cell:
    """Run ``function`` on traced values and return its cell; see `nas_rnn.cells.language.tracing.trace`."""
    return Cell.of(trace(function, name, *leading, optional_states=optional_states, doc=doc))


def parse_cell(text: str) -> Cell:
    """Read the text form without executing anything; `CellError` says where and what is not allowed."""
    return Cell.of(parse(text))
