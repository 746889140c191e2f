"""A cell's whole C++: one function that runs a sequence forwards, one backwards, and one that packs matrices for each.

All take a pointer to `Call` and a range of sequences of the batch, so that threads share a batch out; one packs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from nas_rnn.execution.fused.cpp.addresses import SIZES, Addresses
from nas_rnn.execution.fused.cpp.stages import print_stage, spilled_rows
from nas_rnn.execution.fused.cpp.steps import PART, print_backward, print_forward, print_packing
from nas_rnn.execution.fused.forward import forward_code
from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.schedule import Run, Schedule


@dataclass(frozen=True)
class CppCode:
    """The source of a cell's functions, ``{prefix}_{entry}``, and the fields of their argument: sizes first,
    then pointers, all of 8 bytes. ``packed`` says which field takes which packed matrices; ``spilled`` counts
    the rows that a thread needs for values between loops; ``tensors`` names the parameters with matrices, and
    ``gathered`` the fields of all other gradients."""

    prefix: str
    source: str
    entries: tuple[str, ...]
    fields: tuple[str, ...]
    packed: dict[tuple[str, Run], str]
    spilled: int
    tensors: tuple[str, ...]
    gathered: tuple[str, ...]


def print_cpp(schedule: Schedule, gradient: Gradient) -> CppCode:
    """Return the C++ of ``schedule``; it is the same text for all sizes."""
    addresses = Addresses(schedule, gradient)
    codes = {f"forward_{stage.number}": forward_code(schedule, stage) for stage in schedule.stages}
    codes |= {f"backward_{number}": code for number, code in gradient.codes.items()}
    codes = {name: code for name, code in codes.items() if code.effects}
    bulk = [name for name in codes if int(name.rpartition("_")[2]) < schedule.bulk]
    lines = [f"struct Call {{\n  int64_t {', '.join(SIZES)};", *_pointers(addresses), "};"]
    for name, code in codes.items():
        lines += print_stage(name, name in bulk, code, addresses)
    lines += [*print_packing(addresses), *print_forward(addresses, codes), *print_backward(addresses, codes)]
    text = "\n".join(lines)
    prefix = "c" + hashlib.sha256(text.encode()).hexdigest()[:20]
    entries = ("pack_forward", "pack_backward", "forward", "backward")
    doors = "\n".join(_entry(prefix, name) for name in entries)
    source = f'namespace {prefix} {{\n{text}\n}}  // namespace\nextern "C" {{\n{doors}\n}}\n'
    spilled = max((spilled_rows(code) for code in codes.values()), default=0)
    return CppCode(
        prefix,
        source,
        entries,
        (*SIZES, *addresses.fields),
        addresses.packed,
        spilled,
        tuple(addresses.tensors),
        addresses.gathered,
    )


def _pointers(addresses: Addresses) -> list[str]:
    bytes_ = "const uint8_t*"
    types = {
        "product": "Product",
        "turned": "Turned",
        "pack": "Pack",
        "active": "const int64_t*",
        "marks": bytes_,
        "restarts": bytes_,
    }
    types |= {f"size_{k}": "int64_t" for k in range(len(addresses.tensors))}
    return [f"  {types.get(field, 'F*')} {field};" for field in addresses.fields]


def _entry(prefix: str, name: str) -> str:
    return (
        f"void {prefix}_{name}(const void* c, {PART}) {{\n"
        f"  {prefix}::{name}(*(const {prefix}::Call*)c, part, first, end, gathered, spilled);\n}}"
    )
