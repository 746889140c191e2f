"""The bias with which a cell's gates start, which is a setting of training rather than of structure."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from nas_rnn.cells.graph.nodes import CellGraph, Linear

G = TypeVar("G", bound=CellGraph)


def gate_bias(cell: CellGraph) -> float | None:
    """Return the size at which all biases start that do not start at zero; None where all do, or their sizes differ.

    The LSTM's is 1, its forget gate's (Jozefowicz, Zaremba & Sutskever 2015).
    """
    sizes = {abs(node.bias) for node in cell.nodes if isinstance(node, Linear) and node.bias}
    return sizes.pop() if len(sizes) == 1 else None


def with_gate_bias(cell: G, size: float) -> G:
    """Return ``cell`` with every bias that does not start at zero starting at ``size``, its sign kept."""
    nodes = [
        replace(node, bias=size if node.bias > 0 or not size else -size)
        if isinstance(node, Linear) and node.bias
        else node
        for node in cell.nodes
    ]
    return replace(cell, nodes=tuple(nodes))
