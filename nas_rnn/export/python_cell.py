"""The step of a cell as a plain `torch.nn.Module`: a parameter for each symbol of the equations, a line for each."""

from __future__ import annotations

import keyword
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from nas_rnn.cells import Cell, Operation, find_operation, value_sizes
from nas_rnn.cells.graph.nodes import (
    Antisymmetric,
    Apply,
    Constant,
    Diagonal,
    Input,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Project,
    Scalar,
    State,
)
from nas_rnn.cells.graph.text import number
from nas_rnn.cells.views.equations import plain_equations
from nas_rnn.cells.views.equations.naming import Naming, Parameters, matrix_letters
from nas_rnn.cells.views.equations.notation import Plain
from nas_rnn.execution import Layout
from nas_rnn.execution.layout import Place
from nas_rnn.export.python_operations import (
    PRODUCT,
    SUM,
    Code,
    apply,
    assignment,
    comment,
    function_source,
    infix,
    literal,
)
from nas_rnn.export.readable import readable

RESERVED = {
    "torch",
    "nn",
    "F",
    "Tensor",
    "Path",
    "Cell",
    "RNN",
    "Model",
    "self",
    "state",
    "math",
    "float",
} | {
    "load_rnn",
    "load_model",
    "project",
    "block_product",
    "joint_norm",
    "unroll",
    "encode",
    "decode",
    "looks",
    "len",
    "range",
    "super",
    "tuple",
    "zip",
    "PackedSequence",
}
_MODULE_NAMES = {*dir(nn.Module()), "input_size", "hidden_size", "state_sizes"}


@dataclass
class Step:
    """The parts of the class: ``parameters`` are lines of its __init__, ``lines`` those of its forward.

    ``x`` is what the input is called. ``attributes`` gives the name of a parameter of a node of the canonical form:
    "0", "1", ... is the matrix of that argument; the others are "bias", "diagonal", "gain", "shift", and "value".
    ``helpers`` are the templates that the lines call, ``functions`` the operations for which torch has none.
    """

    cell: Cell
    x: str
    parameters: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    attributes: dict[tuple[int, str], str] = field(default_factory=dict)
    helpers: set[str] = field(default_factory=set)
    functions: dict[str, str] = field(default_factory=dict)


def write_step(cell: Cell) -> Step:
    """Return the step of ``cell``."""
    return _Writer(cell).write()


def weights(step: Step, layout: Layout, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the values of the step's parameters from the packed ones of one layer and direction."""

    def rows(place: Place) -> Tensor:
        return tensors[place.tensor][place.start : place.stop]

    found = {step.attributes[m.owner, str(m.argument)]: rows(m.place) for m in layout.matrices}
    found |= {step.attributes[v.owner, "bias"]: rows(v.place) for v in layout.biases}
    for kind, vectors in (
        ("diagonal", layout.diagonals),
        ("gain", layout.gains),
        ("shift", layout.shifts),
        ("value", layout.scalars + layout.vectors),
    ):
        found |= {step.attributes[v.owner, kind]: rows(v.place)[0] for v in vectors}
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in found.items()}


