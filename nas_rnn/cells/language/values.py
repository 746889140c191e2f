"""The values that a cell's function computes with while traced, and the trace that collects its nodes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from numbers import Real
from typing import Any, NoReturn

from nas_rnn.cells.graph.nodes import Apply, CellError, Constant, Input, Node, State, StatePath
from nas_rnn.cells.graph.operations import Operation, find_operation

Number = int | float


class MissingAttribute(CellError, AttributeError):
    """A value was asked for an attribute; an `AttributeError` too, so that `hasattr` says no."""


def _refuse(what: str, instead: str) -> Callable[..., NoReturn]:
    """Return a method that says that values of a cell have no ``what``, and what to write ``instead``."""

    def method(self: Value, *arguments: object, **options: object) -> NoReturn:
        raise self._trace.fail(f"{what} is not part of the cell language; {instead}")

    return method


_UNKNOWN = "a value of a cell is not known while its equations are read"
_STEER = _refuse(
    "asking whether a value is true",
    f"{_UNKNOWN}, so `if`, `while`, `and`, `or`, `not` cannot ask; use a gate, maximum or minimum",
)
_COMPARE = _refuse(
    "comparing values (<, <=, >, >=, ==, !=, max, min)", f"{_UNKNOWN}; use maximum(a, b) or minimum(a, b)"
)
_ITERATE = _refuse(
    "taking parts of a value (a loop over it, h[0], len, in)", "equations are elementwise over all units"
)
_NUMBER = _refuse(
    "making a value a number (float, int, round, math.tanh...)",
    f"{_UNKNOWN}; use the language's tanh, sigmoid, exp...",
)
_POWER = _refuse("a power (**)", "write the product a * a")
_MATRIX = _refuse("a matrix product (@)", "linear(a, b) has the learned matrices")
_INTEGER = _refuse("// and %", "use /")
_BITS = _refuse("a bit operator (&, |, ^, ~, <<, >>)", "use + - * / and the operations' words")


class Value:
    """A value of a cell being traced: supports ``+ - * /`` with values and numbers, and the words of the
    language.

    Everything else that Python could do with it raises `CellError` saying what to write instead.
    """

    def __init__(self, trace: Trace, index: int) -> None:
        self._trace = trace
        self._index = index

    def __repr__(self) -> str:
        name = self._trace.nodes[self._index].name
        return f"<value {name or self._index} of {self._trace.name}>"

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

    __hash__ = object.__hash__
    __bool__ = _STEER
    __lt__ = __le__ = __gt__ = __ge__ = _COMPARE
    __eq__ = __ne__ = _COMPARE
    __iter__ = __len__ = __getitem__ = __setitem__ = __contains__ = __reversed__ = _ITERATE
    __float__ = __int__ = __index__ = __complex__ = _NUMBER
    __round__ = __trunc__ = __floor__ = __ceil__ = _NUMBER
    __pow__ = __rpow__ = _POWER
    __matmul__ = __rmatmul__ = _MATRIX
    __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __divmod__ = __rdivmod__ = _INTEGER
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = _BITS
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _BITS
    __abs__ = _refuse("abs", "write maximum(a, -a)")
    __pos__ = _refuse("a sign + before a value", "leave it out")
    __call__ = _refuse("calling a value", "a product is written a * b")
    __array__ = _refuse("turning a value into a numpy array", "use the language's own words")

    def __getattr__(self, name: str) -> NoReturn:
        raise MissingAttribute(
            f"{self._trace.name}: a value of a cell has no {name!r}; operations are words, as in tanh(h)"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Value:
        """Let a numpy number stand on the left of ``+ - * /``; numpy's functions are refused."""
        operators: dict[str, Callable[[Any, Any], Value]] = {
            "add": operator.add,
            "subtract": operator.sub,
            "multiply": operator.mul,
            "divide": operator.truediv,
        }
        if method == "__call__" and ufunc.__name__ in operators and isinstance(inputs[0], Real):
            return operators[ufunc.__name__](float(inputs[0]), inputs[1])
        raise self._trace.fail(
            f"numpy's {ufunc.__name__} is not part of the cell language; use the language's own words"
        )

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> NoReturn:
        raise CellError(
            f"torch's {getattr(function, '__name__', function)} is not part of the cell language; "
            "use the language's own words"
        )


class Trace:
    """Collects the nodes of one cell while its function runs; ``place`` begins every message about it."""

    def __init__(self, name: str, input_name: str, states: Sequence[StatePath]) -> None:
        self.name = name
        self.place = name
        self.states = tuple(states)
        self.nodes: list[Node] = [
            Input(name=input_name),
            *(State(name=s.name, path=p) for p, s in enumerate(states)),
        ]
        self.arguments = [Value(self, index) for index in range(len(self.nodes))]

    def fail(self, message: str) -> CellError:
        return CellError(f"{self.place}: {message}")

    def add(self, node: Node) -> Value:
        self.nodes.append(node)
        return Value(self, len(self.nodes) - 1)

    def index(self, value: Any, where: str) -> int:
        """Return the node of ``value``, lifting a number; `CellError` for anything else."""
        if isinstance(value, Value):
            if value._trace is not self:
                raise self.fail(f"{where} was given a value of another cell, {value!r}")
            return value._index
        if is_number(value):
            return self.add(Constant(value=float(value)))._index
        raise self.fail(
            f"{where} takes values of the cell or numbers, not {value!r} ({type(value).__name__})"
        )

    def apply(self, operation: Operation, values: Sequence[Any]) -> Value:
        if len(values) != operation.arity:
            raise self.fail(f"{operation.name} takes {operation.arity} argument(s), not {len(values)}")
        arguments = tuple(self.index(value, operation.name) for value in values)
        return self.add(Apply(operation=operation.name, arguments=arguments))

    def name_value(self, value: Value, name: str) -> None:
        """Name the node of ``value``, unless it has a name or belongs to another cell."""
        if value._trace is self and self.nodes[value._index].name is None:
            self.nodes[value._index] = replace(self.nodes[value._index], name=name)


def is_number(value: object) -> bool:
    """Whether ``value`` is a number that may stand in an equation: Python's or numpy's, not a truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


active: ContextVar[Trace | None] = ContextVar("active", default=None)
"""The trace of the cell whose function is running."""


def trace_of(word: str, values: Sequence[Any]) -> Trace:
    """Return the trace that is running, or else that of ``values``; `CellError` where none is."""
    traces = [active.get(), *(value._trace for value in values if isinstance(value, Value))]
    for trace in traces:
        if trace is not None:
            return trace
    raise CellError(f"{word}(...) is a word of the cell language: use it inside a function marked @cell")
