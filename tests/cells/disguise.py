"""Writes a cell in another way that means the same: for tests of its canonical form."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from nas_rnn.cells.cell import Cell, make_cell
from nas_rnn.cells.graph.nodes import Apply, Constant, Input, LayerNorm, Node, State, is_commutative

OWN_NOTHING = (Input, State, Constant, Apply)


class Disguise:
    """Rebuilds ``cell`` under other names, in another order, with detours that change no value."""

    def __init__(self, cell: Cell, rng: random.Random, permute_states: bool = False) -> None:
        self.cell = cell
        self.rng = rng
        order = list(range(1, len(cell.states)))
        if permute_states:
            rng.shuffle(order)
        self.paths = [0, *order]
        self.nodes: list[Node] = [Input(name=self.name("in"))]
        self.place: dict[int, int] = {0: 0}
        self.dead = 0
        states = []
        for new, old in enumerate(self.paths):
            states.append(replace(cell.states[old], name=self.name("path")))
            self.place[old + 1] = len(self.nodes)
            self.nodes.append(State(name=states[-1].name, path=new))
        self.states = states

    def name(self, stem: str) -> str:
        return f"{stem}_{self.rng.randrange(10**9)}"

    def add(self, node: Node) -> int:
        named = replace(node, name=self.name("local") if self.rng.random() < 0.3 else None)
        self.nodes.append(named)
        return len(self.nodes) - 1

    def number(self, value: float) -> int:
        return self.add(Constant(value=value))

    def apply(self, operation: str, *arguments: int) -> int:
        return self.add(Apply(operation=operation, arguments=arguments))

    def detour(self, index: int) -> int:
        """Return ``index``, or something that always equals it."""
        match self.rng.randrange(12):
            case 0:
                return self.apply("mul", *self.shuffled([index, self.number(1.0)]))
            case 1:
                return self.apply("add", *self.shuffled([index, self.number(0.0)]))
            case 2:
                return self.apply("sub", index, self.number(0.0))
            case 3:
                return self.apply("div", index, self.number(1.0))
            case 4:
                return self.apply("identity", index)
            case 5:
                return self.apply("neg", self.apply("neg", index))
            case 6:
                return self.apply("maximum", index, index)
            case 7:
                return self.apply("mul", index, self.apply("sub", self.number(1.5), self.number(0.5)))
        return index

    def shuffled(self, items: Sequence[int]) -> list[int]:
        return self.rng.sample(list(items), len(items))

    def read(self, old: int) -> int:
        """Return a node that equals node ``old`` of the cell; parameter-free ones may be written out anew."""
        node = self.cell.nodes[old]
        again = isinstance(node, (Apply, Constant)) and self.rng.random() < 0.3
        if again and len(self.nodes) < 400:
            return self.detour(self.build(node))
        return self.detour(self.place[old])

    def build(self, node: Node) -> int:
        arguments = [self.read(i) for i in node.inputs]
        if isinstance(node, Apply) and node.operation == "blend" and self.rng.random() < 0.5:
            gate, first, second = arguments
            rest = self.apply("sub", self.number(1.0), gate)
            products = [self.apply("mul", gate, first), self.apply("mul", second, rest)]
            return self.apply("add", *self.shuffled(products))
        if is_commutative(node):
            arguments = self.shuffled(arguments)
        if isinstance(node, LayerNorm):
            arguments = [arguments[0], *self.shuffled(arguments[1:])]
        return self.add(node.with_inputs(arguments))

    def run(self) -> Cell:
        waiting = set(range(len(self.cell.states) + 1, len(self.cell.nodes)))
        while waiting:
            ready = sorted(i for i in waiting if all(j in self.place for j in self.cell.nodes[i].inputs))
            index = self.rng.choice(ready)
            waiting.remove(index)
            self.place[index] = self.build(self.cell.nodes[index])
            if self.rng.random() < 0.1:
                dead = self.cell.nodes[self.rng.randrange(len(self.cell.states) + 1, len(self.cell.nodes))]
                if all(j in self.place for j in dead.inputs):
                    self.nodes.append(
                        replace(dead, name=self.name("dead")).with_inputs(
                            [self.place[j] for j in dead.inputs]
                        )
                    )
        outputs = [self.read(self.cell.outputs[old]) for old in self.paths]
        return make_cell(self.name("cell"), "another text", self.states, self.nodes, outputs)


def disguised(cell: Cell, seed: int, permute_states: bool = False) -> Cell:
    """Return ``cell`` written in another way."""
    return Disguise(cell, random.Random(seed), permute_states).run()
