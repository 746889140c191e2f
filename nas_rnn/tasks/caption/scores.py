"""What written captions are worth: perplexity, BLEU, CIDEr and exact matches, from counts that add up over pictures.

Shapes: N pictures, R references, T words, G series of words. Knows no torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.bleu import Bleu, bleu_counter
from nas_rnn.tasks.corpus import Perplexity
from nas_rnn.tasks.metric import Floats, Mean

INSTALL = "pip install 'nas_rnn[caption]'"
ORDERS = 4
"""Lengths of the series of words that CIDEr counts."""

NATS = Mean("nats_per_word", "nats per word", "minimize", 0.01, "absolute", of="nats", per="words")
PERPLEXITY = Perplexity(
    "perplexity",
    "perplexity per word",
    "minimize",
    0.01,
    "relative",
    of="nats",
    per="words",
    instead=NATS.name,
)
CIDER = Mean("cider", "CIDEr", "maximize", 0.02, "absolute", of="cider")
EXACT = Mean("exact", "% of captions", "maximize", 0.5, "absolute", of="exact")
BLEU = Bleu("bleu", "BLEU-4", "maximize", 0.5, "absolute", instead=CIDER.name)


@dataclass(frozen=True, eq=False)
class Frequencies:
    """In how many of ``pictures`` a series of up to four symbols stands in a reference: ``counts_G`` of ``keys_G``.

    Keys are sorted. A key has the symbols as digits, which is exact for up to 55,000 of them and a hash beyond.
    """

    keys_G: NDArray[np.int64]
    counts_G: NDArray[np.int64]
    base: int
    pictures: int

    def __getitem__(self, series: tuple[str, ...]) -> float:
        """Return the count of a series of symbols, written as numbers; 0 where no reference has it."""
        key = sum(int(symbol) * self.base**place for place, symbol in enumerate(series)) & _ALL_BITS
        key -= (key >> 63) << 64  # as 64 bits with a sign
        place = int(np.searchsorted(self.keys_G, key))
        return float(self.counts_G[place]) if place < len(self.keys_G) and self.keys_G[place] == key else 0.0


_ALL_BITS = (1 << 64) - 1


def frequencies(references_NRT: NDArray[Any], base: int) -> Frequencies:
    """Count the series of symbols in references, padded by 0; ``base`` is more than any symbol."""
    keys, places = list[NDArray[np.int64]](), list[NDArray[np.int64]]()
    wide_NRT = references_NRT.astype(np.uint64)
    for order in range(1, min(ORDERS, wide_NRT.shape[2]) + 1):
        windows = np.lib.stride_tricks.sliding_window_view(wide_NRT, order, axis=2)
        digits = np.array([pow(base, place, 1 << 64) for place in range(order)], dtype=np.uint64)
        item, reference, first = np.nonzero(windows[..., -1])  # no padding stands before a symbol
        keys.append((windows[item, reference, first] * digits).sum(axis=1, dtype=np.uint64).view(np.int64))
        places.append(item)
    key, place = np.concatenate(keys), np.concatenate(places)
    order_of = np.lexsort((place, key))
    key, place = key[order_of], place[order_of]
    first_of_picture = np.append(True, (np.diff(key) != 0) | (np.diff(place) != 0))
    keys_G, counts_G = np.unique(key[first_of_picture], return_counts=True)
    return Frequencies(keys_G, counts_G.astype(np.int64), base, len(references_NRT))


def scored(
    outputs: Sequence[Sequence[int]], references: Sequence[Sequence[Sequence[int]]], known: Frequencies
) -> dict[str, Floats]:
    """Return BLEU's counts, CIDEr and exact matches of N pictures, all of symbols: what they are called is no matter.

    Raises:
        UserError: where sacrebleu or pycocoevalcap is missing.
    """
    written = [_text(output) for output in outputs]
    wanted = [[_text(reference) for reference in own] for own in references]
    counter = bleu_counter("none", INSTALL)
    counted = [counter(one, own) for one, own in zip(written, wanted, strict=True)]
    found = {
        name: np.array([counts[place] for counts in counted], dtype=np.float64)
        for place, name in enumerate(BLEU.statistics)
    }
    found["cider"] = cider(written, wanted, known)
    found["exact"] = np.array([100.0 * (one in own) for one, own in zip(written, wanted, strict=True)])
    return found


def cider(written: Sequence[str], wanted: Sequence[Sequence[str]], known: Frequencies) -> Floats:
    """Return CIDEr (Vedantam, Zitnick & Parikh 2015) of each of N texts, as the COCO server counts it (CIDEr-D).

    How rare a series of words is comes from ``known``, the references of a whole part, so that a part may be scored
    piece by piece: the mean over its pictures is what pycocoevalcap computes of all at once.
    """
    scorer: Any = _scorer()(known)
    for text, references in zip(written, wanted, strict=True):
        scorer += (text, list(references))
    return np.asarray(scorer.compute_cider(), dtype=np.float64)


@cache
def _scorer() -> type:
    """Return pycocoevalcap's scorer, with frequencies that are given."""
    try:
        from pycocoevalcap.cider.cider_scorer import CiderScorer
    except ImportError:
        raise UserError(f"CIDEr needs pycocoevalcap; install it with: {INSTALL}") from None

    class Given(CiderScorer):  # type: ignore[misc]
        def __init__(self, known: Frequencies) -> None:
            super().__init__()
            self.document_frequency, self.known = known, known

        @property
        def ref_len(self) -> float:
            """The logarithm of how many pictures there are, which the library takes from those that it was given."""
            return math.log(self.known.pictures)

        @ref_len.setter
        def ref_len(self, value: float | None) -> None:
            pass

    return Given


def require_scorers() -> None:
    """Raise `UserError` where a library is missing: before anything is trained."""
    bleu_counter("none", INSTALL)
    _scorer()


def _text(symbols: Sequence[int]) -> str:
    return " ".join(map(str, symbols))
