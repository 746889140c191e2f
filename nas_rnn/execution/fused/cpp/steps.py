"""Prints the loops over time: stages and the products between them, forwards and backwards."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from nas_rnn.execution.fused.cpp.addresses import UNITS, Addresses
from nas_rnn.execution.fused.cpp.stages import ROWS, SIZES, number
from nas_rnn.execution.fused.places import Kind, Leaf, field_of
from nas_rnn.execution.fused.schedule import Run
from nas_rnn.execution.layout import Place

PART = f"int64_t part, {ROWS}"
"""The parameters of the two functions after the call itself: which part, and what `ROWS` says."""
STOP = "      const int64_t stop = running(c.active, t, first, end);"
CHUNK = "    const int64_t until = t0 + c.chunk < c.steps ? t0 + c.chunk : c.steps;"
ROOM = "int64_t* rows = (int64_t*)(spilled + c.spilled);\n  F* room = (F*)(rows + c.chunk * (end - first));"
NUMBERED = "    const int64_t count = numbered(c.active, t0, until, B, first, end, rows);"

STEP = "stop - first, 0"
"""The rows of one step, in the place of those that are numbered."""


def print_packing(addresses: Addresses) -> Iterator[str]:
    """Return the lines that pack all matrices for the products of one direction."""
    for direction in ("forward", "backward"):
        yield f"static void pack_{direction}(const Call& c, {PART}) {{"
        yield f"  {SIZES}"
        for (when, run), field in addresses.packed.items():
            if when == direction:
                is_of_input = direction == "backward" and run.source.kind is Kind.X
                yield from _packing(addresses, run, field, direction, is_of_input)
        yield "}"


def _packing(
    addresses: Addresses, run: Run, field: str, direction: str, only_if_needed: bool
) -> Iterator[str]:
    units, condition = UNITS[run.source.size], "if (c.d_x_needed) " if only_if_needed else ""
    for first, matrices in run.neighbours:
        place, heads = matrices[0].place, matrices[0].heads
        matrix = (
            f"{heads}, {len(matrices)} * H, {units}, {_part_of(addresses, 'matrix', place, heads, units)}"
        )
        if direction == "forward":
            yield f"  pack_turned(c.pack, c.panel, {matrix}, c.{field}, {first} * H);"
        else:
            rows = f"{first} * H, {len(run.matrices)} * H"
            yield f"  {condition}pack_plain(c.pack, c.panel, {matrix}, c.{field}, {rows});"


def _part_of(addresses: Addresses, what: str, place: Place, heads: int, units: str) -> str:
    """Return the address of matrices, or of their gradients, within the parameter that they lie in."""
    start = place.start // addresses.schedule.layout.hidden_size if heads == 1 else 0
    whole = f"c.{what}_{addresses.tensors.index(place.tensor)}"
    return f"{whole} + {start} * H * {units}" if start else whole


def print_forward(addresses: Addresses, functions: Collection[str]) -> Iterator[str]:
    """Return the lines of the loop forwards; ``functions`` are the stages' functions that there are.

    The stages before the loop, and their products, are run for some steps at a time, just before these steps.
    """
    stages = addresses.schedule.stages
    yield f"static void forward(const Call& c, {PART}) {{"
    yield f"  {SIZES}"
    yield f"  {ROOM}"
    yield "  for (int64_t t0 = 0; t0 < c.steps; t0 += c.chunk) {"
    yield from (CHUNK, NUMBERED)
    for stage in stages:
        if stage.bulk:
            yield from _bulk_stage(f"forward_{stage.number}", functions)
            for run in stage.forward:
                yield f"    {_forward_product(addresses, run, 'count, rows')}"
    yield "    for (int64_t t = t0; t < until; t++) {"
    yield STOP
    for path, units in _restarting(addresses):
        to, source = f"c.before_{path} + t * B * {units}", addresses.carried(path)
        init = number(addresses.schedule.layout.canonical.states[path].init)
        within = f"c.restarts + t * B, first, stop, end, {units}"
        yield f"      if (c.marks && c.marks[t]) begin_anew({to}, {source}, {within}, {init});"
    for stage in stages:
        if not stage.bulk:
            if f"forward_{stage.number}" in functions:
                yield f"      forward_{stage.number}(c, t, first, stop, gathered, spilled);"
            for run in stage.forward:
                yield f"      {_forward_product(addresses, run, STEP)}"
    for path, units in enumerate(addresses.state_units):
        to, source = (
            f"c.new_{path} + (t * B + stop) * {units}",
            f"{addresses.previous(path)} + stop * {units}",
        )
        yield f"      copy({to}, {source}, (end - stop) * {units});"
    yield from ("    }", "  }", "}")


def print_backward(addresses: Addresses, functions: Collection[str]) -> Iterator[str]:
    """Return the lines of the loop backwards. After some steps come the stages before the loop and the gradients of all
    matrices, for these steps."""
    stages, gradient = addresses.schedule.stages, addresses.gradient
    yield f"static void backward(const Call& c, {PART}) {{"
    yield f"  {SIZES}"
    yield f"  {ROOM}"
    yield "  for (int64_t t0 = (c.steps - 1) / c.chunk * c.chunk; t0 >= 0; t0 -= c.chunk) {"
    yield CHUNK
    yield "    for (int64_t t = until - 1; t >= t0; t--) {"
    yield STOP
    for stage in reversed(stages):
        if not stage.bulk:
            for run, target, adds in gradient.products[stage.number]:
                yield f"      {_backward_product(addresses, run, target, adds, STEP)}"
            if f"backward_{stage.number}" in functions:
                yield f"      backward_{stage.number}(c, t, first, stop, gathered, spilled);"
    for path, units in _restarting(addresses):
        size = addresses.schedule.sizes[1 + path]
        new, old = (addresses.d_state(Leaf(kind, path, size)) for kind in (Kind.D_NEW, Kind.D_PREVIOUS))
        yield f"      copy({old} + stop * {units}, {new} + stop * {units}, (end - stop) * {units});"
        yield f"      if (c.marks && c.marks[t]) cut({old}, c.restarts + t * B, first, stop, {units});"
    yield f"      gather(gathered, {addresses.learned_count});"
    yield "    }"
    yield NUMBERED
    for stage in reversed(stages):
        if stage.bulk:
            for run, target, adds in gradient.products[stage.number]:
                needed = "if (c.d_x_needed) " if target.kind is Kind.D_X else ""
                yield f"    {needed}{_backward_product(addresses, run, target, adds, 'count, rows')}"
            for path in sorted(addresses.schedule.delayed):
                if addresses.schedule.output_stages[path] == stage.number:
                    yield f"    join(c.d_state_{path}, B, c.steps, count, rows, {addresses.state_units[path]});"
            yield from _bulk_stage(f"backward_{stage.number}", functions)
            if f"backward_{stage.number}" in functions:
                yield f"    gather(gathered, {addresses.learned_count});"
    for stage in stages:
        for run in stage.backward:
            yield from _weight_gradients(addresses, run)
    yield from ("  }", "}")


def _restarting(addresses: Addresses) -> list[tuple[int, str]]:
    """Return the state paths that are computed step by step, with their row sizes: not the delayed ones."""
    delayed = addresses.schedule.delayed
    return [(path, units) for path, units in enumerate(addresses.state_units) if path not in delayed]


def _bulk_stage(name: str, functions: Collection[str]) -> Iterator[str]:
    """Return the lines that run a stage's function on some steps' rows."""
    if name in functions:
        yield "    for (int64_t t = t0; t < until; t++)"
        yield f"      {name}(c, t * B + first, t * B + running(c.active, t, first, end), gathered, spilled);"


def _slots(addresses: Addresses, run: Run, rows: str) -> str:
    """Return where a run's slots are, for one step or for the numbered rows of the sequence."""
    count = len(addresses.schedule.slots)
    first = f"(t * B + first) * {count} * H + " if rows == STEP else ""
    return f"Rows{{c.slots + {first}{run.slot} * H, 0, {count} * H, 0}}"


