"""Made-up sessions of a shop: hidden intents, several at a time, taken up again where they were left.

A user goes through the departments' shelves in one direction, the same for a whole session, and opens intents, each in
one department. An intent is pursued for some steps, whose number follows no geometric law (a semi-Markov process: Yu
2010, "Hidden semi-Markov models"); then the user goes back to one that was left open, or more seldom opens another.
Items that were seen are passed over for a while, and now and then comes a click on what is popular everywhere. So the
last item says about where the intent goes on, either way; only the session as a whole says in which direction, what is
still open and where it was left.

Shapes: D departments, K items of each.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

DEPARTMENTS = (
    "books",
    "music",
    "games",
    "garden",
    "kitchen",
    "bath",
    "lamps",
    "tools",
    "shoes",
    "coats",
)
ITEMS = 24
"""Of each department."""
DIRECTIONS = (1, -1)
JUMPS = [0.6, 0.9, 1.0]
"""Six tenths of all steps go to the next item in order, three tenths to the one after it, the others one further."""
ZIPF = 1.0
"""The k-th most popular department, and item of a department, is met with a share that goes as k to the minus this."""
RETURNS = 0.75
"""How often a user who leaves an intent goes back to one that is open, where one is."""
MOST_OPEN = 3
STRAYS = 0.08
"""The share of clicks on what is popular everywhere."""
SHORTEST_STAY = 2
STAYS = [0.4, 0.7, 0.9, 1.0]
"""Four tenths of all stays are of 2 steps, three tenths of 3, two tenths of 4, the others of 5."""
UNSEEN = 20
"""An item is not shown again before so many others."""
SHORTEST, MEAN_LENGTH, LONGEST = 4, 16, 40

Floats = NDArray[np.float64]


@dataclass
class _Intent:
    department: int
    place: int
    """In the order of the style."""


@dataclass
class _Shop:
    random: np.random.Generator
    in_order: list[list[int]] = field(init=False)
    """(D, K): the items of each department as they stand."""

    def __post_init__(self) -> None:
        orders_DK = np.array([self.random.permutation(ITEMS) for _ in DEPARTMENTS])
        self.in_order, self.place_of = orders_DK.tolist(), np.argsort(orders_DK, axis=1).tolist()
        self.departments = _summed(_shares(len(DEPARTMENTS)))
        self.items = _summed(_shares(ITEMS))

    def session(self) -> list[int]:
        """Return the numbers of the items of one session."""
        random = self.random
        length = int(np.clip(SHORTEST + random.geometric(1 / (MEAN_LENGTH - SHORTEST)), SHORTEST, LONGEST))
        direction, intents, seen = DIRECTIONS[int(random.integers(2))], list[_Intent](), list[int]()
        current, left = self._opened(intents), self._duration()
        while len(seen) < length:
            if left == 0:
                current, left = self._next(intents, current), self._duration()
            shown = set(seen[-UNSEEN:])
            if random.random() < STRAYS:
                item = self._one_of(self.departments) * ITEMS + self._one_of(self.items)
                if item not in shown:
                    seen.append(item)
                continue
            seen.append(self._step(direction, current, shown))
            left -= 1
        return seen

    def _opened(self, intents: list[_Intent]) -> _Intent:
        """Open an intent in a department that has none, at an item as popular as it is."""
        taken = {intent.department for intent in intents}
        while (department := self._one_of(self.departments)) in taken:
            pass
        place = self.place_of[department][self._one_of(self.items)]
        intents.append(_Intent(department, place))
        del intents[:-MOST_OPEN]
        return intents[-1]

    def _next(self, intents: list[_Intent], current: _Intent) -> _Intent:
        others = [intent for intent in intents if intent is not current]
        if others and self.random.random() < RETURNS:
            return others[int(self.random.integers(len(others)))]
        return self._opened(intents)

    def _step(self, direction: int, intent: _Intent, shown: set[int]) -> int:
        """Return the item at the intent's place, and move on to the next that is not ``shown``."""
        while True:
            item = self.in_order[intent.department][intent.place]
            intent.place = (intent.place + direction * (1 + self._one_of(JUMPS))) % ITEMS
            number = intent.department * ITEMS + item
            if number not in shown:
                return number

    def _duration(self) -> int:
        """Return for how many steps an intent is pursued: 2 to 4, most often 2."""
        return SHORTEST_STAY + self._one_of(STAYS)

    def _one_of(self, summed: list[float]) -> int:
        """Draw a place by shares that are summed up."""
        return bisect(summed, self.random.random() * summed[-1])


def _summed(shares: Floats) -> list[float]:
    return list(np.cumsum(shares).tolist())


def _shares(count: int) -> Floats:
    weights = 1.0 / np.arange(1, count + 1) ** ZIPF
    return np.asarray(weights / weights.sum())


def names() -> list[str]:
    """Return the names of all items, by department and popularity."""
    return [f"{department} {number + 1:02}" for department in DEPARTMENTS for number in range(ITEMS)]


def sessions(count: int, seed: int) -> list[list[int]]:
    """Return so many sessions, each a list of places in `names`; the same for the same ``seed``."""
    shop = _Shop(np.random.default_rng(seed))
    return [shop.session() for _ in range(count)]
