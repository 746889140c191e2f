"""The hidden size that gives one cell as many parameters as another, so that neither wins by being larger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nas_rnn.errors import UserError

VISIBLE_MISMATCH = 0.01
LARGEST_HIDDEN_SIZE = 1 << 20


@dataclass(frozen=True)
class Match:
    """A hidden size, its parameters, and ``mismatch``: parameters / target - 1 (0.01: one per cent more)."""

    hidden_size: int
    parameters: int
    mismatch: float


def nearest_hidden_size(count: Callable[[int], int], target: int, *, multiple_of: int = 1) -> Match:
    """Return the multiple of ``multiple_of`` whose parameter count lies nearest to ``target``.

    ``count(hidden_size)`` is the number of trainable parameters of the whole model, input and output layers
    included, and must not fall as the hidden size grows. Of two sizes equally near the smaller is taken.
    ``multiple_of`` serves cells with heads, whose hidden size must divide into them. ``count`` is called some
    2 log2(hidden size) times, so it should count on the meta device.

    Raises UserError when even the smallest size has more than twice the target's parameters, and when the
    count does not grow towards the target.
    """
    if target < 1 or multiple_of < 1:
        raise UserError(f"matching needs a positive target and multiple, got {target} and {multiple_of}")
    smallest = count(multiple_of)
    if smallest > 2 * target:
        raise UserError(
            f"cannot match {target} parameters: the smallest possible model, of hidden size {multiple_of}, "
            f"has {smallest:,}, since embeddings and output layers count as well; give a larger target, such as "
            f"{rounded_up(2 * smallest)}"
        )
    low, high = _bracket(count, target, multiple_of)
    while high - low > 1:
        middle = (low + high) // 2
        if count(middle * multiple_of) < target:
            low = middle
        else:
            high = middle
    sizes = [factor * multiple_of for factor in (low, high) if factor > 0]
    parameters, size = min(
        ((count(size), size) for size in sizes), key=lambda pair: (abs(pair[0] - target), pair[1])
    )
    return Match(size, parameters, parameters / target - 1)


def _bracket(count: Callable[[int], int], target: int, multiple_of: int) -> tuple[int, int]:
    """Return factors low < high with count(low) < target <= count(high); low is 0 if the first is enough."""
    low, high = 0, 1
    while count(high * multiple_of) < target:
        low, high = high, 2 * high
        if high * multiple_of > LARGEST_HIDDEN_SIZE:
            raise UserError(
                f"cannot match {target} parameters: hidden size {low * multiple_of} still has only "
                f"{count(low * multiple_of)}; give a smaller target"
            )
    return low, high


def rounded_up(count: int) -> int:
    """Return the next number from ``count`` on that has two digits, and zeros behind them."""
    unit = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // unit) * unit


def mismatch_warning(match: Match) -> str | None:
    """Return a sentence when the match is off by more than one per cent, else None."""
    if abs(match.mismatch) <= VISIBLE_MISMATCH:
        return None
    direction = "more" if match.mismatch > 0 else "fewer"
    return (
        f"hidden size {match.hidden_size} is the nearest match and has {match.parameters:,} parameters, "
        f"{100 * abs(match.mismatch):.1f} % {direction} than the baseline"
    )
