"""Which values of a cell get an equation of their own, and what its values and parameters are called."""

from __future__ import annotations

from collections import Counter
from itertools import chain, count

from nas_rnn.cells.graph.nodes import (
    Antisymmetric,
    Apply,
    CellGraph,
    Constant,
    Diagonal,
    Input,
    LearnedVector,
    Linear,
    Node,
    Project,
    Scalar,
    State,
)
from nas_rnn.cells.views.equations.notation import GREEK, Notation

ATOMS = (Input, State, Constant, Scalar, LearnedVector)
"""Nodes that are written where they are used."""


class Naming:
    """The names of one cell's values: ``names[node]`` for every node that has an equation of its own."""

    def __init__(self, cell: CellGraph) -> None:
        self.cell = cell
        self.carries = {index: self._carried_as(index) for index in cell.outputs}
        self.names: dict[int, str] = {}
        for index, node in enumerate(cell.nodes):
            if isinstance(node, ATOMS):
                continue
            name = self.carries.get(index, node.name)
            if name is not None:
                self.names[index] = name
        self.taken = {cell.nodes[0].name or "x", *(path.name for path in cell.states), *self.names.values()}
        learned = (node for node in cell.nodes if isinstance(node, Scalar | LearnedVector))
        self.taken |= {node.name for node in learned if node.name}
        self._names = chain("zuv", (f"v{n}" for n in count(1)))
        for index in self._repeated():
            self.names[index] = self._free()
        self.scalars = self._scalar_letters()

    def _carried_as(self, index: int) -> str:
        """Return the path whose next value node ``index`` is; of several the one it is named after."""
        paths = [
            path.name
            for path, output in zip(self.cell.states, self.cell.outputs, strict=True)
            if output == index
        ]
        name = self.cell.nodes[index].name
        return name if name in paths else paths[0]

    def _repeated(self) -> list[int]:
        """Return the nodes without a name that would be written out more than once."""
        uses: Counter[int] = Counter()
        for node in self.cell.nodes:
            uses.update(node.inputs)
            if isinstance(node, Apply) and node.operation == "blend":
                uses[node.arguments[0]] += 1
        return sorted(
            index
            for index, count in uses.items()
            if count > 1 and index not in self.names and not isinstance(self.cell.nodes[index], ATOMS)
        )

    def _free(self) -> str:
        name = next(name for name in self._names if name not in self.taken)
        self.taken.add(name)
        return name

    def _scalar_letters(self) -> dict[int, str]:
        """Return what each learned number is called: its own name, or a Greek letter that is free."""
        taken = {GREEK.get(name, name) for name in self.taken} | {"σ"}
        letters = [letter for letter in GREEK.values() if letter not in taken]
        unnamed = [i for i, node in enumerate(self.cell.nodes) if isinstance(node, Scalar) and not node.name]
        found = {
            i: str(node.name)
            for i, node in enumerate(self.cell.nodes)
            if isinstance(node, Scalar) and node.name
        }
        for place, index in enumerate(unnamed):
            round_ = place // len(letters)
            found[index] = letters[place % len(letters)] + (str(round_ + 1) if round_ else "")
        return found


def matrix_letters(cell: CellGraph, node: Linear) -> list[str]:
    """Return the letter of each matrix of ``node``: W for the input, U for the first other value, then V.

    A is the letter of one of which A - Aᵀ is made.
    """
    if isinstance(node, Antisymmetric):
        return ["A"]
    letters: list[str] = []
    others = 0
    for index in node.arguments:
        is_input = isinstance(cell.nodes[index], Input)
        letters.append("W" if is_input else "U" if others == 0 else "V")
        others += not is_input
    return letters


class Parameters:
    """Gives the parameters of one equation their symbols, numbered where a letter occurs more than once."""

    def __init__(self, cell: CellGraph, written: list[Node], owner: str, notation: Notation) -> None:
        self.owner = owner
        self.notation = notation
        self.total = Counter(letter for node in written for letter in _letters(cell, node))
        self.given: Counter[str] = Counter()
        self.biases: list[str] = []

    def symbol(self, letter: str) -> str:
        """Return the next symbol of ``letter``."""
        self.given[letter] += 1
        ordinal = self.given[letter] if self.total[letter] > 1 else None
        symbol = self.notation.parameter(letter, self.owner, ordinal)
        self.biases += [symbol] if letter == "b" else []
        return symbol


def _letters(cell: CellGraph, node: Node) -> list[str]:
    match node:
        case Linear(bias=bias):
            return [*matrix_letters(cell, node), *([] if bias is None else ["b"])]
        case LearnedVector(name=None):
            return ["b"]
        case Diagonal():
            return ["p"]
        case Project():
            return ["P"]
    return []
