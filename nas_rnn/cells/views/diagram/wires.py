"""Runs the wires: horizontally through columns, vertically on tracks in the channels between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

NEAR = 5.0
"""Wires of two values closer than this could be taken for one."""
TRACK_GAP = 9.0
_OVERLAP = 1000


@dataclass
class Net:
    """One value's wires in one channel: in from the left at ``entry`` (None: below), out at ``exits``."""

    source: int
    entry: float | None
    exits: list[float]
    bottom: float = 0.0
    track: int = field(default=-1)

    @property
    def ends(self) -> list[float]:
        return [self.bottom if self.entry is None else self.entry, *self.exits]

    @property
    def is_straight(self) -> bool:
        return max(self.ends) - min(self.ends) < 0.01


def assign_tracks(nets: Sequence[Net]) -> int:
    """Give every net that is not straight its ``track``, from the left; return how many tracks there are."""
    bent = [net for net in nets if not net.is_straight]
    order = _best_order(bent)
    placed: list[Net] = []
    for net in order:
        beside = [
            other.track for other in placed if _touch(net, other) or _cost(other, net) != _cost(net, other)
        ]
        net.track = max(beside, default=-1) + 1
        placed.append(net)
    return max((net.track for net in bent), default=-1) + 1


def _touch(a: Net, b: Net) -> bool:
    return min(a.ends) - NEAR < max(b.ends) and min(b.ends) - NEAR < max(a.ends)


def _cost(left: Net, right: Net) -> int:
    """Return what it costs to have net ``left`` on a track to the left of net ``right``."""
    low, high = min(right.ends), max(right.ends)
    cost = sum(low < y < high for y in left.exits)
    if right.entry is not None:
        cost += min(left.ends) < right.entry < max(left.ends)
        cost += _OVERLAP * sum(abs(right.entry - y) < NEAR for y in left.exits)
    return cost


def _best_order(nets: list[Net]) -> list[Net]:
    """Return the order of tracks that swapping neighbours finds to cost least."""
    best: list[Net] = []
    cheapest = -1
    for start in (
        sorted(nets, key=lambda net: (sum(net.ends) / len(net.ends), net.source)),
        sorted(nets, key=lambda net: (-sum(net.ends) / len(net.ends), net.source)),
    ):
        order = list(start)
        changed = True
        while changed:
            changed = False
            for place in range(len(order) - 1):
                a, b = order[place], order[place + 1]
                if _cost(b, a) < _cost(a, b):
                    order[place], order[place + 1] = b, a
                    changed = True
        total = sum(_cost(a, b) for place, a in enumerate(order) for b in order[place + 1 :])
        if cheapest < 0 or total < cheapest:
            best, cheapest = order, total
    return best
