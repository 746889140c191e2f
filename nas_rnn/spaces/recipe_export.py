"""Cells as recipes of NAS-Bench-NLP: the way back from `nas_rnn.spaces.recipes`."""

from __future__ import annotations

from nas_rnn.cells import Cell
from nas_rnn.cells.graph.nodes import Antisymmetric, Apply, Input, Linear, Node, Project
from nas_rnn.cells.graph.text import print_node
from nas_rnn.errors import UserError
from nas_rnn.spaces.recipes import WORDS, Recipe

_OPERATIONS = {word: operation for operation, word in WORDS.items()}


def recipe_from_cell(cell: Cell) -> Recipe:
    """Return the recipe of ``cell``: the first state path is ``h_prev_0`` and ``h_new_0``, and so on.

    ``cell_from_recipe(recipe_from_cell(cell))`` has the digest of ``cell``. Equations that no next state needs are left
    out. Raises `UserError` with every equation that a recipe cannot say.
    """
    export = _Export(cell)
    recipe = export.recipe()
    if export.problems:
        raise UserError(
            "\n".join([f"the cell {cell.name!r} cannot be written as a recipe:", *export.problems])
        )
    return recipe


class _Export:
    """Names every value of one cell as a recipe does, and collects what a recipe has no words for."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.problems: list[str] = []
        self.names = {0: "x"} | {p + 1: f"h_prev_{p}" for p in range(len(cell.states))}
        self.projections: list[int] = []

    def recipe(self) -> Recipe:
        for path in self.cell.states:
            if path.init != 0.0 or path.size != "hidden":
                self.problems.append(
                    f"  {path.name}: a recipe's states have the hidden size and start at zero"
                )
        first = {self._behind(index): p for p, index in reversed([*enumerate(self.cell.outputs)])}
        recipe: Recipe = {}
        live = _live(self.cell)
        for index in [
            index for index in range(len(self.cell.states) + 1, len(self.cell.nodes)) if index in live
        ]:
            node = self.cell.nodes[index]
            if isinstance(node, Apply) and node.operation == "identity":
                continue
            said = self._say(index, node)
            if said is not None:
                self.names[index] = f"h_new_{first[index]}" if index in first else f"node_{len(recipe)}"
                recipe[self.names[index]] = said
        self._outputs(recipe)
        return recipe

    def _behind(self, index: int) -> int:
        """Return the node whose value node ``index`` has, past identities."""
        node = self.cell.nodes[index]
        while isinstance(node, Apply) and node.operation == "identity":
            index = node.arguments[0]
            node = self.cell.nodes[index]
        return index

    def _say(self, index: int, node: Node) -> dict[str, object] | None:
        """Return what the recipe says for a node; None for a projection of x, and for what it cannot say."""
        arguments = [self._behind(i) for i in node.inputs]
        reads = [self.names.get(i, "?") for i in arguments]
        match node:
            case Linear(bias=0.0, heads=1):
                if any(i in self.projections for i in arguments):
                    return self._fail(
                        index, "linear of a recipe reads x itself, not x brought to the hidden size"
                    )
                return {"op": "linear", "input": reads}
            case Linear() if not isinstance(node, Antisymmetric):
                return self._fail(index, "linear of a recipe has a bias that starts at 0, and one head")
            case Project(argument=argument) if isinstance(self.cell.nodes[self._behind(argument)], Input):
                if self.projections:
                    return self._fail(
                        index, "a recipe brings x to the hidden size by one matrix, not by several"
                    )
                self.projections.append(index)
                self.names[index] = "x"
                return None
            case Apply(operation=word) if word in _OPERATIONS:
                if 0 in arguments:
                    return self._fail(
                        index, "outside linear, a recipe reads x brought to the hidden size: project(x)"
                    )
                return {"op": _OPERATIONS[word], "input": reads}
        known = ", ".join(["linear", *sorted(_OPERATIONS)])
        return self._fail(index, f"a recipe has {known}, where blend(g, a, b) is g * a + (1 - g) * b")

    def _outputs(self, recipe: Recipe) -> None:
        """Give each next state a node of its name; one value for two paths is said twice if it owns no weights."""
        for number, index in enumerate(self.cell.outputs):
            name = self.names.get(self._behind(index))
            wanted = f"h_new_{number}"
            if name is None or name == wanted:
                continue
            if name in recipe and recipe[name]["op"] != "linear":
                recipe[wanted] = {"op": recipe[name]["op"], "input": list(recipe[name]["input"])}
            else:
                path = self.cell.states[number].name
                reason = "is linear(...) of another path" if name in recipe else f"is {name} itself"
                self.problems.append(f"  {path}: the next value {reason}, which a recipe cannot say")

    def _fail(self, index: int, reason: str) -> dict[str, object] | None:
        self.problems.append(f"  {print_node(self.cell, index)}: {reason}")
        return None


def _live(cell: Cell) -> set[int]:
    """Return the nodes that some next state needs."""
    live: set[int] = set()
    stack = list(cell.outputs)
    while stack:
        index = stack.pop()
        if index not in live:
            live.add(index)
            stack.extend(cell.nodes[index].inputs)
    return live
