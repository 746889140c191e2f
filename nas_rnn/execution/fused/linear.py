"""Recognises linear recurrences: cells each of whose states is updated elementwise as ``s' = a * s + b``.

``a`` and ``b`` may read the input and states whose sequences are known by then, so that the states can be
computed one after the other for all steps at once (Blelloch 1990, "Prefix sums and their applications",
section 1.4: first-order recurrences as scans). Both directions are read off the row code of the only stage
that such a cell has in its loop; the gradient of a state obeys the same recurrence in reverse.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from nas_rnn.execution.fused.forward import STRIDE, forward_code
from nas_rnn.execution.fused.gradient import Gradient
from nas_rnn.execution.fused.places import Kind, Leaf
from nas_rnn.execution.fused.rowcode import Effect, RowCode, Statement
from nas_rnn.execution.fused.schedule import Schedule

Form = tuple[int | None, int | None]
"""Slope and rest of a value that is slope * s + rest, as statements; None stands for zero."""


@dataclass(frozen=True)
class Update:
    """How one state path is updated: ``code`` stores a at ``slope`` and b at ``rest``, where they are not zero."""

    path: int
    code: RowCode
    slope: Leaf | None
    rest: Leaf | None


@dataclass(frozen=True)
class LinearRecurrence:
    """The updates of all state paths of a step, each after those that it reads: ``forward`` of the states,
    ``backward`` of their gradients. ``forward_rest`` and ``backward_rest`` are what else the stage does, once
    all states, and all their gradients, are known."""

    forward: tuple[Update, ...]
    forward_rest: RowCode
    backward: tuple[Update, ...]
    backward_rest: RowCode


def linear_recurrence(schedule: Schedule, gradient: Gradient) -> LinearRecurrence | None:
    """Return the updates of a cell that is a linear recurrence; None where it is none."""
    if not schedule.is_linear:
        return None
    stage = schedule.stages[schedule.bulk]
    code, back = forward_code(schedule, stage), gradient.codes[stage.number]
    forward = _updates(code, Kind.PREVIOUS, Kind.NEW, schedule)
    backward = _updates(back, Kind.D_NEW, Kind.D_PREVIOUS, schedule)
    if forward is None or backward is None:
        return None
    return LinearRecurrence(
        forward, _without(code, Kind.NEW, schedule), backward, _without(back, Kind.D_PREVIOUS, schedule)
    )


def _updates(code: RowCode, before: Kind, after: Kind, schedule: Schedule) -> tuple[Update, ...] | None:
    """Return an update for each path that is not known before the loop, in an order in which they can be
    computed: ``before`` and ``after`` are the kinds of what a step reads and writes."""
    values = {leaf.index: value for effect, leaf, value in code.effects if _is_store(effect, leaf, after)}
    left = [path for path in range(len(schedule.output_stages)) if path not in schedule.delayed]
    found: list[Update] = []
    while left:
        known = {update.path for update in found} | schedule.delayed
        for path in left:
            update = _update(code, before, path, values[path], known, schedule)
            if update is not None:
                break
        else:
            return None
        found.append(update)
        left.remove(update.path)
    return tuple(found)


def _update(
    code: RowCode, before: Kind, path: int, value: int, known: Collection[int], schedule: Schedule
) -> Update | None:
    """Return the update of ``path`` if it is linear and reads, of other paths, only those that are ``known``."""
    needed = {s.detail for s in _needed(code, value) if s.call == "load" and s.detail.kind is before}
    if any(leaf.index != path and leaf.index not in known for leaf in needed):
        return None
    copy = RowCode(list(code.statements), [], {s: i for i, s in enumerate(code.statements)})
    size = schedule.sizes[1 + path]
    try:
        slope, rest = _Linear(copy, Leaf(before, path, size)).form_of(value)
    except _NotLinear:
        return None
    places: list[Leaf | None] = []
    for kind, part in ((Kind.SLOPE, slope), (Kind.REST, rest)):
        absent = part is None or copy.value_of(part) == 0.0
        places.append(None if absent else Leaf(kind, path, size))
        if part is not None and not absent:
            copy.store(Leaf(kind, path, size), part)
    return Update(path, copy.prune(), *places)


class _NotLinear(Exception):
    pass


class _Linear:
    """Finds slopes and rests of statements with regard to what is loaded from ``leaf``."""

    def __init__(self, code: RowCode, leaf: Leaf) -> None:
        self.code, self.leaf = code, leaf
        self.known: dict[int, Form] = {}

    def form_of(self, value: int) -> Form:
        """Return the form of ``value``, in a long chain from its beginning on."""
        needed: set[int] = set()
        stack = [value]
        while stack:
            if (index := stack.pop()) not in needed:
                needed.add(index)
                stack += self.code.statements[index].arguments
        for index in sorted(needed)[STRIDE - 1 :: STRIDE]:
            self.form(index)
        return self.form(value)

    def form(self, index: int) -> Form:
        if index not in self.known:
            self.known[index] = self._form(index)
        return self.known[index]

    def _form(self, index: int) -> Form:
        statement = self.code.statements[index]
        if statement.call == "load":
            return (self.code.number(1.0), None) if statement.detail == self.leaf else (None, index)
        forms = [self.form(i) for i in statement.arguments]
        slopes = [slope for slope, _ in forms]
        if all(slope is None for slope in slopes):
            return None, index
        match statement.call, forms:
            case ("+" | "-" as call, [(a, b), (c, d)]):
                return self.sum(call, a, c), self.sum(call, b, d)
            case ("*", [(a, b), (None, c)]) | ("*", [(None, c), (a, b)]) if c is not None:
                return self.scaled("*", a, c), self.scaled("*", b, c)
            case ("/", [(a, b), (None, c)]) if c is not None:
                return self.scaled("/", a, c), self.scaled("/", b, c)
            case ("neg", [(a, b)]):
                return self.sum("-", None, a), self.sum("-", None, b)
            case (call, [(None, left), (None, right), (a, b), (c, d)]) if call.startswith("where"):
                return self.either(call, left, right, a, c), self.either(call, left, right, b, d)
        raise _NotLinear

    def sum(self, call: str, left: int | None, right: int | None) -> int | None:
        if right is None:
            return left
        if left is None:
            return right if call == "+" else self.code.call("neg", right)
        return self.code.call(call, left, right)

    def scaled(self, call: str, value: int | None, by: int) -> int | None:
        return None if value is None else self.code.call(call, value, by)

    def either(self, call: str, left: int | None, right: int | None, yes: int | None, no: int | None) -> int:
        zero = self.code.number(0.0)
        parts = [zero if part is None else part for part in (left, right, yes, no)]
        return self.code.call(call, *parts)


def _needed(code: RowCode, value: int) -> list[Statement]:
    alone = RowCode(code.statements, [(Effect.STORE, Leaf(Kind.REST), value)])
    return alone.prune().statements


def _without(code: RowCode, kind: Kind, schedule: Schedule) -> RowCode:
    """Return ``code`` without what it stores at places of ``kind`` that are not known before the loop."""
    effects = [
        (effect, leaf, value)
        for effect, leaf, value in code.effects
        if not _is_store(effect, leaf, kind) or leaf.index in schedule.delayed
    ]
    return RowCode(code.statements, effects).prune()


def _is_store(effect: Effect, leaf: Leaf, kind: Kind) -> bool:
    return effect is Effect.STORE and leaf.kind is kind
