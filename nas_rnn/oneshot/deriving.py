"""From learned probabilities to cells: combinations of choices, the most probable first."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nas_rnn.spaces import Candidate, Decisions, DecisionSpace, Rejected
from nas_rnn.spaces.chain import Chain


def most_probable(
    chain: Chain, probabilities: Sequence[NDArray[np.float64]]
) -> Iterator[tuple[float, Decisions]]:
    """Yield combinations of choices with their probability, the most probable first; equals in a fixed order.

    ``probabilities`` has for each node those of its alternatives, one axis a choice. A combination's is their product.
    """
    orders = [np.argsort(-p, axis=None, kind="stable") for p in probabilities]
    logs = [
        np.log(np.maximum(p.ravel()[order], 1e-300)) for p, order in zip(probabilities, orders, strict=True)
    ]

    def entry(ranks: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        return -sum(float(log[rank]) for log, rank in zip(logs, ranks, strict=True)), ranks

    first = (0,) * len(orders)
    heap, known = [entry(first)], {first}
    while heap:
        cost, ranks = heapq.heappop(heap)
        picks = [
            [int(i) for i in np.unravel_index(int(order[rank]), p.shape)]
            for p, order, rank in zip(probabilities, orders, ranks, strict=True)
        ]
        yield math.exp(-cost), chain.decisions(picks)
        for place, rank in enumerate(ranks):
            following = (*ranks[:place], rank + 1, *ranks[place + 1 :])
            if rank + 1 < len(orders[place]) and following not in known:
                known.add(following)
                heapq.heappush(heap, entry(following))


MOST_TRIED = 5000
"""How many combinations are looked at for cells that are new and keep the constraints."""


def derived(
    space: DecisionSpace, chain: Chain, probabilities: Sequence[NDArray[np.float64]], count: int
) -> list[tuple[float, Candidate]]:
    """Return the ``count`` most probable candidates of different cells that keep the space's constraints."""
    found: list[tuple[float, Candidate]] = []
    digests: set[str] = set()
    for tried, (probability, decisions) in enumerate(most_probable(chain, probabilities)):
        if len(found) == count or tried == MOST_TRIED:
            break
        try:
            candidate = space.replay(decisions)
        except Rejected:
            continue
        if candidate.digest not in digests:
            digests.add(candidate.digest)
            found.append((probability, candidate))
    return found
