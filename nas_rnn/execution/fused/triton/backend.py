"""The fused backend on a GPU: elementwise code, scans and loops over time by Triton, other products by torch.

A linear recurrence has no loop. Of other cells the loop is one launch where the weights of a step are few enough
(`nas_rnn.execution.fused.triton.persistent.is_within_reach`), else Python's, with several launches a step. `computing`
asks for one of them, also recorded as a CUDA graph, and for products of bfloat16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from nas_rnn.execution.fused.operator import Make, register_way, run_sequence
from nas_rnn.execution.fused.schedule import Schedule
from nas_rnn.execution.fused.triton.graphs import Graphed
from nas_rnn.execution.fused.triton.kernels import make_kernels
from nas_rnn.execution.fused.triton.launched import device_of
from nas_rnn.execution.fused.triton.persistent import Persistent, is_within_reach
from nas_rnn.execution.fused.triton.scanned import Scanned
from nas_rnn.execution.fused.triton.stepwise import Stepwise
from nas_rnn.execution.layout import Layout

Loop = Literal["auto", "persistent", "stepwise", "graphed"]
LOOPS: tuple[Loop, ...] = ("auto", "persistent", "stepwise", "graphed")
PRODUCTS = {"float32": None, "bfloat16": torch.bfloat16}
"""What factors of products are rounded to, by the names that `computing` takes; None: nothing."""
_asked: str = "triton"


def run_triton(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    x_TBI: Tensor,
    states: tuple[Tensor, ...],
    mask_TB1: Tensor | None,
    restarts_TB1: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction, as `nas_rnn.execution.backends` says; sequences stand in the order of
    falling lengths. Tensors lie on a GPU, or anywhere in Triton's interpreter. Raises `CompileError`."""
    restarts_TB = None if restarts_TB1 is None else restarts_TB1[..., 0]
    with device_of(x_TBI):
        return run_sequence(_asked, layout, list(parameters.values()), x_TBI, states, mask_TB1, restarts_TB)


@contextmanager
def computing(loop: Loop = "auto", products: Literal["float32", "bfloat16"] = "float32") -> Iterator[None]:
    """Within it, sequences run with this loop over time and these products; so do their gradients, whenever.

    ``"persistent"``: in one launch, whatever the cell's size; ``"stepwise"``: step by step; ``"graphed"``: so too, but
    recorded as a CUDA graph from a shape's second call on (`nas_rnn.execution.fused.triton.graphs`). Linear
    recurrences are scans with each. With ``"bfloat16"`` the factors of all products are rounded to it; sums and states
    stay float32. It holds for all threads.
    """
    global _asked
    before, _asked = _asked, _name(loop, products)
    try:
        yield
    finally:
        _asked = before


def is_scanned(layout: Layout) -> bool:
    """Whether the cell is a linear recurrence, which has no loop."""
    return make_kernels(layout).recurrence is not None


def _name(loop: str, products: str) -> str:
    parts = ["triton", *([loop] if loop != "auto" else []), *([products] if products != "float32" else [])]
    return " ".join(parts)


def _launched(
    loop: Loop, products: torch.dtype | None, layout: Layout, dtype: torch.dtype
) -> tuple[Make, Schedule]:
    kernels = make_kernels(layout)
    if dtype == torch.float64:  # which asks for exact products
        products = None
    if kernels.recurrence is not None:
        way: type[Scanned | Persistent | Stepwise] = Scanned
    elif loop == "graphed":
        way = Graphed
    elif loop == "persistent" or (loop == "auto" and is_within_reach(layout, products or dtype)):
        way = Persistent
    else:
        way = Stepwise
    return partial(way, kernels, products), kernels.schedule


for _loop in LOOPS:
    for _products, _dtype in PRODUCTS.items():
        register_way(_name(_loop, _products), partial(_launched, _loop, _dtype))
