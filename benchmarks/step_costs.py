"""What a training step of the fused backend spends its time on, part by part, beside what it cannot do without.

    python benchmarks/step_costs.py --cells lstm,gru --json costs.json

Forwards and backwards, float32, one thread, with the gradients of the input and of all weights. In milliseconds, and of
products in billions of operations a second:

    packing              the matrices, as both directions want them, into the panels of the products
    products             of the input and of the states, forwards and backwards
    weights' gradients   the products over all steps
    elementwise          all else that is compiled: the time of both directions when products do nothing
    rest                 Python, autograd, new memory: the step less all of the above

"own products" is `speed.bound`: the same products by torch's functions, into tensors made beforehand; "peak" the speed
of one large product of torch's (2048 x 2048 x 2048).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from speed.bound import make_bound
from speed.cases import SHAPES, TWINS
from speed.rows import Shape
from speed.timing import training_step

import nas_rnn
from nas_rnn.execution import RNN
from nas_rnn.execution.fused.kernels import Kernels, make_kernels
from nas_rnn.execution.fused.toolchain import compile_library

NOTHING = 'extern "C" void nothing() {}\n'
PARTS = ("packing", "products", "weights' gradients", "elementwise")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", default="lstm,gru", help="names of cells, with commas")
    parser.add_argument("--rounds", type=int, default=15, help="steps of each kind, in turns (default: 15)")
    parser.add_argument(
        "--shapes", default="", help="T:B:input:hidden, with commas (default: those of make bench)"
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    shapes = [Shape(*map(int, text.split(":"))) for text in options.shapes.split(",") if text] or list(SHAPES)
    peak = _peak()
    table = Table(title=f"milliseconds a training step (Gflop/s); peak {peak:.0f} Gflop/s")
    for column in ("cell", "T, B, in, hidden", *PARTS, "rest", "whole", "own products", "torch's layer"):
        table.add_column(column, justify="right")
    rows = []
    for name in options.cells.split(","):
        for shape in shapes:
            row = costs(name, shape, options.rounds)
            rows.append(row)
            table.add_row(
                name,
                ":".join(map(str, (shape.steps, shape.batch, shape.input_size, shape.hidden_size))),
                *(_cell(row, part) for part in table_parts(row)),
            )
    Console(width=200).print(table)
    if options.json is not None:
        options.json.write_text(json.dumps({"peak": peak, "rows": rows}, indent=1) + "\n")


def table_parts(row: dict[str, Any]) -> list[str]:
    return [*PARTS, "rest", "whole", "own products", "torch"]


def _cell(row: dict[str, Any], part: str) -> str:
    if row.get(part) is None:
        return ""
    speed = row["gflops"].get(part)
    return f"{row[part]:.2f}" + (f" ({speed:.0f})" if speed else "")


def costs(name: str, shape: Shape, rounds: int) -> dict[str, Any]:
    """Return the milliseconds of each part, medians over ``rounds`` in which all take turns."""
    torch.manual_seed(0)
    cell = nas_rnn.load_cell(name)
    rnn = RNN(cell, shape.input_size, shape.hidden_size)
    x = torch.randn(shape.steps, shape.batch, shape.input_size)
    d_output = torch.randn(shape.steps, shape.batch, shape.hidden_size)
    step = training_step(rnn, x, d_output)
    layout = rnn._layouts[0]
    bound = make_bound(layout, shape.steps, shape.batch)
    twin = TWINS[name](shape.input_size, shape.hidden_size) if name in TWINS else None
    peer = training_step(twin, x, d_output) if twin is not None else None
    kernels = make_kernels(layout, torch.float32)
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 3):
        times = {"whole": _timed(step), "own products": _timed(bound)}
        if peer is not None:
            times["torch"] = _timed(peer)
        with _parts_timed() as parts:
            step()
        with _without(kernels, "product", "turned"), _parts_timed() as bare:
            step()
        with _without(kernels, "turned"), _parts_timed() as unlearned:
            step()
        times |= {
            "packing": parts["pack"],
            "elementwise": bare["loops"],
            "products": unlearned["loops"] - bare["loops"],
            "weights' gradients": parts["loops"] - unlearned["loops"],
        }
        if number >= 3:
            for part, milliseconds in times.items():
                found[part].append(milliseconds)
    row: dict[str, Any] = {part: statistics.median(values) for part, values in found.items()}
    row |= {
        "cell": name,
        "shape": ":".join(map(str, (shape.steps, shape.batch, shape.input_size, shape.hidden_size))),
    }
    row["rest"] = row["whole"] - sum(row.get(part, 0.0) for part in PARTS)
    products = sum(layout.width(m.source) for m in layout.matrices)
    flops = 2 * shape.steps * shape.batch * shape.hidden_size * products
    work = {"products": 2 * flops, "weights' gradients": flops, "own products": 3 * flops}
    row["gflops"] = {part: flops / row[part] / 1e6 for part, flops in work.items() if row.get(part)}
    return row


def _timed(step: Callable[[], None]) -> float:
    start = time.perf_counter()
    step()
    return (time.perf_counter() - start) * 1e3


@contextmanager
def _parts_timed() -> Iterator[dict[str, float]]:
    """Time the packing of matrices, and the compiled code."""
    spent: dict[str, float] = defaultdict(float)
    named = ((Kernels, "pack", "pack"), (Kernels, "call", "loops"))
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in named]

    def timed(method: Callable[..., Any], part: str) -> Callable[..., Any]:
        def run(*arguments: Any, **more: Any) -> Any:
            start = time.perf_counter()
            result = method(*arguments, **more)
            spent[part] += (time.perf_counter() - start) * 1e3
            return result

        return run

    for (owner, name, method), (_, _, part) in zip(kept, named, strict=True):
        setattr(owner, name, timed(method, part))
    try:
        yield spent
    finally:
        for owner, name, method in kept:
            setattr(owner, name, method)


@contextmanager
def _without(kernels: Kernels, *names: str) -> Iterator[None]:
    """Let the compiled products with these names do nothing."""
    address = ctypes.cast(compile_library(NOTHING, True).nothing, ctypes.c_void_p).value
    own = kernels.products
    object.__setattr__(kernels, "products", replace(own, **dict.fromkeys(names, address)))
    try:
        yield
    finally:
        object.__setattr__(kernels, "products", own)


def _peak() -> float:
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    return max(2 * 2048**3 / _timed(lambda: torch.mm(a, b)) / 1e6 for _ in range(5))  # type: ignore[arg-type,return-value]


if __name__ == "__main__":
    main()
