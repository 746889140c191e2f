"""The interval of a paired difference, over random seeds and over the items of the test part at once.

Two cells are trained on S paired seeds and measured on the same N test items. With d[s, i] the difference
of the two on item i for seed pair s, signed and weighted as the caller says, the crossed random-effects
model is

    d[s, i] = mu + seed[s] + item[i] + rest[s, i]

(Searle, Casella & McCulloch, *Variance Components*, 1992, chapter 4: the two-way crossed classification).
The mean over both, D, estimates mu for seeds *and* items that were not seen, with variance

    Var(D) = var_seed / S + var_item / N + var_rest / (S N).

Two plain estimates share it out: the spread of the S means over items, V_seed = var(d[s, .]) / S, expects
var_seed / S + var_rest / (S N); the spread of the N means over seeds, V_item = var(d[., i]) / N, expects
var_item / N + var_rest / (S N). Their sum counts the residual var_rest / (S N) twice. Subtracting it, as
the unbiased estimator does, leaves a difference of mean squares that with 2 or 3 seeds is often near or
below zero: simulated coverage of nominal 95 % fell to 78-93 % there. So V is the sum: it errs to the careful
side, by a few per cent where seeds or items matter, by a factor of 1.4 in the interval's width at the very
worst, where neither does and all is residual.

The interval is D -+ t * sqrt(V), with Satterthwaite's degrees of freedom (*Biometrics Bulletin* 2, 1946,
110-114): (V_seed + V_item)^2 / (V_seed^2 / (S - 1) + V_item^2 / (N - 1)). Put in as they are, the estimates
make it liberal with few seeds: where V_seed comes out small by chance, V is too small *and* the degrees of
freedom are too many (coverage down to 88 % with 2 seeds, 92 % with 3). So in the degrees of freedom, and
only there, each part is taken at its upper 75 % confidence bound, times (n - 1) / chi2_{0.25, n - 1}. That
held 94 % or more at every ratio of the two parts from 2 seeds on, and from 5 seeds on hardly changes the
width.

With weights w[i] that sum to one the means are weighted, and V_item = sum w[i]^2 (d[., i] - D)^2 / (1 - sum
w[i]^2), which for equal weights is the estimate above; N becomes the effective number 1 / sum w[i]^2 (Kish
1965).

Of values that are only right or wrong, a few dozen items often show no difference at all, or a single one,
and so a variance of nothing or next to it: cells of 99.5 % and 100 % were called equivalent within half a
point, on 40 items, in 22 to 57 % of simulated comparisons. So where all values are one of two, R apart,
(R / (N + 2))^2 is added to V_item: what one more item in each direction, with weight one half, adds to the
variance of a difference of matched proportions (Agresti & Min, *Statistics in Medicine* 24, 2005, 729-740).
Where all values are one and the same, v, they may be so by being all right: R is then abs(v).

Neighbouring items may resemble each other, which the spread of single items does not see. So
consecutive items are first joined into contiguous super-blocks of about equal weight, 10 to 16 of them:
batch means, of which 10 to 30 are enough (Schmeiser, *Operations Research* 30, 1982, 556-568). Independent
items lose some 5 % of the interval's width by it. The items must therefore come in the order of the test
part.

Items of one group (a speaker, a user) resemble each other wherever they stand. So where there are groups, they are
what is joined, in the order in which they first appear: no group falls into two blocks, and where there are fewer
groups than blocks each is one. The spread between groups then stands for that of groups not seen (the cluster-level
mean; Donner & Klar, *Design and Analysis of Cluster Randomization Trials*, 2000, chapter 6).

Which settings a tuning finds is chance as well. A cell whose runs have K settings, share q[k] of them each, with
means m[k], has a mean whose variance by the choice of its settings is taken to be var(m) * sum q[k]^2, which holds a
part of the seeds' too. That of both cells is added (`widened`). Its few degrees of freedom are not counted: Student's t
with two would make intervals so wide that they say nothing, and how often a word is wrong without is measured
(docs/statistics.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

FEWEST_BLOCKS, MOST_BLOCKS, ITEMS_PER_BLOCK = 10, 16, 6
CAREFUL_QUANTILE = 0.25

Floats = NDArray[np.float64]
Labels = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class PairedInterval:
    """What ``paired_interval`` found, all in the units of the values.

    ``ci95`` is the interval at level 1 - alpha (95 % by default), None where one seed on one item leaves no
    spread to judge by. ``per_seed`` has S differences. ``seed_variance`` and ``item_variance`` are the two
    parts of the variance of ``difference``, None where there is one seed, or one item. ``rest_variance`` is
    var_rest / N, which is in the first S times less and in the second as well: the share of ``item_variance``
    that more seeds make smaller. ``item_freedom`` are the degrees of freedom of ``item_variance``.
    ``settings_variance`` is what the choice of the settings adds to both; of that, ``settings_by_seeds`` is expected of
    seeds alone, and gets smaller with more of them, and ``settings_least`` is left where seeds made as much of it as
    they may.
    """

    difference: float
    ci95: tuple[float, float] | None
    per_seed: tuple[float, ...]
    seed_variance: float | None
    item_variance: float | None
    rest_variance: float
    degrees_of_freedom: float
    item_freedom: float
    super_blocks: int
    covers: str
    settings_variance: float = 0.0
    settings_by_seeds: float = 0.0
    settings_least: float = 0.0

    @property
    def seeds(self) -> int:
        """How many pairs of seeds."""
        return len(self.per_seed)

    @property
    def variance(self) -> float:
        """The variance of ``difference``."""
        return (self.seed_variance or 0.0) + (self.item_variance or 0.0) + self.settings_variance


def paired_interval(
    candidate: ArrayLike,
    baseline: ArrayLike,
    weights: ArrayLike,
    *,
    item: str = "item",
    alpha: float = 0.05,
    groups: ArrayLike | None = None,
) -> PairedInterval:
    """Return the mean difference candidate - baseline and its interval over seeds and items (see the module).

    ``candidate`` and ``baseline`` are (S, N): row s of both is one pair of seeds, column i the same test
    item in the order of the test part; ``weights`` is (N,), not negative. The interval misses the true
    difference with a chance of ``alpha``. With S = 1 it covers the test items only, with one item, or one
    group of them, the seeds only; ``covers`` says so with the task's word for an ``item``. ``groups`` (N,) are
    labels of any kind, equal for items of one group.

    Raises ValueError for shapes that do not agree, values that are not finite, and weights that are
    negative or all zero.
    """
    candidate_SN, baseline_SN, weights_N, groups_N = _checked(candidate, baseline, weights, groups)
    difference_SN = candidate_SN - baseline_SN
    if not np.isfinite(difference_SN).all():
        raise ValueError("values must be finite: a run that diverged has no interval")
    unseen = (_step(candidate_SN, baseline_SN) / (1 / float((weights_N**2).sum()) + 2)) ** 2
    difference_SB, weights_B = super_blocks(difference_SN, weights_N, groups_N)
    return interval_of_blocks(difference_SB, weights_B, unseen=unseen, item=item, alpha=alpha)


def interval_of_blocks(
    difference_SB: Floats, weights_B: Floats, *, unseen: float = 0.0, item: str = "item", alpha: float = 0.05
) -> PairedInterval:
    """Return the interval of differences (S, B) in blocks of weights (B,) that sum to one.

    ``unseen`` is what is added to the variance of the items.
    """
    seeds = len(difference_SB)
    per_seed = difference_SB @ weights_B
    mean = float(per_seed.mean())
    seed_variance = float(per_seed.var(ddof=1)) / seeds if seeds > 1 else None
    blocks = _item_part(difference_SB.mean(axis=0) - mean, weights_B)
    item_variance, item_freedom = (None, 0.0) if blocks is None else (blocks[0] + unseen, blocks[1])
    parts = [
        (part, freedom)
        for part, freedom in ((seed_variance, seeds - 1.0), (item_variance, item_freedom))
        if part is not None
    ]
    freedom = float(satterthwaite(parts))
    half = 0.0
    if any(part > 0 for part, _ in parts):
        half = float(scipy.special.stdtrit(freedom, 1 - alpha / 2)) * sum(part for part, _ in parts) ** 0.5
    return PairedInterval(
        difference=mean,
        ci95=(mean - half, mean + half) if parts else None,
        per_seed=tuple(float(value) for value in per_seed),
        seed_variance=seed_variance,
        item_variance=item_variance,
        rest_variance=_rest_part(difference_SB, per_seed, weights_B) if len(parts) == 2 else 0.0,
        degrees_of_freedom=freedom,
        item_freedom=item_freedom,
        super_blocks=len(weights_B),
        covers=_covers(seeds > 1, blocks is not None, item),
    )


def settings_variance(values: Sequence[float], settings: Sequence[int]) -> float:
    """Return the variance that the choice of settings gives the mean of values, by each value's settings."""
    values_S, settings_S = np.asarray(values, dtype=np.float64), np.asarray(settings)
    groups = [values_S[settings_S == setting] for setting in np.unique(settings_S)]
    if len(groups) < 2:
        return 0.0
    shares_K = np.array([len(group) for group in groups]) / len(values_S)
    return float(np.var([group.mean() for group in groups], ddof=1) * (shares_K**2).sum())


