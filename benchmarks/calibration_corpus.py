"""Populations for metrics that are no means over items, and how often their interval misses the truth.

Two cells of one kind answer so many items, each with strong and weak items of its own, on so many seeds. One of them
may be worse by a known amount: the difference of the metric over all items there might be, averaged over seeds.

Sums of statistics over items are all that such a metric sees.

    perplexity   sentences of very unlike lengths; long ones are harder
    RMSE         errors whose size varies from item to item by a factor of 1.5, 2 or 4 (one standard deviation)
    macro F1     three classes, the rarest of 1, 5 or 20 %
    BLEU         sentences that are too short by an eighth, too long by an eighth, or right on average: the brevity
                 penalty has its kink there
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import special

from nas_rnn.comparison import p_values
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


class PlainF1(MacroF1):
    """Macro F1 that makes nothing of items that were not seen."""

    def steps(self, totals: Statistics) -> None:
        return None


F1 = MacroF1("macro_f1", "%", "maximize", 0.5, "absolute", instead="accuracy")


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


def rmse(factor: float) -> Population:
    def draw(rng: Random, seeds: int, items: int, worse: float) -> tuple[list[Statistics], list[Statistics]]:
        count_N, size_N = 1.0 + rng.poisson(5, items), rng.normal(0, np.log(factor), items)

        def cell(shift: float) -> list[Statistics]:
            own_N = size_N + rng.normal(0, 0.2, items) + shift
            sizes = (own_N + rng.normal(0, SEED_SPREAD) for _ in range(seeds))
            return [
                {"squares": np.exp(2 * size_N) * rng.chisquare(count_N), "count": count_N} for size_N in sizes
            ]

        return cell(worse), cell(0.0)

    metric = Rmse("rmse", "metres", "minimize", 0.01, "relative")
    return Population(f"RMSE, factor {factor:g}", metric, draw, 0.2, lambda worse: worse)


def macro_f1(rarest: float) -> Population:
    share_K = np.array([rarest, 0.3, 0.7 - rarest])
    level_K, apart = np.array([0.5, 1.0, 2.0]), 1.0
    metric = F1

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
            return _counts(class_N, taken_N)

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
    yield from map(rmse, (1.5, 2.0, 4.0))
    yield from map(macro_f1, (0.01, 0.05, 0.2))
    yield from map(bleu, (0.875, 0.99, 1.125))


@dataclass(frozen=True)
class Coverage:
    """Of so many ``drawn`` comparisons: those in which a word is given, and how many of their intervals miss the truth.

    ``missed_otherwise`` counts them among those with an interval in which no word is given, ``otherwise``.
    """

    drawn: int
    given: int
    missed: int
    otherwise: int
    missed_otherwise: int
    half_width: float

    @property
    def rate(self) -> tuple[float, float]:
        """How often the interval misses the truth where a word is given, and the standard error of that."""
        share = self.missed / self.given if self.given else float("nan")
        return share, (share * (1 - share) / self.given) ** 0.5 if self.given else float("nan")


def coverage(population: Population, items: int, worse: float, seeds: int, repeats: int) -> Coverage:
    """Draw comparisons in which the contender is so much worse."""
    rng, truth = np.random.default_rng([20_265, int(1000 * worse)]), population.truth(worse)
    given, missed, otherwise, missed_otherwise, width = 0, 0, 0, 0, 0.0
    for _ in range(repeats):
        candidate, baseline = population.draw(rng, seeds, items, worse)
        found = corpus_interval(population.metric, candidate, baseline)
        if found.interval is None or found.interval.ci95 is None:
            continue
        low, high = found.interval.ci95
        out = not low <= truth <= high
        if found.problem:
            otherwise, missed_otherwise = otherwise + 1, missed_otherwise + out
        else:
            given, missed, width = given + 1, missed + out, width + (high - low) / 2
    return Coverage(repeats, given, missed, otherwise, missed_otherwise, width / max(given, 1))


def alike_by_chance(items: int, repeats: int, *, careful: bool = True) -> float:
    """Return how often cells are called equivalent within half a point of macro F1 that differ by 0.9.

    Of three classes the rarest has 2 % of the items. There one cell is always right, the other wrong in 5 %, on the
    same items for every seed; elsewhere both err alike, each seed in 1 % of its own. Not ``careful`` counts in no
    item that was not seen.
    """
    metric = F1 if careful else PlainF1(**vars(F1))
    rng, share_K = np.random.default_rng(20_266), np.array([0.02, 0.3, 0.68])
    found = 0
    for _ in range(repeats):
        class_N = rng.choice(3, items, p=share_K)
        wrong_N = (class_N == 0) & (rng.random(items) < 0.05)
        noise = ((class_N == 2) & (rng.random(items) < 0.01) for _ in range(10))
        answers = [np.where(slip_N, 1, class_N) for slip_N in noise]
        worse = [np.where(wrong_N, 2, answer_N) for answer_N in answers[:5]]
        interval = corpus_interval(
            metric, [_counts(class_N, a) for a in worse], [_counts(class_N, a) for a in answers[5:]]
        )
        if interval.problem or interval.interval is None:
            continue
        tests = p_values(interval.interval, 0.5)
        found += tests is not None and tests.equivalence <= 0.025
    return found / repeats


def _counts(class_N: NDArray[np.int64], taken_N: NDArray[np.int64]) -> Statistics:
    actual, predicted = np.eye(3)[class_N], np.eye(3)[taken_N]
    return {"hits": actual * predicted, "predicted": predicted, "actual": actual}


def print_corpus(console: Console, word: str, repeats: int, seeds: int = 5) -> None:
    """Print how often the interval misses the truth, and how often there are too few items for one."""
    table = Table(title=f"metrics that are no means, {seeds} seeds: misses the truth, % (standard error)")
    for column in (
        "population",
        "items",
        "equal",
        "too few",
        "half width",
        "unlike",
        "too few",
        "difference",
    ):
        table.add_column(column)
    for population in populations():
        for items in (40, 100, 1_000) if word in population.name else ():
            cells = []
            for worse in (0.0, population.disadvantage):
                seen = coverage(population, items, worse, seeds, repeats)
                rate, error = (100 * value for value in seen.rate)
                cells += [
                    "-" if not seen.given else f"{rate:.1f} ({error:.1f})",
                    f"{100 - 100 * seen.given / seen.drawn:.0f}",
                ]
                cells += (
                    [f"{seen.half_width:.3g}" if seen.given else "-"]
                    if not worse
                    else [f"{population.truth(worse):.3g}"]
                )
            table.add_row(population.name, f"{items:,}", *cells)
    console.print(table)
    for careful in (True, False):
        rates = [
            f"{100 * alike_by_chance(items, repeats, careful=careful):.1f}" for items in (600, 1_000, 2_000)
        ]
        console.print(
            f"called equivalent that are not, %, {'as it is' if careful else 'nothing unseen'}: {', '.join(rates)}"
        )
