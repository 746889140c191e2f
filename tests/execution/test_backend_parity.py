"""The eager backend against the reference interpreter on many cells, and all backends on a few.

`tests/execution/fused` has the same for the fused one, several cells a compilation.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from nas_rnn.cells import (
    Cell,
    Operation,
    cell,
    find_operation,
    linear,
    operations,
    parse_cell,
    register_operation,
    vector,
)
from nas_rnn.cells.cell import make_cell
from nas_rnn.cells.graph.expressions import parse_expression
from nas_rnn.cells.graph.nodes import StatePath
from nas_rnn.cells.graph.operations import sigmoid, tanh
from nas_rnn.cells.language.tracing import Trace
from nas_rnn.execution import RNN
from nas_rnn.execution.backends import BACKENDS
from nas_rnn.execution.eager.closures import NATIVE, compile_operation
from nas_rnn.execution.fused.kernels import prepare
from nas_rnn.execution.layout import make_layout
from nas_rnn.execution.reference import apply_operation, evaluate_tensors
from tests.execution.zoo import zoo_cells
from tests.random_cells import OPERATIONS, cells, random_cell

ZOO = zoo_cells()


def results(rnn: RNN, backend: str, x: Tensor, weights: Tensor) -> list[Tensor]:
    """Return outputs, final states, and the gradients of the input and all parameters."""
    rnn.backend = backend
    rnn.zero_grad()
    x = x.clone().requires_grad_()
    output, state = rnn(x)
    value = (output * weights).sum() + sum((s * s).sum() for s in state[1:])
    if value.requires_grad:
        value.backward()
    leaves = [x, *rnn.parameters()]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in leaves]
    return [output.detach(), *(s.detach() for s in state), *gradients]


def compare(
    tested: Cell,
    backend: str,
    input_size: int = 4,
    hidden_size: int = 6,
    steps: int = 4,
    tame_only: bool = False,
    **options: int,
) -> None:
    """Run ``tested`` at parameters moved away from where they start, so that biases and gains count."""
    rnn = RNN(tested, input_size, hidden_size, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    x = torch.randn(steps, 3, input_size, dtype=torch.float64)
    weights = torch.randn_like(rnn(x)[0])
    expected = results(rnn, "reference", x, weights)
    if tame_only and not all(tensor.isfinite().all() for tensor in expected):
        return  # a random cell that overflows may do so at another place when sums are ordered otherwise
    for ours, reference in zip(results(rnn, backend, x, weights), expected, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-9, atol=1e-10, equal_nan=True)


@pytest.mark.parametrize("name", ZOO)
def test_published_cells(name: str) -> None:
    compare(ZOO[name], "eager", input_size=4, hidden_size=8)
    sizes = {path.size for path in ZOO[name].states}
    compare(
        ZOO[name], "eager", input_size=8, hidden_size=8, **({"num_layers": 2} if sizes == {"hidden"} else {})
    )


@settings(max_examples=120, deadline=None)
@given(tested=cells())
def test_random_cells(tested: Cell) -> None:
    compare(tested, "eager", tame_only=True)


@settings(max_examples=30, deadline=None)
@given(tested=cells(max_nodes=25))
def test_larger_random_cells_at_one_size(tested: Cell) -> None:
    compare(tested, "eager", input_size=4, hidden_size=4, steps=2, tame_only=True)


@pytest.mark.parametrize(("inputs", "hidden"), [(1, 1), (3, 1), (17, 3)])
def test_random_cells_at_odd_sizes(inputs: int, hidden: int) -> None:
    for seed in range(10):
        compare(
            random_cell(np.random.default_rng(seed), heads=(1,)), "eager", inputs, hidden, steps=1 + seed % 3
        )


@pytest.mark.parametrize("backend", BACKENDS)
def test_packed_sequences_are_each_alone(backend: str) -> None:
    """A random cell in both directions over a packed batch gives what each sequence gives by itself."""
    lengths = [2, 5, 1]
    drawn = [random_cell(np.random.default_rng(seed)) for seed in range(15)]
    if backend == "fused":
        prepare([make_layout(tested.canonical(), 4, 6) for tested in drawn], torch.float64)
    for tested in drawn:
        rnn = RNN(
            tested,
            4,
            6,
            bidirectional=True,
            backend=backend,
            dtype=torch.float64,
        )
        x = torch.randn(5, 3, 4, dtype=torch.float64)
        packed, state = rnn(pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False))
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(packed)
        for b, length in enumerate(lengths):
            alone, alone_state = rnn(x[:length, b])
            torch.testing.assert_close(output[:length, b], alone)
            for path, alone_path in zip(state, alone_state, strict=True):
                torch.testing.assert_close(path[:, b], alone_path)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_lies_after_a_sequences_end_spoils_no_gradient(backend: str) -> None:
    """Division by the input: a padding of zeros, were it computed, would make gradients NaN."""
    divides = parse_cell("@cell\ndef divides(x, h):\n    return tanh(linear(1 / x, h))\n")
    rnn = RNN(divides, 2, 3, backend=backend)
    x = torch.rand(4, 2, 2) + 1
    x.requires_grad_()
    output, _ = rnn(pack_padded_sequence(x, torch.tensor([4, 2])))
    output.data.sum().backward()
    assert x.grad.isfinite().all()
    assert rnn.weight_ih_l0.grad.isfinite().all()


@pytest.mark.parametrize("name", OPERATIONS)
def test_nan_and_infinity_pass_through(name: str) -> None:
    """In a step and before the loop, NaN stays NaN and infinities give what the reference gives."""
    row = find_operation(name)
    bad = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0])[None, :, None]
    for first in ("h", "x"):
        trace = Trace("tested", "x", [StatePath("h", 0.5, "input")])
        x, h = trace.arguments
        arguments = {"h": (h + x, 0.5 * h, h), "x": (x, 0.5 * x, h)}[first]
        output = trace.index(row(*arguments[: row.arity]), "return")
        rnn = RNN(make_cell("tested", "", trace.states, trace.nodes, [output]), 1, 1, backend="eager")
        ours, _ = rnn(bad)
        rnn.backend = "reference"
        torch.testing.assert_close(ours, rnn(bad)[0], equal_nan=True)
        assert ours[0, 0].isnan().all()


VALUES = [
    float("nan"),
    float("inf"),
    -float("inf"),
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-8,
    -1e-8,
    30.0,
    -30.0,
    45.0,
    800.0,
    -800.0,
]


@pytest.mark.parametrize("text", NATIVE)
def test_native_functions_are_their_expressions(text: str) -> None:
    """Values and gradients agree, also at ties, for large arguments, infinities and NaN."""
    a = torch.tensor(VALUES, dtype=torch.float64)
    first, second = a.clone().requires_grad_(), a.clone().requires_grad_()
    native = NATIVE[text](first)
    expression = evaluate_tensors(parse_expression(text, ("a",)), {"a": second})
    torch.testing.assert_close(native, expression, rtol=1e-14, atol=0, equal_nan=True)
    native.sum().backward()
    expression.sum().backward()
    finite = a.isfinite() & (a.abs() < 700)
    torch.testing.assert_close(first.grad[finite], second.grad[finite], rtol=1e-13, atol=0)


ROWS = {
    "clip_to_one": ("maximum(minimum(a, 1), -1)", ("where(a > 1, 0, where(a < -1, 0, 1))",)),
    "which": ("where(a > b, a, b * 2)", ("where(a > b, 1, 0)", "where(a > b, 0, 2)")),
    "steps": ("where(a > 0, 2, 0) - where(a < -1, 1, 0)", ("0 * a",)),
    "equal": ("where(a == 0.75, where(b >= 0, a, 3), -b)", ("1", "1")),
    "first_only": ("a", ("1", "0")),
    "always": ("2.5", ("0",)),
    "gauss": ("exp(-a * a) * (1 + erf(sin(a)))", ("0",)),
    "signs": ("sign(a) * sqrt(abs(a) + 1) + log(1.5) + expm1(log1p(abs(a)))", ("0",)),
    "numbers": ("where(a <= 0, 0.01, 0.1) * where(1 < 2, a, 7) + maximum(1, 2) + -minimum(1, 3)", ("0",)),
    "four": ("a * b + c * d", ("b", "a", "d", "c")),
}


@pytest.fixture
def _more_rows() -> None:
    for name, (value, derivative) in ROWS.items():
        register_operation(Operation(name=f"tested_{name}", value=value, derivative=derivative))


@pytest.mark.usefixtures("_more_rows")
@pytest.mark.parametrize("name", ROWS)
def test_compiled_expressions(name: str) -> None:
    """Any row's closure gives what the reference gives, whichever of its arguments are numbers."""
    row = find_operation(f"tested_{name}")
    torch.manual_seed(3)
    tensors = [torch.randn(2, 5, dtype=torch.float64) for _ in range(row.arity)]
    for constants in range(2**row.arity):
        numbers = [0.75 - k for k in range(row.arity)]
        fixed = [bool(constants >> k & 1) for k in range(row.arity)]
        code = compile_operation(
            row, [n if f else k for k, (n, f) in enumerate(zip(numbers, fixed, strict=True))]
        )
        arguments = [
            torch.tensor(n, dtype=torch.float64) if f else t
            for n, f, t in zip(numbers, fixed, tensors, strict=True)
        ]
        expected = apply_operation(row.name, arguments)
        ours = code(list(tensors)) if callable(code) else torch.tensor(code, dtype=torch.float64)
        torch.testing.assert_close(ours, expected)


