"""The language in which people write cells: `cell` traces an ordinary function into a `Cell`.

    @cell
    def rnn(x, h):
        return tanh(linear(x, h))

``x`` is the input, every further parameter a state path; the function returns the next states in the parameters'
order, and the first is also the layer's output. Local names are kept as the names of the equations.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Iterator

from nas_rnn.cells.graph import (
    Apply,
    Cell,
    CellError,
    Constant,
    Diagonal,
    Input,
    LayerNorm,
    Linear,
    Node,
    Project,
    Scalar,
    Size,
    State,
    StatePath,
    make_cell,
)
from nas_rnn.cells.operations import Operation, find_operation
from dataclasses import replace

Number = int | float


class Value:
    """A value of a cell being traced: supports ``+ - * /`` with values and numbers, and the words of the language."""

    def __init__(self, trace: Trace, index: int) -> None:
        self._trace = trace
        self._index = index

    def apply_operation(self, operation: Operation, values: Sequence[Any]) -> Value:
        return self._trace.apply(operation, values)

    def _infix(self, name: str, left: Any, right: Any) -> Value:
        return self._trace.apply(find_operation(name), (left, right))

    def __add__(self, other: Value | Number) -> Value:
        return self._infix("add", self, other)

    def __radd__(self, other: Number) -> Value:
        return self._infix("add", other, self)

    def __sub__(self, other: Value | Number) -> Value:
        return self._infix("sub", self, other)

    def __rsub__(self, other: Number) -> Value:
        return self._infix("sub", other, self)

    def __mul__(self, other: Value | Number) -> Value:
        return self._infix("mul", self, other)

    def __rmul__(self, other: Number) -> Value:
        return self._infix("mul", other, self)

    def __truediv__(self, other: Value | Number) -> Value:
        return self._infix("div", self, other)

    def __rtruediv__(self, other: Number) -> Value:
        return self._infix("div", other, self)

    def __neg__(self) -> Value:
        return self._trace.apply(find_operation("neg"), (self,))

    def __bool__(self) -> bool:
        raise CellError(
            f"{self._trace.name}: a value of a cell is not known while its equations are read, so it cannot steer "
            "`if`, `while`, `and`, `or`; use minimum, maximum or a gate instead"
        )

    def __pow__(self, other: object) -> Value:
        raise CellError(f"{self._trace.name}: there is no power in the cell language; write the product a * a")


class Trace:
    """Collects the nodes of one cell while its function runs."""

    def __init__(self, name: str, input_name: str, states: Sequence[StatePath]) -> None:
        self.name = name
        self.states = tuple(states)
        self.nodes: list[Node] = [Input(name=input_name), *(State(name=s.name, path=p) for p, s in enumerate(states))]
        self.arguments = [Value(self, index) for index in range(len(self.nodes))]

    def add(self, node: Node) -> Value:
        self.nodes.append(node)
        return Value(self, len(self.nodes) - 1)

    def index(self, value: Any, where: str) -> int:
        """Return the node of ``value``, lifting a number; `CellError` for anything else."""
        if isinstance(value, Value):
            if value._trace is not self:
                raise CellError(f"{self.name}: {where} was given a value of another cell")
            return value._index
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.add(Constant(value=float(value)))._index
        raise CellError(
            f"{self.name}: {where} takes values of the cell or numbers, not {value!r} ({type(value).__name__})"
        )

    def apply(self, operation: Operation, values: Sequence[Any]) -> Value:
        if len(values) != operation.arity:
            raise CellError(
                f"{self.name}: {operation.name} takes {operation.arity} argument(s), not {len(values)}"
            )
        return self.add(
            Apply(operation=operation.name, arguments=tuple(self.index(v, operation.name) for v in values))
        )

    def name_value(self, value: Value, name: str) -> None:
        node = self.nodes[value._index]
        if value._trace is self and node.name is None:
            self.nodes[value._index] = replace(node, name=name)


_active: list[Trace] = []


def _trace_of(word: str, values: Sequence[Any]) -> Trace:
    for value in values:
        if isinstance(value, Value):
            return value._trace
    if _active:
        return _active[-1]
    raise CellError(f"{word}(...) is a word of the cell language: use it inside a function marked @cell")


def linear(*inputs: Any, bias: float | None = 0.0, heads: int = 1) -> Value:
    """Return the sum of one matrix product per input, plus a bias that starts at ``bias`` (None: no bias).

    The result has hidden_size. ``heads=n`` makes every matrix block-diagonal in n blocks. Each occurrence owns its
    weights. Raises `CellError` without inputs.
    """
    trace = _trace_of("linear", inputs)
    arguments = tuple(trace.index(value, "linear") for value in inputs)
    number = float(bias) if isinstance(bias, (int, float)) and not isinstance(bias, bool) else bias
    return trace.add(Linear(arguments=arguments, bias=number, heads=heads))


def diagonal(value: Any) -> Value:
    """Return ``value`` times a learned weight per unit (peepholes, IndRNN)."""
    trace = _trace_of("diagonal", [value])
    return trace.add(Diagonal(argument=trace.index(value, "diagonal")))


def project(value: Any) -> Value:
    """Return ``value`` brought to hidden_size by a matrix; the identity where it has that size already."""
    trace = _trace_of("project", [value])
    return trace.add(Project(argument=trace.index(value, "project")))


def layer_norm(value: Any) -> Value:
    """Return ``value`` normalised over its units, with learned gain and bias (Ba, Kiros & Hinton 2016)."""
    trace = _trace_of("layer_norm", [value])
    return trace.add(LayerNorm(argument=trace.index(value, "layer_norm")))


def scalar(init: float) -> Value:
    """Return one learned number that starts at ``init`` (FastGRNN's zeta and nu)."""
    if isinstance(init, bool) or not isinstance(init, (int, float)):
        raise CellError(f"scalar(init) takes a number, not {init!r}")
    return _trace_of("scalar", []).add(Scalar(init=float(init)))


class StateDeclaration:
    """What ``h=state(...)`` in a cell's parameters declares; made by `state`."""

    def __init__(self, init: float, size: Size) -> None:
        self.init = init
        self.size = size


def state(init: float = 0.0, size: Size = "hidden") -> Any:
    """Declare, as a parameter's default, a state path that starts at ``init`` or has another ``size``.

    ``size`` is ``"hidden"`` or ``"input"``.
    """
    if isinstance(init, bool) or not isinstance(init, (int, float)):
        raise CellError(f"state(init=...) takes a number, not {init!r}")
    if size not in ("hidden", "input"):
        raise CellError(f"state(size=...) is 'hidden' or 'input', not {size!r}")
    return StateDeclaration(float(init), size)


def state_paths(name: str, parameters: Sequence[inspect.Parameter]) -> list[StatePath]:
    """Return the state paths that a function's ``parameters`` (those after the input) declare."""
    paths = []
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise CellError(f"{name}: a cell's parameters are the input and the state paths, not *{parameter.name}")
        declared = parameter.default
        if declared is parameter.empty:
            paths.append(StatePath(parameter.name))
        elif isinstance(declared, StateDeclaration):
            paths.append(StatePath(parameter.name, declared.init, declared.size))
        else:
            raise CellError(
                f"{name}: the default of the state path {parameter.name!r} must be state(...), not {declared!r}"
            )
    return paths


def trace_cell(
    function: Callable[..., Any], name: str, *leading: Any, optional_states: bool = False, doc: str | None = None
) -> Cell:
    """Run ``function`` on traced values and return its cell, called ``name``.

    ``leading`` are arguments before the input (a search space's ``choose``). With ``optional_states`` the function
    may return None for a state path that it does not use; the cell then lacks that path. Raises `CellError`.
    """
    parameters = list(inspect.signature(function).parameters.values())[len(leading) :]
    if len(parameters) < 2:
        raise CellError(f"{name}: a cell takes the input and at least one state path, as in `def {name}(x, h)`")
    trace = Trace(name, parameters[0].name, state_paths(name, parameters[1:]))
    _active.append(trace)
    try:
        with _naming(function, trace):
            result = function(*leading, *trace.arguments)
    finally:
        _active.pop()
    returned = list(result) if isinstance(result, tuple) else [result]
    if len(returned) != len(trace.states):
        raise CellError(
            f"{name}: returns {len(returned)} value(s) for {len(trace.states)} state path(s) "
            f"({', '.join(path.name for path in trace.states)}); return the next value of each, in their order"
        )
    text = inspect.cleandoc(function.__doc__ or "") if doc is None else doc
    return _finish(trace, returned, text, optional_states)


def _finish(trace: Trace, returned: list[Any], doc: str, optional_states: bool) -> Cell:
    kept = [p for p, value in enumerate(returned) if value is not None or not optional_states]
    outputs = [trace.index(returned[p], f"the next value of {trace.states[p].name}") for p in kept]
    dropped = [p for p in range(len(returned)) if p not in kept]
    nodes, outputs = _without_states(trace, dropped, outputs)
    return make_cell(trace.name, doc, [trace.states[p] for p in kept], nodes, outputs)


def _without_states(trace: Trace, dropped: list[int], outputs: list[int]) -> tuple[list[Node], list[int]]:
    """Return the nodes and outputs without the state paths in ``dropped``, which nothing may read."""
    if not dropped:
        return trace.nodes, outputs
    for path in dropped:
        readers = [node for node in trace.nodes if path + 1 in node.inputs]
        if readers or path == 0 or path + 1 in outputs:
            raise CellError(
                f"{trace.name}: the state path {trace.states[path].name!r} is read but its next value is None; "
                "return a value for it or do not read it (the first path, the output, is always needed)"
            )
    gone = {path + 1 for path in dropped}
    order = [i for i in range(len(trace.nodes)) if i not in gone]
    place = {old: new for new, old in enumerate(order)}
    nodes = [trace.nodes[i].with_inputs([place[j] for j in trace.nodes[i].inputs]) for i in order]
    for number in range(len(trace.states) - len(dropped)):
        node = nodes[number + 1]
        assert isinstance(node, State)
        nodes[number + 1] = replace(node, path=number)
    return nodes, [place[i] for i in outputs]


@contextmanager
def _naming(function: Callable[..., Any], trace: Trace) -> Iterator[None]:
    """Name each traced value after the first local variable of ``function`` that held it."""
    code = inspect.unwrap(function).__code__
    previous = sys.gettrace()

    def look(frame: FrameType, event: str, argument: Any) -> Any:
        for name, value in frame.f_locals.items():
            if isinstance(value, Value):
                trace.name_value(value, name)
        return look

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return look if frame.f_code is code else None

    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(previous)


def cell(function: Callable[..., Any]) -> Cell:
    """Trace ``function`` into a `Cell` that bears its name; raises `CellError` listing what breaks the rules."""
    return trace_cell(function, function.__name__)
