"""The paired interval of a metric that is no mean over items (F1, BLEU, a root, an exponential), or why there is none.

Such a metric is a function f of totals S = sum s[i] of N items' statistics. To first order it is a mean after all: of
the *influence values*

    u[i] = f(S) + grad f(S) . (N s[i] - S),    whose mean over items is f(S)

(the infinitesimal jackknife: Jaeckel, Bell Laboratories memorandum MM 72-1215-11, 1972; Efron, *The Jackknife, the
Bootstrap and Other Resampling Plans*, 1982, chapter 6; as Taylor linearisation it is usual in survey statistics:
Särndal, Swensson & Wretman, *Model Assisted Survey Sampling*, 1992, chapter 5). Each run is linearised at its own
totals, and the influence values go through the crossed interval of `nas_rnn.comparison.statistics` as values do. A
metric that is compared by its ratio (``logarithmic``) is log f here, whose gradient is grad f / f.

Right and wrong answers of a few items may show no difference in a rare class by mere chance. As there, one more item
in each direction, with weight one half, is counted in: with step[c] what another answer to one item of class c changes
(`Corpus.steps`), sum over c of (step[c] n[c] / (n[c] + 2))^2 is added to the items' variance.

All this is right where totals move little between test parts. Beside it stands the jackknife that leaves out one of
the B super-blocks at a time and takes no derivative: with w[b] the share of items in block b and f[-b] the metric of
the others, its pseudo-values

    p[b] = f / w[b] - (1 / w[b] - 1) f[-b]

are block means of f, were f linear, and go through the same interval (the delete-m[j] jackknife: Busing, Meijer & van
der Leeden, *Statistics and Computing* 9, 1999, 3-8). No word is given where

- a total that stands in a logarithm or a denominator counts less than 30, or a class is in less than 10 items;
- one block has over half of the variance between blocks, and so much that of normal ones 1 in 100 comparisons has
  such a block (Cochran, *Annals of Eugenics* 11, 1941, 47-52); or no block differs from another;
- the two intervals differ by more than a fifth in width, or in their middles by a fifth of a standard error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from nas_rnn.comparison.statistics import (
    Floats,
    Labels,
    PairedInterval,
    block_of,
    interval_of_blocks,
    super_blocks,
)
from nas_rnn.tasks import Corpus, Statistics
from nas_rnn.tasks.metric import totals_of, with_items

FEWEST_COUNTED = 30
FEWEST_OF_A_CLASS = 10
LARGEST_SHARE, SELDOM = 0.5, 0.01
"""Of one block in the variance between blocks; and how seldom blocks that differ by chance have one as large."""
LARGEST_GAP = 0.2
"""Between the linearised and the jackknife's interval: of the widths, and of the middles in standard errors."""
ROUNDING = 1e-8
"""Spread that is less of the values than this is none: central differences are right to ten digits."""
TOO_FEW = "too few test items for this metric"


@dataclass(frozen=True)
class CorpusInterval:
    """The interval of a difference of f, or of log f; ``problem`` says why it must not be relied on, or is empty.

    None where a first requirement failed already.
    """

    interval: PairedInterval | None
    problem: str


def corpus_interval(
    metric: Corpus,
    candidate: Sequence[Statistics],
    baseline: Sequence[Statistics],
    *,
    sign: int = 1,
    item: str = "item",
    alpha: float = 0.05,
    groups: Labels | None = None,
) -> CorpusInterval:
    """Return the interval of ``sign`` times the mean difference.

    ``candidate`` and ``baseline`` hold the statistics of S runs each: run s of both is one pair of seeds, row i
    of all the same test item. The arguments by name are those of `paired_interval`.
    """
    runs = [*candidate, *baseline]
    problem = _too_few_counted(metric, runs)
    if problem:
        return CorpusInterval(None, problem)
    with np.errstate(all="ignore"):
        values_RN = np.stack([influences(metric, run) for run in runs])
    if not np.isfinite(values_RN).all():
        return CorpusInterval(
            None, "it has no finite slope here" + (", or is zero" if metric.logarithmic else "")
        )
    seeds, items = len(candidate), values_RN.shape[1]
    weights_N = np.full(items, 1 / items)
    difference_SN = sign * (values_RN[:seeds] - values_RN[seeds:])
    difference_SB, weights_B = super_blocks(difference_SN, weights_N, groups)
    unseen = _unseen(metric, runs)
    found = interval_of_blocks(difference_SB, weights_B, unseen=unseen, item=item, alpha=alpha)
    if len(weights_B) == 1:
        return CorpusInterval(found, "")
    block_N = block_of(weights_N, groups)
    with np.errstate(all="ignore"):
        pseudo_RB = np.stack([pseudo_values(metric, run, block_N) for run in runs])
    return CorpusInterval(
        found,
        _one_block_decides(difference_SB, weights_B, float(np.abs(values_RN).max()))
        or _not_linear(difference_SB, sign * (pseudo_RB[:seeds] - pseudo_RB[seeds:]), weights_B),
    )


