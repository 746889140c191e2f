"""The text form of a cell: a whitelisted subset of Python, printed and read without loss, never executed."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nas_rnn.cells import language
from nas_rnn.cells.graph import (
    Apply,
    Cell,
    CellError,
    Constant,
    Diagonal,
    Input,
    LayerNorm,
    Linear,
    Project,
    Scalar,
    State,
    StatePath,
    make_cell,
)
from nas_rnn.cells.operations import RESERVED, find_operation, operations
from nas_rnn.errors import suggest

MAX_TEXT = 200_000
MAX_DEPTH = 60


def print_cell(cell: Cell) -> str:
    """Return the text form of ``cell``; `parse_cell` gives an equal cell back."""
    parameters = [cell.nodes[0].name or "x", *(_parameter(path) for path in cell.states)]
    lines = ["@cell", f"def {cell.name}({', '.join(parameters)}):"]
    if cell.doc:
        lines += _docstring(cell.doc)
    for index, node in enumerate(cell.nodes):
        if index > len(cell.states) and node.name is not None:
            lines.append(f"    {node.name} = {_expression(cell, index, 0, top=True)}")
    lines.append(f"    return {', '.join(_expression(cell, index, 0) for index in cell.outputs)}")
    return "\n".join(lines) + "\n"


def print_node(cell: Cell, index: int) -> str:
    """Return one node as an expression, with its name where it has one: ``i = sigmoid(linear(x, h))``."""
    name = cell.nodes[index].name
    if index <= len(cell.states):
        return name or "x"
    text = _expression(cell, index, 0, top=True)
    return f"{name} = {text}" if name else text


def _parameter(path: StatePath) -> str:
    options = [f"init={number(path.init)}"] if path.init != 0.0 else []
    if path.size != "hidden":
        options.append(f'size="{path.size}"')
    return f"{path.name}=state({', '.join(options)})" if options else path.name


def _docstring(doc: str) -> list[str]:
    escaped = doc.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if escaped.endswith('"'):
        escaped = escaped[:-1] + '\\"'
    escaped = "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode() for c in escaped)
    first, *rest = escaped.split("\n")
    lines = [f'    """{first}', *(f"    {line}" if line else "" for line in rest)]
    if rest:
        return [*lines, '    """']
    return [lines[0] + '"""']


