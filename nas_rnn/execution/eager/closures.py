"""Operations compiled once, from their rows' expressions, into closures over a list of registers."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nas_rnn.cells import Operation
from nas_rnn.cells.graph.expressions import FUNCTIONS, evaluate
from nas_rnn.execution.reference import common_shape, evaluate_tensors

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
    codes = [argument if callable(argument) else _constant(argument) for argument in arguments]
    if len(codes) == 1:
        (only,) = codes
        return lambda r: function(only(r))
    if len(codes) == 2:
        first, second = codes
        return lambda r: function(first(r), second(r))
    return lambda r: function(*[code(r) for code in codes])


def _constant(number: float) -> Closure:
    return lambda r: number


def _functions(like: Closure) -> dict[str, Callable[..., Code]]:
    """Return what each word of an expression compiles to; ``like`` gives a tensor of the right type."""

    def tensor(code: Code) -> Closure:
        return code if callable(code) else lambda r: like(r).new_full((), code)

    def where(condition: Code, yes: Code, no: Code) -> Code:
        if not callable(condition):
            return yes if condition else no
        return call(torch.where, condition, yes if callable(no) else tensor(yes), no)

    table: dict[str, Callable[..., Code]] = {}
    for name, arity in FUNCTIONS.items():
        function = getattr(torch, name)
        if arity == 1:
            table[name] = partial(_fold_or_call, function)
        elif arity == 2:
            table[name] = lambda a, b, f=function: _fold_or_call(
                f, *(map(tensor, (a, b)) if callable(a) or callable(b) else (a, b))
            )
    for symbol, function in _OPERATORS.items():
        table[symbol] = partial(_fold_or_call, function)
    return table | {"where": where, "number": float}


_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "neg": operator.neg,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}


def _fold_or_call(function: Callable[..., Any], *arguments: Code) -> Code:
    """Return the number that numbers give (in torch's arithmetic: 1 / 0 is infinite), or the call."""
    numbers = [argument for argument in arguments if not callable(argument)]
    if len(numbers) < len(arguments):
        return call(function, *arguments)
    return float(function(*(torch.tensor(number, dtype=torch.float64) for number in numbers)))


def _expanded(code: Code, registers: Sequence[Closure]) -> Closure:
    """Return ``code`` brought to the common shape of ``registers``, not all of which it reads."""

    def run(r: Registers) -> Tensor:
        values = [register(r) for register in registers]
        result: Tensor = code(r) if callable(code) else values[0].new_full((), code)
        return result.expand(common_shape(values))

    return run
