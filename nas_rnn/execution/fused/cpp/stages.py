"""Prints a stage's row code as a C++ function over rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nas_rnn.execution.fused.cpp.addresses import UNITS, Addresses
from nas_rnn.execution.fused.loops import Loop, Phase, cut_into_loops, is_elementwise
from nas_rnn.execution.fused.places import Kind, Leaf
from nas_rnn.execution.fused.rowcode import Effect, RowCode, Statement

ROWS = "int64_t first, int64_t end, F* gathered, F* spilled"
"""The parameters of all functions after the call itself: which sequences or rows, and what the thread has for
itself: sums of learned numbers' gradients, and rows of values between loops."""
SIZES = "const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;"


def print_stage(name: str, bulk: bool, code: RowCode, addresses: Addresses) -> list[str]:
    """Return the lines of the function ``name``."""
    return list(_StagePrinter(code, addresses).function(name, bulk))


def spilled_rows(code: RowCode) -> int:
    """Return how many rows a stage needs for values between loops."""
    return sum(len(loop.spills) for phase in cut_into_loops(code) for loop in phase.loops)


class _StagePrinter:
    def __init__(self, code: RowCode, addresses: Addresses) -> None:
        self.code, self.addresses = code, addresses
        self.phases = cut_into_loops(code)
        loops = [loop for phase in self.phases for loop in phase.loops]
        self.spilled = {i: k for k, i in enumerate(i for loop in loops for i in loop.spills)}
        self.rows: dict[Leaf, str] = {leaf: f"p{k}" for k, leaf in enumerate(self.row_leaves())}

    def row_leaves(self) -> list[Leaf]:
        """Return the places of which the code reads or writes a row."""
        loaded = [s.detail for s in self.code.statements if s.call == "load" and is_elementwise(s.width)]
        stored = [
            leaf for effect, leaf, _ in self.code.effects if effect is Effect.STORE and leaf.size != "one"
        ]
        return list(dict.fromkeys([*loaded, *stored]))

    def function(self, name: str, bulk: bool) -> Iterator[str]:
        step = "" if bulk else ", int64_t t"
        yield f"static void {name}(const Call& c{step}, {ROWS}) {{"
        yield f"  {SIZES}"
        for i, statement in enumerate(self.code.statements):
            if statement.width == "uniform":
                yield f"  const F v{i} = {self.expression(i)};"
        yield "  for (int64_t b = first; b < end; b++) {"
        yield f"    const int64_t r = {'b' if bulk else 't * B + b'};"
        for leaf, pointer in self.rows.items():
            yield f"    F* {pointer} = {self.addresses.row(leaf)};"
        for i, k in self.spilled.items():
            yield f"    F* s{i} = spilled + {k} * (H > I ? H : I);"
        for phase in self.phases:
            yield from self.phase(phase)
        yield "  }"
        yield "}"

    def phase(self, phase: Phase) -> Iterator[str]:
        for i in phase.numbers:
            statement = self.code.statements[i]
            if statement.width == "row" and statement.call != "sum":
                yield f"    const F v{i} = {self.expression(i)};"
        for leaf, value in phase.stores:
            yield f"    *({self.addresses.row(leaf)}) = v{value};"
        for loop in phase.loops:
            yield from self.loop(loop)

    def loop(self, loop: Loop) -> Iterator[str]:
        added = {k: f"n{k}" for k, (effect, _, _) in enumerate(loop.effects) if effect is Effect.ADD_NUMBER}
        reduced = [*(f"v{i}" for i in loop.sums), *added.values()]
        for name in reduced:
            yield f"    F {name} = 0;"
        reduction = f" reduction(+ : {', '.join(reduced)})" if reduced else ""
        yield f"#pragma omp simd{reduction}"
        yield f"    for (int64_t j = 0; j < {UNITS[loop.width]}; j++) {{"
        for i in self.from_before(loop):
            yield f"      const F v{i} = {f's{i}[j]' if i in self.spilled else self.expression(i)};"
        for i in loop.statements:
            yield f"      const F v{i} = {self.expression(i)};"
        for i in loop.spills:
            yield f"      s{i}[j] = v{i};"
        for i in loop.sums:
            yield f"      v{i} += v{self.code.statements[i].arguments[0]};"
        for k, (effect, leaf, value) in enumerate(loop.effects):
            if effect is Effect.STORE:
                yield f"      {self.rows[leaf]}[j] = v{value};"
            elif effect is Effect.ADD_ROW:
                yield f"      gathered[{self.addresses.learned(leaf)} + j] += v{value};"
            else:
                yield f"      n{k} += v{value};"
        yield "    }"
        for k, name in added.items():
            yield f"    gathered[{self.addresses.learned(loop.effects[k][1])}] += {name};"

    def from_before(self, loop: Loop) -> list[int]:
        """Return the values of units that the loop reads and an earlier one computed or loaded."""
        statements, inside = self.code.statements, set(loop.statements)
        read = [i for k in loop.statements for i in statements[k].arguments]
        read += [statements[i].arguments[0] for i in loop.sums]
        read += [value for _, _, value in loop.effects]
        return sorted({i for i in read if is_elementwise(statements[i].width) and i not in inside})

    def expression(self, index: int) -> str:
        statement = self.code.statements[index]
        match statement.call:
            case "load":
                return self.loaded(statement.detail)
            case "number":
                return number(statement.detail)
            case "units":
                hidden, inputs = statement.detail
                return f"F({hidden} * H + {inputs} * I)"
        return applied(statement, [f"v{i}" for i in statement.arguments])

    def loaded(self, leaf: Leaf) -> str:
        if leaf.kind is Kind.NUMBER:
            return f"c.learned[{self.addresses.learned(leaf)}]"
        return f"*({self.addresses.row(leaf)})" if leaf.kind is Kind.MOMENT else f"{self.rows[leaf]}[j]"


def number(value: float | str) -> str:
    """Return a C++ literal."""
    if value == "nan":
        return 'F(__builtin_nan(""))'
    if value in (float("inf"), -float("inf")):
        return f"F({'-' if float(value) < 0 else ''}__builtin_inf())"
    return f"F({value!r})"


def applied(statement: Statement, values: Sequence[str]) -> str:
    """Return a function or operator of ``values``."""
    name = statement.call
    if name.startswith("where"):
        left, right, yes, no = values
        return f"{left} {name[5:]} {right} ? {yes} : {no}"
    if name == "neg":
        return f"-{values[0]}"
    if name in ("+", "-", "*", "/"):
        return f"{values[0]} {name} {values[1]}"
    return f"op_{name}({', '.join(values)})"
