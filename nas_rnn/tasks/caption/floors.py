"""What can be said of pictures without looking: the words' frequencies, and the most frequent caption.

Shapes: N items, R references, T symbols, V symbols known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.caption.net import END, START, UNKNOWN
from nas_rnn.tasks.caption.scores import Frequencies, scored
from nas_rnn.tasks.data import Arrays
from nas_rnn.tasks.metric import Statistics
from nas_rnn.tasks.vocabulary import SPECIAL

Floats = NDArray[np.float64]


def floors_of(train: Arrays, test: Arrays, meta: Mapping[str, Any], symbols: int) -> dict[str, Statistics]:
    """Return the statistics of both floors on the test part, fitted on the training part.

    Both write the training part's most frequent caption. Perplexity is by how frequent each word is (with 1 added to
    every count), or how frequent it is behind the word before it (as a mixture of both, in which the last word's own
    count weighs against 5: Jelinek & Mercer 1980 with Witten & Bell's kind of weight).
    """
    known = len(SPECIAL) + meta["known"]
    counts_V, pairs = _counted(train["references"], known)
    counts_V[END:] += 1.0
    share_V = counts_V / counts_V.sum()
    caption = most_frequent(train["references"], share_V)
    references = [rows_of(own) for own in test["references"]]
    own = Frequencies(test["series"][0], test["series"][1], symbols, len(references))
    written = scored([caption] * len(references), references, own)

    def after(before: int, symbol: int) -> float:
        behind = pairs.get(before, Counter())
        return float((behind[symbol] + 5 * share_V[symbol]) / (behind.total() + 5))

    ways = {
        "most frequent caption, frequent words": lambda before, symbol: share_V[symbol],
        "most frequent caption, each word by the one before": after,
    }
    words_N = np.array([sum(len(row) + 1 for row in own) for own in references], dtype=np.float64)
    return {
        name: {
            "nats": np.array([sum(_nats(row, known, way) for row in own) for own in references]),
            "words": words_N,
            **written,
        }
        for name, way in ways.items()
    }


def most_frequent(references_NRT: NDArray[Any], share_V: Floats) -> list[int]:
    """Return the most frequent caption; of several the one with the most frequent words, then the first."""
    counts = Counter(tuple(row) for own in references_NRT for row in rows_of(own) if UNKNOWN not in row)
    if not counts:  # no caption is without an unknown word
        return []
    most = max(counts.values())
    alike = [caption for caption, count in counts.items() if count == most]
    return list(max(alike, key=lambda caption: float(np.log(share_V[list(caption)]).mean())))


def rows_of(references_RT: NDArray[Any]) -> list[list[int]]:
    """Return an item's captions without padding."""
    return [[symbol for symbol in row if symbol] for row in references_RT.tolist() if row[0]]


def _counted(references_NRT: NDArray[Any], known: int) -> tuple[Floats, dict[int, Counter[int]]]:
    """Return how often each symbol stands in captions, the end included, and how often behind which."""
    counts_V, pairs = np.zeros(known), dict[int, Counter[int]]()
    for own in references_NRT:
        for row in rows_of(own):
            for before, symbol in zip([START, *row], [*row, END], strict=True):
                counts_V[symbol] += 1
                pairs.setdefault(before, Counter())[symbol] += 1
    return counts_V, pairs


def _nats(row: list[int], known: int, way: Any) -> float:
    symbols = [symbol if symbol < known else UNKNOWN for symbol in row]
    return -sum(float(np.log(way(*both))) for both in zip([START, *symbols], [*symbols, END], strict=True))