def test_numbers_alone_make_a_number() -> None:
    with_constant = parse_cell(
        "@cell\ndef f(x, h):\n    return exp(0.5) * sigmoid(scalar(0.2)) * tanh(linear(x, h))\n"
    )
    compare(with_constant, "eager")


@cell
def two_levels(x, h, c):  # type: ignore[no-untyped-def]
    """Sums that gather products over two levels, beside some that do not."""
    r = sigmoid(linear(x, h))
    z = sigmoid(linear(h))
    n = tanh(linear(x, r * h))
    m = tanh(linear(x, h, r * h, c, bias=None))
    k = sigmoid(linear(tanh(linear(x)), h))
    return z * n + k * m, c * z + linear(h, h, z)


@pytest.mark.parametrize("backend", ["fused", "eager"])
def test_products_over_several_levels(backend: str) -> None:
    compare(two_levels, backend)
    compare(two_levels, backend, num_layers=2, bidirectional=True)


@cell
def of_learned(x, h):  # type: ignore[no-untyped-def]
    """Products of what is learned are the same at each step; here no bias stands beside them to be added to."""
    return tanh(linear(h, vector(0.7), bias=None)) * linear(x, sigmoid(vector(0.3)), bias=None)


@pytest.mark.parametrize("backend", ["fused", "eager"])
def test_products_of_learned_values(backend: str) -> None:
    compare(of_learned, backend)