def number(value: float) -> str:
    """Return the shortest text that reads back as ``value``: ``1`` for 1.0."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


_PRECEDENCE = {"add": 1, "sub": 1, "mul": 2, "div": 2, "neg": 3}


def _expression(cell: Cell, index: int, binding: int, top: bool = False) -> str:
    """Print node ``index`` where operators of precedence below ``binding`` need parentheses."""
    node = cell.nodes[index]
    if node.name is not None and not top:
        return node.name

    def call(word: str, arguments: tuple[int, ...], *options: str) -> str:
        return f"{word}({', '.join([*(_expression(cell, i, 0) for i in arguments), *options])})"

    match node:
        case Constant(value=value):
            return number(value)
        case Scalar(init=init):
            return f"scalar({number(init)})"
        case Linear(arguments=arguments, bias=bias, heads=heads):
            options = [] if bias == 0.0 else [f"bias={number(bias) if isinstance(bias, float) else bias}"]
            return call("linear", arguments, *options, *([] if heads == 1 else [f"heads={heads}"]))
        case Diagonal(argument=argument):
            return call("diagonal", (argument,))
        case Project(argument=argument):
            return call("project", (argument,))
        case LayerNorm(argument=argument):
            return call("layer_norm", (argument,))
        case Apply(operation="neg", arguments=(argument,)):
            return f"-{_expression(cell, argument, 4)}"
        case Apply(operation=name, arguments=(left, right)) if name in _PRECEDENCE:
            level = _PRECEDENCE[name]
            symbol = find_operation(name).symbol
            text = f"{_expression(cell, left, level)} {symbol} {_expression(cell, right, level + 1)}"
            return f"({text})" if level < binding else text
        case Apply(operation=name, arguments=arguments):
            return call(name, arguments)
    return node.name or "?"


def parse_cell(text: str) -> Cell:
    """Read the text form without executing anything; raise `CellError` saying where and what is not allowed."""
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise CellError(f"a cell's text has at most {MAX_TEXT:,} characters, not {len(text):,}")
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise CellError(f"line {error.lineno}: not valid as a cell's text: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise CellError(f"not valid as a cell's text: {error}") from None
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef):
        raise CellError("a cell's text is one function, `@cell` and `def name(x, h): ...`, and nothing beside it")
    return _Reader(body[0]).read()


class _Reader:
    """Reads one function definition into a cell."""

    def __init__(self, function: ast.FunctionDef) -> None:
        self.function = function
        self.name = function.name
        self.values: dict[str, language.Value] = {}

    def fail(self, node: ast.AST, message: str) -> CellError:
        return CellError(f"{self.name}, line {getattr(node, 'lineno', '?')}: {message}")

    def read(self) -> Cell:
        function = self.function
        for decorator in function.decorator_list:
            if not (isinstance(decorator, ast.Name) and decorator.id == "cell"):
                raise self.fail(decorator, f"the only decorator is @cell, not @{ast.unparse(decorator)}")
        if function.returns is not None or getattr(function, "type_params", []):
            raise self.fail(function, "a cell has no annotations")
        trace = self.trace()
        body = list(function.body)
        doc = ""
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
            doc = inspect.cleandoc(body.pop(0).value.value)  # type: ignore[attr-defined]
        if not body or not isinstance(body[-1], ast.Return) or body[-1].value is None:
            raise self.fail(body[-1] if body else function, "a cell ends with `return` and the next states")
        for statement in body[:-1]:
            self.assign(statement, trace)
        value = body[-1].value
        returned = value.elts if isinstance(value, ast.Tuple) else [value]
        if len(returned) != len(trace.states):
            raise self.fail(
                value, f"returns {len(returned)} value(s) for {len(trace.states)} state path(s); one for each, in order"
            )
        outputs = [trace.index(self.value(item, trace), "return") for item in returned]
        return make_cell(self.name, doc, trace.states, trace.nodes, outputs)

    def trace(self) -> language.Trace:
        arguments = self.function.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
            raise self.fail(self.function, "a cell's parameters are plain names: the input, then the state paths")
        if len(arguments.args) < 2:
            raise self.fail(self.function, "a cell takes the input and at least one state path")
        names = [argument.arg for argument in arguments.args]
        for argument in arguments.args:
            if argument.annotation is not None:
                raise self.fail(argument, "a cell has no annotations")
            self.check_name(argument, argument.arg)
        defaults: list[ast.expr | None] = [None] * (len(names) - len(arguments.defaults))
        defaults += arguments.defaults
        if defaults[0] is not None:
            raise self.fail(self.function, f"the input {names[0]!r} has no default")
        paths = [self.path(name, default) for name, default in zip(names[1:], defaults[1:])]
        trace = language.Trace(self.name, names[0], paths)
        self.values = dict(zip(names, trace.arguments))
        return trace

    def check_name(self, node: ast.AST, name: str) -> None:
        if name in RESERVED or name in operations():
            raise self.fail(node, f"{name!r} is a word of the cell language and cannot name a value")

    def path(self, name: str, default: ast.expr | None) -> StatePath:
        if default is None:
            return StatePath(name)
        if not (isinstance(default, ast.Call) and isinstance(default.func, ast.Name) and default.func.id == "state"):
            raise self.fail(default, f"the default of {name!r} must be state(...), not {ast.unparse(default)}")
        if default.args:
            raise self.fail(default, "state(...) takes init=... and size=... by name")
        declared = language.state(**self.options(default, ("init", "size")))
        return StatePath(name, declared.init, declared.size)

    def options(self, call: ast.Call, allowed: tuple[str, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for option in call.keywords:
            if option.arg not in allowed:
                raise self.fail(call, f"{ast.unparse(call.func)} has no option {option.arg!r}{suggest(str(option.arg), allowed)}")
            if option.arg in result:
                raise self.fail(call, f"the option {option.arg!r} stands twice")
            result[option.arg] = self.literal(option.value)
        return result

    def literal(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool()):
                pass
            case ast.Constant(value=int() | float() | str() | None as value):
                return self.finite(node, value)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -self.finite(node, value)
        raise self.fail(node, f"only numbers stand here, not {ast.unparse(node)}")

    def finite(self, node: ast.expr, value: Any) -> Any:
        try:
            if isinstance(value, int):
                float(value)
        except OverflowError:
            raise self.fail(node, "this number is too large") from None
        return value

    def assign(self, statement: ast.stmt, trace: language.Trace) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value, type_comment=None):
                self.check_name(statement, name)
                result = self.value(value, trace)
                if not isinstance(result, language.Value):
                    raise self.fail(statement, f"{name!r} is a bare number; write it where it is used")
                trace.name_value(result, name)
                self.values[name] = result
            case _:
                raise self.fail(
                    statement, f"only `name = expression` and a final `return` stand in a cell, not `{_short(statement)}`"
                )

    def value(self, node: ast.expr, trace: language.Trace, depth: int = 0) -> Any:
        """Return the traced value, or the number, that the expression ``node`` gives."""
        if depth > MAX_DEPTH:
            raise self.fail(node, f"an expression is nested at most {MAX_DEPTH} deep; name a part of it")
        match node:
            case ast.Name(id=name):
                if name not in self.values:
                    raise self.fail(node, f"unknown value {name!r}{suggest(name, self.values)}")
                return self.values[name]
            case ast.Constant() | ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
                found = self.literal(node)
                if not isinstance(found, (int, float)):
                    raise self.fail(node, f"only numbers stand here, not {found!r}")
                return trace.add(Constant(value=float(found)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return trace.apply(find_operation("neg"), [self.value(operand, trace, depth + 1)])
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _INFIX:
                values = [self.value(left, trace, depth + 1), self.value(right, trace, depth + 1)]
                return trace.apply(find_operation(_INFIX[type(op)]), values)
            case ast.Call(func=ast.Name(id=word)):
                return self.call(node, word, trace, depth)
        raise self.fail(node, f"`{_short(node)}` is not part of the cell language")

    def call(self, node: ast.Call, word: str, trace: language.Trace, depth: int) -> language.Value:
        if word == "scalar":
            if len(node.args) != 1 or node.keywords:
                raise self.fail(node, "scalar(init) takes one number")
            return trace.add(Scalar(init=float(language_number(self.literal(node.args[0]), self, node))))
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.fail(node, "arguments are written out one by one")
        values = [self.value(argument, trace, depth + 1) for argument in node.args]
        if word == "linear":
            return language.linear(*values, **self.options(node, ("bias", "heads"))) if values else self.empty(node)
        if node.keywords:
            raise self.fail(node, f"{word}(...) takes no options")
        if word in _UNARY:
            if len(values) != 1:
                raise self.fail(node, f"{word}(...) takes one value, not {len(values)}")
            return _UNARY[word](values[0])
        rows = {name for name, row in operations().items() if not row.symbol}
        if word not in rows:
            raise self.fail(node, f"unknown word {word!r}{suggest(word, {*rows, 'linear', 'scalar', *_UNARY})}")
        return trace.apply(find_operation(word), values)

    def empty(self, node: ast.AST) -> language.Value:
        raise self.fail(node, "linear(...) takes at least one value")


def language_number(value: Any, reader: _Reader, node: ast.AST) -> float:
    """Return ``value`` if it is a number; `CellError` otherwise."""
    if not isinstance(value, (int, float)):
        raise reader.fail(node, f"a number stands here, not {value!r}")
    return value


def _short(node: ast.AST) -> str:
    text = ast.unparse(node).split("\n")[0]
    return text if len(text) <= 60 else text[:57] + "..."


_INFIX: dict[type[ast.AST], str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_UNARY: dict[str, Callable[[Any], language.Value]] = {
    "diagonal": language.diagonal,
    "project": language.project,
    "layer_norm": language.layer_norm,
}