class _Writer:
    def __init__(self, cell: Cell) -> None:
        found = readable(cell)
        self.cell, self.canonical = found.cell, found.canonical
        self.naming = Naming(self.cell)
        self.notation = Plain().for_names([*self.naming.taken, *self.naming.scalars.values()])
        self.sizes = value_sizes(self.cell.states, self.cell.nodes)
        self.symbols = Parameters(self.cell, [], "", self.notation)
        self.owner = ""
        operations = {n.operation for n in self.cell.nodes if isinstance(n, Apply)}
        self.taken = RESERVED | operations
        self.used = set(_MODULE_NAMES)
        self.x = self.identifier(self.cell.nodes[0].name or "x")
        self.step = Step(self.cell, self.x)
        self.previous = [self.identifier(f"{path.name}_prev") for path in self.cell.states]
        self.variables: dict[int, str] = {}

    def write(self) -> Step:
        for index in sorted(self.naming.names):
            self.variables[index] = self.identifier(self.naming.names[index])
        comments = iter(plain_equations(self.cell).split("\n"))
        self.step.lines.append(f"{_unpacked(self.previous)} = state")
        for index in sorted(self.naming.names):
            self.owner = self.naming.names[index]
            self.symbols = Parameters(self.cell, self.written(index), self.owner, self.notation)
            self.step.lines.append(comment(next(comments).strip()))
            self.step.lines += assignment(self.variables[index], self.formula(index))
        self.step.lines += [comment(line.strip()) for line in comments]
        self.owner = ""
        results = [self.next_state(number, index) for number, index in enumerate(self.cell.outputs)]
        self.step.lines.append(f"return {_unpacked(results)}")
        return self.step

    def identifier(self, wanted: str) -> str:
        """Return ``wanted`` as a name that nothing else in the class has."""
        name = wanted
        while name in self.taken or keyword.iskeyword(name):
            name += "_"
        self.taken.add(name)
        return name

    def attribute(self, index: int, which: str, wanted: str, start: str) -> str:
        """Make the parameter ``which`` of node ``index`` that starts as ``start``; return how the code reads it."""
        key = self.canonical[index], which
        if key not in self.step.attributes:
            name = wanted.replace(",", "_")
            while name in self.used or keyword.iskeyword(name):
                name += "_"
            self.used.add(name)
            self.step.attributes[key] = name
            self.step.parameters.append(f"self.{name} = {start}")
        return f"self.{self.step.attributes[key]}"

    def written(self, index: int) -> list[Node]:
        """Return the nodes that the line of ``index`` writes out."""
        node = self.cell.nodes[index]
        inner = [found for i in node.inputs if i not in self.variables for found in self.written(i)]
        return [*inner, node]

    def next_state(self, path: int, index: int) -> str:
        text = self.term(index).text
        return text if self.has_batch(index) else f"{text}.expand_as({self.previous[path]})"

    def has_batch(self, index: int) -> bool:
        """Whether the value differs from sequence to sequence, and so has a dimension for them."""
        waiting, seen = [index], set[int]()
        while waiting:
            here = waiting.pop()
            if isinstance(self.cell.nodes[here], Input | State):
                return True
            if here not in seen:
                seen.add(here)
                waiting += self.cell.nodes[here].inputs
        return False

    def term(self, index: int) -> Code:
        """Return what stands for node ``index`` where another node reads it."""
        name = self.variables.get(index)
        return self.formula(index) if name is None else Code(name)

    def formula(self, index: int) -> Code:
        node = self.cell.nodes[index]
        match node:
            case Input():
                return Code(self.x)
            case State(path=path):
                return Code(self.previous[path])
            case Constant(value=value):
                return literal(value)
            case Scalar(init=init):
                letter = self.notation.letter(self.naming.scalars[index])
                start = f"nn.Parameter(torch.tensor({_float(init)}))"
                return Code(self.attribute(index, "value", letter, start))
            case LearnedVector(name=name, init=init):
                letter = self.notation.letter(name) if name else self.symbols.symbol("b")
                return Code(self.attribute(index, "value", letter, _filled("hidden_size", init)))
            case Linear():
                return self.linear(index, node)
            case Diagonal(argument=argument):
                start = f"uniform({self.size(argument)}, bound=bound)"
                weight = self.attribute(index, "diagonal", self.symbols.symbol("p"), start)
                return infix("*", Code(weight), self.term(argument))
            case Project(argument=argument):
                return self.project(index, argument)
            case LayerNorm():
                return self.layer_norm(index, node)
            case Apply(operation=name, arguments=arguments):
                return apply(find_operation(name), [self.term(i) for i in arguments], self.x, self.function)
        raise AssertionError(f"unknown kind of node: {node!r}")

    def size(self, index: int) -> str:
        return f"{self.sizes[index]}_size"

    def linear(self, index: int, node: Linear) -> Code:
        symbols = [self.symbols.symbol(letter) for letter in matrix_letters(self.cell, node)]
        bias = None if node.bias is None else self.symbols.symbol("b")
        summands = []
        for place, (symbol, argument) in enumerate(zip(symbols, self.arguments(index), strict=True)):
            size = self.size(argument)
            shape = f"hidden_size, {size}"
            if node.heads > 1:
                shape = f"{node.heads}, hidden_size // {node.heads}, {size} // {node.heads}"
            matrix = self.attribute(index, str(place), symbol, f"uniform({shape}, bound=bound)")
            value = self.term(argument)
            if node.heads > 1:
                self.step.helpers.add("block_product")
                summands.append(Code(f"block_product({value.text}, {matrix})"))
            elif isinstance(node, Antisymmetric):
                summands.append(Code(f"{value.within(PRODUCT + 1)} @ ({matrix}.T - {matrix})", PRODUCT))
            else:
                summands.append(Code(f"{value.within(PRODUCT + 1)} @ {matrix}.T", PRODUCT))
        if bias is not None:
            assert node.bias is not None
            summands.append(Code(self.attribute(index, "bias", bias, _filled("hidden_size", node.bias))))
        total = " + ".join(summand.within(SUM) for summand in summands)
        return Code(total, PRODUCT if len(summands) == 1 else SUM)

    def arguments(self, index: int) -> tuple[int, ...]:
        return self.cell.nodes[index].inputs

    def project(self, index: int, argument: int) -> Code:
        symbol = self.symbols.symbol("P")
        if self.sizes[argument] == "hidden":
            return self.term(argument)
        self.step.helpers.add("project")
        start = "uniform(hidden_size, input_size, bound=bound) if input_size != hidden_size else None"
        matrix = self.attribute(index, "0", symbol, start)
        return Code(f"project({self.term(argument).text}, {matrix})")

    def layer_norm(self, index: int, node: LayerNorm) -> Code:
        among = [self.term(i).text for i in node.among]
        value = self.term(node.argument).text
        size = self.size(node.argument)
        gain = self.attribute(index, "gain", self.norm_name("gain"), _filled(size, 1.0))
        shift = self.attribute(index, "shift", self.norm_name("shift"), _filled(size, 0.0))
        if not among:
            return Code(f"F.layer_norm({value}, {gain}.shape, {gain}, {shift})")
        self.step.helpers.add("joint_norm")
        others = f"({', '.join(among)},)" if len(among) == 1 else f"({', '.join(among)})"
        return Code(f"joint_norm({value}, {others}, {gain}, {shift})")

    def norm_name(self, what: str) -> str:
        base = f"{what}_{self.notation.letter(self.owner)}"
        names = (base, *(f"{base}_{count}" for count in range(2, 9999)))
        return next(name for name in names if name not in self.used)

    def function(self, row: Operation) -> str:
        """Return the name of the file's function for ``row``."""
        name = row.name if row.name not in RESERVED else f"{row.name}_"
        self.step.functions[name] = function_source(row, name)
        return name


def _unpacked(names: list[str]) -> str:
    return f"({names[0]},)" if len(names) == 1 else ", ".join(names)


def _filled(size: str, value: float) -> str:
    return f"nn.Parameter(torch.full(({size},), {_float(value)}))"


def _float(value: float) -> str:
    text = number(value) if math.isfinite(value) else f'float("{value}")'
    return f"{text}.0" if text.lstrip("-").isdigit() else text
