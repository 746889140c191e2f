"""BLEU, from counts that add up over items; the counts are sacrebleu's. Knows no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from nas_rnn.errors import UserError
from nas_rnn.tasks.metric import Corpus, Statistics

BLEU_TOKENS = ("13a", "intl", "zh", "char", "none")
"""How sacrebleu cuts texts before it counts, by its names; "none": at spaces."""


@dataclass(frozen=True)
class Bleu(Corpus):
    """BLEU-4 in per cent, over all items (Papineni et al. 2002; the score is sacrebleu's, Post 2018).

    The statistics count, of sacrebleu's tokens, n-grams of 1 to 4 that are right and that there are (4,), and the
    tokens of outputs and references, of several the one nearest in length. All of them stand in a logarithm, so each
    must count 30 or more to be compared.
    """

    @property
    def statistics(self) -> tuple[str, ...]:
        return ("bleu_right", "bleu_ngrams", "bleu_output", "bleu_reference")

    @property
    def counts(self) -> tuple[str, ...]:
        return self.statistics

    def value(self, totals: Statistics) -> float:
        """Return BP exp(mean of log p[n]), BP = min(1, exp(1 - reference / output)) (equations 2 and 3).

        A precision of no match is 1 / (2^k n-grams) for the k-th such order, and 0 is the score where none matches.
        """
        right, ngrams = (np.asarray(totals[name], dtype=np.float64) for name in self.statistics[:2])
        output, reference = (float(totals[name]) for name in self.statistics[2:])
        if not right.any() or output <= 0 or not ngrams.all():
            return 0.0
        missed = np.cumsum(right == 0)
        precision = np.where(right > 0, right, 0.5**missed) / ngrams
        brevity = min(0.0, 1 - reference / output)
        return 100 * math.exp(brevity + float(np.log(precision).mean()))


Counted = tuple[list[int], list[int], int, int]


@cache
def bleu_counter(tokens: str, install: str) -> Callable[[str, Sequence[str]], Counted]:
    """Return what counts right n-grams, n-grams, tokens of the output and of the nearest reference, by sacrebleu.

    It is called with an output and its references. ``install`` is the command that brings sacrebleu.

    Raises:
        UserError: where sacrebleu is missing.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU as Sacre
    except ImportError:
        raise UserError(f"BLEU needs sacrebleu; install it with: {install}") from None
    counter: Any = Sacre(tokenize=tokens, effective_order=True)

    def count(output: str, references: Sequence[str]) -> Counted:
        score = counter.sentence_score(output, list(references))
        return score.counts, score.totals, score.sys_len, score.ref_len

    return count
