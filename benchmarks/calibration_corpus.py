"""Populations for metrics that are no means over items, and how often their interval misses the truth.

Two cells of one kind answer so many items, each with strong and weak items of its own, on so many seeds. One of them
may be worse by a known amount: the difference of the metric over all items there might be, averaged over seeds.

    perplexity   sentences of very unlike lengths; long ones are harder
    RMSE         errors whose size varies from item to item by a factor of 1.5 or 4 (one standard deviation)
    macro F1     three classes, the rarest of 1, 5 or 20 %
    BLEU         sentences that are too short by an eighth, too long by an eighth, or right on average: the brevity
                 penalty has its kink there
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nas_rnn.comparison.corpus import corpus_interval
from nas_rnn.tasks import Corpus, MacroF1, Perplexity, Rmse, Statistics

Floats = NDArray[np.float64]
Random = np.random.Generator
Draw = Callable[[Random, int, int, float], tuple[list[Statistics], list[Statistics]]]
"""Draws a contender and a baseline: so many seeds, so many items, the contender's own disadvantage."""

SEED_SPREAD = 0.05
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True)
class Bleu(Corpus):
    """100 BP exp(mean of log(matches[n] / ngrams[n]) over n = 1 to 4), BP = min(1, exp(1 - reference / length)).

    Papineni, Roukos, Ward & Zhu, ACL 2002. ``matches`` and ``ngrams`` are (4,), ``length`` is the candidate's.
    """

    @property
    def statistics(self) -> tuple[str, ...]:
        return ("matches", "ngrams", "length", "reference")

    @property
    def counts(self) -> tuple[str, ...]:
        return ("matches", "ngrams")

    def value(self, totals: Statistics) -> float:
        with np.errstate(all="ignore"):
            precision = np.exp(np.mean(np.log(np.divide(totals["matches"], totals["ngrams"]))))
            return float(100 * precision * np.exp(min(0.0, 1 - totals["reference"] / totals["length"])))


@dataclass(frozen=True)
class Population:
    """Two cells and a metric; ``truth`` gives the true difference, as it is compared, for a disadvantage."""

    name: str
    metric: Corpus
    draw: Draw
    disadvantage: float
    truth: Callable[[float], float]


def perplexity() -> Population:
    def draw(rng: Random, seeds: int, items: int, worse: float) -> tuple[list[Statistics], list[Statistics]]:
        tokens_N = np.ceil(np.exp(rng.normal(2.5, 0.8, items)))
        hard_N = 4 + 0.2 * np.log(tokens_N) + rng.normal(0, 0.5, items)

        def cell(shift: float) -> list[Statistics]:
            own_N = hard_N + rng.normal(0, 0.2, items) + shift
            rates = (own_N + rng.normal(0, SEED_SPREAD) + rng.normal(0, 0.1, items) for _ in range(seeds))
            return [{"nats": tokens_N * rate_N, "tokens": tokens_N} for rate_N in rates]

        return cell(worse), cell(0.0)

    metric = Perplexity("perplexity", "perplexity", "minimize", 0.01, "relative")
    return Population("perplexity", metric, draw, 0.2, lambda worse: worse)


def rmse(spread: float) -> Population:
    def draw(rng: Random, seeds: int, items: int, worse: float) -> tuple[list[Statistics], list[Statistics]]:
        count_N, size_N = 1.0 + rng.poisson(5, items), rng.normal(0, spread, items)

        def cell(shift: float) -> list[Statistics]:
            own_N = size_N + rng.normal(0, 0.2, items) + shift
            sizes = (own_N + rng.normal(0, SEED_SPREAD) for _ in range(seeds))
            return [
                {"squares": np.exp(2 * size_N) * rng.chisquare(count_N), "count": count_N} for size_N in sizes
            ]

        return cell(worse), cell(0.0)

    metric = Rmse("rmse", "metres", "minimize", 0.01, "relative")
    return Population(f"RMSE, spread {np.exp(spread):.1f}", metric, draw, 0.2, lambda worse: worse)


def macro_f1(rarest: float) -> Population:
    share_K = np.array([rarest, 0.3, 0.7 - rarest])
    level_K, apart = np.array([0.5, 1.0, 2.0]), 1.0
    metric = MacroF1("macro_f1", "%", "maximize", 0.5, "absolute", instead="accuracy")

    def draw(rng: Random, seeds: int, items: int, worse: float) -> tuple[list[Statistics], list[Statistics]]:
        class_N, ease_N = rng.choice(3, items, p=share_K), rng.normal(0, apart, items)

        def cell(shift: float) -> list[Statistics]:
            own_N = level_K[class_N] + ease_N + rng.normal(0, apart, items) - shift
            return [run(own_N + rng.normal(0, 2 * SEED_SPREAD)) for _ in range(seeds)]

        def run(logit_N: Floats) -> Statistics:
            right_N = rng.random(items) < special.expit(logit_N)
            other_N = (
                class_N
                + 1
                + (rng.random(items) * (share_K[class_N - 2] + share_K[class_N - 1]) > share_K[class_N - 2])
            ) % 3  # the two others, by their shares
            taken_N = np.where(right_N, class_N, other_N)
            actual, predicted = np.eye(3)[class_N], np.eye(3)[taken_N]
            return {"hits": actual * predicted, "predicted": predicted, "actual": actual}

        return cell(worse), cell(0.0)

    def value(shift: float) -> float:
        """Over all items and seeds, by quadrature."""
        found = []
        for seed in 2 * SEED_SPREAD * NODES:
            logits = level_K[:, None] - shift + seed + apart * 2**0.5 * NODES
            right_K = special.expit(logits) @ WEIGHTS
            wrong_K = share_K * (1 - right_K)
            predicted_K = share_K * right_K + [
                sum(wrong_K[c] * share_K[k] / (1 - share_K[c]) for c in range(3) if c != k) for k in range(3)
            ]
            found.append(
                metric.value({"hits": share_K * right_K, "predicted": predicted_K, "actual": share_K})
            )
        return float(np.array(found) @ WEIGHTS)

    name = f"macro F1, a class of {rarest:.0%}"
    return Population(name, metric, draw, 0.4, lambda worse: value(worse) - value(0.0))


