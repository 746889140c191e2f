"""Operations compiled once, from their rows' expressions, into closures over a list of registers."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nas_rnn.cells import Operation
from nas_rnn.cells.expressions import FUNCTIONS, evaluate
from nas_rnn.execution.backends.reference import evaluate_tensors

Registers = list[Any]
Closure = Callable[[Registers], Any]
Code = float | Closure
"""A part of an expression: a number, or what computes it from the registers."""

NATIVE: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh(a)": torch.tanh,
    "sigmoid(a)": torch.sigmoid,
    "exp(a)": torch.exp,
    "-a": torch.neg,
    "where(a <= 0, 0, a)": torch.relu,
    "where(a > 0, a, 0.01 * a)": F.leaky_relu,
    "maximum(a, 0) + log1p(exp(-abs(a)))": lambda a: F.softplus(a, 1.0, 40.0),
    "minimum(a, 0) - log1p(exp(-abs(a)))": F.logsigmoid,
}
"""Expressions that one function of torch computes, gradients at ties and NaN included."""


class Test:
    """A comparison: as a condition it is boolean, as a value 1 or 0."""

    def __init__(self, condition: Closure, like: Closure) -> None:
        self.condition, self.like = condition, like

    def __call__(self, registers: Registers) -> Tensor:
        result: Tensor = self.condition(registers).to(self.like(registers).dtype)
        return result


def compile_operation(row: Operation, arguments: Sequence[int | float]) -> Code:
    """Return what computes ``row`` of ``arguments``: registers (int) or constants (float)."""
    registers = [argument for argument in arguments if isinstance(argument, int)]
    if not registers:
        return fold(row.value_tree, [float(argument) for argument in arguments])
    native = NATIVE.get(row.value)
    if native is not None:
        return call(native, read(registers[0]))
    variables: dict[str, Code] = {
        name: read(argument) if isinstance(argument, int) else argument
        for name, argument in zip(row.variables, arguments, strict=True)
    }
    code = evaluate(row.value_tree, variables, _functions(read(registers[0])))
    used = {node.id for node in ast.walk(row.value_tree) if isinstance(node, ast.Name)}
    if not used.issuperset(name for name, value in variables.items() if callable(value)):
        return _expanded(code, [read(register) for register in registers])
    return code


def fold(tree: ast.expr, numbers: Sequence[float]) -> float:
    """Return the number that an expression has for constant arguments."""
    values = {name: torch.tensor(n, dtype=torch.float64) for name, n in zip("abcd", numbers, strict=False)}
    return float(evaluate_tensors(tree, values))


def read(register: int) -> Closure:
    """Return what reads a register."""
    return operator.itemgetter(register)


def call(function: Callable[..., Any], *arguments: Code) -> Closure:
    """Return what calls ``function``; numbers are passed as they are."""
    match arguments:
        case (first,) if callable(first):
            return lambda r: function(first(r))
        case (first, second) if callable(first) and callable(second):
            return lambda r: function(first(r), second(r))
        case (first, second) if callable(first):
            return lambda r: function(first(r), second)
        case (first, second) if callable(second):
            return lambda r: function(first, second(r))
    return lambda r: function(*(a(r) if callable(a) else a for a in arguments))


def _functions(like: Closure) -> dict[str, Callable[..., Code]]:
    """Return what each word of an expression compiles to; ``like`` gives a tensor of the right type and device."""

    def tensor(code: Code) -> Closure:
        return code if callable(code) else lambda r: like(r).new_full((), code)

    def folding(symbol: str, compiled: Callable[..., Code]) -> Callable[..., Code]:
        def build(*arguments: Code) -> Code:
            numbers = [argument for argument in arguments if not callable(argument)]
            return _fold_call(symbol, numbers) if len(numbers) == len(arguments) else compiled(*arguments)

        return build

    def comparison(compare: Callable[[Any, Any], Any]) -> Callable[..., Code]:
        return lambda a, b: Test(call(compare, a, b), like)

    def where(condition: Code, yes: Code, no: Code) -> Code:
        test = condition.condition if isinstance(condition, Test) else call(operator.ne, condition, 0.0)
        both_numbers = not callable(yes) and not callable(no)
        return call(torch.where, test, tensor(yes) if both_numbers else yes, no)

    table: dict[str, Callable[..., Code]] = {}
    for name, arity in FUNCTIONS.items():
        if arity == 1:
            table[name] = lambda a, name=name: call(getattr(torch, name), a)
        elif arity == 2:
            table[name] = lambda a, b, name=name: call(getattr(torch, name), tensor(a), tensor(b))
    table |= {symbol: lambda a, b, f=f: call(f, a, b) for symbol, f in _ARITHMETIC.items()}
    table |= {symbol: comparison(f) for symbol, f in _COMPARISONS.items()}
    table["where"] = where
    table["neg"] = lambda a: call(operator.neg, a)
    table = {symbol: folding(symbol, compiled) for symbol, compiled in table.items()}
    table["number"] = float
    return table


_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}


def _fold_call(symbol: str, numbers: Sequence[float]) -> float:
    names = "abcd"[: len(numbers)]
    if symbol == "neg":
        return -numbers[0]
    text = f"{symbol}({', '.join(names)})" if symbol in FUNCTIONS else f" {symbol} ".join(names)
    return fold(ast.parse(text, mode="eval").body, numbers)


def _expanded(code: Code, registers: Sequence[Closure]) -> Closure:
    """Return ``code`` brought to the common shape of ``registers``, not all of which it reads."""

    def run(r: Registers) -> Tensor:
        values = [register(r) for register in registers]
        shape = torch.broadcast_shapes(*(value.shape for value in values))
        result = code(r) if callable(code) else values[0].new_full((), code)
        return result.expand(shape)

    return run
