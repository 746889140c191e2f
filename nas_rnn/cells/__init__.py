"""What a recurrent cell is: its language, graph, canonical form, text form, equations, diagrams, and
published cells.

No module here imports torch.
"""

from nas_rnn.cells.cell import Cell, cell, make_cell, parse_cell, trace_cell
from nas_rnn.cells.graph.canonical import Canonical, parameter_owners
from nas_rnn.cells.graph.gate_bias import gate_bias, with_gate_bias
from nas_rnn.cells.graph.nodes import CellError, StatePath, UnknownWord, value_sizes
from nas_rnn.cells.graph.operations import Operation, find_operation, operations, register_operation
from nas_rnn.cells.language.tracing import (
    antisymmetric,
    diagonal,
    layer_norm,
    linear,
    project,
    scalar,
    state,
    vector,
)

__all__ = [
    "Canonical",
    "Cell",
    "CellError",
    "Operation",
    "StatePath",
    "UnknownWord",
    "antisymmetric",
    "cell",
    "diagonal",
    "find_operation",
    "gate_bias",
    "layer_norm",
    "linear",
    "make_cell",
    "operations",
    "parameter_owners",
    "parse_cell",
    "project",
    "register_operation",
    "scalar",
    "state",
    "trace_cell",
    "value_sizes",
    "vector",
    "with_gate_bias",
]
