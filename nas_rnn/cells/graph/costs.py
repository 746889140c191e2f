"""What one layer of a cell costs, counted on its canonical form: parameters, products, operations, state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas_rnn.cells.graph.canonical import Canonical, canonicalise
from nas_rnn.cells.graph.nodes import (
    Apply,
    CellGraph,
    Diagonal,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Project,
    Scalar,
    State,
    ValueSize,
    value_sizes,
)
from nas_rnn.errors import UserError

INPUT_SIZE, HIDDEN_SIZE = 64, 128
"""The sizes at which costs are told where nobody asks for others."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The costs of one layer, per time step and per sequence of the batch unless said otherwise.

    Dead equations cost nothing, `blend` counts as the four operations it stands for, and equal parameter-free
    values count once, since all is counted on the canonical form.
    """

    parameters: int
    """Learned numbers: weights and biases of `linear`, weights of `diagonal` and of `project` (where the
    sizes differ), gain and bias of `layer_norm`, `scalar` and `vector`."""
    products: int
    """Matrix products that must run inside the loop, because what they multiply depends on a state."""
    hoisted: int
    """Matrix products whose argument depends on the input alone: one can do for the whole sequence."""
    levels: int
    """How many products of the loop must follow one another within a step (0: no product in the loop)."""
    elementwise: int
    """Operations on every unit: nodes of the operations' table and `diagonal`. The sums within a `linear` and
    operations on single numbers are not counted."""
    reductions: int
    """Reductions over the units: one a `layer_norm`, but one for all that normalise by the same values."""
    multiply_adds: int
    """Multiply-adds of all matrix products, those of `hoisted` included; elementwise work is not counted."""
    state_size: int
    """Numbers carried from step to step: the sum of the state paths' sizes."""


def costs(cell: CellGraph, input_size: int, hidden_size: int) -> Costs:
    """Return what a layer of ``cell`` costs at the given sizes.

    Raises `UserError` for sizes below 1 and for heads that do not divide the sizes they split.
    """
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
        if size < 1:
            raise UserError(f"{name} is a whole number from 1, not {size}")
    canonical = canonicalise(cell)
    sizes = value_sizes(canonical.states, canonical.nodes)
    units = [_units(size, input_size, hidden_size) for size in sizes]
    depends = _depends_on_state(canonical.nodes)
    products = [p for node in canonical.nodes for p in _products(node, units, hidden_size)]
    return Costs(
        parameters=sum(_parameters(node, units, hidden_size) for node in canonical.nodes),
        products=sum(depends[argument] for argument, _ in products),
        hoisted=sum(not depends[argument] for argument, _ in products),
        levels=_levels(canonical, units, depends, hidden_size),
        elementwise=sum(
            isinstance(node, Apply | Diagonal) and size != "one"
            for node, size in zip(canonical.nodes, sizes, strict=True)
        ),
        reductions=len(
            {tuple(sorted(node.inputs)) for node in canonical.nodes if isinstance(node, LayerNorm)}
        ),
        multiply_adds=sum(weights for _, weights in products),
        state_size=sum(input_size if path.size == "input" else hidden_size for path in cell.states),
    )


def _units(size: ValueSize | None, input_size: int, hidden_size: int) -> int:
    return {"input": input_size, "hidden": hidden_size, "one": 1}[size or "one"]


def _depends_on_state(nodes: Sequence[Node]) -> list[bool]:
    depends: list[bool] = []
    for node in nodes:
        depends.append(isinstance(node, State) or any(depends[i] for i in node.inputs))
    return depends


def _products(node: Node, units: Sequence[int], hidden_size: int) -> list[tuple[int, int]]:
    """Return the node's matrix products: the argument's index and the number of weights of each."""
    match node:
        case Linear(arguments=arguments, heads=heads):
            for size in (hidden_size, *(units[i] for i in arguments)):
                if size % heads:
                    raise UserError(
                        f"linear(..., heads={heads}) splits its values into {heads} equal blocks, so heads "
                        "must divide hidden_size, and input_size where it reads a value of that size; "
                        f"{size} is not a multiple of {heads}"
                    )
            return [(i, hidden_size * units[i] // heads) for i in arguments]
        case Project(argument=argument) if units[argument] != hidden_size:
            return [(argument, hidden_size * units[argument])]
    return []


def _parameters(node: Node, units: Sequence[int], hidden_size: int) -> int:
    weights = sum(weights for _, weights in _products(node, units, hidden_size))
    match node:
        case Linear(bias=bias):
            return weights + (0 if bias is None else hidden_size)
        case Diagonal(argument=argument):
            return units[argument]
        case LayerNorm(argument=argument):
            return 2 * units[argument]
        case LearnedVector():
            return hidden_size
        case Scalar():
            return 1
    return weights


def _levels(canonical: Canonical, units: Sequence[int], depends: Sequence[bool], hidden_size: int) -> int:
    """Return the largest number of products in the loop on any way to a next state."""
    level: list[int] = []
    for node in canonical.nodes:
        multiplied = {i for i, _ in _products(node, units, hidden_size)}
        level.append(max((level[i] + (i in multiplied and depends[i]) for i in node.inputs), default=0))
    return max(level, default=0)