def settings_of_seeds(
    values: Sequence[float], settings: Sequence[int], alpha: float = 0.05
) -> tuple[float, float]:
    """Return what of `settings_variance` is expected of seeds alone, and what is left where they made the most of it.

    The means of two settings lie apart by chance, too. The spread within each says by how much (Student's t, pooled);
    where there are but two values it is not known, and all may be of the seeds.
    """
    whole = settings_variance(values, settings)
    values_S, settings_S = np.asarray(values, dtype=np.float64), np.asarray(settings)
    groups = [values_S[settings_S == setting] for setting in np.unique(settings_S)]
    freedom = len(values_S) - len(groups)
    if len(groups) != 2 or freedom < 1:
        return whole, 0.0
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / freedom
    # Of the distance between both means, as their variance goes with its square.
    distance = abs(float(groups[0].mean() - groups[1].mean()))
    error = (within * sum(1 / len(group) for group in groups)) ** 0.5
    if distance == 0.0 or not math.isfinite(distance):
        return whole, 0.0
    least = max(0.0, 1 - float(scipy.special.stdtrit(freedom, 1 - alpha / 2)) * error / distance)
    return min(whole, whole * (error / distance) ** 2), whole * least**2


def widened(
    interval: PairedInterval,
    by: float,
    alpha: float = 0.05,
    *,
    covers: str = "settings",
    of_seeds: tuple[float, float] | None = None,
) -> PairedInterval:
    """Return an interval with the variance ``by`` that the choice of settings adds; ``covers`` says of which.

    ``of_seeds`` is what `settings_of_seeds` says of it; None: none of it is of seeds.
    """
    by_seeds, least = (0.0, by) if of_seeds is None else of_seeds
    told = interval.covers.replace("seeds and ", f"seeds, {covers} and ").replace(
        "seeds only", f"seeds and {covers} only"
    )
    found = replace(
        interval,
        settings_variance=by,
        settings_by_seeds=by_seeds,
        settings_least=least,
        covers=told if by else interval.covers,
    )
    if interval.ci95 is None or by == 0.0:
        return found
    half = float(scipy.special.stdtrit(found.degrees_of_freedom, 1 - alpha / 2)) * found.variance**0.5
    return replace(found, ci95=(found.difference - half, found.difference + half))


