"""Prints the loops over time: stages and the products between them, forwards and backwards."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from nas_rnn.execution.fused.cpp.addresses import UNITS, Addresses
from nas_rnn.execution.fused.cpp.stages import ROWS, SIZES, number
from nas_rnn.execution.fused.places import Kind, Leaf, field_of
from nas_rnn.execution.fused.schedule import Run

STOP = "    const int64_t stop = running(c.active, t, first, end);"


def print_forward(addresses: Addresses, functions: Collection[str]) -> Iterator[str]:
    """Return the lines of the loop forwards; ``functions`` are the stages' functions that there are."""
    yield f"static void forward(const Call& c, {ROWS}) {{"
    yield f"  {SIZES}"
    yield "  for (int64_t t = 0; t < c.steps; t++) {"
    yield STOP
    for path, units in _restarting(addresses):
        to, source = f"c.before_{path} + t * B * {units}", addresses.carried(path)
        init = number(addresses.schedule.layout.canonical.states[path].init)
        rows = f"c.restarts + t * B, first, stop, end, {units}"
        yield f"    if (c.marks && c.marks[t]) begin_anew({to}, {source}, {rows}, {init});"
    for stage in addresses.schedule.stages:
        if not stage.bulk:
            if f"forward_{stage.number}" in functions:
                yield f"    forward_{stage.number}(c, t, first, stop, gathered, spilled);"
            for run in stage.forward:
                yield f"    {_forward_product(addresses, run)}"
    for path, units in enumerate(addresses.state_units):
        to, source = (
            f"c.new_{path} + (t * B + stop) * {units}",
            f"{addresses.previous(path)} + stop * {units}",
        )
        yield f"    copy({to}, {source}, (end - stop) * {units});"
    yield from ("  }", "}")


def print_backward(addresses: Addresses, functions: Collection[str]) -> Iterator[str]:
    """Return the lines of the loop backwards."""
    yield f"static void backward(const Call& c, {ROWS}) {{"
    yield f"  {SIZES}"
    yield "  for (int64_t t = c.steps - 1; t >= 0; t--) {"
    yield STOP
    for stage in reversed(addresses.schedule.stages):
        if not stage.bulk:
            for run, target, adds in addresses.gradient.products[stage.number]:
                yield f"    {_backward_product(addresses, run, target, adds)}"
            if f"backward_{stage.number}" in functions:
                yield f"    backward_{stage.number}(c, t, first, stop, gathered, spilled);"
    for path, units in enumerate(addresses.state_units):
        if path in addresses.schedule.delayed:
            continue
        size = addresses.schedule.sizes[1 + path]
        new, old = (addresses.d_state(Leaf(kind, path, size)) for kind in (Kind.D_NEW, Kind.D_PREVIOUS))
        yield f"    copy({old} + stop * {units}, {new} + stop * {units}, (end - stop) * {units});"
        yield f"    if (c.marks && c.marks[t]) cut({old}, c.restarts + t * B, first, stop, {units});"
    slots = f"{len(addresses.schedule.slots)} * H"
    yield f"    clear(c.slots + (t * B + stop) * {slots}, (end - stop) * {slots});"
    yield f"    gather(gathered, {addresses.learned_count});"
    yield from ("  }", "}")


def _restarting(addresses: Addresses) -> list[tuple[int, str]]:
    """Return the state paths that may begin anew within a sequence, with their row sizes; delayed ones do not."""
    delayed = addresses.schedule.delayed
    return [(path, units) for path, units in enumerate(addresses.state_units) if path not in delayed]


def print_bulk(name: str, addresses: Addresses) -> Iterator[str]:
    """Return the lines of a stage's function over all rows of the sequence, some rows at a time."""
    yield f"static void all_{name}(const Call& c, {ROWS}) {{"
    yield f"  {SIZES}"
    yield "  for (int64_t r = first; r < end; r += 32) {"
    yield f"    {name}(c, r, r + 32 < end ? r + 32 : end, gathered, spilled);"
    if name.startswith("backward"):
        yield f"    gather(gathered, {addresses.learned_count});"
    yield from ("  }", "}")


def _slots(addresses: Addresses, run: Run) -> tuple[str, str]:
    """Return the address of a run's first slot, and how far rows lie apart."""
    count = len(addresses.schedule.slots)
    return f"c.slots + ((t * B + first) * {count} + {run.slot}) * H", f"{count} * H"


def _forward_product(addresses: Addresses, run: Run) -> str:
    units = UNITS[run.source.size]
    source = f"c.{field_of(run.source)} + (t * B + first) * {units}"
    if run.source.kind is Kind.PREVIOUS:
        source = f"{addresses.previous(run.source.index)} + first * {units}"
    slots, apart = _slots(addresses, run)
    heads, columns = run.matrices[0].heads, f"{len(run.matrices)} * H"
    packed = addresses.packed["forward", run]
    return (
        f"multiply(c.product, c.panel, {heads}, stop - first, {columns}, {units}, {source}, {units}, "
        f"c.{packed}, {slots}, {apart}, {int(run.adds)});"
    )


def _backward_product(addresses: Addresses, run: Run, target: Leaf, adds: bool) -> str:
    units = UNITS[run.source.size]
    if target.kind in (Kind.D_PREVIOUS, Kind.D_NEW) and not addresses.gradient.is_sequence(target):
        to = f"{addresses.d_state(target)} + first * {units}"
    else:
        whole = "t * B + first" if addresses.gradient.is_sequence(target) else "first"
        if target.kind is Kind.D_NEW:
            whole += " + c.steps * B"
        to = f"c.{field_of(target)} + ({whole}) * {units}"
    slots, apart = _slots(addresses, run)
    heads, columns = run.matrices[0].heads, f"{len(run.matrices)} * H"
    packed = addresses.packed["backward", run]
    return (
        f"multiply(c.product, c.panel, {heads}, stop - first, {units}, {columns}, {slots}, {apart}, "
        f"c.{packed}, {to}, {units}, {int(adds)});"
    )
