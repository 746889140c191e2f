"""NaN, infinity and denormals in compiled code, and how exact its elementary functions are."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from nas_rnn.cells import Cell, find_operation, parse_cell
from nas_rnn.cells.cell import make_cell
from nas_rnn.cells.graph.nodes import StatePath
from nas_rnn.cells.language.tracing import Trace
from nas_rnn.execution import RNN
from nas_rnn.execution.fused.kernels import prepare
from nas_rnn.execution.fused.toolchain import FLAGS, NATIVE, compile_library, text_of
from nas_rnn.execution.layout import make_layout
from tests.execution.fused.parity import DTYPES
from tests.random_cells import OPERATIONS

NAN, INFINITY = float("nan"), float("inf")


def same(ours: Tensor, expected: Tensor, dtype: torch.dtype, about: object = None) -> None:
    """Assert that values agree, that NaN and infinities stand in the same places, and zeros have one sign."""
    limit = 1e-12 if dtype == torch.float64 else 1e-5
    assert torch.equal(ours.isnan(), expected.isnan()), about
    torch.testing.assert_close(ours, expected, rtol=limit, atol=0, equal_nan=True, msg=str(about))
    zeros = (ours == 0) & (expected == 0)
    assert torch.equal(ours[zeros].signbit(), expected[zeros].signbit()), about


def one_operation(name: str, first: str) -> Cell:
    """Return a cell that is an operation of a state and the input, within the loop or (``first``: x) before."""
    row = find_operation(name)
    trace = Trace("tested", "x", [StatePath("h", 0.5, "input")])
    x, h = trace.arguments
    arguments = {"h": (h + x, 0.5 * h, h), "x": (x, 0.5 * x, h)}[first]
    output = trace.index(row(*arguments[: row.arity]), "return")
    return make_cell("tested", "", trace.states, trace.nodes, [output])


@pytest.mark.usefixtures("no_eager")
@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinity_pass_through_each_operation(dtype: torch.dtype) -> None:
    """Also for starts that are no numbers, and for what is large enough to overflow on the way."""
    tested = {(name, first): one_operation(name, first) for name in OPERATIONS for first in "hx"}
    prepare([make_layout(one.canonical(), 1, 1) for one in tested.values()], dtype)
    numbers = [NAN, INFINITY, -INFINITY, 0.0, -0.0, 1.0, -1.0, 200.0, -200.0, 2000.0, -2000.0]
    x = torch.tensor(numbers, dtype=dtype)[None, :, None]
    for (name, first), one in tested.items():
        rnn = RNN(one, 1, 1, dtype=dtype)
        for start in (0.0, 0.5, -1.0, NAN, INFINITY, -INFINITY):
            starts = (torch.full((1, len(numbers), 1), start, dtype=dtype),)
            rnn.backend = "fused"
            ours, _ = rnn(x, starts)
            rnn.backend = "reference"
            same(ours, rnn(x, starts)[0], dtype, (name, first, start))
            assert ours[0, 0].isnan().all()


@pytest.mark.usefixtures("no_eager")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [NAN, INFINITY, -INFINITY])
def test_nan_and_infinity_pass_through_products(bad: float, dtype: torch.dtype) -> None:
    """Before the loop and in it, wherever in a sequence, batch and row they stand; not into other rows."""
    rnn = RNN(
        parse_cell("@cell\ndef f(x, h):\n    return linear(x) + linear(h, bias=None)\n"), 5, 19, dtype=dtype
    )
    with torch.no_grad():
        rnn.weight_hh_l0.fill_(0.0)
    for b in range(3):
        for unit in range(0, 19, 6):
            start = torch.zeros(1, 3, 19, dtype=dtype)
            start[0, b, unit] = bad
            output, (final,) = rnn(torch.zeros(2, 3, 5, dtype=dtype), (start,))
            assert output[:, b].isnan().all()  # 0 times it
            assert output[:, [k for k in range(3) if k != b]].isfinite().all()
            assert final[0, b].isnan().all()
    x = torch.zeros(4, 3, 5, dtype=dtype, requires_grad=True)
    with torch.no_grad():
        x[2, 1, 4] = bad
    output, _ = rnn(x)
    assert not output[2:, 1].isfinite().any()
    assert output[:2, 1].isfinite().all()
    output[2, 1].sum().backward()
    assert not rnn.weight_ih_l0.grad[:, 4].isfinite().any()
    assert rnn.weight_ih_l0.grad[:, :4].isfinite().all()


@pytest.mark.usefixtures("no_eager")
@pytest.mark.parametrize("bad", [NAN, INFINITY, -INFINITY])
def test_gradients_that_are_no_numbers_pass_through(bad: float) -> None:
    """As from a loss that overflowed."""
    lstm = RNN("lstm", 3, 4)
    x = torch.randn(5, 2, 3, requires_grad=True)
    output, _ = lstm(x)
    d = torch.zeros_like(output)
    d[3, 0] = bad
    output.backward(d)
    assert not x.grad[:4, 0].isfinite().any()
    assert torch.equal(x.grad[:, 1], torch.zeros(5, 3))
    for parameter in lstm.parameters():
        assert not parameter.grad.isfinite().any()


@pytest.mark.usefixtures("no_eager")
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_norm_of_what_is_no_number(dtype: torch.dtype) -> None:
    rnn = RNN(
        parse_cell("@cell\ndef f(x, h):\n    return layer_norm(linear(h)) + linear(x)\n"), 4, 4, dtype=dtype
    )
    for bad in (NAN, INFINITY):
        start = torch.zeros(1, 2, 4, dtype=dtype)
        start[0, 0, 2] = bad
        output, _ = rnn(torch.zeros(3, 2, 4, dtype=dtype), (start,))
        assert output[:, 0].isnan().all()
        assert output[:, 1].isfinite().all()


# Elementary functions


def exact_sigmoid(x: Tensor) -> Tensor:
    """Return the sigmoid; torch's own is 0 below -709.8, where its exp(-x) overflows."""
    return torch.where(x < 0, x.exp() / (1 + x.exp()), 1 / (1 + (-x).exp()))


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    name: getattr(torch, name)
    for name in ("exp", "tanh", "log1p", "log", "expm1", "sqrt", "sin", "cos", "erf")
} | {"sigmoid": exact_sigmoid}
ULPS = {torch.float32: 4.0, torch.float64: 4.0}
DENORMAL = {torch.float32: 2.0**-149, torch.float64: 5e-324}
"""The smallest number, which is also how far neighbours lie apart among the denormals."""


