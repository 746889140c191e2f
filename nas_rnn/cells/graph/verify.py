"""The rules that every cell keeps; all violations are reported at once, each with its equation."""

from __future__ import annotations

import keyword
import math
import unicodedata
from collections.abc import Iterator, Sequence

from nas_rnn.cells.graph.nodes import (
    Antisymmetric,
    Apply,
    CellError,
    CellGraph,
    Constant,
    Diagonal,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Project,
    Scalar,
    ValueSize,
    value_sizes,
)
from nas_rnn.cells.graph.operations import RESERVED, operations
from nas_rnn.cells.graph.text import print_node

MAX_NODES = 2000
MAX_HEADS = 4096
SIZE_NAMES = {"one": "one number", "input": "input_size", "hidden": "hidden_size"}


def verify(cell: CellGraph) -> None:
    """Raise `CellError` with every violation in ``cell``, each beside the equation that holds it."""
    found = list(violations(cell))
    if found:
        raise CellError("\n".join([f"the cell {cell.name!r} breaks {len(found)} rule(s):", *found]))


def violations(cell: CellGraph) -> Iterator[str]:
    """Yield one line per broken rule: the equation, then the rule and the values."""
    if len(cell.nodes) > MAX_NODES:
        yield f"  a cell has at most {MAX_NODES} nodes, not {len(cell.nodes)}"
        return
    yield from _names(cell)
    yield from _interface(cell)
    sizes = value_sizes(cell.states, cell.nodes)
    for index, node in enumerate(cell.nodes):
        for problem in _node(node, sizes, index):
            yield f"  {print_node(cell, index)}: {problem}"
    for path, index in zip(cell.states, cell.outputs, strict=False):
        if sizes[index] not in (path.size, None):
            yield (
                f"  {print_node(cell, index)}: the next value of state path {path.name!r} must have "
                f"{path.size}_size, not {SIZE_NAMES[str(sizes[index])]}"
            )


def _names(cell: CellGraph) -> Iterator[str]:
    if not _is_name(cell.name):
        yield f"  a cell's name is a Python identifier, not {cell.name!r}"
    parameters = [cell.nodes[0].name or "x", *(path.name for path in cell.states)]
    for name in sorted({name for name in parameters if parameters.count(name) > 1}):
        yield f"  two parameters are named {name!r}"
    used = {node.operation for node in cell.nodes if isinstance(node, Apply)}
    for name in parameters:
        if name in RESERVED or name in used:
            yield f"  {name!r} is a word of the cell language and cannot name a parameter"
    for name in [
        *parameters,
        *(node.name for node in cell.nodes[len(parameters) :] if node.name is not None),
    ]:
        if not _is_name(name):
            yield f"  a value's name is a Python identifier, not {name!r}"


def _is_name(name: str) -> bool:
    """Whether Python reads ``name`` back as it is (it brings look-alike letters to one form, NFKC)."""
    plain = unicodedata.normalize("NFKC", name) == name
    return plain and name.isidentifier() and not keyword.iskeyword(name) and name != "__debug__"


def _interface(cell: CellGraph) -> Iterator[str]:
    if not cell.states:
        yield "  a cell has at least one state path"
    if len(cell.outputs) != len(cell.states):
        yield f"  {len(cell.outputs)} next value(s) for {len(cell.states)} state path(s)"
    for path in cell.states:
        if not math.isfinite(path.init):
            yield f"  state path {path.name!r} must start at a finite number, not {path.init}"


def _node(node: Node, sizes: Sequence[ValueSize | None], index: int) -> Iterator[str]:
    match node:
        case Constant(value=value) | Scalar(init=value) | LearnedVector(init=value) if not math.isfinite(
            value
        ):
            yield f"numbers must be finite, not {value}"
        case Antisymmetric():
            yield from _antisymmetric(node, sizes)
        case Linear():
            yield from _linear(node, sizes)
        case Diagonal() | Project() | LayerNorm():
            if any(sizes[i] == "one" for i in node.inputs):
                yield "takes a value with units, not a single number"
        case Apply():
            yield from _apply(node, sizes, index)


def _apply(node: Apply, sizes: Sequence[ValueSize | None], index: int) -> Iterator[str]:
    row = operations().get(node.operation)
    if row is None:
        known = sorted(name for name, row in operations().items() if not row.symbol)
        yield f"there is no operation {node.operation!r}; known: {', '.join(known)}"
    elif row.arity != len(node.arguments):
        yield f"{node.operation} takes {row.arity} argument(s), not {len(node.arguments)}"
    if sizes[index] is None and None not in {sizes[i] for i in node.arguments}:
        yield "mixes values of input_size and hidden_size; use project(...) on the one of input_size"


def _antisymmetric(node: Antisymmetric, sizes: Sequence[ValueSize | None]) -> Iterator[str]:
    if len(node.arguments) != 1 or node.bias is not None or node.heads != 1:
        yield "antisymmetric(...) takes one value, and has neither a bias nor heads"
    elif (size := sizes[node.arguments[0]]) not in ("hidden", None):
        yield f"antisymmetric(...) takes a value of hidden_size, not of {SIZE_NAMES[str(size)]}"


def _linear(node: Linear, sizes: Sequence[ValueSize | None]) -> Iterator[str]:
    if not node.arguments:
        yield "linear(...) takes at least one value"
    if any(sizes[i] == "one" for i in node.arguments):
        yield "linear(...) takes values with units, not a single number"
    if node.bias is not None and not math.isfinite(node.bias):
        yield f"bias is a finite number or None, not {node.bias!r}"
    if not 1 <= node.heads <= MAX_HEADS:
        yield f"heads is a whole number from 1 to {MAX_HEADS}, not {node.heads!r}"
