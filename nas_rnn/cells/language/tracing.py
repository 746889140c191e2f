"""The language in which people write cells: `trace` runs an ordinary function into a graph.

    @cell
    def rnn(x, h):
        return tanh(linear(x, h))

``x`` is the input, every further parameter a state path; the function returns the next states in the
parameters' order, and the first is also the layer's output. Local names are kept as the names of the
equations.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral
from types import FrameType
from typing import Any

from nas_rnn.cells.graph.nodes import (
    Antisymmetric,
    CellError,
    CellGraph,
    Diagonal,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Project,
    Scalar,
    Size,
    State,
    StatePath,
)
from nas_rnn.cells.language.assembly import assemble
from nas_rnn.cells.language.values import Trace, Value, active, is_number, trace_of


def linear(*inputs: Any, bias: float | None = 0.0, heads: int = 1) -> Value:
    """Return the sum of one matrix product per input, plus a bias that starts at ``bias`` (None: no bias).

    The result has hidden_size. ``heads=n`` makes every matrix block-diagonal in n blocks. Each occurrence
    owns its weights. Raises `CellError` without inputs.
    """
    trace = trace_of("linear", inputs)
    if not inputs:
        raise trace.fail("linear(...) takes at least one value")
    if bias is not None and not is_number(bias):
        raise trace.fail(f"linear(bias=...) is a number or None, not {bias!r}")
    if isinstance(heads, bool) or not isinstance(heads, Integral):
        raise trace.fail(f"linear(heads=...) is a whole number, not {heads!r}")
    arguments = tuple(trace.index(value, "linear") for value in inputs)
    return trace.add(
        Linear(arguments=arguments, bias=None if bias is None else float(bias), heads=int(heads))
    )


def antisymmetric(value: Any) -> Value:
    """Return ``value`` times A - Aᵀ of a learned matrix A: one with imaginary eigenvalues (Chang et al. 2019).

    The value has hidden_size, and so has the result. There is no bias.
    """
    trace = trace_of("antisymmetric", [value])
    return trace.add(Antisymmetric(arguments=(trace.index(value, "antisymmetric"),)))


def diagonal(value: Any) -> Value:
    """Return ``value`` times a learned weight per unit (peepholes, IndRNN)."""
    trace = trace_of("diagonal", [value])
    return trace.add(Diagonal(argument=trace.index(value, "diagonal")))


def project(value: Any) -> Value:
    """Return ``value`` brought to hidden_size by a matrix; the identity where it has that size already."""
    trace = trace_of("project", [value])
    return trace.add(Project(argument=trace.index(value, "project")))


def layer_norm(value: Any, *among: Any) -> Value:
    """Return ``value`` normalised over its units, with learned gain and bias (Ba, Kiros & Hinton 2016).

    With further values, mean and variance are taken over the units of all of them together.
    """
    trace = trace_of("layer_norm", [value, *among])
    first, *others = (trace.index(one, "layer_norm") for one in (value, *among))
    return trace.add(LayerNorm(argument=first, among=tuple(others)))


def scalar(init: float) -> Value:
    """Return one learned number that starts at ``init`` (FastGRNN's zeta and nu)."""
    trace = trace_of("scalar", [])
    if not is_number(init):
        raise trace.fail(f"scalar(init) takes a number, not {init!r}")
    return trace.add(Scalar(init=float(init)))


def vector(init: float = 0.0) -> Value:
    """Return one learned number per unit of hidden_size, all starting at ``init`` (a bias by itself)."""
    trace = trace_of("vector", [])
    if not is_number(init):
        raise trace.fail(f"vector(init) takes a number, not {init!r}")
    return trace.add(LearnedVector(init=float(init)))


class StateDeclaration:
    """What ``h=state(...)`` in a cell's parameters declares; made by `state`."""

    def __init__(self, init: float, size: Size) -> None:
        self.init = init
        self.size = size


def state(init: float = 0.0, size: Size = "hidden") -> Any:
    """Declare, as a parameter's default, a state path that starts at ``init`` or has another ``size``.

    ``size`` is ``"hidden"`` or ``"input"``.
    """
    if not is_number(init):
        raise CellError(f"state(init=...) takes a number, not {init!r}")
    if size not in ("hidden", "input"):
        raise CellError(f"state(size=...) is 'hidden' or 'input', not {size!r}")
    return StateDeclaration(float(init), size)


def trace(
    function: Callable[..., Any],
    name: str,
    *leading: Any,
    optional_states: bool = False,
    doc: str | None = None,
) -> CellGraph:
    """Run ``function`` on traced values and return its graph, called ``name``.

    ``leading`` are arguments before the input (a search space's ``choose``). With ``optional_states`` the
    function may return None for a state path that it does not use; the cell then lacks that path. Raises
    `CellError`.
    """
    parameters = list(inspect.signature(function).parameters.values())[len(leading) :]
    trace = Trace(name, *_interface(name, parameters))
    token = active.set(trace)
    try:
        with _naming(function, trace):
            result = function(*leading, *trace.arguments)
    finally:
        active.reset(token)
    returned = list(result) if isinstance(result, tuple) else [result]
    if result is None:
        raise trace.fail("returns nothing; a cell ends with `return` and the next states")
    if len(returned) != len(trace.states):
        raise trace.fail(
            f"returns {len(returned)} value(s) for {len(trace.states)} state path(s) "
            f"({', '.join(path.name for path in trace.states)}); return the next value of each, in order"
        )
    return _finish(trace, returned, (function.__doc__ or "") if doc is None else doc, optional_states)


def _interface(name: str, parameters: Sequence[inspect.Parameter]) -> tuple[str, list[StatePath]]:
    """Return the input's name and the state paths that a function's ``parameters`` declare."""
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise CellError(
                f"{name}: a cell's parameters are the input and the state paths by position, not {parameter}"
            )
    if len(parameters) < 2:
        raise CellError(
            f"{name}: a cell takes the input and at least one state path, as in `def {name}(x, h)`"
        )
    if parameters[0].default is not inspect.Parameter.empty:
        raise CellError(f"{name}: the input {parameters[0].name!r} has no default")
    return parameters[0].name, [_path(name, parameter) for parameter in parameters[1:]]


def _path(name: str, parameter: inspect.Parameter) -> StatePath:
    declared = parameter.default
    if declared is inspect.Parameter.empty:
        return StatePath(parameter.name)
    if isinstance(declared, StateDeclaration):
        return StatePath(parameter.name, declared.init, declared.size)
    raise CellError(
        f"{name}: the default of the state path {parameter.name!r} must be state(...), not {declared!r}"
    )


def _finish(trace: Trace, returned: list[Any], doc: str, optional_states: bool) -> CellGraph:
    kept = [p for p, value in enumerate(returned) if value is not None or not optional_states]
    outputs = [trace.index(returned[p], f"the next value of {trace.states[p].name}") for p in kept]
    dropped = [p for p in range(len(returned)) if p not in kept]
    nodes, outputs = _without_states(trace, dropped, outputs)
    return assemble(trace.name, doc, [trace.states[p] for p in kept], nodes, outputs)


def _without_states(trace: Trace, dropped: list[int], outputs: list[int]) -> tuple[list[Node], list[int]]:
    """Return the nodes and outputs without the state paths in ``dropped``, which nothing may read."""
    if not dropped:
        return trace.nodes, outputs
    for path in dropped:
        if path == 0 or path + 1 in outputs or any(path + 1 in node.inputs for node in trace.nodes):
            raise trace.fail(
                f"the state path {trace.states[path].name!r} is read but its next value is None; "
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
    """Name each traced value after the first local variable of ``function`` that held it.

    A debugger's or a coverage tool's trace function still sees every event. Some of these put themselves
    in place of ours on a call, so ours is put back each time.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    previous = sys.gettrace()

    def watch(theirs: Any) -> Any:
        def look(frame: FrameType, event: Any, argument: Any) -> Any:
            nonlocal theirs
            for name, value in frame.f_locals.items():
                if isinstance(value, Value):
                    trace.name_value(value, name)
            theirs = theirs and (theirs(frame, event, argument) or theirs)
            return look

        return look

    def enter(frame: FrameType, event: Any, argument: Any) -> Any:
        theirs = previous and previous(frame, event, argument)
        sys.settrace(enter)
        return watch(theirs) if frame.f_code is code else theirs

    sys.settrace(enter)
    try:
        yield
    finally:
        if sys.gettrace() is enter:
            sys.settrace(previous)
