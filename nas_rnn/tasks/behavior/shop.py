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

import math
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

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
    "bikes",
    "tents",
    "paint",
    "toys",
    "tea",
    "wine",
)
ITEMS = 12
"""Of each department."""
JUMPS = [0.6, 0.9, 1.0]
"""Six tenths of all steps go to the next item in order, three tenths to the one after it, the others one further."""
ZIPF = 1.0
"""The k-th most popular department, and item of a department, is met with a share that goes as k to the minus this."""
RETURNS = 0.85
"""How often a user who leaves an intent goes back to one that is open, where one is."""
MOST_OPEN = 3
STRAYS = 0.05
"""The share of clicks on what is popular everywhere."""
SHORTEST_STAY = 1
STAYS = [0.4, 0.8, 1.0]
"""Four tenths of all stays are of 1 step, as many of 2, the others of 3."""
UNSEEN = 8
"""An item is not shown again before so many others."""
SHORTEST, MEAN_LENGTH, LONGEST = 4, 16, 40


@dataclass
class _Intent:
    department: int
    place: int
    """On the department's shelf."""


class _Shop:
    """Draws sessions by `random.Random.random` alone, whose numbers are the same in every version of Python."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed).random
        drawn = [[self.random() for _ in range(ITEMS)] for _ in DEPARTMENTS]
        self.shelves = [sorted(range(ITEMS), key=own.__getitem__) for own in drawn]
        self.departments, self.items = _popularity(len(DEPARTMENTS)), _popularity(ITEMS)

    def session(self) -> list[int]:
        """Return the numbers of the items of one session."""
        spread = math.log(1 - self.random()) / math.log(1 - 1 / (MEAN_LENGTH - SHORTEST))
        length = min(LONGEST, SHORTEST + math.ceil(spread))
        direction = 1 if self.random() < 0.5 else -1
        intents, seen = list[_Intent](), list[int]()
        current, left = self._opened(intents), self._stay()
        while len(seen) < length:
            if left == 0:
                current, left = self._next(intents, current), self._stay()
            shown = set(seen[-UNSEEN:])
            if self.random() < STRAYS:
                item = self._one_of(self.departments) * ITEMS + self._one_of(self.items)
                seen += [] if item in shown else [item]
                continue
            seen.append(self._step(direction, current, shown))
            left -= 1
        return seen

    def _opened(self, intents: list[_Intent]) -> _Intent:
        """Open an intent in a department that has none, at an item as popular as it is."""
        taken = {intent.department for intent in intents}
        while (department := self._one_of(self.departments)) in taken:
            pass
        intents.append(_Intent(department, self.shelves[department].index(self._one_of(self.items))))
        del intents[:-MOST_OPEN]
        return intents[-1]

    def _next(self, intents: list[_Intent], current: _Intent) -> _Intent:
        others = [intent for intent in intents if intent is not current]
        if others and self.random() < RETURNS:
            return others[int(self.random() * len(others))]
        return self._opened(intents)

    def _step(self, direction: int, intent: _Intent, shown: set[int]) -> int:
        """Return the item at the intent's place, or the next one that is not ``shown``, and move on."""
        while True:
            number = intent.department * ITEMS + self.shelves[intent.department][intent.place]
            intent.place = (intent.place + direction * (1 + self._one_of(JUMPS))) % ITEMS
            if number not in shown:
                return number

    def _stay(self) -> int:
        return SHORTEST_STAY + self._one_of(STAYS)

    def _one_of(self, sums: Sequence[float]) -> int:
        """Draw a place by shares that are summed up."""
        return min(bisect(sums, self.random() * sums[-1]), len(sums) - 1)


def _popularity(count: int) -> list[float]:
    """Return the shares of the most popular, the two most popular, ... of so many, but for a factor."""
    return list(accumulate(1 / place**ZIPF for place in range(1, count + 1)))


def names() -> list[str]:
    """Return the names of all items, by department and popularity."""
    return [f"{department} {number + 1:02}" for department in DEPARTMENTS for number in range(ITEMS)]


def sessions(count: int, seed: int) -> list[list[int]]:
    """Return so many sessions, each a list of places in `names`; the same for the same ``seed``."""
    shop = _Shop(seed)
    return [shop.session() for _ in range(count)]