def test_random_cells_cover_the_language() -> None:
    """What the other tests draw does contain every word and operation."""
    seen: set[str] = set()
    for seed in range(150):
        drawn = random_cell(np.random.default_rng(seed))
        seen |= {getattr(node, "operation", type(node).__name__) for node in drawn.nodes}
        seen |= {f"heads {node.heads}" for node in drawn.nodes if hasattr(node, "heads")}
        seen |= {path.size for path in drawn.states} | {str(path.init) for path in drawn.states}
    words = {
        "Constant",
        "Scalar",
        "LearnedVector",
        "Linear",
        "Antisymmetric",
        "Diagonal",
        "Project",
        "LayerNorm",
        "heads 2",
        "input",
        "hidden",
        "-10.0",
    }
    assert words | set(OPERATIONS) <= seen
    assert set(OPERATIONS) <= set(operations())


@pytest.mark.parametrize("backend", BACKENDS)
def test_blocks_of_heads_do_not_meet(backend: str) -> None:
    """A NaN stays in its block: the zeros around the blocks are no numbers to multiply by."""
    tested = parse_cell("@cell\ndef f(x, h):\n    return linear(x, h, heads=2)\n")
    x = torch.zeros(1, 1, 4)
    x[0, 0, 0] = float("nan")
    output, _ = RNN(tested, 4, 6, backend=backend)(x)
    assert output.isnan().flatten().tolist() == [True] * 3 + [False] * 3
