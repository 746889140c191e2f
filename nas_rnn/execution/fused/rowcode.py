"""The code of one stage for one row (one sequence of the batch at one step): straight-line statements over
units, in single assignment, with sums over units between them.

Equal statements are one. Emitters print it: `nas_rnn.execution.fused.cpp`, `nas_rnn.execution.fused.triton`.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import torch

from nas_rnn.cells import Operation
from nas_rnn.cells.graph.expressions import COMPARE, FUNCTIONS, evaluate
from nas_rnn.execution.fused.places import Leaf
from nas_rnn.execution.reference import evaluate_tensors
from nas_rnn.outside import parse_single_expression

Width = Literal["input", "hidden", "row", "uniform"]
"""What a statement has a value for: each unit of a size, each row, or once."""


@dataclass(frozen=True)
class Statement:
    """One value. ``call``: "number" (``detail``: float), "units" (``detail``: how many times hidden_size and
    input_size), "load" (``detail``: `Leaf`), "sum" over units, else a function or operator of expressions
    ("where<" and its like take two numbers to compare, then the two results)."""

    call: str
    arguments: tuple[int, ...]
    detail: Any
    width: Width


class Effect(Enum):
    """What happens to a value."""

    STORE = "store"  # written to a place
    ADD_ROW = "add row"  # added, over all rows, to the gradient of a row of learned numbers
    ADD_NUMBER = "add number"  # added, over all rows and units, to the gradient of one learned number


@dataclass
class RowCode:
    """Statements and effects, as they are collected."""

    statements: list[Statement] = field(default_factory=list)
    effects: list[tuple[Effect, Leaf, int]] = field(default_factory=list)
    _known: dict[Statement, int] = field(default_factory=dict)

    def _put(self, call: str, arguments: Sequence[int], detail: Any, width: Width) -> int:
        statement = Statement(call, tuple(arguments), detail, width)
        if statement not in self._known:
            self._known[statement] = len(self.statements)
            self.statements.append(statement)
        return self._known[statement]

    def number(self, value: float) -> int:
        key = float(value)
        return self._put("number", (), key if not math.isnan(key) else "nan", "uniform")

    def units(self, hidden: int, inputs: int) -> int:
        """Return the number ``hidden`` * hidden_size + ``inputs`` * input_size."""
        return self._put("units", (), (hidden, inputs), "uniform")

    def load(self, leaf: Leaf, width: Width | None = None) -> int:
        natural: Width = "uniform" if leaf.size == "one" else leaf.size
        return self._put("load", (), leaf, width or natural)

    def sum(self, value: int) -> int:
        """Return the sum over the units of ``value``."""
        return self._put("sum", (value,), None, "row")

    def store(self, leaf: Leaf, value: int) -> None:
        self.effects.append((Effect.STORE, leaf, value))

    def add_row(self, leaf: Leaf, value: int) -> None:
        self.effects.append((Effect.ADD_ROW, leaf, value))

    def add_number(self, leaf: Leaf, value: int) -> None:
        self.effects.append((Effect.ADD_NUMBER, leaf, value))

    def value_of(self, statement: int) -> float | None:
        """Return the number that a statement is, if it is one."""
        found = self.statements[statement]
        return float(found.detail) if found.call == "number" else None

    def call(self, name: str, *arguments: int) -> int:
        """Return ``name`` applied; arithmetic that leaves its argument as it is, is left out."""
        numbers = [self.value_of(i) for i in arguments]
        known = [n for n in numbers if n is not None]
        if len(known) == len(numbers):
            return self.number(_fold(name, known))
        match name, arguments, numbers:
            case ("+", (a, b), (left, right)) if 0.0 in (left, right):
                return b if left == 0.0 else a
            case ("-" | "/" as what, (a, _), (_, right)) if right == (0.0 if what == "-" else 1.0):
                return a
            case ("*", (a, b), (left, right)) if 1.0 in (left, right):
                return b if left == 1.0 else a
            case ("*", (a, b), (left, right)) if -1.0 in (left, right):
                return self.call("neg", b if left == -1.0 else a)
            case ("neg", (a,), _) if self.statements[a].call == "neg":
                return self.statements[a].arguments[0]
        if name in ("+", "*"):
            arguments = tuple(sorted(arguments))
        return self._put(name, arguments, None, self._join(arguments))

    def _join(self, arguments: Sequence[int]) -> Width:
        order: list[Width] = ["uniform", "row", "hidden", "input"]
        return max((self.statements[i].width for i in arguments), key=order.index)

    def expression(self, tree: ast.expr, variables: Mapping[str, int]) -> int:
        """Return the value of an operation's expression."""
        return evaluate(tree, dict(variables), self._functions())

    def operation(self, row: Operation, arguments: Sequence[int]) -> int:
        """Return ``row`` of ``arguments``."""
        return self.expression(row.value_tree, dict(zip(row.variables, arguments, strict=True)))

    def total(self, values: Sequence[int]) -> int:
        """Return the sum of ``values``, of which there is at least one."""
        result = values[0]
        for value in values[1:]:
            result = self.call("+", result, value)
        return result

    def _functions(self) -> dict[str, Callable[..., Any]]:
        def bound(name: str) -> Callable[..., int]:
            return lambda *arguments: self.call(name, *arguments)

        def where(condition: tuple[str, int, int], yes: int, no: int) -> int:
            symbol, left, right = condition
            return yes if yes == no else self.call(f"where{symbol}", left, right, yes, no)

        table: dict[str, Callable[..., Any]] = {n: bound(n) for n in (*FUNCTIONS, "+", "-", "*", "/", "neg")}
        table |= {symbol: lambda a, b, s=symbol: (s, a, b) for symbol in COMPARE.values()}
        return table | {"where": where, "number": self.number}

    def prune(self) -> RowCode:
        """Return the code without statements that no effect needs."""
        needed: set[int] = set()
        stack = [value for _, _, value in self.effects]
        while stack:
            index = stack.pop()
            if index not in needed:
                needed.add(index)
                stack.extend(self.statements[index].arguments)
        place = {old: new for new, old in enumerate(sorted(needed))}
        statements = [
            Statement(s.call, tuple(place[i] for i in s.arguments), s.detail, s.width)
            for s in (self.statements[i] for i in sorted(needed))
        ]
        return RowCode(statements, [(effect, leaf, place[value]) for effect, leaf, value in self.effects])


def _fold(name: str, numbers: Sequence[float]) -> float:
    """Return a function of numbers in torch's arithmetic, where 1 / 0 is infinite."""
    letters = "abcd"[: len(numbers)]
    if name.startswith("where"):
        text = f"where(a {name[5:]} b, c, d)"
    elif name == "neg":
        text = "-a"
    else:
        text = f"a {name} b" if name in "+-*/" else f"{name}({', '.join(letters)})"
    tree = parse_single_expression(text)
    values = {x: torch.tensor(n, dtype=torch.float64) for x, n in zip(letters, numbers, strict=True)}
    return float(evaluate_tensors(tree, values))
