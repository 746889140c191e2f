"""The kernels for GPUs, in Triton's interpreter on the CPU, against the reference interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nas_rnn.cells import Cell, Operation, parse_cell
from nas_rnn.cells.graph.expressions import FUNCTIONS
from nas_rnn.cells.graph.operations import operations, register_operation, restore_operations
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.execution.fused import backend as fused_backend
from nas_rnn.execution.fused.backend import fused_problem
from nas_rnn.execution.fused.toolchain import CompileError
from nas_rnn.execution.fused.triton import kernels, modules
from nas_rnn.execution.fused.triton.backend import run_triton
from nas_rnn.execution.layout import make_layout
from nas_rnn.execution.reference import run_reference
from tests.execution.test_linear_recurrences import LINEAR, ZOO
from tests.execution.triton_cases import CLOSE, Case, check, drawn

triton = pytest.importorskip("triton")

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, where a cell divides by zero


@pytest.fixture
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several programs in each direction, and several blocks for each."""
    monkeypatch.setattr(kernels, "ELEMENTS", 4)
    monkeypatch.setattr(kernels, "UNITS", 2)
    monkeypatch.setattr(kernels, "PROGRAMS", 2)
    monkeypatch.setattr(kernels, "SCAN", (2, 4))


def test_kernels_are_interpreted_here() -> None:
    """Without this the others would want a GPU."""
    assert triton.knobs.runtime.interpret
    made = kernels.make_kernels(make_layout(ZOO["lstm"].canonical(), 4, 6))
    assert {type(function).__name__ for function in made.functions.values()} == {"InterpretedFunction"}


@pytest.mark.parametrize("name", ZOO)
def test_published_cells(name: str) -> None:
    worst = Case(ZOO[name], sizes=(3, 2, 4, 4)).worst()
    assert worst is not None and worst < CLOSE[torch.float64]


@pytest.mark.parametrize(
    "name", ["lstm", "gru", "lstm_peephole", "fastgrnn", "minlstm", "nascell", "darts_v2"]
)
def test_published_cells_in_single_precision(name: str) -> None:
    check(ZOO[name], torch.float32)


@pytest.mark.parametrize("seed", range(20))
def test_random_cells(seed: int) -> None:
    check(drawn(seed), torch.float64 if seed % 2 else torch.float32)


def test_most_random_cells_do_not_overflow() -> None:
    """So that they are compared at all."""
    finite = [
        all(tensor.isfinite().all() for tensor in Case(drawn(seed)).results(run_reference))
        for seed in range(20)
    ]
    assert sum(finite) >= 15


@pytest.mark.parametrize("lengths", [(), (4, 2, 1)])
@pytest.mark.parametrize(
    "tested", [ZOO["lstm"], ZOO["gru"], ZOO["nascell"], drawn(3), drawn(12)], ids=lambda c: c.name
)
def test_sequences_that_begin_anew(tested: Cell, lengths: tuple[int, ...]) -> None:
    restarts = [[0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 0, 0]]
    layout = make_layout(tested.canonical(), 4, 6)
    assert fused_backend.can_restart(layout.key, is_gpu=True)
    worst = Case(tested, sizes=(4, 3, 4, 6), lengths=lengths, restarts=restarts).worst()
    assert worst is None or worst < CLOSE[torch.float64]


def test_scans_do_not_begin_anew() -> None:
    assert not fused_backend.can_restart(make_layout(ZOO["mingru"].canonical(), 4, 6).key, is_gpu=True)
    assert fused_backend.can_restart(make_layout(ZOO["mingru"].canonical(), 4, 6).key, is_gpu=False)


@pytest.mark.parametrize("seed", range(100, 105))
def test_sequences_that_end_early(seed: int) -> None:
    check(drawn(seed), sizes=(3, 3, 4, 4), lengths=(3, 2, 1))


@pytest.mark.parametrize("name", ["lstm", "lstm_ln", "fastrnn", "qrnn", "sru"])
@pytest.mark.usefixtures("_small_blocks")
def test_programs_share_rows_and_units(name: str) -> None:
    check(ZOO[name], sizes=(2, 5, 3, 5), lengths=(2, 2, 2, 1, 1))


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (1, 3, 3, 1), (2, 1, 1, 17)])
def test_odd_sizes(sizes: tuple[int, int, int, int]) -> None:
    for name in ("lstm", "lstm_ln", "qrnn"):
        check(ZOO[name], sizes=sizes)


