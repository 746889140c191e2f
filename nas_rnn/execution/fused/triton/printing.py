"""Prints the row code of a stage as a Triton kernel over rows.

A program takes a block of rows at a time and a block of their units: all of them where the code adds up over
units, or over rows into a learned number. What learned rows and numbers gather is added up within a program
and kept a row for each program, so that no two add to one place and results do not depend on their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from nas_rnn.execution.fused.loops import is_elementwise
from nas_rnn.execution.fused.places import Kind, Leaf, field_of
from nas_rnn.execution.fused.rowcode import Effect, RowCode, Width
from nas_rnn.execution.fused.schedule import Schedule

HEADER = '''"""Kernels of one cell, printed by nas_rnn; see nas_rnn/execution/fused/triton/printing.py."""

import triton
import triton.language as tl
from nas_rnn.execution.fused.triton.functions import (
    begin_anew, clear_rows, copy_rows, multiply, op_expm1, op_log1p, op_maximum, op_minimum, op_sigmoid, op_sign,
    op_tanh,
)
'''
OWN = frozenset({"expm1", "log1p", "maximum", "minimum", "sigmoid", "sign", "tanh"})
"""The functions that are not Triton's; what Triton calls maximum and minimum loses NaN."""
UNITS = {"hidden": ("H", "h"), "input": ("I", "i")}
"""How many units a row of a size has, and how the names of its columns and its mask end."""
ONE = "tl.zeros((1, 1), tl.int32)", "tl.full((1, 1), 1, tl.int1)"
"""The column and the mask of a single number."""
FIXED = ("rows", "H", "I", "running")
"""The parameters of all kernels before the tensors: how many rows, hidden_size, input_size, and which rows
are computed at all (read only where ``MASKED``)."""


@dataclass(frozen=True)
class Kernel:
    """A printed kernel: its parameters after `FIXED`, and what of it decides how it is called. ``adds``:
    whether it adds to gradients of learned numbers."""

    name: str
    source: str
    tensors: tuple[str, ...]
    whole_rows: bool
    adds: bool


@dataclass(frozen=True)
class TritonCode:
    """A module's name and text, and its kernels by name."""

    name: str
    source: str
    kernels: Mapping[str, Kernel]


def print_triton(schedule: Schedule, codes: Mapping[str, RowCode]) -> TritonCode:
    """Return the kernels of ``codes`` (without those that do nothing); it is the same text for all sizes."""
    kernels = {name: _Printer(schedule, code).kernel(name) for name, code in codes.items() if code.effects}
    name, source = module_of([kernel.source for kernel in kernels.values()])
    return TritonCode(name, source, kernels)


def module_of(kernels: Iterable[str]) -> tuple[str, str]:
    """Return the name and the text of a module of printed kernels."""
    source = "\n\n".join([HEADER, *kernels])
    return "k" + hashlib.sha256(source.encode()).hexdigest()[:31], source


def tensor_of(leaf: Leaf) -> str:
    """Return the name of the parameter for a place."""
    if leaf.kind in (Kind.D_PREVIOUS, Kind.D_NEW):
        return f"{leaf.kind.value}_{leaf.index}"
    return field_of(leaf)


