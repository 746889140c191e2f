"""Prints a cell's text form, a subset of Python that `nas_rnn.cells.language.parsing` reads back without loss."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nas_rnn.cells.graph.nodes import (
    Antisymmetric,
    Apply,
    CellGraph,
    Constant,
    Diagonal,
    LayerNorm,
    LearnedVector,
    Linear,
    Project,
    Scalar,
    StatePath,
)
from nas_rnn.cells.graph.operations import find_operation


def print_cell(cell: CellGraph) -> str:
    """Return the text form of ``cell``; `parse_cell` gives an equal cell back."""
    parameters = [cell.nodes[0].name or "x", *_parameters(cell.states)]
    lines = ["@cell", f"def {cell.name}({', '.join(parameters)}):"]
    if cell.doc:
        lines += _docstring(cell.doc)
    for index, node in enumerate(cell.nodes):
        if index > len(cell.states) and node.name is not None:
            lines.append(f"    {print_node(cell, index)}")
    lines.append(f"    return {', '.join(_expression(cell, index) for index in cell.outputs)}")
    return "\n".join(lines) + "\n"


def print_node(cell: CellGraph, index: int) -> str:
    """Return one node as an expression, with its name where it has one: ``i = sigmoid(linear(x, h))``."""
    name = cell.nodes[index].name
    if index <= len(cell.states):
        return name or "x"
    text = _written_out(cell, index, 0)
    return f"{name} = {text}" if name else text


def _parameters(states: Sequence[StatePath]) -> list[str]:
    """Return the state paths as parameters; Python wants a default on all that follow one with a default."""
    parameters: list[str] = []
    for path in states:
        options = [f"init={number(path.init)}"] if path.init != 0.0 else []
        if path.size != "hidden":
            options.append(f'size="{path.size}"')
        declared = options or (parameters and "=" in parameters[-1])
        parameters.append(f"{path.name}=state({', '.join(options)})" if declared else path.name)
    return parameters


def _docstring(doc: str) -> list[str]:
    escaped = re.sub(r'"(?="|\Z)', r"\\\g<0>", doc.replace("\\", "\\\\"))
    escaped = "".join(
        c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode() for c in escaped
    )
    first, *rest = escaped.split("\n")
    lines = [f'    """{first}', *(f"    {line}" if line else "" for line in rest)]
    if rest:
        return [*lines, '    """']
    return [lines[0] + '"""']


def number(value: float) -> str:
    """Return the shortest text that reads back as ``value``: ``1`` for 1.0."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


_PRECEDENCE = {"add": 1, "sub": 1, "mul": 2, "div": 2}
_TIGHTER_THAN_INFIX = 4


def _expression(cell: CellGraph, index: int, binding: int = 0) -> str:
    """Print node ``index``: its name, or written out where it has none."""
    return cell.nodes[index].name or _written_out(cell, index, binding)


def _written_out(cell: CellGraph, index: int, binding: int) -> str:
    """Print node ``index`` in full; operators of precedence below ``binding`` get parentheses."""
    match cell.nodes[index]:
        case Constant(value=value):
            return number(value)
        case Scalar(init=init):
            return f"scalar({number(init)})"
        case LearnedVector(init=init):
            return "vector()" if init == 0.0 else f"vector({number(init)})"
        case Antisymmetric(arguments=arguments):
            return _call(cell, "antisymmetric", arguments)
        case Linear(arguments=arguments, bias=bias, heads=heads):
            options = [] if bias == 0.0 else [f"bias={None if bias is None else number(bias)}"]
            return _call(cell, "linear", arguments, *options, *([] if heads == 1 else [f"heads={heads}"]))
        case Diagonal(argument=argument):
            return _call(cell, "diagonal", (argument,))
        case Project(argument=argument):
            return _call(cell, "project", (argument,))
        case LayerNorm(argument=argument, among=among):
            return _call(cell, "layer_norm", (argument, *among))
        case Apply(operation="neg", arguments=(argument,)):
            return f"-{_expression(cell, argument, _TIGHTER_THAN_INFIX)}"
        case Apply(operation=name, arguments=(left, right)) if name in _PRECEDENCE:
            level = _PRECEDENCE[name]
            symbol = find_operation(name).symbol
            text = f"{_expression(cell, left, level)} {symbol} {_expression(cell, right, level + 1)}"
            return f"({text})" if level < binding else text
        case Apply(operation=name, arguments=arguments):
            return _call(cell, name, arguments)
    raise AssertionError(f"node {index} has no equation: {cell.nodes[index]}")


def _call(cell: CellGraph, word: str, arguments: tuple[int, ...], *options: str) -> str:
    return f"{word}({', '.join([*(_expression(cell, i) for i in arguments), *options])})"