@pytest.mark.parametrize("name", LINEAR)
def test_linear_recurrences_run_as_scans(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []
    original = kernels.scan

    def counted(*arguments: object) -> None:
        calls.append(bool(arguments[-1]))
        original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("nas_rnn.execution.fused.triton.scanned.scan", counted)
    check(LINEAR[name], torch.float32)
    states = 2 if name == "chain" else 1
    assert calls.count(False) == calls.count(True) == states
    check(LINEAR[name], sizes=(4, 3, 4, 4), lengths=(4, 2, 1))


DELAYED = {
    "by a scan": "blend(sigmoid(d), h, tanh(diagonal(u))), u",
    "by a product before the loop": "tanh(linear(tanh(d) * u, h)), u",
    "by steps": "tanh(linear(h) + tanh(d) * u), u",
}
"""Cells that read a state which delays a value and that value too: how, and what they return."""


@pytest.mark.parametrize("how", DELAYED)
@pytest.mark.parametrize("lengths", [(), (4, 3, 1)])
def test_a_value_and_what_it_was_a_step_before_are_read_together(how: str, lengths: tuple[int, ...]) -> None:
    tested = parse_cell(f"@cell\ndef f(x, h, d):\n    u = relu(linear(x))\n    return {DELAYED[how]}\n")
    case = Case(tested, sizes=(4, 3, 3, 5), lengths=lengths)
    assert kernels.make_kernels(case.layout).schedule.delayed == {1}
    worst = case.worst()
    assert worst is not None and worst < CLOSE[torch.float64]


@pytest.mark.usefixtures("_small_blocks")
@pytest.mark.parametrize("name", ["chain", "qrnn"])
def test_a_scan_goes_on_from_block_to_block(name: str) -> None:
    check(LINEAR[name], sizes=(7, 2, 3, 3))
    check(LINEAR[name], sizes=(7, 2, 3, 3), lengths=(7, 4))


def test_gradients_are_found_again_and_differentiated() -> None:
    """A second backward over one graph computes the sequence again; a gradient's gradient is the reference's."""
    for tested in (ZOO["gru"], LINEAR["mingru"]):
        case = Case(tested)
        leaves = case.leaves()
        _, value = case.run(run_triton, leaves)
        first = torch.autograd.grad(value, leaves, retain_graph=True)
        again = torch.autograd.grad(value, leaves, retain_graph=True)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        both = []
        for runner in (run_triton, run_reference):
            leaves = case.leaves()
            _, value = case.run(runner, leaves)
            (d_x,) = torch.autograd.grad(value, leaves[:1], create_graph=True)
            both.append(torch.autograd.grad((d_x * d_x).sum(), leaves[:1])[0])
        torch.testing.assert_close(*both)


VALUES = [
    float("nan"),
    float("inf"),
    -float("inf"),
    0.0,
    -0.0,
    1e-8,
    -1e-8,
    0.3,
    -0.3,
    0.6,
    -0.7,
    5.0,
    -30.0,
    800.0,
]
DERIVATIVES = {1: ("1",), 2: ("1", "1"), 3: ("0", "0", "1")}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_at_all_kinds_of_values(name: str, dtype: torch.dtype) -> None:
    """NaN and infinity give what the reference gives, and small arguments lose no digits."""
    arguments = {1: "a", 2: "a, b", 3: "a < b, a, b + c"}[FUNCTIONS[name]]
    known = operations()
    try:
        row = Operation(
            name=f"tested_{name}", value=f"{name}({arguments})", derivative=DERIVATIVES[FUNCTIONS[name]]
        )
        register_operation(row)
        more = ["x", "h", "h"][: FUNCTIONS[name]]
        tested = parse_cell(
            f"@cell\ndef f(x, h=state(size='input')):\n    return tested_{name}({', '.join(more)})\n"
        )
        layout = make_layout(tested.canonical(), 1, 1)
        grid = torch.tensor([[a, b] for a in VALUES for b in VALUES[:8]], dtype=dtype)
        x, h = grid[None, :, :1], grid[:, 1:]
        ours, right = run_triton(layout, {}, x, (h,), None)[0], run_reference(layout, {}, x, (h,), None)[0]
        tolerance = 1e-14 if dtype == torch.float64 else 1e-6
        torch.testing.assert_close(ours, right, rtol=tolerance, atol=0, equal_nan=True)
    finally:
        restore_operations(known)


# Choosing and loading


def test_a_gpu_needs_triton_and_a_cpu_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_backend, "triton_problem", lambda: "no triton")
    monkeypatch.setattr(fused_backend, "compiler_problem", lambda: "no compiler")
    assert fused_problem(torch.device("cuda", 1)) == "no triton"
    assert fused_problem(torch.device("cpu")) == "no compiler"