class RowPrinter:
    """Prints the code of a stage for a block of rows ``r`` and units ``h``, ``i``, those inside of ``in_r``, ``in_h``,
    ``in_i``; ``widths`` names the blocks' sizes."""

    def __init__(self, schedule: Schedule, code: RowCode) -> None:
        self.widths = {"hidden": "UH", "input": "UI", "one": "1"}
        self.schedule, self.code = schedule, code
        loads = [s.detail for s in code.statements if s.call == "load"]
        stores = [leaf for effect, leaf, _ in code.effects if effect is Effect.STORE]
        self.in_place = bool(set(loads) & set(stores))
        self.added: list[tuple[int, Effect, Leaf]] = [
            (k, effect, leaf)
            for k, (effect, leaf, _) in enumerate(code.effects)
            if effect is not Effect.STORE
        ]
        self.tensors = tuple(dict.fromkeys(tensor_of(leaf) for leaf in (*loads, *stores)))
        if self.added:
            self.tensors += ("gathered",)
        self.whole_rows = any(s.call == "sum" for s in code.statements) or any(
            effect is Effect.ADD_NUMBER for _, effect, _ in self.added
        )

    def expression(self, index: int) -> str:
        statement = self.code.statements[index]
        match statement.call:
            case "load":
                address, mask = self.place(statement.detail, statement.width)
                return f"tl.load({address}, mask={mask}, other=0.0)"
            case "number":
                return f"tl.full((1, 1), {number(statement.detail)}, F)"
            case "units":
                hidden, inputs = statement.detail
                return f"tl.zeros((1, 1), F) + ({hidden} * H + {inputs} * I)"
            case "sum":
                (value,) = statement.arguments
                inside = f"in_{UNITS[self.code.statements[value].width][1]}"
                return f"tl.sum(tl.where({inside}, v{value}, 0.0), 1, keep_dims=True)"
        return applied(statement.call, [f"v{i}" for i in statement.arguments])

    def place(self, leaf: Leaf, width: Width) -> tuple[str, str]:
        """Return the addresses of a block of ``leaf``, and its mask."""
        if leaf.kind is Kind.NUMBER:
            return f"learned + {self.learned(leaf)} + {ONE[0]}", ONE[1]
        if leaf.kind is Kind.MOMENT:
            return f"moments + r * {2 * len(self.schedule.norms)} + {leaf.index}", "in_r"
        units, end = UNITS[leaf.size]
        if leaf.kind is Kind.ROW:
            return f"learned + {self.learned(leaf)} + {end}", f"in_{end}"
        row = f"{self.row(leaf)} * {units}"
        if leaf.kind is Kind.SLOT:
            row = f"(r * {len(self.schedule.slots)} + {leaf.index}) * H"
        return f"{tensor_of(leaf)} + {row} + {end}", f"in_r & in_{end}"

    def row(self, leaf: Leaf) -> str:
        """Return the number of a row within the tensor of ``leaf``."""
        return "r"

    def learned(self, leaf: Leaf) -> str:
        hidden, inputs, numbers = self.schedule.before(leaf)
        return f"{hidden} * H + {inputs} * I + {numbers}"

    def store(self, leaf: Leaf, value: int) -> str:
        address, mask = self.place(leaf, self.code.statements[value].width)
        return (
            f"tl.store({address}, tl.broadcast_to(v{value}, (ROWS, {self.widths[leaf.size]})), mask={mask})"
        )

    def added_up(self, effect: Effect, leaf: Leaf, value: int) -> str:
        """Return what a block of rows adds to the gradient of a learned row or number."""
        if effect is Effect.ADD_ROW:
            return f"tl.sum(tl.where(in_r & in_{UNITS[leaf.size][1]}, v{value}, 0.0), 0, keep_dims=True)"
        width = self.code.statements[value].width
        assert is_elementwise(width), "a learned number is added to over units"
        inside = f"in_r & in_{UNITS[width][1]}"
        return f"tl.sum(tl.sum(tl.where({inside}, v{value}, 0.0), 1, keep_dims=True), 0, keep_dims=True)"

    def gathered(self, effect: Effect, leaf: Leaf) -> tuple[str, str]:
        """Return where the program gathers that gradient, in a row of its own, and the mask."""
        count = self.learned(Leaf(Kind.NUMBER, len(self.schedule.numbers), "one"))
        column, mask = ONE
        if effect is Effect.ADD_ROW:
            column = UNITS[leaf.size][1]
            mask = f"in_{column}"
        return f"gathered + program * ({count}) + {self.learned(leaf)} + {column}", mask


class _Printer(RowPrinter):
    """Prints a kernel of its own for a stage."""

    def kernel(self, name: str) -> Kernel:
        return Kernel(
            name, "\n".join(self.lines(name)) + "\n", self.tensors, self.whole_rows, bool(self.added)
        )

    def lines(self, name: str) -> Iterator[str]:
        sizes = (
            "F: tl.constexpr, MASKED: tl.constexpr, ROWS: tl.constexpr, UH: tl.constexpr, UI: tl.constexpr"
        )
        yield '@triton.jit(do_not_specialize=["rows"])'
        yield f"def {name}({', '.join((*FIXED, *self.tensors))}, {sizes}):"
        yield "    program = tl.program_id(0)"
        for units, end in UNITS.values():
            yield f"    {end} = tl.program_id(1) * U{units} + tl.arange(0, U{units})[None, :]"
            yield f"    in_{end} = {end} < {units}"
        for k, effect, leaf in self.added:
            width = self.widths[leaf.size] if effect is Effect.ADD_ROW else "1"
            yield f"    g{k} = tl.zeros((1, {width}), F)"
        yield "    for first in range(program * ROWS, rows, tl.num_programs(0) * ROWS):"
        yield "        r = (first + tl.arange(0, ROWS)[:, None]).to(tl.int64)"
        yield "        in_r = r < rows"
        yield "        if MASKED:"
        yield "            in_r = in_r & (tl.load(running + r, mask=in_r, other=0) != 0)"
        for index in range(len(self.code.statements)):
            yield f"        v{index} = {self.expression(index)}"
        if self.in_place:  # another thread may hold a copy of what one writes
            yield "        tl.debug_barrier()"
        for k, (effect, leaf, value) in enumerate(self.code.effects):
            if effect is Effect.STORE:
                yield f"        {self.store(leaf, value)}"
            else:
                yield f"        g{k} += {self.added_up(effect, leaf, value)}"
        for k, effect, leaf in self.added:
            place, mask = self.gathered(effect, leaf)
            yield f"    p{k} = {place}"
            yield f"    tl.store(p{k}, tl.load(p{k}, mask={mask}, other=0.0) + g{k}, mask={mask})"


def number(value: float | str) -> str:
    """Return a literal."""
    if value in ("nan", float("inf"), -float("inf")):
        return f'float("{value}")'
    return repr(value)


def applied(call: str, values: list[str]) -> str:
    """Return a function or operator of ``values``."""
    if call.startswith("where"):
        left, right, yes, no = values
        return f"tl.where({left} {call[5:]} {right}, {yes}, {no})"
    if call == "neg":
        return f"{values[0]} * -1.0"  # Triton's own -a is 0 - a, which loses the sign of zero
    if call in ("+", "-", "*", "/"):
        return f"{values[0]} {call} {values[1]}"
    return f"{'op_' if call in OWN else 'tl.'}{call}({', '.join(values)})"
