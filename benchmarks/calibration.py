"""How often a comparison is wrong, and how often it finds what is there: the figures of docs/statistics.md.

    python benchmarks/calibration.py --repeats 4000
    python benchmarks/calibration.py --runs FOLDER --parts intervals pools

Comparisons are drawn from populations in which the truth is known:

    LSTM twice   real runs of one LSTM that differ in their seeds alone, drawn without one of them occurring
                 twice, on a test part drawn from the real one (contiguous blocks of a text, single pictures)
    LSTM, GRU    real runs of both, the GRU's moved so that all of them together are as good as the LSTM's
                 on all of the test part: alike on average, unlike on single items; runs drawn with repetition
    accuracies   simulated right and wrong answers of two cells to so many questions: each has its own strong
                 and weak questions, and its seeds differ; over all questions there might be they are equal

In all of them no cell is better, so "better" and "worse" are both wrong. The runs were made by
`calibration_runs.py` and lie in tests/comparison/runs, or in the folder ``--runs``. The part "pools" says how much a
rate owes to which runs there are: its deviation over pools that are drawn from the runs with repetition.

Intervals that are compared:

    crossed      the one in use: `nas_rnn.comparison.paired_interval`
    bootstrap    hierarchical: seeds and blocks of items drawn anew with repetition, percentiles of the mean
    seeds only   Student's, over the seeds' mean differences

The part "corpus" is about metrics that are no means over items: `calibration_corpus.py`.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from calibration_corpus import print_corpus
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import special

from nas_rnn.comparison import (
    Levels,
    Spread,
    Verdict,
    holm,
    interim_analyses,
    p_values,
    paired_interval,
    power,
    verdict_of,
)
from nas_rnn.comparison.power import PROMISED
from nas_rnn.comparison.statistics import super_blocks

RUNS = Path(__file__).resolve().parents[1] / "tests" / "comparison" / "runs"
TASKS = ("char-lm", "glimpses")
PARTS = ("intervals", "families", "looks", "power", "corpus", "pools")
TEXT_BLOCK = 16
RESAMPLES = 300

Floats = NDArray[np.float64]
Random = np.random.Generator
Interval = Callable[[Floats, Floats, Floats, Random], tuple[float, float]]


@dataclass(frozen=True)
class Sample:
    """One drawn comparison: ``cells`` (S, N) each, the baseline first, and the items' ``weights`` (N,)."""

    cells: tuple[Floats, ...]
    weights: Floats


Draw = Callable[[Random, int], Sample]
"""Draws a comparison of so many seeds."""