def _checked(
    candidate: ArrayLike, baseline: ArrayLike, weights: ArrayLike, groups: ArrayLike | None
) -> tuple[Floats, Floats, Floats, Labels | None]:
    """Return the values (S, N) of items that have a weight, these weights (N,) summing to one, and groups (N,).

    Raises ValueError where they do not fit together.
    """
    candidate_SN = np.asarray(candidate, dtype=np.float64)
    baseline_SN = np.asarray(baseline, dtype=np.float64)
    weights_N = np.asarray(weights, dtype=np.float64)
    if candidate_SN.ndim != 2 or candidate_SN.size == 0 or candidate_SN.shape != baseline_SN.shape:
        raise ValueError(
            f"expected two equal shapes (seeds, items), got {candidate_SN.shape} and {baseline_SN.shape}"
        )
    if weights_N.shape != candidate_SN.shape[1:]:
        raise ValueError(
            f"expected one weight for each of {candidate_SN.shape[1]} items, got {weights_N.shape}"
        )
    if not (np.isfinite(weights_N).all() and (weights_N >= 0).all() and weights_N.sum() > 0):
        raise ValueError("weights must be finite, not negative, and not all zero")
    groups_N = None if groups is None else np.asarray(groups)
    if groups_N is not None and groups_N.shape != weights_N.shape:
        raise ValueError(f"expected one group for each of {len(weights_N)} items, got {groups_N.shape}")
    kept = weights_N > 0
    shares_N = weights_N[kept] / weights_N.sum()
    return (
        candidate_SN[:, kept],
        baseline_SN[:, kept],
        shares_N,
        None if groups_N is None else groups_N[kept],
    )