def _source(addresses: Addresses, leaf: Leaf, rows: str) -> str:
    """Return where the value is that products read."""
    units = UNITS[leaf.size]
    if rows == STEP:
        base = f"c.{field_of(leaf)} + (t * B + first) * {units}"
        if leaf.kind is Kind.PREVIOUS:
            base = f"{addresses.previous(leaf.index)} + first * {units}"
        return f"Rows{{{base}, 0, {units}, 0}}"
    if leaf.kind is not Kind.PREVIOUS:
        return f"Rows{{c.{field_of(leaf)}, 0, {units}, 0}}"
    carried = f"Rows{{c.new_{leaf.index}, c.start_{leaf.index}, {units}, B}}"
    if leaf.index in addresses.schedule.delayed:
        return carried
    return f"(c.marks ? Rows{{c.before_{leaf.index}, 0, {units}, 0}} : {carried})"


def _forward_product(addresses: Addresses, run: Run, rows: str) -> str:
    heads, columns = run.matrices[0].heads, f"{len(run.matrices)} * H"
    return (
        f"multiply(c.product, c.panel, {heads}, {rows}, {columns}, {UNITS[run.source.size]}, "
        f"{_source(addresses, run.source, rows)}, c.{addresses.packed['forward', run]}, "
        f"{_slots(addresses, run, rows)}, {int(run.adds)});"
    )


def _backward_product(addresses: Addresses, run: Run, target: Leaf, adds: bool, rows: str) -> str:
    units, is_sequence = UNITS[run.source.size], addresses.gradient.is_sequence(target)
    if target.kind in (Kind.D_PREVIOUS, Kind.D_NEW) and not is_sequence:
        to = f"{addresses.d_state(target)} + first * {units}"
    else:
        within = "first" if not is_sequence else "t * B + first" if rows == STEP else "0"
        if target.kind is Kind.D_NEW:
            within += " + c.steps * B"
        to = f"c.{field_of(target)} + ({within}) * {units}"
    heads, columns = run.matrices[0].heads, f"{len(run.matrices)} * H"
    return (
        f"multiply(c.product, c.panel, {heads}, {rows}, {units}, {columns}, {_slots(addresses, run, rows)}, "
        f"c.{addresses.packed['backward', run]}, Rows{{{to}, 0, {units}, 0}}, {int(adds)});"
    )


def _weight_gradients(addresses: Addresses, run: Run) -> Iterator[str]:
    """Return the lines that add some steps' part to the gradients of a run's matrices; those after write first."""
    units = UNITS[run.source.size]
    for first, matrices in run.neighbours:
        place, heads = matrices[0].place, matrices[0].heads
        tensor = addresses.tensors.index(place.tensor)
        gradient = f"{_part_of(addresses, 'grad', place, heads, units)} + part * c.size_{tensor}"
        slots = f"Rows{{c.slots + {run.slot + first} * H, 0, {len(addresses.schedule.slots)} * H, 0}}"
        yield (
            f"    if (c.grad_{tensor}) learn(c.turned, {heads}, count, rows, {len(matrices)} * H, {units}, {slots}, "
            f"{_source(addresses, run.source, 'count, rows')}, {gradient}, until < c.steps, room);"
        )
