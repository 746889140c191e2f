"""The table of primitive operations: one row each, from which every backend follows.

A row says how an operation is written, computed and differentiated. Adding an operation touches this table
only; plugins add rows through `register_operation`.
"""

from __future__ import annotations

import ast
import dataclasses
import keyword
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from nas_rnn.cells.graph.expressions import VARIABLES, parse_expression
from nas_rnn.errors import UserError, unknown
from nas_rnn.outside import check_text


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An elementwise function of one to four values.

    ``value`` and ``derivative`` (one entry an input) are expressions over ``a``, ``b``, ``c``, ``d`` (the
    inputs) and, in derivatives, ``y`` (the output); see `nas_rnn.cells.graph.expressions`. ``latex`` and ``plain``
    are templates of one line with ``{a}``, ``{b}``, ...; ``symbol`` marks an infix operator. ``stored`` marks a row
    that came with a model instead of from a plugin; templates are a plugin's alone.
    """

    plugin_kind: ClassVar[str] = "operation"

    name: str
    value: str
    derivative: tuple[str, ...]
    latex: str = ""
    plain: str = ""
    symbol: str = ""
    commutative: bool = False
    stored: bool = dataclasses.field(default=False, compare=False)

    def __post_init__(self) -> None:
        readable = self.name.isidentifier() and self.name.isascii() and not keyword.iskeyword(self.name)
        if not readable or self.name.startswith("_"):
            raise UserError(
                "an operation's name is a Python identifier of plain letters without a leading underscore, "
                f"not {self.name!r}"
            )
        if not 1 <= len(self.derivative) <= len(VARIABLES):
            raise UserError(
                f"operation {self.name!r} needs one derivative for each of its 1 to {len(VARIABLES)} inputs, "
                f"not {len(self.derivative)}"
            )
        if self.commutative and self.arity != 2:
            raise UserError(
                f"operation {self.name!r} is marked commutative; that needs 2 inputs, not {self.arity}"
            )
        _ = (self.value_tree, *self.derivative_trees)  # checks the expressions
        for which in ("plain", "latex"):
            template = " ".join(re.split("[\n\t]+", getattr(self, which)))
            check_text(template, f"the {which} template of operation {self.name!r}")
            object.__setattr__(self, which, template)
            self._check_template(which, template)

    def _check_template(self, which: str, template: str) -> None:
        """Raise `UserError` unless ``template``, where there is one, names each input as a field and nothing else."""
        about = f"the {which} template {template!r} of operation {self.name!r}"
        try:
            parts = [part for part in string.Formatter().parse(template) if part[1] is not None]
        except ValueError as error:
            raise UserError(
                f"{about} cannot be read ({error}); write {{a}} for an input and {{{{ }}}} for braces"
            ) from None
        for _, field, form, conversion in parts:
            if field not in self.variables or form or conversion:
                raise UserError(
                    f"{about} has the field {{{field}}}; its inputs are "
                    f"{', '.join(f'{{{letter}}}' for letter in self.variables)}, and {{{{ }}}} gives braces"
                )
        for letter in self.variables if template else ():
            if letter not in {field for _, field, _, _ in parts}:
                raise UserError(f"{about} leaves out the input {{{letter}}}")

    @property
    def arity(self) -> int:
        return len(self.derivative)

    @property
    def variables(self) -> tuple[str, ...]:
        return VARIABLES[: self.arity]

    @property
    def value_tree(self) -> ast.expr:
        return parse_expression(self.value, self.variables)

    @property
    def derivative_trees(self) -> tuple[ast.expr, ...]:
        return tuple(parse_expression(text, (*self.variables, "y")) for text in self.derivative)

    @property
    def __name__(self) -> str:  # the label of a choice between operations
        return self.name

    def __call__(self, *values: Any) -> Any:
        """Apply the operation to values of a cell being traced (numbers may stand among them)."""
        traced = next((value for value in values if hasattr(value, "apply_operation")), None)
        if traced is None:
            raise UserError(f"{self.name}(...) needs at least one value of the cell, not only {values!r}")
        return traced.apply_operation(self, values)


class OperationClash(UserError):
    """Two different operations of one name; ``rejected`` is the one that came second."""

    def __init__(self, known: Operation, rejected: Operation) -> None:
        super().__init__(
            f"two different operations are named {rejected.name!r}: {known.value!r} and {rejected.value!r}"
        )
        self.rejected = rejected


_TABLE: dict[str, Operation] = {}


def register_operation(operation: Operation) -> Operation:
    """Add ``operation`` to the table and return it; a different one of the same name is a `UserError`.

    Of a stored row and a plugin's that compute the same, the plugin's stays: it knows how it is written.
    """
    known = _TABLE.get(operation.name)
    if known is not None and (known.stored or operation.stored) and _bare(known) == _bare(operation):
        operation = known if operation.stored else operation
        known = operation
    if known is not None and known != operation:
        raise OperationClash(known, operation)
    if operation.name in RESERVED:
        raise UserError(
            f"the name {operation.name!r} is a word of the cell language; choose another for the operation"
        )
    _TABLE[operation.name] = operation
    return operation


def _bare(row: Operation) -> Operation:
    return replace(row, latex="", plain="")


def operation(
    name: str,
    *,
    value: str,
    derivative: str | tuple[str, ...],
    latex: str = "",
    plain: str = "",
    commutative: bool = False,
) -> Operation:
    """Register an elementwise operation and return it; this is how a plugin adds a row.

    ``derivative`` is one expression for an operation of one input, else a tuple with one for each. Raises
    `UserError`.

        swish = operation("swish", value="a * sigmoid(a)", derivative="sigmoid(a) + y * (1 - sigmoid(a))")
    """
    parts = (derivative,) if isinstance(derivative, str) else tuple(derivative)
    return register_operation(
        Operation(name=name, value=value, derivative=parts, latex=latex, plain=plain, commutative=commutative)
    )


def find_operation(name: str) -> Operation:
    """Return the row named ``name``; `UserError` with the nearest names where there is none."""
    if name not in _TABLE:
        raise unknown("operation", name, [row for row in _TABLE if not _TABLE[row].symbol])
    return _TABLE[name]


def operations() -> dict[str, Operation]:
    """Return a copy of the table: name -> row."""
    return dict(_TABLE)


def restore_operations(table: Mapping[str, Operation]) -> None:
    """Make the table what `operations` gave before: for a plugin that added rows and then failed."""
    _TABLE.clear()
    _TABLE.update(table)


RESERVED = frozenset(
    {
        "linear",
        "antisymmetric",
        "diagonal",
        "scalar",
        "vector",
        "project",
        "layer_norm",
        "state",
        "cell",
        "search_space",
        "choose",
    }
)
"""Words of the cell language that no operation may take."""


def _row(name: str, value: str, *derivative: str, **more: Any) -> Operation:
    return register_operation(Operation(name=name, value=value, derivative=derivative, **more))


add = _row("add", "a + b", "1", "1", symbol="+", commutative=True)
sub = _row("sub", "a - b", "1", "-1", symbol="-")
mul = _row("mul", "a * b", "b", "a", symbol="*", commutative=True)
div = _row("div", "a / b", "1 / b", "-y / b", symbol="/")
neg = _row("neg", "-a", "-1", symbol="-")
tanh = _row("tanh", "tanh(a)", "1 - y * y", latex=r"\tanh({a})")
sigmoid = _row("sigmoid", "sigmoid(a)", "y * (1 - y)", latex=r"\sigma({a})", plain="σ({a})")
relu = _row("relu", "where(a <= 0, 0, a)", "where(a <= 0, 0, 1)", latex=r"\mathrm{{relu}}({a})")
leaky_relu = _row(
    "leaky_relu", "where(a > 0, a, 0.01 * a)", "where(a > 0, 1, 0.01)", latex=r"\mathrm{{leaky\_relu}}({a})"
)
identity = _row("identity", "a", "1", latex="{a}", plain="{a}")
softplus = _row(
    "softplus", "maximum(a, 0) + log1p(exp(-abs(a)))", "sigmoid(a)", latex=r"\mathrm{{softplus}}({a})"
)
exp = _row("exp", "exp(a)", "y", latex=r"\exp({a})")
log_sigmoid = _row(
    "log_sigmoid",
    "minimum(a, 0) - log1p(exp(-abs(a)))",
    "sigmoid(-a)",
    latex=r"\log\sigma({a})",
    plain="log σ({a})",
)
maximum = _row(
    "maximum",
    "maximum(a, b)",
    "where(a > b, 1, where(a == b, 0.5, 0))",
    "where(b > a, 1, where(a == b, 0.5, 0))",
    latex=r"\max({a}, {b})",
    plain="max({a}, {b})",
    commutative=True,
)
minimum = _row(
    "minimum",
    "minimum(a, b)",
    "where(a < b, 1, where(a == b, 0.5, 0))",
    "where(b < a, 1, where(a == b, 0.5, 0))",
    latex=r"\min({a}, {b})",
    plain="min({a}, {b})",
    commutative=True,
)
sqrt = _row(
    "sqrt",
    "sqrt(where(a <= 0, 0, a))",
    "where(a <= 0, 0, 0.5 / maximum(y, 0.0005))",  # 1000 at most, as in Griffin (De et al. 2024)
    latex=r"\sqrt{{{a}}}",
    plain="√({a})",
)
blend = _row("blend", "a * b + (1 - a) * c", "b - c", "a", "1 - a")

BUILT_IN = frozenset(_TABLE)
"""The names of the rows that come with nas_rnn."""
