"""Writes a cell's equations, one line each, in a given notation."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from nas_rnn.cells.graph.nodes import (
    Antisymmetric,
    Apply,
    CellGraph,
    Constant,
    Diagonal,
    Input,
    LayerNorm,
    LearnedVector,
    Linear,
    Project,
    Scalar,
    State,
    StatePath,
    value_sizes,
)
from nas_rnn.cells.graph.operations import find_operation
from nas_rnn.cells.views.equations.naming import Naming, Parameters, matrix_letters
from nas_rnn.cells.views.equations.notation import Latex, Notation, Plain
from nas_rnn.cells.views.equations.terms import (
    ATOM,
    SUM,
    Term,
    add,
    call,
    divide,
    matrix,
    multiply,
    negate,
    subtract,
)

MAX_MARGIN = 100
"""Notes stand in one column; an equation that is wider does not move it."""


@dataclass
class Equation:
    """One line: ``left = right``, the notes about it, and the nodes that it writes out, the value itself last."""

    left: str
    right: str
    notes: list[str] = field(default_factory=list)
    nodes: tuple[int, ...] = ()


def plain_equations(cell: CellGraph) -> str:
    """Return the equations of ``cell`` as Unicode text, one a line, aligned at the equals sign."""
    return "\n".join(text for text, _ in plain_lines(cell))


def value_text(cell: CellGraph, index: int) -> str:
    """Return what stands for node ``index`` where others read it: its name with a time, or its formula."""
    return Writer(cell, Plain()).value(index)


def plain_lines(cell: CellGraph) -> list[tuple[str, tuple[int, ...]]]:
    """Return the lines of `plain_equations`, each with the nodes that it writes out, the value itself last."""
    equations = Writer(cell, Plain()).equations()
    left = max(_width(e.left) for e in equations)
    lines = [" " * (left - _width(e.left)) + f"{e.left} = {e.right}" for e in equations]
    margin = max((width for width in map(_width, lines) if width <= MAX_MARGIN), default=0)
    return [
        (
            line + (" " * max(margin - _width(line), 0) + f"    ({'; '.join(e.notes)})" if e.notes else ""),
            e.nodes,
        )
        for e, line in zip(equations, lines, strict=True)
    ]


def latex_equations(cell: CellGraph) -> str:
    """Return the equations of ``cell`` as a LaTeX ``aligned`` environment, to be put in mathematical mode."""
    lines = []
    for equation in Writer(cell, Latex()).equations():
        notes = rf" && \text{{({'; '.join(equation.notes)})}}" if equation.notes else ""
        lines.append(f"{equation.left} &= {equation.right}{notes}")
    return "\n".join(
        [r"\begin{aligned}", *(rf"{line} \\" for line in lines[:-1]), lines[-1], r"\end{aligned}"]
    )


def _width(text: str) -> int:
    return sum(not unicodedata.combining(c) + (unicodedata.east_asian_width(c) in "WF") for c in text)


class Writer:
    """Writes one cell's equations in one notation."""

    def __init__(self, cell: CellGraph, notation: Notation) -> None:
        self.cell = cell
        self.naming = Naming(cell)
        self.notation = notation.for_names([*self.naming.taken, *self.naming.scalars.values()])
        self.is_number = [size == "one" for size in value_sizes(cell.states, cell.nodes)]
        self.parameters = Parameters(cell, [], "", self.notation)
        self.notes: list[str] = []
        self.noted: set[int] = set()

    def equations(self) -> list[Equation]:
        live = _live(self.cell)
        found: list[Equation] = []
        of_path: dict[str, Equation] = {}
        for index in sorted(self.naming.names):
            equation = self.equation(index)
            equation.notes += [] if index in live else ["not used"]
            if index in self.naming.carries:
                of_path[self.naming.carries[index]] = equation
            found.append(equation)
        for path, index in zip(self.cell.states, self.cell.outputs, strict=True):
            if path.name not in of_path:
                inner = () if index in self.naming.names else tuple(self.written(index))
                of_path[path.name] = Equation(
                    self.notation.value(path.name, "t"), self.term(index).text, nodes=inner or (index,)
                )
                found.append(of_path[path.name])
            of_path[path.name].notes += self.state_notes(path)
        return found

    def state_notes(self, path: StatePath) -> list[str]:
        notes = [self.starts(self.notation.start(path.name), path.init, "is")] if path.init != 0.0 else []
        if path.size != "hidden":
            of_input = self.notation.inline(self.notation.value(self.cell.nodes[0].name or "x", "t"))
            notes.append(f"of the size of {of_input}")
        return notes

    def starts(self, symbol: str, value: float, verb: str = "starts at") -> str:
        return f"{self.notation.inline(symbol)} {verb} {self.notation.inline(self.notation.number(value))}"

    def equation(self, index: int) -> Equation:
        self.notes = []
        written = self.written(index)
        nodes = [self.cell.nodes[i] for i in written]
        self.parameters = Parameters(self.cell, nodes, self.naming.names[index], self.notation)
        right = self.formula(index).text
        return Equation(self.named(index), right, self.notes, tuple(written))

    def written(self, index: int) -> list[int]:
        """Return the nodes that the equation of ``index`` writes out."""
        inputs = self.cell.nodes[index].inputs
        inner = [found for i in inputs if i not in self.naming.names for found in self.written(i)]
        return [*inner, index]

    def named(self, index: int) -> str:
        name = self.naming.names[index]
        return self.notation.letter(name) if self.is_number[index] else self.notation.value(name, "t")

    def term(self, index: int) -> Term:
        """Return what stands for node ``index`` where another node reads it."""
        if index in self.naming.names:
            return Term(self.named(index), is_number=self.is_number[index])
        return self.formula(index)

    def value(self, index: int) -> str:
        """Return what stands for node ``index`` outside equations."""
        self.parameters = Parameters(self.cell, [], "", self.notation)
        return self.term(index).text

    def formula(self, index: int) -> Term:
        """Return the formula that gives node ``index``."""
        node = self.cell.nodes[index]
        match node:
            case Input():
                return Term(self.notation.value(node.name or "x", "t"))
            case State(path=path):
                return Term(self.notation.value(self.cell.states[path].name, "t-1"))
            case Constant(value=value):
                return Term(self.notation.number(value), is_number=True)
            case Scalar():
                return self.scalar(index, node)
            case LearnedVector():
                return self.vector(index, node)
            case Antisymmetric(arguments=(argument,)):
                symbol = self.parameters.symbol("A")
                return matrix(self.notation.antisymmetric(symbol), self.term(argument))
            case Linear():
                return self.linear(node)
            case Diagonal(argument=argument):
                return multiply([Term(self.parameters.symbol("p")), self.term(argument)], self.notation)
            case Project(argument=argument):
                return matrix(self.parameters.symbol("P"), self.term(argument))
            case LayerNorm(argument=argument, among=among):
                others = ", ".join(self.term(i).text for i in among)
                own = self.term(argument).text
                return Term(self.notation.function("LN", [f"{own} | {others}" if others else own]))
            case Apply(operation=operation, arguments=arguments):
                return self.apply(operation, [self.term(i) for i in arguments])
        raise AssertionError(f"unknown kind of node: {node!r}")

    def scalar(self, index: int, node: Scalar) -> Term:
        symbol = self.notation.letter(self.naming.scalars[index])
        if index not in self.noted:
            self.noted.add(index)
            self.notes.append(self.starts(symbol, node.init))
        return Term(symbol, is_number=True)

    def vector(self, index: int, node: LearnedVector) -> Term:
        symbol = self.notation.letter(node.name) if node.name else self.parameters.symbol("b")
        if index not in self.noted and (node.init or node.name):
            self.noted.add(index)
            self.notes.append(self.starts(symbol, node.init))
        return Term(symbol)

    def linear(self, node: Linear) -> Term:
        symbols = [self.parameters.symbol(letter) for letter in matrix_letters(self.cell, node)]
        bias = None if node.bias is None else self.parameters.symbol("b")
        if node.bias:
            self.notes.append(self.starts(str(bias), node.bias))
        if node.heads != 1:
            self.notes.append(f"{', '.join(map(self.notation.inline, symbols))} with {node.heads} heads")
        terms = [matrix(symbol, self.term(i)) for symbol, i in zip(symbols, node.arguments, strict=True)]
        total = terms[0]
        for term in terms[1:]:
            total = add(total, term)
        return Term(total.body, total.level, biases=() if bias is None else (bias,))

    def add(self, left: Term, right: Term) -> Term:
        # biases stand last, as papers have it, but not behind others that a part of the sum holds
        if any(bias in right.body for bias in self.parameters.biases):
            left = Term(left.text, SUM)
        return add(left, right)

    def apply(self, operation: str, terms: list[Term]) -> Term:
        match operation, terms:
            case "add", [left, right]:
                return self.add(left, right)
            case "sub", [left, right]:
                return subtract(left, right)
            case "neg", [only]:
                return negate(only)
            case "mul", _:
                return multiply(terms, self.notation)
            case "div", [left, right]:
                return divide(left, right, self.notation)
            case "identity", [only]:
                return only
            case "blend", [gate, first, second]:
                rest = subtract(Term(self.notation.number(1.0), ATOM, is_number=True), gate)
                kept = multiply([gate, first], self.notation)
                return self.add(kept, multiply([rest, second], self.notation))
        return call(find_operation(operation), terms, self.notation)


def _live(cell: CellGraph) -> set[int]:
    """Return the nodes that a next state depends on."""
    found: set[int] = set()
    stack = list(cell.outputs)
    while stack:
        index = stack.pop()
        if index not in found:
            found.add(index)
            stack.extend(cell.nodes[index].inputs)
    return found
