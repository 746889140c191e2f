"""The compiled functions of a cell, ready to be called on tensors."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from nas_rnn.execution.fused.cpp import CppCode, print_cpp
from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.schedule import Schedule, make_schedule
from nas_rnn.execution.fused.toolchain import compile_library, text_of
from nas_rnn.execution.layout import Layout

Function = Callable[..., None]

_loaded: dict[tuple[str, torch.dtype], dict[str, Function]] = {}
"""The functions of each source and dtype that this process has loaded."""


@dataclass(frozen=True)
class Products:
    """The compiled matrix products; ``columns`` is the width of a panel of packed matrices."""

    address: int
    pack: Function
    columns: int

    def size(self, rows: int, columns: int) -> int:
        """Return how many numbers a packed matrix takes."""
        return -(-columns // self.columns) * self.columns * rows


@dataclass(frozen=True)
class Kernels:
    """A cell's compiled functions with what they were made from."""

    schedule: Schedule
    gradient: Gradient
    code: CppCode
    functions: dict[str, Function]
    products: Products

    def call(self, name: str, arguments: ctypes.Array[ctypes.c_int64], rows: int, scratch: Scratch) -> None:
        """Run a function over ``rows``, shared out over the scratch's threads."""
        function, address = self.functions[name], ctypes.addressof(arguments)
        if len(scratch.threads) == 1:
            function(address, 0, rows, *scratch.threads[0])
            return
        ends = [rows * k // len(scratch.threads) for k in range(len(scratch.threads) + 1)]
        parts = list(zip(ends, ends[1:], scratch.threads, strict=False))
        waiting = [_pool().submit(function, address, first, end, *own) for first, end, own in parts[1:]]
        first, end, own = parts[0]
        function(address, first, end, *own)
        for part in waiting:
            part.result()


class Scratch:
    """What each thread of a call writes to for itself: sums of learned numbers' gradients, and spilled rows."""

    def __init__(self, like: Tensor, threads: int, learned: int, spilled: int) -> None:
        self.gathered = like.new_zeros(threads, 2, learned)
        self.spilled = like.new_empty(threads, spilled)
        self.threads = [
            (g.data_ptr(), s.data_ptr()) for g, s in zip(self.gathered, self.spilled, strict=True)
        ]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="nas_rnn")


os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork


@lru_cache(maxsize=1024)
def make_kernels(layout: Layout, dtype: torch.dtype) -> Kernels:
    """Return the compiled functions for ``layout``; `CompileError` where they cannot be had."""
    schedule, gradient, code = printed(layout)
    shared = _pool().submit(products, dtype)  # a machine's first cell waits for both, side by side
    functions = _functions([code], dtype)[0]
    return Kernels(schedule, gradient, code, functions, shared.result())


def prepare(layouts: Sequence[Layout], dtype: torch.dtype) -> None:
    """Compile several cells at once, which is faster than one by one. Raises `CompileError`."""
    _functions([printed(layout)[2] for layout in layouts], dtype)


@lru_cache(maxsize=1024)
def printed(layout: Layout) -> tuple[Schedule, Gradient, CppCode]:
    """Return the schedule of ``layout``, its gradient, and its C++."""
    schedule = make_schedule(layout)
    gradient = Gradient(schedule)
    return schedule, gradient, print_cpp(schedule, gradient)


def _functions(codes: Sequence[CppCode], dtype: torch.dtype) -> list[dict[str, Function]]:
    missing = {code.prefix: code for code in codes if (code.prefix, dtype) not in _loaded}
    if missing:
        source = "\n".join([text_of("cpp/prelude.hpp"), *(code.source for code in missing.values())])
        library = compile_library(source, dtype == torch.float32)
        for code in missing.values():
            _loaded[code.prefix, dtype] = {
                name: _typed(getattr(library, f"{code.prefix}_{name}")) for name in code.entries
            }
    return [_loaded[code.prefix, dtype] for code in codes]


def _typed(function: Any) -> Any:
    number, pointer = ctypes.c_int64, ctypes.c_void_p
    function.argtypes = [pointer, number, number, pointer, pointer]
    function.restype = None
    return function


@cache
def products(dtype: torch.dtype) -> Products:
    """Return the compiled matrix products."""
    library = compile_library(text_of("cpp/products.cpp"), dtype == torch.float32)
    number, pointer = ctypes.c_int64, ctypes.c_void_p
    library.panel_columns.restype = number
    pack = library.pack
    pack.argtypes = [number, number, pointer, number, number, pointer, number, number, number]
    pack.restype = None
    address = ctypes.cast(library.product, pointer).value
    assert address is not None
    return Products(address, pack, library.panel_columns())