def bleu(ratio: float) -> Population:
    metric = Bleu("bleu", "BLEU", "maximize", 0.5, "absolute", instead="nats per token")

    def texts(rng: Random, items: int) -> tuple[Floats, Floats, Floats]:
        reference_N = 5.0 + rng.poisson(rng.gamma(3, 5, items))
        return reference_N, rng.normal(0, 0.1, items), rng.normal(0.5, 0.5, items)

    def answers(rng: Random, shared: tuple[Floats, Floats, Floats], shift: float) -> tuple[Floats, Floats]:
        reference_N, longer_N, ease_N = shared
        noise_N = longer_N + rng.normal(0, 0.1, len(longer_N))
        return np.maximum(4, np.round(ratio * reference_N * np.exp(noise_N))), ease_N + rng.normal(
            0, 0.3, len(ease_N)
        ) - shift

    def draw(rng: Random, seeds: int, items: int, worse: float) -> tuple[list[Statistics], list[Statistics]]:
        shared = texts(rng, items)

        def cell(shift: float) -> list[Statistics]:
            length_N, logit_N = answers(rng, shared, shift)
            ngrams = length_N[:, None] - np.arange(4)
            found = []
            for _ in range(seeds):
                chance_N = special.expit(logit_N + rng.normal(0, SEED_SPREAD))
                matches = rng.binomial(ngrams.astype(np.int64), chance_N[:, None] ** np.arange(1, 5))
                found.append(
                    {"matches": matches, "ngrams": ngrams, "length": length_N, "reference": shared[0]}
                )
            return found

        return cell(worse), cell(0.0)

    def truth(worse: float) -> float:
        """Over very many items, the same for both, and over seeds by quadrature."""
        if not worse:
            return 0.0
        rng = np.random.default_rng(20_264)
        shared = texts(rng, 400_000)
        length_N, logit_N = answers(rng, shared, 0.0)
        ngrams = length_N[:, None] - np.arange(4)

        def value(logit: float) -> float:
            chance_N = special.expit(logit_N + logit)
            expected = {
                "matches": (ngrams * chance_N[:, None] ** np.arange(1, 5)).sum(0),
                "ngrams": ngrams.sum(0),
            }
            return metric.value({**expected, "length": length_N.sum(), "reference": shared[0].sum()})

        shifts = SEED_SPREAD * NODES
        return float(np.array([value(shift - worse) - value(shift) for shift in shifts]) @ WEIGHTS)

    return Population(f"BLEU, length {ratio:g}", metric, draw, 0.2, truth)


def populations() -> Iterator[Population]:
    """Yield all of them."""
    yield perplexity()
    yield from (rmse(np.log(1.5)), rmse(np.log(4)))
    yield from map(macro_f1, (0.01, 0.05, 0.2))
    yield from map(bleu, (0.875, 1.0, 1.125))


@dataclass(frozen=True)
class Coverage:
    """Shares of comparisons: of those with a word, the interval ``missed`` the truth; none was given (``refused``)."""

    missed: float
    refused: float
    words: int
    careless: float
    width: float
    reasons: dict[str, int]

    @property
    def error(self) -> float:
        """The standard error of ``missed``."""
        return (self.missed * (1 - self.missed) / self.words) ** 0.5 if self.words else float("nan")


def coverage(population: Population, items: int, worse: float, seeds: int, repeats: int) -> Coverage:
    """Draw comparisons; ``careless`` is how often the interval would have missed where none was given."""
    rng, truth = np.random.default_rng(20_265), population.truth(worse)
    missed, words, careless, others, width = 0, 0, 0, 0, 0.0
    reasons: dict[str, int] = {}
    for _ in range(repeats):
        candidate, baseline = population.draw(rng, seeds, items, worse)
        found = corpus_interval(population.metric, candidate, baseline)
        if found.interval is None:
            reasons["few"] = reasons.get("few", 0) + 1
            continue
        low, high = found.interval.ci95 or (0.0, 0.0)
        out = not low <= truth <= high
        if found.problem:
            reasons[found.problem.split()[0]] = reasons.get(found.problem.split()[0], 0) + 1
            careless, others = careless + out, others + 1
        else:
            missed, words, width = missed + out, words + 1, width + (high - low) / 2
    return Coverage(
        missed=missed / words if words else float("nan"),
        refused=1 - words / repeats,
        words=words,
        careless=careless / others if others else float("nan"),
        width=width / words if words else float("nan"),
        reasons=reasons,
    )
