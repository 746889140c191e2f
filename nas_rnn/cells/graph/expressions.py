"""The small language in which an operation's value and derivatives are written.

An operation states its mathematics once, as text such as ``"1 / (1 + exp(-a))"``; every backend walks the
same tree. The variables are ``a``, ``b``, ``c`` (the inputs in order) and, in derivatives, ``y`` (the
output).
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar

from nas_rnn.errors import UserError, suggest
from nas_rnn.outside import parse_single_expression

T = TypeVar("T")

FUNCTIONS: Mapping[str, int] = {
    "exp": 1,
    "expm1": 1,
    "log": 1,
    "log1p": 1,
    "sqrt": 1,
    "abs": 1,
    "sign": 1,
    "sin": 1,
    "cos": 1,
    "erf": 1,
    "tanh": 1,
    "sigmoid": 1,
    "maximum": 2,
    "minimum": 2,
    "where": 3,
}
"""The functions an expression may call, with their arity; every backend knows how to emit each."""

BINARY: Mapping[type[ast.AST], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARE: Mapping[type[ast.AST], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "=="}
VARIABLES = ("a", "b", "c", "d")


@cache
def parse_expression(text: str, variables: tuple[str, ...]) -> ast.expr:
    """Return the checked tree of ``text`` over ``variables``; `UserError` naming what is not allowed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parse_single_expression(text)
        _check(tree, text, variables)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"the expression {text!r} is not valid: {error}") from None
    return tree


def _check(tree: ast.expr, text: str, variables: tuple[str, ...]) -> None:
    match tree:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if abs(value) > sys.float_info.max:
                raise UserError(f"the expression {text!r} has a number that is too large")
        case ast.Name(id=name):
            if name not in variables:
                raise UserError(f"the expression {text!r} uses the name {name!r}{suggest(name, variables)}")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            _check(left, text, variables)
            _check(right, text, variables)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, text, variables)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            _check_call(name, args, text, variables)
        case _:
            raise UserError(
                f"the expression {text!r} uses {ast.unparse(tree)!r}; allowed are numbers, the variables "
                f"{', '.join(variables)}, + - * /, and calls of {', '.join(FUNCTIONS)}"
            )


def _check_call(name: str, arguments: list[ast.expr], text: str, variables: tuple[str, ...]) -> None:
    if name not in FUNCTIONS:
        raise UserError(f"the expression {text!r} calls {name!r}{suggest(name, FUNCTIONS)}")
    if len(arguments) != FUNCTIONS[name]:
        raise UserError(f"{name} takes {FUNCTIONS[name]} argument(s), not {len(arguments)}, in {text!r}")
    if name == "where":
        match arguments[0]:
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARE:
                arguments = [left, right, *arguments[1:]]
            case other:
                raise UserError(
                    f"the expression {text!r} has where({ast.unparse(other)}, ...); where first takes "
                    f"one comparison, with one of {' '.join(COMPARE.values())}"
                )
    for argument in arguments:
        _check(argument, text, variables)


def evaluate(tree: ast.expr, values: Mapping[str, T], functions: Mapping[str, Callable[..., T]]) -> T:
    """Walk a checked ``tree`` with ``values`` for its variables.

    ``functions`` gives a backend's meaning of `FUNCTIONS`, of ``+ - * /``, of ``neg``, of the comparisons and
    of ``number`` (a literal).
    """
    match tree:
        case ast.Constant(value=value):
            return functions["number"](value)
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=op, right=right):
            symbol = BINARY[type(op)]
            return functions[symbol](evaluate(left, values, functions), evaluate(right, values, functions))
        case ast.UnaryOp(operand=operand):
            return functions["neg"](evaluate(operand, values, functions))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            symbol = COMPARE[type(op)]
            return functions[symbol](evaluate(left, values, functions), evaluate(right, values, functions))
        case ast.Call(func=ast.Name(id=name), args=args):
            return functions[name](*(evaluate(argument, values, functions) for argument in args))
    raise AssertionError(f"unchecked expression: {ast.dump(tree)}")


def print_expression(tree: ast.expr) -> str:
    """Return a checked ``tree`` as text: one line, without the comments and blanks of the text it was read from."""
    return ast.unparse(tree)


def names_in(tree: ast.expr) -> set[str]:
    """Return the variables that a checked ``tree`` reads."""
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node not in called}
