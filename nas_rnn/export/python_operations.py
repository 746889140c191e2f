"""Operations of the table as Python text over torch's functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nas_rnn.cells import Operation
from nas_rnn.cells.graph.expressions import FUNCTIONS, evaluate, names_in, print_expression
from nas_rnn.cells.graph.text import number
from nas_rnn.execution.eager.closures import fold
from nas_rnn.outside import parse_single_expression, shown

SUM, PRODUCT, ATOM = 1, 2, 3
"""How tightly Python text binds."""


WIDTH = 100
"""Longer sums are written one summand a line."""


@dataclass(frozen=True)
class Code:
    """An expression; ``value`` is set where it is a number."""

    text: str
    level: int = ATOM
    value: float | None = None

    def within(self, level: int) -> str:
        """Return the text, in brackets unless it binds at least as tightly as ``level``."""
        return self.text if self.level >= level else f"({self.text})"


Part = Code | bool
"""What an expression's parts become: code, or the truth of a comparison of numbers."""

_BUILT_IN: Mapping[str, str] = {
    "tanh": "torch.tanh({})",
    "sigmoid": "torch.sigmoid({})",
    "relu": "torch.relu({})",
    "leaky_relu": "F.leaky_relu({})",
    "softplus": "F.softplus({})",
    "exp": "torch.exp({})",
    "log_sigmoid": "F.logsigmoid({})",
}
_CLAMPS: Mapping[str, str] = {"maximum": "min", "minimum": "max"}


def literal(value: float) -> Code:
    """Return a number."""
    if not math.isfinite(value):
        return Code(f'float("{value}")', ATOM, value)
    return Code(number(value), PRODUCT if value < 0 else ATOM, value)


def infix(symbol: str, left: Code, right: Code) -> Code:
    """Return ``left symbol right``, which Python evaluates in the order of the equation."""
    level = SUM if symbol in "+-" else PRODUCT
    return Code(f"{left.within(level)} {symbol} {right.within(level + 1)}", level)


def apply(row: Operation, arguments: Sequence[Code], like: str, function: Callable[[Operation], str]) -> Code:
    """Return ``row`` applied to ``arguments``.

    ``like`` names a tensor of the right type; ``function`` gives the name of a function in the file that computes
    an operation for which torch has none.
    """
    if all(argument.value is not None for argument in arguments):
        return literal(fold(row.value_tree, [argument.value or 0.0 for argument in arguments]))
    if row.name == "neg":
        return Code(f"-{arguments[0].within(ATOM)}", PRODUCT)
    if row.symbol:
        return infix(row.symbol, *arguments)
    if row.name in _BUILT_IN:
        return Code(_BUILT_IN[row.name].format(arguments[0].text))
    if row.name in _CLAMPS:
        return _extreme(row.name, *arguments)
    given = [a.text if a.value is None else f"{like}.new_tensor({a.text})" for a in arguments]
    return Code(f"{function(row)}({', '.join(given)})")


def _extreme(name: str, left: Code, right: Code) -> Code:
    if left.value is not None:
        left, right = right, left
    if right.value is not None:
        return Code(f"torch.clamp({left.text}, {_CLAMPS[name]}={right.text})")
    return Code(f"torch.{name}({left.text}, {right.text})")


def function_source(row: Operation, name: str) -> str:
    """Return the function ``name`` that computes ``row`` of tensors, from its expression."""
    variables = row.variables
    values: dict[str, Part] = {v: Code(v) for v in variables}
    code = evaluate(row.value_tree, values, _functions(variables[0]))
    assert isinstance(code, Code), "an expression is no comparison"
    text = code.text if code.value is None else f"{variables[0]}.new_tensor({code.text})"
    if not names_in(row.value_tree) >= set(variables):
        text = f"torch.broadcast_tensors({text}, {', '.join(variables)})[0]"
    parameters = ", ".join(f"{v}: Tensor" for v in variables)
    return f'def {name}({parameters}) -> Tensor:\n    """{print_expression(row.value_tree)}"""\n    return {text}\n'


def _functions(like: str) -> Mapping[str, Callable[..., Part]]:
    """Return what each word of an expression becomes."""

    def tensor(code: Code) -> str:
        return code.text if code.value is None else f"{like}.new_tensor({code.text})"

    def called(name: str, *arguments: Code) -> Code:
        if all(argument.value is not None for argument in arguments):
            return _number(f"{name}({', '.join('abcd'[: len(arguments)])})", arguments)
        if len(arguments) == 2:
            return _extreme(name, *arguments)
        return Code(f"torch.{name}({arguments[0].text})")

    def where(condition: Part, yes: Code, no: Code) -> Code:
        if isinstance(condition, bool):
            return yes if condition else no
        first = tensor(yes) if no.value is not None else yes.text
        return Code(f"torch.where({condition.text}, {first}, {no.text})")

    def operator(symbol: str, left: Code, right: Code) -> Part:
        compares = symbol not in "+-*/"
        if left.value is not None and right.value is not None:
            if compares:
                return bool(_number(f"where(a {symbol} b, 1, 0)", (left, right)).value)
            return _number(f"a {symbol} b", (left, right))
        if compares:
            return Code(f"{left.within(SUM)} {symbol} {right.within(SUM)}", 0)
        return infix(symbol, left, right)

    def negated(code: Code) -> Code:
        return literal(-code.value) if code.value is not None else Code(f"-{code.within(ATOM)}", PRODUCT)

    table: dict[str, Callable[..., Part]] = {name: _bound(called, name) for name in FUNCTIONS}
    table |= {symbol: _bound(operator, symbol) for symbol in ("+", "-", "*", "/", "<", "<=", ">", ">=", "==")}
    return table | {"where": where, "neg": negated, "number": lambda value: literal(float(value))}


def _bound(function: Callable[..., Part], name: str) -> Callable[..., Part]:
    return lambda *arguments: function(name, *arguments)


def _number(expression: str, arguments: Sequence[Code]) -> Code:
    """Return the number that ``expression`` has in torch's arithmetic, in which 1 / 0 is infinite."""
    tree = parse_single_expression(expression)
    return literal(fold(tree, [argument.value or 0.0 for argument in arguments]))


def comment(line: str) -> str:
    """Return ``line`` as a comment, which nothing in it can end."""
    return f"# {shown(line)}"


def within_docstring(line: str) -> str:
    """Return ``line`` as a line of a docstring of three double quotes, which nothing in it can end."""
    return shown(line).replace("\\", "\\\\").replace('"""', r"\"\"\"")


def assignment(name: str, code: Code) -> list[str]:
    """Return ``name = code``, on several lines where it is long and a sum."""
    line = f"{name} = {code.text}"
    if len(line) <= WIDTH:
        return [line]
    return [f"{name} = (", *(f"    {part}" for part in _summands(code.text)), ")"]


def _summands(text: str) -> list[str]:
    """Cut ``text`` before every plus or minus outside brackets."""
    parts, depth = [""], 0
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and character in "+-" and text[place - 1 : place + 2] in (" + ", " - "):
            parts.append("")
        parts[-1] += character
    return [part.strip() for part in parts]