@dataclass(frozen=True)
class Pool:
    """All runs of one task: (runs, N) of each cell, None where there are none."""

    task: str
    lstm: Floats
    gru: Floats | None
    weights: Floats

    @classmethod
    def read(cls, task: str, folder: Path = RUNS) -> Pool:
        kept = np.load(folder / f"{task}.npz")
        lstm, gru, weights = (
            kept[name].astype(np.float64) if name in kept else None for name in ("lstm", "gru", "weights")
        )
        return cls(task, lstm, gru, weights)

    def items(self, rng: Random) -> NDArray[np.int64]:
        """Return a drawn test part: as many items, whole contiguous blocks of a text."""
        count = len(self.weights)
        if self.task == "glimpses":
            return rng.integers(0, count, count)
        starts = rng.integers(0, count - TEXT_BLOCK + 1, -(-count // TEXT_BLOCK))
        return (starts[:, None] + np.arange(TEXT_BLOCK)).ravel()[:count]


def lstm_twice(pool: Pool, contenders: int = 1, *, shift: float = 0.0, same_items: bool = False) -> Draw:
    """The LSTM against itself, ``contenders`` times over, all with seeds of their own; ``shift`` is added to them.

    The test part is drawn, or with ``same_items`` the real one.
    """

    def draw(rng: Random, seeds: int) -> Sample:
        chosen = rng.permutation(len(pool.lstm))[: seeds * (contenders + 1)].reshape(contenders + 1, seeds)
        items = np.arange(len(pool.weights)) if same_items else pool.items(rng)
        first, *others = (pool.lstm[np.ix_(runs, items)] for runs in chosen)
        return Sample((first, *(other + shift for other in others)), pool.weights[items])

    return draw


def lstm_and_gru(pool: Pool) -> Draw:
    """The LSTM against a GRU that is as good on all runs and items together."""
    assert pool.gru is not None
    means = [float(np.average(runs.mean(axis=0), weights=pool.weights)) for runs in (pool.lstm, pool.gru)]
    gru = pool.gru + means[0] - means[1]

    def draw(rng: Random, seeds: int) -> Sample:
        items = pool.items(rng)
        cells = tuple(runs[np.ix_(rng.integers(0, len(runs), seeds), items)] for runs in (pool.lstm, gru))
        return Sample(cells, pool.weights[items])

    return draw


def accuracies(items: int, *, level: float = 1.0, apart: float = 1.5, seed_spread: float = 0.1) -> Draw:
    """Per cent right: the chance of an answer is a logistic function of question, cell on question, and seed.

    ``level`` is the mean of the questions' easiness (deviation 1.5), ``apart`` the deviation of a cell's own
    strengths, ``seed_spread`` that of its seeds.
    """

    def draw(rng: Random, seeds: int) -> Sample:
        question = rng.normal(level, 1.5, items)
        cells = []
        for _ in range(2):
            chance = special.expit(
                question + rng.normal(0, apart, items) + rng.normal(0, seed_spread, (seeds, 1))
            )
            cells.append(100.0 * (rng.random((seeds, items), dtype=np.float32) < chance))
        return Sample(tuple(cells), np.ones(items))

    return draw


def crossed(candidate: Floats, baseline: Floats, weights: Floats, rng: Random) -> tuple[float, float]:
    """The interval in use."""
    return paired_interval(candidate, baseline, weights).ci95 or (0.0, 0.0)


def seeds_only(candidate: Floats, baseline: Floats, weights: Floats, rng: Random) -> tuple[float, float]:
    """Student's interval over the seeds' mean differences."""
    means = np.average(candidate - baseline, axis=1, weights=weights)
    half = special.stdtrit(len(means) - 1, 0.975) * means.std(ddof=1) / len(means) ** 0.5
    return float(means.mean() - half), float(means.mean() + half)


def bootstrap(candidate: Floats, baseline: Floats, weights: Floats, rng: Random) -> tuple[float, float]:
    """The hierarchical percentile bootstrap, over the same blocks of items as the interval in use."""
    blocks_SB, weights_B = super_blocks(candidate - baseline, weights / weights.sum())
    seeds, blocks = blocks_SB.shape
    share_RS = rng.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES) / seeds
    share_RB = rng.multinomial(blocks, np.full(blocks, 1 / blocks), RESAMPLES) * weights_B
    means = np.einsum("rs,sb,rb->r", share_RS, blocks_SB, share_RB) / share_RB.sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def wrong(draw: Draw, seeds: int, repeats: int, interval: Interval = crossed) -> tuple[float, float]:
    """Return how often the interval excludes zero, and its mean half width."""
    rng = np.random.default_rng(20_260)
    found, widths = 0, 0.0
    for _ in range(repeats):
        sample = draw(rng, seeds)
        low, high = interval(sample.cells[1], sample.cells[0], sample.weights, rng)
        found += low > 0 or high < 0
        widths += (high - low) / 2
    return found / repeats, widths / repeats


def verdicts(sample: Sample, margin: float, alpha: float = 0.05, *, together: bool = True) -> list[Verdict]:
    """Return the verdict on every contender of a sample, by Holm's method where they are judged ``together``."""
    found = [paired_interval(cell, sample.cells[0], sample.weights) for cell in sample.cells[1:]]
    tests = [p_values(interval, margin) for interval in found]
    difference = [None if test is None else test.difference for test in tests]
    equivalence = [None if test is None else test.equivalence for test in tests]
    if together:
        difference, equivalence = list(holm(difference)), list(holm(equivalence))
    return [
        verdict_of(interval.difference, p or 0.0, q or 0.0, alpha)
        for interval, p, q in zip(found, difference, equivalence, strict=True)
    ]


@contextmanager
def old_objects_left_alone() -> Iterator[None]:
    """Keep the garbage collector off what is there already: statsmodels calls it whenever it adjusts p-values."""
    holm([0.1, 0.2])  # what it imports is there then
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@old_objects_left_alone()
def called(draw: Draw, seeds: int, repeats: int, *, margin: float = 0.0, together: bool = True) -> float:
    """Return how often any contender is called better or worse."""
    rng = np.random.default_rng(20_261)
    found = 0
    for _ in range(repeats):
        words = verdicts(draw(rng, seeds), margin, together=together)
        found += any(word in ("better", "worse") for word in words)
    return found / repeats


def called_in_looks(
    draw: Draw, most: int, repeats: int, *, margin: float = 0.0, careless: bool = False
) -> tuple[float, float]:
    """Return how often adding seeds until it is settled ends in better or worse, and the mean number of seeds.

    ``careless`` gives every look the whole of alpha.
    """
    rng = np.random.default_rng(20_262)
    found, used = 0, 0
    for _ in range(repeats):
        whole = draw(rng, most)
        for look in interim_analyses(most):
            sample = Sample(tuple(cell[: look.seeds] for cell in whole.cells), whole.weights)
            (word,) = verdicts(sample, margin, 0.05 if careless else look.alpha)
            if word != "undecided":
                break
        used += look.seeds
        found += word in ("better", "worse")
    return found / repeats, used / repeats


def populations(word: str, folder: Path = RUNS) -> Iterator[tuple[str, Draw]]:
    """Yield the populations without a difference that have ``word`` in their name, by name."""
    found: list[tuple[str, Draw]] = []
    for task in TASKS:
        pool = Pool.read(task, folder)
        found.append((f"LSTM twice, {task}", lstm_twice(pool)))
        if pool.gru is not None:
            found.append((f"LSTM, GRU, {task}", lstm_and_gru(pool)))
    for items in (40, 100, 1_000, 10_000):
        found.append((f"accuracies, {items:,} items", accuracies(items)))
    return (pair for pair in found if word in pair[0])


def spread_of(pool: Pool, splits: int = 50) -> Spread:
    """Return the spread of a comparison of the LSTM with itself on these very items, from all runs."""
    rng, half = np.random.default_rng(20_263), len(pool.lstm) // 2
    seen = []
    for _ in range(splits):
        runs = pool.lstm[rng.permutation(len(pool.lstm))]
        seen.append(Spread.seen(paired_interval(runs[:half], runs[half : 2 * half], pool.weights)))
    known = [spread for spread in seen if spread is not None]
    seed, rest = (float(np.mean([getattr(spread, name) for spread in known])) for name in ("seed", "rest"))
    return Spread(seed=seed, item=0.0, rest=rest, item_freedom=known[0].item_freedom)


def effect_for(pool: Pool, seeds: int, promised: float = PROMISED) -> float:
    """Return the difference between two LSTMs that so many seeds find with the chance ``promised``."""
    spread, levels = spread_of(pool), Levels(difference=0.05, equivalence=0.05, margin=0.0)
    effect = spread.seed**0.5 / 10
    while power(effect, spread, seeds, levels) < promised:
        effect *= 1.01
    return effect


def print_intervals(console: Console, word: str, repeats: int, seeds: Sequence[int], folder: Path) -> None:
    """Print how often each interval excludes the true zero, and how wide they are."""
    table = Table(title="excludes the true zero, % (mean half width)")
    for column in ("population", "seeds", "crossed", "bootstrap", "seeds only"):
        table.add_column(column)
    for name, draw in populations(word, folder):
        for count in seeds:
            cells = [wrong(draw, count, repeats, interval) for interval in (crossed, bootstrap, seeds_only)]
            table.add_row(name, str(count), *(f"{100 * rate:.1f} ({width:.3g})" for rate, width in cells))
    console.print(table)


def print_families(console: Console, repeats: int, folder: Path) -> None:
    """Print how often any of several contenders is called better or worse."""
    table = Table(title="any called better or worse, %")
    for column in ("population", "with Holm", "without"):
        table.add_column(column)
    for task in TASKS:
        pool = Pool.read(task, folder)
        for contenders, seeds in ((2, 5), (2, 8), (4, 5)):
            draw = lstm_twice(pool, contenders)
            rates = [called(draw, seeds, repeats, together=together) for together in (True, False)]
            name = f"LSTM {contenders + 1} times, {task}, {seeds} seeds"
            table.add_row(name, *(f"{100 * rate:.1f}" for rate in rates))
    console.print(table)


def print_looks(console: Console, word: str, repeats: int, folder: Path) -> None:
    """Print how often adding seeds until it is settled ends in better or worse."""
    table = Table(title="added seeds: called better or worse, % (mean number of seeds)")
    for column in ("population", "most", "shares of alpha", "alpha at each look"):
        table.add_column(column)
    for name, draw in populations(word, folder):
        if "10,000" not in name:
            most = 16 if "twice" in name else 32
            cells = [called_in_looks(draw, most, repeats, careless=careless) for careless in (False, True)]
            table.add_row(name, str(most), *(f"{100 * rate:.1f} ({mean:.1f})" for rate, mean in cells))
    console.print(table)


def print_power(console: Console, repeats: int, seeds: Sequence[int], folder: Path) -> None:
    """Print how often an effect is found that so many seeds should find in four of five comparisons."""
    table = Table(title="a known effect is found, %")
    for column in ("runs", "seeds", "effect", "promised", "found"):
        table.add_column(column)
    for task in TASKS:
        pool = Pool.read(task, folder)
        for count in seeds:
            effect = effect_for(pool, count)
            found = called(lstm_twice(pool, shift=effect, same_items=True), count, repeats)
            table.add_row(task, str(count), f"{effect:.3g}", f"{100 * PROMISED:.1f}", f"{100 * found:.1f}")
    console.print(table)


def print_pools(console: Console, repeats: int, seeds: Sequence[int], folder: Path, pools: int = 60) -> None:
    """Print how often an LSTM is called better or worse than itself, and how much that differs between pools."""
    table = Table(title="LSTM twice: excludes the true zero, % (standard error from the choice of runs)")
    for column in ("runs", "how many", "seeds", "wrong", "half width"):
        table.add_column(column)
    rng, few = np.random.default_rng(20_267), max(100, repeats // 5)
    for task in TASKS:
        pool = Pool.read(task, folder)
        for count in seeds:
            rate, width = wrong(lstm_twice(pool), count, repeats)
            redrawn = [
                Pool(task, pool.lstm[rng.integers(0, len(pool.lstm), len(pool.lstm))], None, pool.weights)
                for _ in range(pools)
            ]
            rates = np.array([wrong(lstm_twice(drawn), count, few)[0] for drawn in redrawn])
            error = max(0.0, rates.var(ddof=1) - float(np.mean(rates * (1 - rates))) / few) ** 0.5
            shown = f"{100 * rate:.1f} ({100 * error:.1f})"
            table.add_row(task, str(len(pool.lstm)), str(count), shown, f"{width:.3g}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5, 8])
    parser.add_argument("--population", default="", help="only those with this word in their name")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="which tables")
    given = parser.parse_args()
    console = Console(width=110)
    if "intervals" in given.parts:
        print_intervals(console, given.population, given.repeats, given.seeds, given.runs)
    if "families" in given.parts:
        print_families(console, given.repeats, given.runs)
    if "looks" in given.parts:
        print_looks(console, given.population, given.repeats, given.runs)
    if "power" in given.parts:
        print_power(console, given.repeats, given.seeds, given.runs)
    if "corpus" in given.parts:
        print_corpus(console, given.population, given.repeats // 4)  # each takes long
    if "pools" in given.parts:
        print_pools(console, given.repeats, given.seeds, given.runs)


if __name__ == "__main__":
    main()
