"""What can be said of the next item without a memory, or with one of the last item alone.

Shapes: N predicted steps of a part, K items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from nas_rnn.tasks.behavior.ranking import MOST_SCORES, Ranks, joined, ranks_of
from nas_rnn.tasks.data import Arrays

Floats = NDArray[np.float64]
Items = NDArray[np.int64]
Table = Callable[[int], Floats]
"""From the last item to the share of each item that may come next, (K,)."""

LEANINGS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""How many steps the shares without memory count for after each item: the validation part chooses."""


def popularity(train: Arrays, items: int) -> Table:
    """Return how often each item came in the training part, whatever was before; every count is one larger than seen.

    That is Laplace's rule of succession, by which nothing is impossible.
    """
    _, after_N = pairs(train)
    shares_K = _counts(after_N, items) + 1.0
    shares_K /= shares_K.sum()
    return lambda last: shares_K


def transitions(train: Arrays, valid: Arrays, items: int) -> Table:
    """Return how often each item came next after the last one, leaning on `popularity`.

    The shares without memory count for as many steps as make the validation part likeliest, of `LEANINGS`: a Dirichlet
    prior, as MacKay & Peto (1995) have it for words.
    """
    before_N, after_N = pairs(train)
    order = np.argsort(before_N, kind="stable")
    after_N, begins = after_N[order], np.searchsorted(before_N[order], np.arange(items + 2))
    alone_K = popularity(train, items)(0)

    def table(leaning: float) -> Table:
        def shares(last: int) -> Floats:
            counts_K = _counts(after_N[begins[last] : begins[last + 1]], items)
            mixed: Floats = (counts_K + leaning * alone_K) / (counts_K.sum() + leaning)
            return mixed

        return shares

    return table(min(LEANINGS, key=lambda leaning: float(nats(table(leaning), valid, items).sum())))


def scored(table: Table, part: Arrays, items: int, top: int) -> dict[str, Floats]:
    """Return each session's statistics of a table, as a model's."""
    ranks, (_, after_N) = ranked(table, part, items), pairs(part)
    values = {
        "nats": nats(table, part, items),
        "known": (after_N < items).astype(np.float64),
        "found": 100 * ranks.found(top).numpy(),
        "reciprocal": 100 * ranks.reciprocal(top).numpy(),
        "steps": np.ones(len(after_N)),
    }
    session_N = np.repeat(np.arange(len(part["lengths"])), part["lengths"].astype(np.int64) - 1)
    count = len(part["lengths"])
    return {
        name: np.bincount(session_N, weights=own, minlength=count).astype(np.float64)
        for name, own in values.items()
    }


def nats(table: Table, part: Arrays, items: int) -> Floats:
    """Return minus the logarithm of the share of what came, (N,); 0 where that is none of the items."""
    _, after_N = pairs(part)
    nats_N = np.zeros(len(after_N))
    for last, places in _by_last(part):
        own = places[after_N[places] < items]
        nats_N[own] = -np.log(table(last)[after_N[own]])
    return nats_N


def ranked(table: Table, part: Arrays, items: int) -> Ranks:
    """Return the ranks of what came at each step."""
    _, after_N = pairs(part)
    above_N, equal_N = (torch.zeros(len(after_N), dtype=torch.int64) for _ in range(2))
    for last, places in _by_last(part):
        scores_K = torch.from_numpy(np.array(table(last)))
        different, which = np.unique(after_N[places], return_inverse=True)
        pieces = [
            ranks_of(scores_K.expand(len(own), -1), own)
            for own in torch.split(torch.from_numpy(different), max(1, MOST_SCORES // items))
        ]
        found = joined(pieces)
        above_N[places], equal_N[places] = found.above_N[which], found.equal_N[which]
    return Ranks(above_N, equal_N)


def _by_last(part: Arrays) -> Iterator[tuple[int, Items]]:
    """Give every item that something followed, and at which steps."""
    before_N, _ = pairs(part)
    order = np.argsort(before_N, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(before_N[order])) + 1):
        yield int(before_N[places[0]]), places


def pairs(part: Arrays) -> tuple[Items, Items]:
    """Return every item that something followed, and what followed it, (N,) both, in the order of the sessions."""
    items_NL, lengths_N1 = part["items"].astype(np.int64), part["lengths"].astype(np.int64)[:, None]
    there = np.arange(1, items_NL.shape[1]) < lengths_N1
    return items_NL[:, :-1][there], items_NL[:, 1:][there]


def _counts(items_N: Items, items: int) -> Floats:
    """Return how often each of the K items occurs; what is none of them is left out."""
    return np.bincount(items_N, minlength=items + 1)[:items].astype(np.float64)
