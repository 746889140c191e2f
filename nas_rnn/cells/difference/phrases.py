"""How the parts of a cell are called in sentences about it."""

from __future__ import annotations

from collections.abc import Sequence

from nas_rnn.cells.difference.comparing import origin
from nas_rnn.cells.difference.parts import Parts
from nas_rnn.cells.equations import plain_lines, value_text
from nas_rnn.cells.graph import (
    Cell,
    Constant,
    Diagonal,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Project,
    Scalar,
)
from nas_rnn.cells.text import number

KINDS: dict[type[Node], tuple[str, str]] = {
    Diagonal: ("weight per unit (peephole)", "weights per unit (peepholes)"),
    LayerNorm: ("layer norm", "layer norms"),
    LearnedVector: ("learned vector", "learned vectors"),
    Scalar: ("learned number", "learned numbers"),
    Project: ("projection", "projections"),
    Linear: ("learned sum", "learned sums"),
    Constant: ("number", "numbers"),
}
EQUATION = "the equation of "
LEARNED: dict[type[Node], str] = {
    Linear: "a learned sum of",
    Diagonal: "a weight per unit times",
    Project: "the projected",
}
SIGNS = {
    "add": ("sum", "sums"),
    "sub": ("difference", "differences"),
    "mul": ("product", "products"),
    "div": ("quotient", "quotients"),
    "neg": ("change of sign", "changes of sign"),
}


class Side:
    """One of the two cells: how its values and places are called, and which of its nodes need no more words."""

    def __init__(self, cell: Cell, parts: Parts, alone: set[int]) -> None:
        self.cell = cell
        self.parts = parts
        self.alone = alone
        self.told: set[int] = set()
        self.line_of: dict[int, int] = {}
        for _, nodes in plain_lines(cell):
            self.line_of |= {node: nodes[-1] for node in nodes if node > len(cell.states)}

    def value(self, index: int) -> str:
        """Return how the cell's equations write a node's value."""
        original, node = self.parts.canonical.original[index], self.parts.nodes[index]
        if original is not None and self.cell.nodes[original].name is None and self.owns(index):
            arguments = [self.value(i) for i in node.inputs]
            return f"{LEARNED.get(type(node), 'a value made of')} {listed(arguments)}"
        if original is not None:
            return value_text(self.cell, original)
        gate = self.parts.complement_of(index)
        if gate is not None:
            return f"1 - {self.value(gate)}"
        return number(node.value) if isinstance(node, Constant) else "a product"

    def owns(self, index: int) -> bool:
        """Whether the node's formula, as far as it is written in one equation, has learned weights."""
        original = self.parts.canonical.original[index]
        node = self.parts.nodes[index]
        if isinstance(node, Linear | Diagonal | Project):
            return True
        inner = (i for i in node.inputs if not self.is_named(i))
        return original is not None and any(self.owns(i) for i in inner)

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
        return value_text(self.cell, head)


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def count(amount: int, one: str, several: str) -> str:
    return f"one {one}" if amount == 1 else f"{amount} {several}"


def listed(items: Sequence[str]) -> str:
    """Return ``a, b and c``; of several equations ``the equations of a and b``."""
    equations = [item.removeprefix(EQUATION) for item in items if item.startswith(EQUATION)]
    if len(equations) > 1:
        rest = [item for item in items if not item.startswith(EQUATION)]
        items = [*rest, f"the equations of {listed(equations)}"]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
