"""What outputs are worth: exact matches, tokens in their places, chrF and BLEU, from counts that add up over pairs.

Knows no torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.bleu import Bleu, bleu_counter
from nas_rnn.tasks.metric import Corpus, Floats, Mean, Statistics
from nas_rnn.tasks.vocabulary import UNKNOWN, join

INSTALL = "pip install 'nas_rnn[text]'"
ORDERS = 6
"""Lengths of the character series that chrF counts (Popović 2015)."""
BETA = 2.0
"""How many times as much recall counts in chrF as precision does."""


@dataclass(frozen=True)
class ChrF(Corpus):
    """chrF2 in per cent, over all pairs (Popović 2015, "chrF: character n-gram F-score"; as sacrebleu counts it).

    The statistics (6,) count series of 1 to 6 characters, without spaces: those that output and reference share, those
    of the output and those of the reference.
    """

    @property
    def statistics(self) -> tuple[str, ...]:
        return ("chrf_shared", "chrf_output", "chrf_reference")

    @property
    def counts(self) -> tuple[str, ...]:
        return ()  # zero counts are no singularity: an order that nobody has is left out

    def value(self, totals: Statistics) -> float:
        """Return F = (1 + b^2) P R / (b^2 P + R) of the mean precision P and the mean recall R over the orders."""
        shared, output, reference = (np.asarray(totals[name], dtype=np.float64) for name in self.statistics)
        both = (output > 0) & (reference > 0)
        if not both.any():
            return 0.0
        precision = float((shared[both] / output[both]).mean())
        recall = float((shared[both] / reference[both]).mean())
        below = BETA**2 * precision + recall
        return 100 * (1 + BETA**2) * precision * recall / below if below else 0.0


EXACT = Mean("exact", "% exact", "maximize", 0.5, "absolute", of="exact")
TOKENS = Mean("token_accuracy", "% of tokens", "maximize", 0.5, "absolute", of="right", per="tokens")
CHRF = ChrF("chrf", "chrF2", "maximize", 0.5, "absolute", instead=EXACT.name)
BLEU = Bleu("bleu", "BLEU", "maximize", 0.5, "absolute", instead=CHRF.name)


def scored(
    outputs: Sequence[Sequence[str]], references: Sequence[Sequence[str]], *, by: str, bleu_tokens: str = ""
) -> dict[str, Floats]:
    """Return the statistics of N pairs, from the tokens of outputs and references; BLEU's where it has a tokeniser.

    An output is exact where all tokens are the reference's, of which an unknown one is never right. ``right`` counts
    100 for every token of the reference, its end included, that stands in its place. What sacrebleu and chrF read are
    the joined texts.

    Raises:
        UserError: where BLEU is asked for and sacrebleu is missing.
    """
    rows = [_of_tokens(*both) for both in zip(outputs, references, strict=True)]
    found = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}
    texts = [(join(one, by), join(other, by)) for one, other in zip(outputs, references, strict=True)]
    chrf_N3O = np.array([_chrf_counts(*both) for both in texts], dtype=np.float64)
    found |= {name: chrf_N3O[:, place] for place, name in enumerate(CHRF.statistics)}
    if bleu_tokens:
        count = bleu_counter(bleu_tokens, INSTALL)
        counted = [count(one, [other]) for one, other in texts]
        for place, name in enumerate(BLEU.statistics):
            found[name] = np.array([counts[place] for counts in counted], dtype=np.float64)
    return found


def _of_tokens(output: Sequence[str], reference: Sequence[str]) -> dict[str, float]:
    right = sum(
        one == other and one != UNKNOWN
        for one, other in zip((*output, "</s>"), (*reference, "</s>"), strict=False)
    )
    exact = len(output) == len(reference) and right == len(reference) + 1
    return {"exact": 100.0 * exact, "right": 100.0 * right, "tokens": len(reference) + 1.0}


def _chrf_counts(output: str, reference: str) -> NDArray[np.int64]:
    """Return (3, 6): shared, of the output (none where the reference has none, as in sacrebleu), of the reference."""
    texts = ["".join(text.split()) for text in (output, reference)]
    counts = np.zeros((3, ORDERS), dtype=np.int64)
    for order in range(1, ORDERS + 1):
        one, other = (
            Counter(text[place : place + order] for place in range(len(text) - order + 1)) for text in texts
        )
        shared = sum(min(count, other[series]) for series, count in one.items())
        counts[:, order - 1] = shared, one.total() if other else 0, other.total()
    return counts
