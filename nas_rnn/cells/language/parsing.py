"""Reads a cell's text form with `ast.parse`; nothing in it is ever executed."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from typing import Any

from nas_rnn.cells.graph.nodes import CellError, CellGraph, Constant, StatePath, UnknownWord
from nas_rnn.cells.graph.operations import RESERVED, Operation, find_operation, operations
from nas_rnn.cells.language import tracing as language
from nas_rnn.cells.language.assembly import assemble
from nas_rnn.cells.language.values import Trace, Value, active
from nas_rnn.errors import UserError, suggest
from nas_rnn.outside import ENDLESS, LINES, check_text, parse_module

MAX_TEXT = 200_000
MAX_DEPTH = 60


def parse(text: str) -> CellGraph:
    """Read the text form without executing anything; `CellError` says where and what is not allowed."""
    if not isinstance(text, str):
        raise CellError(f"a cell's text is a string, not {type(text).__name__}")
    if len(text) > MAX_TEXT:
        raise CellError(f"a cell's text has at most {MAX_TEXT:,} characters, not {len(text):,}")
    try:
        check_text(text.replace("\r\n", "\n"), "it", LINES + "\f")
    except UserError as error:
        raise CellError(f"not valid as a cell's text: {error}") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a stray backslash in a docstring is no affair of the user's
            body = parse_module(text.removeprefix("\ufeff")).body
    except SyntaxError as error:
        reason = f"it holds {ENDLESS}" if "Exceeds the limit" in error.msg else error.msg
        raise CellError(f"line {error.lineno or 1}: not valid as a cell's text: {reason}") from None
    except (RecursionError, MemoryError):
        raise CellError(
            f"not valid as a cell's text: an expression is nested at most {MAX_DEPTH} deep (a sum of many terms is, "
            "too); name a part of it"
        ) from None
    except ValueError as error:
        raise CellError(f"not valid as a cell's text: {error}") from None
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef):
        others = [statement for statement in body if not isinstance(statement, ast.FunctionDef)] or body[1:]
        line = others[0].lineno if others else 1
        raise CellError(
            f"line {line}: a cell's text is one function, `@cell` and `def name(x, h): ...`, and nothing else"
        )
    return _Reader(body[0]).read()


class _Reader:
    """Reads one function definition into a cell."""

    def __init__(self, function: ast.FunctionDef) -> None:
        self.function = function
        self.name = function.name
        self.check_header()
        paths = self.state_paths()
        self.trace = Trace(self.name, function.args.args[0].arg, paths)
        names = [argument.arg for argument in function.args.args]
        self.values = dict(zip(names, self.trace.arguments, strict=True))

    def fail(self, node: ast.AST, message: str, kind: type[CellError] = CellError) -> CellError:
        return kind(f"{self.name}, line {getattr(node, 'lineno', '?')}: {message}")

    def read(self) -> CellGraph:
        body = list(self.function.body)
        doc = ""
        match body[0]:
            case ast.Expr(value=ast.Constant(value=str() as doc)):
                body.pop(0)
        last = body.pop() if body else self.function
        if not isinstance(last, ast.Return) or last.value is None:
            raise self.fail(last, "a cell ends with `return` and the next states")
        for statement in body:
            self.assign(statement)
        returned = last.value.elts if isinstance(last.value, ast.Tuple) else [last.value]
        states = self.trace.states
        if len(returned) != len(states):
            raise self.fail(
                last,
                f"returns {len(returned)} value(s) for {len(states)} state path(s) "
                f"({', '.join(path.name for path in states)}); return the next value of each, in order",
            )
        outputs = [self.value(item)._index for item in returned]
        return assemble(self.name, doc, states, self.trace.nodes, outputs)

    def check_header(self) -> None:
        function = self.function
        for decorator in function.decorator_list:
            if not (isinstance(decorator, ast.Name) and decorator.id == "cell"):
                raise self.fail(decorator, f"the only decorator is @cell, not @{_short(decorator)}")
        arguments = function.args
        annotated = [argument for argument in arguments.args if argument.annotation is not None]
        if function.returns is not None or getattr(function, "type_params", []) or annotated:
            raise self.fail(function, "a cell has no annotations")
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
            raise self.fail(function, "a cell's parameters are plain names: the input, then the state paths")
        if len(arguments.args) < 2:
            raise self.fail(
                function, f"a cell takes the input and at least one state path, `def {self.name}(x, h)`"
            )
        if len(arguments.defaults) == len(arguments.args):
            raise self.fail(function, f"the input {arguments.args[0].arg!r} has no default")
        for argument in arguments.args:
            self.check_name(argument, argument.arg)

    def state_paths(self) -> list[StatePath]:
        arguments = self.function.args
        names = [argument.arg for argument in arguments.args[1:]]
        defaults = [None] * (len(names) - len(arguments.defaults)) + arguments.defaults
        return [self.path(name, default) for name, default in zip(names, defaults, strict=True)]

    def path(self, name: str, default: ast.expr | None) -> StatePath:
        match default:
            case None:
                return StatePath(name)
            case ast.Call(func=ast.Name(id="state"), args=[]):
                options = self.options(default, ("init", "size"))
            case ast.Call(func=ast.Name(id="state")):
                raise self.fail(default, "state(...) takes init=... and size=... by name")
            case _:
                raise self.fail(default, f"the default of {name!r} must be state(...), not {_short(default)}")
        try:
            declared = language.state(**options)
        except CellError as error:
            raise self.fail(default, str(error)) from None
        return StatePath(name, declared.init, declared.size)

    def check_name(self, node: ast.AST, name: str) -> None:
        if name in RESERVED:
            raise self.fail(node, f"{name!r} is a word of the cell language and cannot name a value")

    def options(self, call: ast.Call, allowed: tuple[str, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for option in call.keywords:
            if option.arg not in allowed:
                raise self.fail(
                    call,
                    f"{_short(call.func)} has no option {option.arg!r}{suggest(str(option.arg), allowed)}",
                )
            if option.arg in result:
                raise self.fail(call, f"the option {option.arg!r} stands twice")
            result[option.arg] = self.literal(option.value)
        return result

    def literal(self, node: ast.expr) -> Any:
        """Return the number, the string or None that ``node`` is."""
        match node:
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as operand):
                return -self.number(operand)
            case ast.Constant(value=str() | None as value):
                return value
        return self.number(node)

    def number(self, node: ast.expr) -> int | float:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                try:
                    float(value)
                except OverflowError:
                    raise self.fail(node, "this number is too large") from None
                return value
        raise self.fail(node, f"only numbers stand here, not {_short(node)}")

    def assign(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.check_name(statement, name)
                self.values[name] = self.value(value)
                self.trace.name_value(self.values[name], name)
            case _:
                raise self.fail(
                    statement,
                    f"a cell has only `name = expression` and a final `return`, not `{_short(statement)}`",
                )

    def value(self, node: ast.expr, depth: int = 0) -> Value:
        """Return the traced value that the expression ``node`` gives."""
        if depth > MAX_DEPTH:
            raise self.fail(node, f"an expression is nested at most {MAX_DEPTH} deep; name a part of it")
        match node:
            case ast.Name(id=name) if name in self.values:
                return self.values[name]
            case ast.Name(id=name):
                raise self.fail(node, f"unknown value {name!r}{suggest(name, self.values)}")
            case ast.Constant() | ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
                number = -self.number(node.operand) if isinstance(node, ast.UnaryOp) else self.number(node)
                return self.trace.add(Constant(value=float(number)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.word(node, find_operation("neg"), [self.value(operand, depth + 1)])
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _INFIX:
                values = [self.value(left, depth + 1), self.value(right, depth + 1)]
                return self.word(node, find_operation(_INFIX[type(op)]), values)
            case ast.Call(func=ast.Name(id=word)):
                return self.call(node, word, depth)
        raise self.fail(
            node,
            f"`{_short(node)}` is not part of the language: numbers, names, + - * / and calls of its words",
        )

    def call(self, node: ast.Call, word: str, depth: int) -> Value:
        function = self.function_of(node, word)
        if word in ("scalar", "vector"):
            if (len(node.args) != 1 and (node.args or word == "scalar")) or node.keywords:
                raise self.fail(node, f"{word}(init) takes one number")
            return self.word(node, function, [self.literal(argument) for argument in node.args])
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.fail(node, "arguments are written out one by one")
        if node.keywords and word != "linear":
            raise self.fail(node, f"{word}(...) takes no options")
        values = [self.value(argument, depth + 1) for argument in node.args]
        if word in _UNARY and len(values) != 1:
            raise self.fail(node, f"{word}(...) takes one value, not {len(values)}")
        if word == "layer_norm" and not values:
            raise self.fail(node, "layer_norm(...) takes at least one value")
        return self.word(node, function, values, **self.options(node, ("bias", "heads")))

    def function_of(self, node: ast.Call, word: str) -> Callable[..., Any]:
        words = {name: row for name, row in operations().items() if not row.symbol} | _WORDS | _UNARY
        if word not in words:
            raise self.fail(node, f"unknown word {word!r}{suggest(word, words)}", UnknownWord)
        return words[word]

    def word(self, node: ast.expr, function: Callable[..., Any], values: list[Any], **options: Any) -> Value:
        """Apply a word of the language, as a cell's function would; its complaints get the line."""
        self.trace.place = f"{self.name}, line {node.lineno}"
        token = active.set(self.trace)
        try:
            if isinstance(function, Operation):
                return self.trace.apply(function, values)
            result = function(*values, **options)
        finally:
            active.reset(token)
        assert isinstance(result, Value)
        return result


def _short(node: ast.AST) -> str:
    try:
        text = ast.unparse(node).split("\n")[0]
    except (RecursionError, ValueError):
        return f"this {type(node).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


_INFIX: dict[type[ast.AST], str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_UNARY: dict[str, Callable[..., Value]] = {
    "antisymmetric": language.antisymmetric,
    "diagonal": language.diagonal,
    "project": language.project,
}
_WORDS: dict[str, Callable[..., Value]] = {
    "linear": language.linear,
    "scalar": language.scalar,
    "vector": language.vector,
    "layer_norm": language.layer_norm,
}
