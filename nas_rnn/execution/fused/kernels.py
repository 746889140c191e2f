"""The compiled functions of a cell, ready to be called on tensors."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any

import torch

from nas_rnn.execution.fused.cpp import CppCode, print_cpp
from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.openmp import find_openmp
from nas_rnn.execution.fused.schedule import Run, Schedule
from nas_rnn.execution.fused.scheduler import make_schedule
from nas_rnn.execution.fused.toolchain import CompileError, compile_library, text_of
from nas_rnn.execution.layout import Layout

Function = Callable[..., None]

MOST_SOURCE = 120_000
"""How many characters of C++ one cell may have: so many, of some 600 operations, compile for about a minute."""

_loaded: dict[tuple[str, torch.dtype], dict[str, Function]] = {}
"""The functions of each source and dtype that this process has loaded."""


@dataclass(frozen=True)
class Products:
    """The compiled matrix products, and the addresses of those that compiled code calls; ``columns`` is the width of a
    panel of packed matrices."""

    product: int
    turned: int
    pack: int
    room: Callable[[int], int]
    share_out: Function
    columns: int

    def size(self, rows: int, columns: int) -> int:
        """Return how many numbers a packed matrix takes."""
        return -(-columns // self.columns) * self.columns * rows


@dataclass(frozen=True)
class Packed:
    """Where packed matrices begin, and how many numbers they have together."""

    places: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class Kernels:
    """A cell's compiled functions with what they were made from."""

    schedule: Schedule
    gradient: Gradient
    code: CppCode
    functions: dict[str, Function]
    products: Products

    @cached_property
    def packed(self) -> dict[str, Packed]:
        """Where, for each direction, the packed matrices of all fields lie in one block."""
        found: dict[str, Packed] = {}
        for direction in ("forward", "backward"):
            size, places = 0, list[int]()
            for when, run in self.code.packed:
                places.append(size)
                size += aligned(self._packed_size(run)) if when == direction else 0
            found[direction] = Packed(tuple(places), size)
        return found

    def _packed_size(self, run: Run) -> int:
        """Return how many numbers a run's packed matrices take at most, in either direction."""
        layout, heads = self.schedule.layout, run.matrices[0].heads
        width = layout.input_size if run.source.size == "input" else layout.hidden_size
        out, size = len(run.matrices) * layout.hidden_size // heads, width // heads
        return heads * max(self.products.size(size, out), self.products.size(out, size))

    @cached_property
    def multiplied(self) -> frozenset[str]:
        """The parameters all of which takes part in products."""
        counts: dict[str, int] = {}
        for run in (run for stage in self.schedule.stages for run in stage.backward):
            for place in (matrix.place for matrix in run.matrices):
                counts[place.tensor] = counts.get(place.tensor, 0) + place.stop - place.start
        return frozenset(name for name, shape in self.schedule.layout.shapes if counts.get(name) == shape[0])

    @cached_property
    def spilled(self) -> int:
        """How many numbers a part keeps between loops."""
        return aligned(self.code.spilled * self._widest)

    @cached_property
    def room(self) -> int:
        """How many numbers a part needs for gradients of matrices."""
        return self.products.room(self._widest)

    @property
    def _widest(self) -> int:
        return max(self.schedule.layout.input_size, self.schedule.layout.hidden_size)

    @cached_property
    def restarting(self) -> tuple[int, ...]:
        """The state paths that may begin anew within a sequence."""
        paths = range(len(self.schedule.layout.canonical.states))
        return tuple(path for path in paths if path not in self.schedule.delayed)

    def pack(self, name: str, arguments: ctypes.Array[ctypes.c_int64]) -> None:
        """Pack the matrices for a function's products."""
        self.functions[f"pack_{name}"](ctypes.addressof(arguments), 0, 0, 0, 0, 0)

    def call(self, name: str, arguments: ctypes.Array[ctypes.c_int64], rows: int, scratch: Scratch) -> None:
        """Run a function over ``rows``, shared out over the scratch's threads."""
        function, address = self.functions[name], ctypes.addressof(arguments)
        if scratch.parts == 1:
            function(address, 0, 0, rows, scratch.gathered, scratch.spilled)
            return
        openmp = find_openmp()
        assert openmp is not None, "work is cut into parts only where threads are found for them"
        shares = (ctypes.c_int64 * 10)(
            _address(function),
            address,
            rows,
            scratch.parts,
            scratch.gathered,
            scratch.gathered_apart,
            scratch.spilled,
            scratch.spilled_apart,
            openmp.number,
            openmp.threads,
        )
        self.products.share_out(openmp.parallel, ctypes.addressof(shares))


@dataclass(frozen=True)
class Scratch:
    """What each part of a call writes to for itself, sums of learned numbers' gradients and all else: addresses, and
    how many numbers lie between those of two parts."""

    parts: int
    gathered: int
    gathered_apart: int
    spilled: int
    spilled_apart: int


@lru_cache(maxsize=1024)
def make_kernels(layout: Layout, dtype: torch.dtype) -> Kernels:
    """Return the compiled functions for ``layout``; `CompileError` where they cannot be had."""
    schedule, gradient, code = printed(layout)
    with ThreadPoolExecutor(1) as beside:  # a machine's first cell waits for both, side by side
        shared = beside.submit(products, dtype)
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
    for code in codes:
        if len(code.source) > MOST_SOURCE:
            raise CompileError(
                f"the cell is too large to be compiled: its C++ has {len(code.source):,} characters, and at most "
                f"{MOST_SOURCE:,} are compiled; the eager backend runs a cell of any size"
            )
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
    function.argtypes = [pointer, number, number, number, pointer, pointer]
    function.restype = None
    return function


@cache
def products(dtype: torch.dtype) -> Products:
    """Return the compiled matrix products."""
    library = compile_library(text_of("cpp/products.cpp"), dtype == torch.float32)
    number, pointer = ctypes.c_int64, ctypes.c_void_p
    library.panel_columns.restype = number
    library.share_out.argtypes = [pointer, pointer]
    library.share_out.restype = None
    library.room_for.argtypes = [number]
    library.room_for.restype = number
    return Products(
        _address(library.product),
        _address(library.turned),
        _address(library.pack),
        library.room_for,
        library.share_out,
        library.panel_columns(),
    )


def aligned(numbers: int) -> int:
    """Return how many numbers are kept room for, so that what follows begins with a cache line."""
    return -(-numbers // 16) * 16


def _address(function: Any) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return address