def compared_value(metric: Corpus, totals: Statistics) -> float:
    """Return the metric as it is compared: f, or log f."""
    value = metric.value(totals)
    return float(np.log(value)) if metric.logarithmic else value


def influences(metric: Corpus, statistics: Statistics) -> Floats:
    """Return the influence values (N,) of one run, whose mean is f(S), or log f(S)."""
    totals, rows = totals_of(statistics), with_items(statistics)
    items = len(rows["items"])
    moved_N = np.zeros(items)
    for name, slope in metric.gradient(totals).items():
        moved = items * np.asarray(rows[name], dtype=np.float64) - totals[name]
        moved_N += moved.reshape(items, -1) @ np.asarray(slope, dtype=np.float64).ravel()
    if metric.logarithmic:
        moved_N = moved_N / metric.value(totals)
    return np.asarray(compared_value(metric, totals) + moved_N)


def pseudo_values(metric: Corpus, statistics: Statistics, block_N: Labels) -> Floats:
    """Return the jackknife's pseudo-values (B,) of one run, for the blocks 0 to B - 1 of its items."""
    totals, rows = totals_of(statistics), with_items(statistics)
    share_B = np.bincount(block_N) / len(block_N)
    member_BN = (block_N == np.arange(len(share_B))[:, None]).astype(np.float64)
    blocks = {name: member_BN @ np.asarray(rows[name], dtype=np.float64) for name in metric.statistics}
    whole = compared_value(metric, totals)
    without_B = np.array(
        [
            compared_value(metric, {name: totals[name] - sums[b] for name, sums in blocks.items()})
            for b in range(len(share_B))
        ]
    )
    return np.asarray(whole / share_B - (1 / share_B - 1) * without_B)


def _too_few_counted(metric: Corpus, runs: Sequence[Statistics]) -> str:
    """Say what was seen too seldom in any run, if anything."""
    for name in metric.counts:
        least = min(float(np.min(totals_of(run)[name])) for run in runs)
        if least < FEWEST_COUNTED:
            return f"{name} add up to {least:g}, and it takes {FEWEST_COUNTED}"
    if metric.class_items is not None:
        items_RK = np.stack([(np.asarray(run[metric.class_items]) > 0).sum(axis=0) for run in runs])
        least_K = items_RK.min(axis=0)
        rarest = int(least_K.argmin())
        if least_K[rarest] < FEWEST_OF_A_CLASS:
            return f"{least_K[rarest]} of class {rarest}, and it takes {FEWEST_OF_A_CLASS}"
    return ""


def _one_block_decides(difference_SB: Floats, weights_B: Floats, size: float) -> str:
    """Say that one block has most of the variance between blocks, or that there is none for values of this size."""
    means_B = difference_SB.mean(axis=0)
    squares_B = (weights_B * (means_B - means_B @ weights_B)) ** 2
    if squares_B.sum() ** 0.5 <= ROUNDING * size:
        return "no spread between them was seen"
    share, blocks = float(squares_B.max() / squares_B.sum()), len(weights_B)
    if blocks < 3 or share <= LARGEST_SHARE:
        return ""
    largest = min(1.0, share * blocks / (blocks - 1))
    by_chance = blocks * (1 - float(scipy.special.betainc(0.5, blocks / 2 - 1, largest)))
    return f"one block of them carries {share:.0%} of the spread" if by_chance < SELDOM else ""


def _not_linear(linear_SB: Floats, pseudo_SB: Floats, weights_B: Floats) -> str:
    """Say that the jackknife's interval is another, if it is."""
    if not np.isfinite(pseudo_SB).all():
        return "without one block of them it has no value"
    linear, other = (interval_of_blocks(values_SB, weights_B) for values_SB in (linear_SB, pseudo_SB))
    errors = linear.variance**0.5, other.variance**0.5
    apart = max(errors) / min(errors) - 1 if min(errors) > 0 else math.inf
    if apart > LARGEST_GAP:
        return f"two estimates of its interval differ by {apart:.0%} in width"
    moved = abs(other.difference - linear.difference) / errors[0]
    return "" if moved <= LARGEST_GAP else f"two estimates of it differ by {moved:.0%} of its standard error"


def _unseen(metric: Corpus, runs: Sequence[Statistics]) -> float:
    """Return the variance of one more item of each class in each direction, with weight one half."""
    steps = [metric.steps(totals_of(run)) for run in runs]
    if metric.class_items is None or steps[0] is None:
        return 0.0
    step_K = np.max([np.abs(step) for step in steps if step is not None], axis=0)
    items_K = (np.asarray(runs[0][metric.class_items]) > 0).sum(axis=0)
    return float(((step_K * items_K / (items_K + 2)) ** 2).sum())
