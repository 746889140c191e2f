"""Ready metrics that are no means over items: perplexity, the root of a mean square, macro-averaged F1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.metric import Corpus, Floats, Statistics


@dataclass(frozen=True)
class _OfMean(Corpus):
    """A function of the mean of ``of`` over ``per``, whose values are compared by their ratio."""

    of: str = "value"
    per: str = "items"

    logarithmic: ClassVar[bool] = True

    @property
    def statistics(self) -> tuple[str, ...]:
        return (self.of, self.per)

    @property
    def counts(self) -> tuple[str, ...]:
        return (self.per,)


@dataclass(frozen=True)
class Perplexity(_OfMean):
    """exp(nats / tokens): the exponential of the mean of ``of`` (in nats) over ``per``."""

    of: str = "nats"
    per: str = "tokens"

    def value(self, totals: Statistics) -> float:
        """Return the perplexity; infinite where it is too large for a number."""
        with np.errstate(all="ignore"):
            return float(np.exp(np.divide(totals[self.of], totals[self.per])))

    def gradient(self, totals: Statistics) -> dict[str, Floats]:
        """Return d/d nats = P / tokens and d/d tokens = -P nats / tokens^2."""
        per, rate = float(totals[self.per]), self.value(totals) / float(totals[self.per])
        return {self.of: np.asarray(rate), self.per: np.asarray(-rate * float(totals[self.of]) / per)}


@dataclass(frozen=True)
class Rmse(_OfMean):
    """sqrt(squares / count): the root of the mean of ``of`` (squared errors) over ``per`` (how many there are)."""

    of: str = "squares"
    per: str = "count"

    def value(self, totals: Statistics) -> float:
        """Return the root of the mean square; NaN where nothing was counted."""
        with np.errstate(all="ignore"):
            return float(np.sqrt(np.divide(totals[self.of], totals[self.per])))

    def gradient(self, totals: Statistics) -> dict[str, Floats]:
        """Return d/d squares = R / (2 squares) and d/d count = -R / (2 count); infinite at an error of zero."""
        with np.errstate(all="ignore"):
            half = self.value(totals) / 2
            return {
                self.of: np.asarray(np.divide(half, totals[self.of])),
                self.per: np.asarray(-np.divide(half, totals[self.per])),
            }


@dataclass(frozen=True)
class MacroF1(Corpus):
    """The mean over k classes of F1 = 2 hits / (predicted + actual), in per cent (0 to 100).

    The three statistics (k,) count for each class what was rightly taken for it, what was taken for it, and what is of
    it (van Rijsbergen, *Information Retrieval*, 1979, chapter 7). A class that neither occurs nor is predicted does not
    count, as in scikit-learn.
    """

    hits: str = "hits"
    predicted: str = "predicted"
    actual: str = "actual"

    @property
    def statistics(self) -> tuple[str, ...]:
        return (self.hits, self.predicted, self.actual)

    @property
    def class_items(self) -> str:
        return self.actual

    def value(self, totals: Statistics) -> float:
        """Return the macro-averaged F1 in per cent; NaN where no class occurs."""
        hits_K, both_K, occurs_K = self._terms(totals)
        return 100 * float(np.mean(2 * hits_K[occurs_K] / both_K[occurs_K])) if occurs_K.any() else math.nan

    def gradient(self, totals: Statistics) -> dict[str, Floats]:
        """Return by class d/d hits = 200 / (k both) and d/d predicted = d/d actual = -200 hits / (k both^2)."""
        hits_K, both_K, occurs_K = self._terms(totals)
        rate_K = np.divide(200 / max(1, occurs_K.sum()), both_K, out=np.zeros_like(both_K), where=occurs_K)
        falling_K = -rate_K * np.divide(hits_K, both_K, out=np.zeros_like(both_K), where=occurs_K)
        return {self.hits: rate_K, self.predicted: falling_K, self.actual: falling_K}

    def steps(self, totals: Statistics) -> Floats:
        """Return by class the fall where one item of it, right so far, is taken for the largest other class.

        Where none was right it is the rise of the class by a first one.
        """
        hits_K, both_K, occurs_K = self._terms(totals)
        f1_K = np.divide(2 * hits_K, both_K, out=np.zeros_like(both_K), where=occurs_K)
        lost_K = f1_K - 2 * (hits_K - 1) / np.maximum(both_K - 1, 1)
        own_K = np.where(hits_K > 0, lost_K, 2 / (both_K + 1))
        taken_K = f1_K - 2 * hits_K / (both_K + 1)  # what one more that is taken for it costs a class
        by_size = np.argsort(both_K)
        other_K = np.where(np.arange(len(both_K)) == by_size[-1], by_size[-2:][0], by_size[-1])
        return np.asarray(100 * (own_K + taken_K[other_K]) / max(1, occurs_K.sum()))

    def _terms(self, totals: Statistics) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        hits_K, predicted_K, actual_K = (
            np.asarray(totals[name], dtype=np.float64) for name in self.statistics
        )
        both_K = predicted_K + actual_K
        return hits_K, both_K, both_K > 0
