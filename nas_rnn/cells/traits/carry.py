"""What carries a state from step to step: the cheapest ways through its equations, in matrices, activations, gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_rnn.cells.graph.canonical import Canonical
from nas_rnn.cells.graph.nodes import Apply, Input, LayerNorm, Linear, Node, Project, State
from nas_rnn.cells.graph.operations import find_operation
from nas_rnn.cells.traits.algebra import Passage, passages

_FAR = 99.0
"""The cost of what cannot be reached."""
_MOST = 9.0


@dataclass(frozen=True)
class _Prices:
    matrix: float = 0.0
    activation: float = 0.0
    gate: float = 0.0


def carry_traits(cell: Canonical) -> dict[str, float]:
    """Return the cheapest cycles from a state to itself, per step, and the cheapest ways to the output."""
    plain = _Prices(matrix=1, activation=1)
    both, acts, matrices, ungated = (
        _between_states(cell, prices)
        for prices in (plain, _Prices(activation=1), _Prices(matrix=1), _Prices(1, 1, 1))
    )
    cycles = [cheapest_cycle(costs) for costs in (both, acts, matrices, ungated)]
    from_input = {
        name: min(_costs(cell, None, prices)[cell.outputs[0]], _MOST)
        for name, prices in (
            ("activations to the output", _Prices(activation=1)),
            ("matrices to the output", _Prices(matrix=1)),
        )
    }
    return {
        "cycle": min(cycles[0], _MOST),
        "activations of a cycle": min(cycles[1], _MOST),
        "matrices of a cycle": min(cycles[2], _MOST),
        "cycle with gates": min(cycles[3], _MOST),
        "additive cycle": float(cycles[0] == 0),
        "linear cycle": float(cycles[1] == 0),
        "additive cycle without a gate": float(cycles[3] == 0),
        "output to itself": min(both[0, 0], _MOST),
        "output depends on itself": float(both[0, 0] < _FAR),
        "states that the output reads": float((both[0] < _FAR).sum()),
        **from_input,
    }


def _between_states(cell: Canonical, prices: _Prices) -> NDArray[np.float64]:
    """Return the cheapest way from each state (column) to each next state (row)."""
    columns = [_costs(cell, path, prices) for path in range(len(cell.states))]
    return np.array([[column[index] for column in columns] for index in cell.outputs])


def cheapest_cycle(costs: NDArray[np.float64]) -> float:
    """Return the least mean cost of a cycle, per step; 99 or more where there is none (Karp 1978 asks the same)."""
    walks, least = costs, np.inf
    for length in range(1, len(costs) + 1):
        least = min(least, float(np.diag(walks).min()) / length)
        walks = (walks[:, :, None] + costs[None]).min(axis=1)
    return least


def _costs(cell: Canonical, path: int | None, prices: _Prices) -> list[float]:
    """Return the cheapest way from state ``path`` (None: the input) to each node."""
    found: list[float] = []
    for node in cell.nodes:
        found.append(_cost(node, found, path, prices))
    return found


def _cost(node: Node, found: Sequence[float], path: int | None, prices: _Prices) -> float:
    match node:
        case Input():
            return 0.0 if path is None else _FAR
        case State(path=own):
            return 0.0 if own == path else _FAR
        case Linear() | Project():
            price = prices.matrix
        case LayerNorm():
            price = prices.activation
        case Apply(operation=name, arguments=arguments):
            paid = {
                Passage.ADDED: 0.0,
                Passage.SCALED: prices.gate,
                Passage.CHANGED: prices.activation,
            }
            ways = zip(arguments, passages(find_operation(name)), strict=True)
            return min(_FAR, *(found[i] + paid[way] for i, way in ways))
        case _:
            price = 0.0
    return min((found[i] + price for i in node.inputs), default=_FAR) if node.inputs else _FAR