def test_without_triton_a_gpu_runs_eagerly(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as that can be told without a GPU."""
    rnn = RNN("lstm", 3, 4)
    monkeypatch.setattr(rnn, "_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(fused_backend, "triton_problem", lambda: None)
    rnn.backend = "fused"
    assert rnn.backend == "fused" and rnn.fallback is None
    monkeypatch.setattr(fused_backend, "triton_problem", lambda: "no triton")
    assert rnn.backend == "eager" and rnn.fallback == "no triton"
    with pytest.raises(UserError, match=r"no triton.*backend='auto'"):
        rnn.backend = "fused"


def test_missing_triton_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    modules.triton_problem.cache_clear()
    monkeypatch.setitem(sys.modules, "triton", None)
    try:
        assert "pip install triton" in str(modules.triton_problem())
        assert modules.triton_problem() is not None
        assert len(caplog.records) == 1
    finally:
        modules.triton_problem.cache_clear()


def test_a_file_that_was_changed_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(modules, "cache_folder", lambda: tmp_path)
    path = tmp_path / "kexample.py"
    path.write_bytes(b"value = 'changed'  # \xff\n")
    assert modules.load_module("kexample", "value = 'right'\n").value == "right"
    assert path.read_text() == "value = 'right'\n"
    with pytest.raises(CompileError, match=r"kbroken\.py cannot be used"):
        modules.load_module("kbroken", "def")


COMPILES = """
import sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from nas_rnn.cells import parse_cell
from nas_rnn.execution.fused.triton import functions
from nas_rnn.execution.fused.triton.kernels import make_kernels
from nas_rnn.execution.fused.triton.persistent import WARPS, block_sizes
from nas_rnn.execution.layout import make_layout
import triton.language as tl

NUMBERS = {"rows", "H", "I", "steps", "width", "B"}
WHICH = {"running": "*i8", "active": "*i32", "restarts": "*u8"}
TYPES = {"fp32": tl.float32, "fp64": tl.float64, "bf16": tl.bfloat16}

def compiled(function, dtype, constants, weights=(), products="", target=80, warps=4):
    kinds = {name: "constexpr" if name in constants else "i32" if name in NUMBERS else WHICH.get(name, f"*{dtype}")
             for name in function.arg_names} | {name: f"*{products}" for name in weights}
    places = {(function.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(function, kinds, places)
    options = {"enable_fp_fusion": True, "num_warps": warps}
    made = triton.compile(source, target=GPUTarget("cuda", target, 32), options=options)
    assert ".entry" in made.asm["ptx"]
    return made.asm["ptx"]

for text in sys.argv[1:]:
    made = make_kernels(make_layout(parse_cell(text).canonical(), 16, 32))
    for kernel in made.code.kernels.values():
        for dtype, type in (("fp32", tl.float32), ("fp64", tl.float64)):
            blocks = made.grid(kernel, 4)[1]
            compiled(made.functions[kernel.name], dtype, {"F": type, "MASKED": dtype == "fp32", **blocks})
            print(kernel.name, dtype)
    if made.recurrence is not None:
        continue
    blocks = block_sizes(made) | {"PRECISION": "ieee"}
    for direction, function in made.sequence_functions.items():
        for dtype, products, packed in (("fp32", "fp32", False), ("fp32", "bf16", True)):
            types = {"F": TYPES[dtype], "P": TYPES[products], "DOT": TYPES[products]}
            constants = {**types, "PACKED": packed, "RESTARTS": packed, **blocks}
            text = compiled(function, dtype, constants, made.sequence.weights, products, 90, WARPS)
            assert ("mma.sync" in text) == (products != "fp32"), "which has exact products"
            assert "ld.global.nc" not in text, "which is not told of what the program itself writes"
            print(direction, products)
for dtype in ("fp32", "fp64"):
    compiled(functions.scan_kernel, dtype, {"BACKWARDS": dtype == "fp32", "STEPS": 4, "UNITS": 16})
print("done")
"""
EVERYTHING = """
@cell
def everything(x, h, c):
    n = layer_norm(linear(x, h)) + diagonal(h) * scalar(0.5) + vector(0.1)
    m = maximum(softplus(n), log_sigmoid(h)) - minimum(exp(-relu(n)), leaky_relu(h))
    return tanh(linear(m)) / (1 + sigmoid(c) * 0.5), blend(sigmoid(n), c, h)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Triton compiles on Linux")
def test_kernels_compile_for_a_gpu(tmp_path: Path) -> None:
    """Down to a GPU's machine code, for which none is needed."""
    scanned = "@cell\ndef scanned(x, h):\n    return blend(sigmoid(linear(x)), h, linear(x))\n"
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path)}
    script = tmp_path / "compiles.py"
    script.write_text(COMPILES)
    asked = [sys.executable, str(script), EVERYTHING, scanned]
    answer = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert answer.stdout.endswith("done\n"), answer.stderr[-2000:]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_computes_what_the_reference_does(tmp_path: Path) -> None:
    """In a process of its own, since this one interprets."""
    script = tmp_path / "on_gpu.py"
    script.write_text(
        "import torch\nfrom nas_rnn.execution import RNN\n"
        "for name in ('lstm', 'lstm_ln', 'fastrnn', 'mingru', 'qrnn'):\n"
        "    rnn = RNN(name, 5, 7, device='cuda', dtype=torch.float64)\n"
        "    assert rnn.backend == 'fused'\n"
        "    x = torch.randn(9, 3, 5, device='cuda', dtype=torch.float64)\n"
        "    found = []\n"
        "    for backend in ('fused', 'reference'):\n"
        "        rnn.backend = backend\n"
        "        rnn.zero_grad()\n"
        "        output, _ = rnn(x)\n"
        "        output.square().sum().backward()\n"
        "        found.append([output, *(p.grad for p in rnn.parameters())])\n"
        "    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-9)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    answer = subprocess.run(
        [sys.executable, str(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
