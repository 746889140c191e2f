"""What a candidate must keep to, whatever space it is from: bounds on its costs, and operations it has or lacks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nas_rnn.cells import Cell, operations
from nas_rnn.cells.graph.costs import HIDDEN_SIZE, INPUT_SIZE, costs
from nas_rnn.cells.graph.nodes import (
    Antisymmetric,
    Apply,
    Diagonal,
    LayerNorm,
    LearnedVector,
    Linear,
    Node,
    Project,
    Scalar,
)
from nas_rnn.errors import suggest
from nas_rnn.spaces.choices import SpaceError

WORDS: dict[type[Node], str] = {
    Linear: "linear",
    Antisymmetric: "antisymmetric",
    Diagonal: "diagonal",
    Scalar: "scalar",
    LearnedVector: "vector",
    Project: "project",
    LayerNorm: "layer_norm",
}
"""Words of the cell language that own parameters; the others are the operations of the table."""

BOUNDS = ("products", "operations", "levels", "states", "parameters")
"""What can be bounded from above, as written in a configuration."""
MOST_DIGITS = 18
"""Of a bound; so it is held in 64 bits."""


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What every candidate keeps to; None and empty: no constraint.

    Costs are those of `nas_rnn.cells.graph.costs`: dead equations and equal ones do not count. Words are looked for in
    the equations that the next states need, as they are written: ``blend`` and ``identity`` are found by these names.
    """

    max_products: int | None = None
    """Matrix products in a step that depend on a state."""
    max_operations: int | None = None
    """Elementwise operations and normalisations in a step."""
    max_levels: int | None = None
    """Products that must follow one another in a step."""
    max_states: int | None = None
    """State paths."""
    max_parameters: int | None = None
    """Parameters of a layer of 64 inputs and 128 units (or the next numbers that all ``heads`` divide)."""
    contains: tuple[str, ...] = ()
    """Words of the cell language, all of which a candidate contains."""
    lacks: tuple[str, ...] = ()
    """Words of which a candidate contains none."""

    def __post_init__(self) -> None:
        for name in BOUNDS:
            most = getattr(self, f"max_{name}")
            if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 0):
                raise SpaceError(f"a bound on {name} is a whole number from 0, not {most!r}")
        for word in (*self.contains, *self.lacks):
            if word not in known_words():
                raise SpaceError(f"unknown operation {word!r} in a constraint{suggest(word, known_words())}")
        both = sorted({*self.contains} & {*self.lacks})
        if both:
            raise SpaceError(f"constraints demand and forbid {', '.join(both)}")

    def __str__(self) -> str:
        bounds = [f"{name}<={getattr(self, f'max_{name}')}" for name in BOUNDS if self._bounds(name)]
        words = [
            *(f"contains={word}" for word in self.contains),
            *(f"lacks={word}" for word in self.lacks),
        ]
        return ", ".join([*bounds, *words])

    def __bool__(self) -> bool:
        return self != Constraints()

    def broken(self, cell: Cell) -> tuple[str, ...]:
        """Return the constraints that ``cell`` breaks, as `parse_constraints` reads them."""
        return tuple(self._broken(cell))

    def _bounds(self, name: str) -> bool:
        return getattr(self, f"max_{name}") is not None

    def _broken(self, cell: Cell) -> Iterator[str]:
        words = words_of(cell) if self.contains or self.lacks else set()
        yield from (f"contains={word}" for word in self.contains if word not in words)
        yield from (f"lacks={word}" for word in self.lacks if word in words)
        if any(map(self._bounds, BOUNDS)):
            for name, value in counts(cell).items():
                most = getattr(self, f"max_{name}")
                if most is not None and value > most:
                    yield f"{name}<={most}"


def counts(cell: Cell) -> dict[str, int]:
    """Return what `BOUNDS` bound, by these names."""
    heads = math.lcm(*(node.heads for node in cell.nodes if isinstance(node, Linear)))
    inputs, hidden = (math.ceil(size / heads) * heads for size in (INPUT_SIZE, HIDDEN_SIZE))
    cost = costs(cell, inputs, hidden)
    return {
        "products": cost.products,
        "operations": cost.elementwise + cost.reductions,
        "levels": cost.levels,
        "states": len(cell.states),
        "parameters": cost.parameters,
    }


def known_words() -> set[str]:
    """Return the names that ``contains=`` and ``lacks=`` take: words of the language, operations of the table."""
    return {*WORDS.values(), *operations()}


def words_of(cell: Cell) -> set[str]:
    """Return the words and operations in the equations that some next state needs."""
    found: set[str] = set()
    seen: set[int] = set()
    stack = list(cell.outputs)
    while stack:
        index = stack.pop()
        if index in seen:
            continue
        seen.add(index)
        node = cell.nodes[index]
        stack.extend(node.inputs)
        if isinstance(node, Apply):
            found.add(node.operation)
        elif type(node) in WORDS:
            found.add(WORDS[type(node)])
    return found


def parse_constraints(texts: Iterable[str]) -> Constraints:
    """Return the constraints that ``texts`` name: ``products<=4``, ``contains=layer_norm``, ``lacks=exp``.

    Raises `SpaceError` with the nearest name that would have worked.
    """
    if isinstance(texts, str):
        raise SpaceError(f'constraints are a list of texts, ["{texts}"], not one text')
    bounds: dict[str, int] = {}
    words: dict[str, list[str]] = {"contains": [], "lacks": []}
    for text in texts:
        match = re.fullmatch(r"\s*(\w+)\s*(<=|<|>=|>|==|=|!=)\s*(\S+?)\s*", str(text))
        if match is None:
            raise SpaceError(
                f"a constraint reads products<=4, contains=layer_norm or lacks=exp, not {text!r}"
            )
        name, sign, value = match.groups()
        if name in words:
            if sign != "=":
                raise SpaceError(
                    f"contains={value} demands an operation, lacks={value} forbids it; got {text!r}"
                )
            if value not in words[name]:
                words[name].append(value)
            continue
        if name not in BOUNDS:
            raise SpaceError(f"unknown constraint {name!r} in {text!r}{suggest(name, [*BOUNDS, *words])}")
        if sign != "<=" or not value.isascii() or not value.isdigit() or len(value) > MOST_DIGITS:
            raise SpaceError(f"a bound reads {name}<=20, with a whole number, not {text!r:.80}")
        if bounds.setdefault(f"max_{name}", int(value)) != int(value):
            raise SpaceError(f"{name} is bounded twice, by {bounds[f'max_{name}']} and by {value}")
    return Constraints(**bounds, contains=tuple(words["contains"]), lacks=tuple(words["lacks"]))
