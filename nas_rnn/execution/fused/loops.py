"""Row code cut into loops over units: a sum over units ends one, and what uses it stands in a later one."""

from __future__ import annotations

from dataclasses import dataclass

from nas_rnn.execution.fused.places import Leaf
from nas_rnn.execution.fused.rowcode import Effect, RowCode, Width


@dataclass(frozen=True)
class Loop:
    """Statements for each unit of a size, in order; ``sums`` are those added up over the loop; ``spills``
    are kept, a row of numbers each, for later loops; ``effects`` take place in it."""

    width: Width
    statements: tuple[int, ...]
    sums: tuple[int, ...]
    spills: tuple[int, ...]
    effects: tuple[tuple[Effect, Leaf, int], ...]


@dataclass(frozen=True)
class Phase:
    """First the numbers of the row that are known by now, then the loops."""

    numbers: tuple[int, ...]
    stores: tuple[tuple[Leaf, int], ...]
    loops: tuple[Loop, ...]


def cut_into_loops(code: RowCode) -> tuple[Phase, ...]:
    """Return the phases of ``code``. Whatever is stored is stored in the last one, after all loads."""
    ready = _ready(code)
    last = max(ready, default=0)
    used: dict[int, int] = {}
    for index, statement in enumerate(code.statements):
        for argument in statement.arguments:
            # a sum is formed in the loop before the one in which it is ready
            used[argument] = max(used.get(argument, 0), ready[index] - (statement.call == "sum"))
    for effect, _, value in code.effects:
        used[value] = max(used.get(value, 0), last if effect is Effect.STORE else ready[value])
    when: list[list[int]] = [[] for _ in range(last + 2)]
    for index, number in enumerate(ready):
        when[number].append(index)
    effects: list[list[tuple[Effect, Leaf, int]]] = [[] for _ in range(last + 1)]
    for one in code.effects:
        store_of_row = one[0] is Effect.STORE and one[1].size != "one"
        effects[last if store_of_row else ready[one[2]]].append(one)
    return tuple(
        _phase(code, number, effects[number], when[number], when[number + 1], used)
        for number in range(last + 1)
    )


def is_elementwise(width: Width) -> bool:
    return width in ("input", "hidden")


def _ready(code: RowCode) -> list[int]:
    ready: list[int] = []
    for statement in code.statements:
        start = max((ready[i] for i in statement.arguments), default=0)
        ready.append(start + (statement.call == "sum"))
    return ready


def _phase(
    code: RowCode,
    number: int,
    effects: list[tuple[Effect, Leaf, int]],
    now: list[int],
    next_: list[int],
    used: dict[int, int],
) -> Phase:
    """Return phase ``number``, of the statements that are ready ``now``; its sums are ready in the ``next_`` one."""
    numbers = [i for i in now if not is_elementwise(code.statements[i].width)]
    stores = [
        (leaf, value) for effect, leaf, value in effects if effect is Effect.STORE and leaf.size == "one"
    ]
    widths: tuple[Width, ...] = ("hidden", "input")
    loops = [_loop(code, number, effects, now, next_, used, width) for width in widths]
    return Phase(tuple(numbers), tuple(stores), tuple(loop for loop in loops if loop is not None))


def _loop(
    code: RowCode,
    number: int,
    all_effects: list[tuple[Effect, Leaf, int]],
    now: list[int],
    next_: list[int],
    used: dict[int, int],
    width: Width,
) -> Loop | None:
    effects = []
    for effect, leaf, value in all_effects:
        where = code.statements[value].width
        size = leaf.size if leaf.size != "one" or not is_elementwise(where) else where
        if size == width and (leaf.size != "one" or effect is Effect.ADD_NUMBER):
            effects.append((effect, leaf, value))
    sums = [
        i
        for i in next_
        if code.statements[i].call == "sum"
        and code.statements[code.statements[i].arguments[0]].width == width
    ]
    here = [i for i in now if code.statements[i].width == width]
    spills = [i for i in here if used.get(i, number) > number and code.statements[i].call != "load"]
    wanted = (
        {code.statements[i].arguments[0] for i in sums} | {value for _, _, value in effects} | set(spills)
    )
    statements = _needed(code, here, wanted)
    if not statements and not effects and not sums:
        return None
    return Loop(
        width, tuple(statements), tuple(sums), tuple(i for i in spills if i in statements), tuple(effects)
    )


def _needed(code: RowCode, here: list[int], wanted: set[int]) -> list[int]:
    """Return those of ``here`` on which ``wanted`` depend."""
    inside = set(here)
    found: set[int] = set()
    stack = [i for i in wanted if i in inside]
    while stack:
        index = stack.pop()
        if index not in found:
            found.add(index)
            stack += [i for i in code.statements[index].arguments if i in inside]
    return sorted(found)
