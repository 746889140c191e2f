"""One step of a cell in ONNX: the body of a Scan, with every operation of the language.

Values have the shapes that the reference interpreter gives them: (B, size), or () for single numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import onnx
from torch import Tensor

from nas_rnn.cells import find_operation
from nas_rnn.cells.graph.expressions import FUNCTIONS, evaluate, names_in
from nas_rnn.cells.graph.nodes import (
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
from nas_rnn.execution import Layout
from nas_rnn.execution.layout import Place
from nas_rnn.execution.reference import EPSILON
from nas_rnn.export.onnx_graph import Nodes, Numbers

_ONE_NODE: Mapping[str, str] = {
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "sign": "Sign",
    "sin": "Sin",
    "cos": "Cos",
    "erf": "Erf",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "maximum": "Max",
    "minimum": "Min",
    "where": "Where",
    "neg": "Neg",
    "+": "Add",
    "-": "Sub",
    "*": "Mul",
    "/": "Div",
    "<": "Less",
    "<=": "LessOrEqual",
    ">": "Greater",
    ">=": "GreaterOrEqual",
    "==": "Equal",
}
"""Words of expressions that are one operator of ONNX; expm1 and log1p are the others."""


def step_body(layout: Layout, tensors: Mapping[str, Tensor], numbers: Numbers) -> onnx.GraphProto:
    """Return the body of a Scan over one layer and direction: (states, x) to (next states, output)."""
    return _Body(layout, tensors, numbers).write()


class _Body:
    def __init__(self, layout: Layout, tensors: Mapping[str, Tensor], numbers: Numbers) -> None:
        def rows(place: Place) -> Tensor:
            return tensors[place.tensor][place.start : place.stop]

        self.layout, self.numbers, self.nodes = layout, numbers, Nodes(numbers)
        self.x = numbers.fresh()
        self.states = [numbers.fresh() for _ in layout.state_sizes]
        self.values: list[str] = []
        self.matrices = {(m.owner, m.argument): (rows(m.place), m.heads) for m in layout.matrices}
        self.biases = {v.owner: rows(v.place) for v in layout.biases}
        vectors = layout.diagonals + layout.gains + layout.scalars + layout.vectors
        self.rows = {v.owner: rows(v.place)[0] for v in vectors}
        self.shifts = {v.owner: rows(v.place)[0] for v in layout.shifts}

    def write(self) -> onnx.GraphProto:
        for index, node in enumerate(self.layout.canonical.nodes):
            self.values.append(self.value(index, node))
        results = [self.nodes.add("Identity", self.values[i]) for i in self.layout.canonical.outputs]
        results.append(self.nodes.add("Identity", results[0]))
        widths = self.layout.state_sizes
        inputs = zip([*self.states, self.x], [*widths, self.layout.input_size], strict=True)
        outputs = zip(results, [*widths, widths[0]], strict=True)
        return onnx.helper.make_graph(
            self.nodes.protos,
            "step",
            [self.described(*i) for i in inputs],
            [self.described(*o) for o in outputs],
        )

    def described(self, name: str, width: int) -> onnx.ValueInfoProto:
        return onnx.helper.make_tensor_value_info(name, self.numbers.element, [None, width])

    def value(self, index: int, node: Node) -> str:
        add, put = self.nodes.add, self.numbers.put
        match node:
            case Input():
                return self.x
            case State(path=path):
                return self.states[path]
            case Constant(value=number):
                return put(number)
            case Scalar():
                return put(self.rows[index])
            case LearnedVector():
                batch = add("Shape", self.x, start=0, end=1)
                shape = add("Concat", batch, self.numbers.whole(self.layout.hidden_size), axis=0)
                return add("Expand", put(self.rows[index]), shape)
            case Linear(arguments=arguments):
                return self.linear(index, arguments)
            case Project(argument=argument):
                known = (index, 0) in self.matrices
                return self.product(index, 0, argument) if known else self.values[argument]
            case Diagonal(argument=argument):
                return add("Mul", put(self.rows[index]), self.values[argument])
            case LayerNorm(argument=argument, among=()):
                parts = self.values[argument], put(self.rows[index]), put(self.shifts[index])
                return add("LayerNormalization", *parts, axis=-1, epsilon=EPSILON)
            case LayerNorm():
                return self.joint_norm(index, node.inputs)
            case Apply(operation=name, arguments=arguments):
                return self.apply(name, [self.values[i] for i in arguments])
        raise AssertionError(f"unknown kind of node: {node!r}")

    def linear(self, index: int, arguments: Sequence[int]) -> str:
        total, *others = [self.product(index, place, i) for place, i in enumerate(arguments)]
        if index in self.biases:
            others.append(self.numbers.put(self.biases[index]))
        for other in others:
            total = self.nodes.add("Add", total, other)
        return total

    def product(self, owner: int, place: int, argument: int) -> str:
        matrix, heads = self.matrices[owner, place]
        value, add = self.values[argument], self.nodes.add
        if heads == 1:
            return add("MatMul", value, self.numbers.put(matrix.T))
        _, rows, columns = matrix.shape
        pieces = add("Reshape", value, self.numbers.whole(-1, heads, columns))
        product = add(
            "MatMul", add("Transpose", pieces, perm=[1, 0, 2]), self.numbers.put(matrix.transpose(1, 2))
        )
        together = add("Transpose", product, perm=[1, 0, 2])
        return add("Reshape", together, self.numbers.whole(-1, heads * rows))

    def joint_norm(self, index: int, inputs: Sequence[int]) -> str:
        add, put = self.nodes.add, self.numbers.put
        value, last = self.values[inputs[0]], self.numbers.whole(-1)
        together = add("Concat", *(self.values[i] for i in inputs), axis=-1)
        mean = add("ReduceMean", together, last, keepdims=1)
        centred = add("Sub", together, mean)
        variance = add("ReduceMean", add("Mul", centred, centred), last, keepdims=1)
        deviation = add("Sqrt", add("Add", variance, put(EPSILON)))
        normal = add("Div", add("Sub", value, mean), deviation)
        return add("Add", add("Mul", normal, put(self.rows[index])), put(self.shifts[index]))

    def apply(self, name: str, arguments: Sequence[str]) -> str:
        row = find_operation(name)
        variables = dict(zip(row.variables, arguments, strict=True))
        result = evaluate(row.value_tree, variables, self.functions())
        for letter in sorted(set(variables) - names_in(row.value_tree)):
            # the value has the common shape of all arguments, also of those that it does not depend on
            result = self.nodes.add("Where", self.numbers.truth(), result, variables[letter])
        return result

    def functions(self) -> Mapping[str, Callable[..., str]]:
        """Return what each word of an expression becomes."""
        table: dict[str, Callable[..., str]] = {}
        for word in (*FUNCTIONS, "neg", "+", "-", "*", "/", "<", "<=", ">", ">=", "=="):
            if word in _ONE_NODE:
                table[word] = self.one_node(_ONE_NODE[word])
        return table | {"expm1": self.expm1, "log1p": self.log1p, "number": self.numbers.put}

    def one_node(self, operator: str) -> Callable[..., str]:
        return lambda *arguments: self.nodes.add(operator, *arguments)

    def expm1(self, value: str) -> str:
        """Return exp(a) - 1, exact for small a too: tanh(a / 2) * (exp(a) + 1)."""
        add, put = self.nodes.add, self.numbers.put
        half = add("Tanh", add("Mul", value, put(0.5)))
        near = add("Mul", half, add("Add", add("Exp", value), put(1.0)))
        far = add("Sub", add("Exp", value), put(1.0))
        return add("Where", add("Less", add("Abs", value), put(0.5)), near, far)

    def log1p(self, value: str) -> str:
        """Return log(1 + a), exact for small a too: log(u) * a / (u - 1) with u = 1 + a (Kahan; see Higham 1996)."""
        add, put = self.nodes.add, self.numbers.put
        above = add("Add", value, put(1.0))
        gained = add("Sub", above, put(1.0))
        nothing = add("Equal", gained, put(0.0))
        safe = add("Where", nothing, put(1.0), gained)
        near = add("Where", nothing, value, add("Mul", add("Log", above), add("Div", value, safe)))
        return add("Where", add("Less", add("Abs", value), put(0.5)), near, add("Log", above))
