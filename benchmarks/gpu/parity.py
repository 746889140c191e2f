"""Whether what runs on the device computes what the reference does, in double precision on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import nas_rnn
from nas_rnn.cells import Cell
from nas_rnn.execution import RNN
from nas_rnn.execution.fused.triton.backend import Loop, computing, is_scanned, run_triton
from nas_rnn.execution.layout import Layout, make_layout
from nas_rnn.execution.reference import run_reference
from nas_rnn.training.memory import explain_out_of_memory

ALLOWED = {"float32": 1e-4, "bfloat16": 0.03}
"""Largest relative error of any tensor, by the factors of products."""
CELLS = ("lstm", "gru", "lstm_ln", "slstm4", "mingru", "nascell", "fastgrnn", "qrnn", "indrnn", "darts_v2")
"""The published cells that are checked, the most telling first: layer norms, heads, scans, many levels."""


@dataclass(frozen=True)
class Question:
    """One cell at one size, run in one way."""

    cell: Cell
    kind: str
    loop: Loop
    products: Any
    sizes: tuple[int, int, int, int]


def questions(cells: list[Cell], small: bool) -> Iterator[Question]:
    """Yield what is asked of each cell; ``small`` is for Triton's interpreter."""
    for cell in cells:
        sizes = (3, 4, 4, 8) if small else (12, 20, 48, 80)
        scanned = is_scanned(make_layout(cell.canonical(), *sizes[2:]))
        loops: list[Loop] = ["auto"] if scanned else ["persistent", "stepwise", "graphed"]
        for loop in loops:
            yield Question(cell, "plain", loop, "float32", sizes)
            if loop != "graphed":
                yield Question(cell, "lengths" if scanned else "lengths and restarts", loop, "float32", sizes)
        yield Question(cell, "plain", loops[0], "bfloat16", sizes)
        if not scanned and not small:
            odd = (5, 17, 3, 38)  # blocks that are not full, and no heads but pairs
            yield Question(cell, "odd sizes", "persistent", "float32", odd)


def answer(question: Question, device: torch.device, seed: int) -> dict[str, Any]:
    """Return a row: the worst error of outputs, states and gradients, and whether a second run gives other bits."""
    about = {
        "cell": question.cell.name,
        "kind": question.kind,
        "loop": question.loop,
        "products": question.products,
        "sizes": list(question.sizes),
        "allowed": ALLOWED[question.products],
    }
    try:
        error, moved = _measured(question, device, seed)
    except Exception as problem:
        told = explain_out_of_memory(problem) or f"{type(problem).__name__}: {str(problem).splitlines()[:1]}"
        return {**about, "error": None, "moved": None, "right": False, "problem": told}
    right = error <= about["allowed"] and not moved
    return {**about, "error": error, "moved": moved, "right": right, "problem": None}


def _measured(question: Question, device: torch.device, seed: int) -> tuple[float, bool]:
    torch.manual_seed(seed)
    steps, batch, inputs, hidden = question.sizes
    layout = make_layout(question.cell.canonical(), inputs, hidden)
    rnn = RNN(question.cell, inputs, hidden)
    parameters = {name: rnn.get_parameter(f"{name}_l0").detach() for name, _ in layout.shapes}
    leaves = [torch.randn(steps, batch, inputs)]
    leaves += [torch.randn(batch, size) / 2 for size in layout.state_sizes] + list(parameters.values())
    mask = restarts = None
    if "lengths" in question.kind:
        lengths = torch.randint(1, steps + 1, (batch,)).sort(descending=True).values
        lengths[0] = steps
        mask = (torch.arange(steps)[:, None] < lengths)[..., None]
    if "restarts" in question.kind:
        restarts = torch.rand(steps, batch, 1) < 0.3
    factors = [torch.randn(steps, batch, layout.state_sizes[0])]
    factors += [torch.randn(batch, size) for size in layout.state_sizes]

    def run(runner: Callable[..., Any], dtype: torch.dtype, where: torch.device) -> list[Tensor]:
        def there(tensor: Tensor | None) -> Tensor | None:
            if tensor is None:
                return None
            return tensor.to(where) if tensor.dtype == torch.bool else tensor.to(where, dtype)

        return _results(runner, layout, [there(t) for t in leaves], there(mask), there(restarts), factors)  # type: ignore[misc]

    expected = run(run_reference, torch.float64, torch.device("cpu"))
    with computing(question.loop, question.products):
        turns = 3 if question.loop == "graphed" else 2  # a graph is recorded at the second
        found = [run(run_triton, torch.float32, device) for _ in range(turns)]
    moved = any(not torch.equal(a, b) for a, b in zip(found[-2], found[-1], strict=True))
    return max(map(_error, found[-1], expected)), moved


def _results(
    runner: Callable[..., Any],
    layout: Layout,
    leaves: list[Tensor],
    mask: Tensor | None,
    restarts: Tensor | None,
    factors: list[Tensor],
) -> list[Tensor]:
    """Return outputs, final states, and the gradients of the input, the starts and all weights, on the CPU."""
    leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    paths = len(layout.state_sizes)
    named = dict(zip((name for name, _ in layout.shapes), leaves[1 + paths :], strict=True))
    output, finals = runner(layout, named, leaves[0], tuple(leaves[1 : 1 + paths]), mask, restarts)
    if mask is not None:
        output = torch.where(mask, output, 0.0)
    results = [output, *finals]
    value = sum((r * f.to(r)).sum() for r, f in zip(results, factors, strict=True))
    assert isinstance(value, Tensor)
    gradients = torch.autograd.grad(value, leaves, allow_unused=True)
    filled = [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, gradients, strict=True)]
    return [tensor.detach().cpu() for tensor in (*results, *filled)]


def _error(ours: Tensor, right: Tensor) -> float:
    difference = float((ours.double() - right).norm())
    size = float(right.norm())
    error = difference / size if size > 1e-6 else difference
    return error if error == error else float("inf")  # NaN never passes


def parity_cells(names: tuple[str, ...], drawn: int) -> list[Cell]:
    """Return published cells, and random ones of `gated`."""
    space = nas_rnn.load_space("gated")
    return [nas_rnn.load_cell(n) for n in names] + [space.sample(seed=seed).cell for seed in range(drawn)]