@pytest.fixture(scope="module", params=DTYPES, ids=str)
def functions(request: pytest.FixtureRequest) -> tuple[torch.dtype, ctypes.CDLL]:
    """All elementary functions as loops over many numbers, which are vectorised as in a cell's code."""
    lines = [text_of("cpp/prelude.hpp"), 'extern "C" {']
    for name in FUNCTIONS:
        lines += [
            f"void all_{name}(int64_t n, const F* x, F* y) {{",
            "#pragma omp simd",
            f"  for (int64_t i = 0; i < n; i++) y[i] = op_{name}(x[i]);",
            "}",
        ]
    library = compile_library("\n".join([*lines, "}"]), request.param == torch.float32)
    return request.param, library


def apply(library: ctypes.CDLL, name: str, x: Tensor) -> Tensor:
    y = torch.empty_like(x)
    getattr(library, f"all_{name}")(
        ctypes.c_int64(len(x)), ctypes.c_void_p(x.data_ptr()), ctypes.c_void_p(y.data_ptr())
    )
    return y


def whole_range(dtype: torch.dtype) -> Tensor:
    """Return numbers of every magnitude and sign, denormals among them, and more where functions bend."""
    bits = torch.int32 if dtype == torch.float32 else torch.int64
    largest = torch.tensor(torch.finfo(dtype).max, dtype=dtype).view(bits).item()
    patterns = (torch.rand(300_000, dtype=torch.float64) * largest).to(bits)
    magnitudes = torch.cat([patterns.view(dtype), torch.arange(1, 2000, dtype=bits).view(dtype)])
    near = [torch.linspace(-width, width, 100_001, dtype=dtype) for width in (1e-3, 1.0, 20.0, 120.0, 800.0)]
    minus_one = -1 + torch.logspace(-16, 0, 20_001, dtype=dtype)
    return torch.cat([magnitudes, -magnitudes, *near, minus_one])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions(name: str, functions: tuple[torch.dtype, ctypes.CDLL]) -> None:
    dtype, library = functions
    x = whole_range(dtype)
    if name in ("sin", "cos"):
        x = x[x.abs() < 1e6]
    ours, expected = apply(library, name, x).double(), FUNCTIONS[name](x.double())
    overflows = expected.abs() > torch.finfo(dtype).max
    expected = torch.where(overflows, expected.sign() * INFINITY, expected)
    assert torch.equal(ours.isnan(), expected.isnan())
    assert torch.equal(ours.isinf(), expected.isinf())
    finite = expected.isfinite()
    ours, expected, x = ours[finite], expected[finite], x[finite]
    ulp = (expected.abs() * torch.finfo(dtype).eps).clamp(min=DENORMAL[dtype])
    apart = (ours - expected).abs() / ulp
    worst = int(apart.argmax())
    assert apart[worst] <= ULPS[dtype], (
        f"{name}({x[worst]:.17g}) = {ours[worst]:.17g}, not {expected[worst]:.17g}"
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions_of_what_is_no_number(
    name: str, functions: tuple[torch.dtype, ctypes.CDLL]
) -> None:
    dtype, library = functions
    x = torch.tensor([NAN, INFINITY, -INFINITY, 0.0, -0.0, 1.0, -1.0] * 5, dtype=dtype)
    same(apply(library, name, x), FUNCTIONS[name](x), dtype, name)


# Floating-point state


def halves(dtype: torch.dtype) -> bool:
    """Whether a denormal times 0.5 is still a denormal, in this thread; compared as bits, since where
    denormals are taken for zeros they equal zero."""
    bits = torch.int32 if dtype == torch.float32 else torch.int64
    denormals = torch.full((64,), 4, dtype=bits).view(dtype)
    return bool(((denormals * 0.5).view(bits) == 2).all())


@pytest.mark.usefixtures("no_eager")
@pytest.mark.parametrize("dtype", DTYPES)
def test_denormals_are_left_alone(dtype: torch.dtype) -> None:
    """In this thread, in one that was there before the code was loaded, and in one made afterwards."""
    go, found = threading.Event(), []

    def wait_and_see() -> None:
        go.wait()
        found.append(halves(dtype))

    before = threading.Thread(target=wait_and_see)
    before.start()
    torch.set_num_threads(2)
    rnn = RNN(parse_cell("@cell\ndef f(x, h):\n    return tanh(linear(x, h)) * 0.731\n"), 3, 4, dtype=dtype)
    rnn(torch.randn(5, 8, 3, dtype=dtype))[0].sum().backward()
    go.set()
    before.join()
    after = threading.Thread(target=lambda: found.append(halves(dtype)))
    after.start()
    after.join()
    assert [*found, halves(dtype)] == [True] * 3


@pytest.mark.usefixtures("no_eager")
def test_a_setting_of_the_users_stays() -> None:
    assert torch.set_flush_denormal(True)
    try:
        RNN("lstm", 3, 4)(torch.randn(5, 2, 3))[0].sum().backward()
        assert not halves(torch.float32)
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.usefixtures("no_eager")
@pytest.mark.parametrize("dtype", DTYPES)
def test_cells_compute_with_denormals(dtype: torch.dtype) -> None:
    """By elementwise code and by products, in this thread and in others."""
    torch.set_num_threads(2)
    rnn = RNN(parse_cell("@cell\ndef f(x, h):\n    return linear(0.5 * h, bias=None)\n"), 1, 1, dtype=dtype)
    with torch.no_grad():
        rnn.weight_hh_l0.fill_(0.5)
    starts = (torch.full((1, 8, 1), 16 * DENORMAL[dtype], dtype=dtype),)
    output, _ = rnn(torch.zeros(2, 8, 1, dtype=dtype), starts)
    expected = torch.tensor([4, 1], dtype=dtype)[:, None, None] * DENORMAL[dtype]
    assert torch.equal(output, expected.expand_as(output))


def test_no_flag_trades_exactness_for_speed() -> None:
    forbidden = ("fast-math", "Ofast", "unsafe-math", "finite-math", "associative-math", "reciprocal-math")
    flags: Sequence[str] = [*FLAGS, *(flag for native in NATIVE for flag in native)]
    assert not [flag for flag in flags for word in forbidden if word in flag]
