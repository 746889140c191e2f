"""How the parts of a cell are called in sentences about it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from nas_rnn.cells.graph.nodes import (
    Antisymmetric,
    Apply,
    CellGraph,
    Constant,
    Diagonal,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Project,
    Scalar,
)
from nas_rnn.cells.graph.text import number
from nas_rnn.cells.views.difference.changes import origin
from nas_rnn.cells.views.difference.parts import Parts
from nas_rnn.cells.views.equations import Plain, Writer, plain_lines

KINDS: dict[type[Node], tuple[str, str]] = {
    Diagonal: ("weight per unit (peephole)", "weights per unit (peepholes)"),
    LayerNorm: ("layer norm", "layer norms"),
    LearnedVector: ("learned vector", "learned vectors"),
    Scalar: ("learned number", "learned numbers"),
    Project: ("projection", "projections"),
    Linear: ("learned combination", "learned combinations"),
    Antisymmetric: ("antisymmetric matrix", "antisymmetric matrices"),
    Constant: ("number", "numbers"),
}
MOST_WRITTEN = 400
"""How many letters a value is written with at most; equal values within it make it twice as long at each step."""
EQUATION = "the equation of "
LEARNED: dict[type[Node], str] = {
    Linear: "a learned combination of",
    Antisymmetric: "an antisymmetric matrix times",
    Diagonal: "a weight per unit times",
    Project: "the projected",
    LayerNorm: "the layer norm of",
}
INFIX = {"add": " plus ", "sub": " minus ", "div": " divided by "}
PREFIX = {"mul": "a product of", "neg": "minus"}
SIGNS = {
    "add": ("sum", "sums"),
    "sub": ("difference", "differences"),
    "mul": ("product", "products"),
    "div": ("quotient", "quotients"),
    "neg": ("change of sign", "changes of sign"),
}


class Side:
    """One of the two cells: how its values and places are called, and which of its nodes need no more words."""

    def __init__(self, cell: CellGraph, parts: Parts, alone: set[int]) -> None:
        self.cell = cell
        self.parts = parts
        self.writer = Writer(cell, Plain())
        self.alone = alone
        self.told: set[int] = set()
        self.line_of: dict[int, int] = {}
        for _, nodes in plain_lines(cell):
            self.line_of |= {node: nodes[-1] for node in nodes if node > len(cell.states)}

    def value(self, index: int) -> str:
        """Return how the cell's equations write a node's value."""
        return self._values[index]

    @cached_property
    def _values(self) -> list[str]:
        values: list[str] = []
        for index in range(len(self.parts.nodes)):
            values.append(self._value(index, values))
        return values

    def _value(self, index: int, values: Sequence[str]) -> str:
        original, node = self.parts.canonical.original[index], self.parts.nodes[index]
        if original is not None and self.cell.nodes[original].name is None and self.owns[index]:
            arguments = [values[i] for i in node.inputs]
            text = _phrase(node, arguments)
            return text if len(text) <= MOST_WRITTEN else "a value too long to print here"
        if original is not None:
            return self.writer.value(original)
        gate = self.parts.complement_of(index)
        if gate is not None:
            return f"1 - {values[gate]}"
        return number(node.value) if isinstance(node, Constant) else "a product"

    @cached_property
    def owns(self) -> list[bool]:
        """Whether each node's formula, as far as it is written in one equation, has learned weights."""
        owns: list[bool] = []
        for index, node in enumerate(self.parts.nodes):
            written = self.parts.canonical.original[index] is not None
            inner = any(owns[i] for i in node.inputs if not self.is_named(i))
            owns.append(isinstance(node, Linear | Diagonal | Project) or (written and inner))
        return owns

    def is_named(self, index: int) -> bool:
        original = self.parts.canonical.original[index]
        return original is not None and self.cell.nodes[original].name is not None

    def letter(self, index: int) -> str:
        """Return a gate's name in brackets, where it has one."""
        original = self.parts.canonical.original[index]
        name = None if original is None else self.cell.nodes[original].name
        return f" ({name})" if name else ""

    def role(self, index: int) -> str:
        """Return ``the output gate (o)`` for a gate or candidate."""
        return f"the {self.parts.role[index]}{self.letter(index)}"

    def place(self, index: int) -> str:
        """Return where a node stands: its gate or candidate, or the equation that writes it out."""
        if index in self.parts.scope:
            return self.role(self.parts.scope[index])
        node = origin(self.parts, index)
        return "the equations" if node is None else EQUATION + self.line(node)

    def line(self, node: int) -> str:
        """Return the left side of the equation that writes out a node of the cell."""
        head = self.line_of.get(node, node)
        for path, output in zip(self.cell.states, self.cell.outputs, strict=True):
            if output == head:
                return f"{path.name}ₜ"
        return self.writer.value(head)


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def count(amount: int, word: str, one: str, several: str) -> str:
    """Return ``one more gate`` or ``3 fewer gates``, where ``word`` is ``more`` or ``fewer``."""
    return f"one {word} {one}" if amount == 1 else f"{amount} {word} {several}"


def _phrase(node: Node, arguments: Sequence[str]) -> str:
    """Return a value as a noun phrase: ``a learned combination of xₜ plus a product of rₜ and hₜ₋₁``."""
    if not isinstance(node, Apply):
        return f"{LEARNED[type(node)]} {listed(arguments)}"
    if node.operation in INFIX:
        return INFIX[node.operation].join(arguments)
    return f"{PREFIX.get(node.operation, f'{node.operation} of')} {listed(arguments)}"


def listed(items: Sequence[str]) -> str:
    """Return ``a, b and c``; of several equations ``the equations of a and b``."""
    equations = [item.removeprefix(EQUATION) for item in items if item.startswith(EQUATION)]
    if len(equations) > 1:
        rest = [item for item in items if not item.startswith(EQUATION)]
        items = [*rest, f"the equations of {listed(equations)}"]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
