"""Where the values of a cell lie while a sequence runs: the vocabulary that schedule, gradient and emitters
share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nas_rnn.cells.graph.nodes import ValueSize


class Kind(Enum):
    """What a place is. "step": rewritten at each step, (B, size); all others hold the whole sequence."""

    X = "x"  # the input, (T, B, input_size)
    PREVIOUS = "previous"  # a state path before the step
    NEW = "new"  # a state path after the step
    SLOT = "slot"  # the sum of an owner's products, or what one operation makes of it; later its gradient
    KEPT = "kept"  # a value that products or later stages read
    ROW = "row"  # learned numbers, one per unit
    NUMBER = "number"  # one learned number
    MOMENT = "moment"  # mean and 1 / deviation of one layer norm, one number a row
    D_X = "d_x"  # the gradient of the input
    D_OUTPUT = "d_output"  # the gradient of the layer's output
    D_PREVIOUS = "d_previous"  # step (delayed paths: sequence): the gradient of a state path before the step
    D_NEW = "d_new"  # likewise after the step
    D_SLOT = (
        "d_slot"  # step or sequence: gradients of a slot's value from stages after its last one backwards
    )
    D_KEPT = "d_kept"  # step or sequence: the gradient of a kept value
    SLOPE = "slope"  # a of a linear recurrence s' = a * s + b (of a state path or of its gradient)
    REST = "rest"  # b likewise


@dataclass(frozen=True)
class Leaf:
    """One place: its kind, its number among those of the kind, and the size of a row of it."""

    kind: Kind
    index: int = 0
    size: ValueSize = "hidden"

    def __lt__(self, other: Leaf) -> bool:
        return (self.kind.value, self.index) < (other.kind.value, other.index)


GRADIENT = {
    Kind.X: Kind.D_X,
    Kind.PREVIOUS: Kind.D_PREVIOUS,
    Kind.NEW: Kind.D_NEW,
    Kind.SLOT: Kind.D_SLOT,
    Kind.KEPT: Kind.D_KEPT,
}
"""Where the gradient of a value at a place is gathered."""


def gradient_of(leaf: Leaf) -> Leaf:
    """Return the place that gathers the gradient of the value at ``leaf``."""
    return Leaf(GRADIENT[leaf.kind], leaf.index, leaf.size)


def field_of(leaf: Leaf) -> str:
    """Return the name of the tensor in which a place lies."""
    match leaf.kind:
        case Kind.ROW | Kind.NUMBER:
            return "learned"
        case Kind.SLOT:
            return "slots"
        case Kind.MOMENT:
            return "moments"
        case Kind.X | Kind.D_X | Kind.D_OUTPUT:
            return str(leaf.kind.value)
        case Kind.D_PREVIOUS | Kind.D_NEW:
            return f"d_state_{leaf.index}"
    return f"{leaf.kind.value}_{leaf.index}"