def _step(candidate_SN: Floats, baseline_SN: Floats) -> float:
    """Return how far apart the values are where there are but two, or one that stands for all right; else 0."""
    both = (candidate_SN, baseline_SN)
    low, high = min(float(v.min()) for v in both), max(float(v.max()) for v in both)
    if low == high:
        return abs(low)
    return high - low if all(bool(((v == low) | (v == high)).all()) for v in both) else 0.0


def super_blocks(
    difference_SN: Floats, weights_N: Floats, groups_N: Labels | None = None
) -> tuple[Floats, Floats]:
    """Join items into blocks of about equal weight, as `block_of` does: (S, B) weighted means, (B,) weights."""
    block_N = block_of(weights_N, groups_N)
    order_N = np.argsort(block_N, kind="stable")
    starts_B = np.flatnonzero(np.diff(block_N[order_N], prepend=-1))
    if len(starts_B) == len(weights_N):
        return difference_SN, weights_N
    ordered_N = weights_N[order_N]
    weights_B = np.add.reduceat(ordered_N, starts_B)
    return np.add.reduceat(difference_SN[:, order_N] * ordered_N, starts_B, axis=1) / weights_B, weights_B


def block_of(weights_N: Floats, groups_N: Labels | None = None) -> Labels:
    """Return the number of each item's block (N,), from 0 on: consecutive items of about equal weight together.

    ``weights_N`` sum to one. With groups, whole groups are joined, in the order in which they first appear.
    """
    if groups_N is not None:
        _, first_G, group_N = np.unique(groups_N, return_index=True, return_inverse=True)
        unit_N = np.argsort(np.argsort(first_G))[group_N]
        return np.asarray(block_of(np.bincount(unit_N, weights=weights_N).astype(np.float64))[unit_N])
    items = len(weights_N)
    wanted = min(max(items // ITEMS_PER_BLOCK, FEWEST_BLOCKS), MOST_BLOCKS)
    if items <= wanted:
        return np.arange(items)
    middles_N = np.cumsum(weights_N) - weights_N / 2
    block_N = np.minimum((middles_N * wanted).astype(np.int64), wanted - 1)
    return np.cumsum(np.diff(block_N, prepend=block_N[0]) > 0)


def _item_part(deviation_B: Floats, weights_B: Floats) -> tuple[float, float] | None:
    """Return the variance of the mean its blocks show, and its degrees of freedom; None for one block."""
    concentration = float((weights_B**2).sum())  # 1 / effective number of blocks
    if concentration > 1 - 1e-12:
        return None
    variance = float((weights_B**2 * deviation_B**2).sum()) / (1 - concentration)
    return variance, max(1.0, 1 / concentration - 1)


def _rest_part(difference_SB: Floats, per_seed_S: Floats, weights_B: Floats) -> float:
    """Return the variance that what is left besides seeds and blocks gives the mean of one seed."""
    rest_SB = difference_SB - difference_SB.mean(axis=0) - per_seed_S[:, None] + per_seed_S.mean()
    squares = float((weights_B**2 * rest_SB**2).sum())
    return squares / ((len(per_seed_S) - 1) * (1 - float((weights_B**2).sum())))


def satterthwaite(parts: Sequence[tuple[float | Floats, float]]) -> Floats:
    """Return the degrees of freedom of the sum of (variance, its degrees of freedom); see the module.

    The variances may be arrays of one shape, which is that of the answer.
    """
    if not parts:
        return np.asarray(1.0)
    bounds = [
        np.asarray(v) * (n / (2 * scipy.special.gammaincinv(n / 2, CAREFUL_QUANTILE))) for v, n in parts
    ]
    total = np.asarray(sum(bounds))
    # Shares of the total, so that tiny or huge units neither underflow nor overflow when squared.
    divisor = np.where(total > 0, total, 1.0)
    inverse = np.asarray(sum((bound / divisor) ** 2 / n for bound, (_, n) in zip(bounds, parts, strict=True)))
    most = max(freedom for _, freedom in parts)
    return np.maximum(1.0, 1 / np.where(total > 0, inverse, 1 / most))


def _covers(seeds: bool, items: bool, item: str) -> str:
    """Say in words what an interval covers."""
    if seeds and items:
        return f"seeds and test {plural(item)}"
    if items:
        return f"test {plural(item)} only"
    return "seeds only" if seeds else "nothing"


def plural(word: str) -> str:
    """Return the English plural of a regular noun, or of "series"."""
    if word.endswith("series"):
        return word
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")
