"""How often an LSTM that was tuned is called better or worse than the same LSTM, tuned once more.

    python benchmarks/calibration_tuning.py char-lm --out char-lm.jsonl --minutes 25
    python benchmarks/calibration_tuning.py char-lm --out char-lm.jsonl --minutes 0 --pool runs/char-lm.npz

It trains a pool of LSTMs that all end by the rule: with the task's settings, and two each with settings drawn as
tuning draws them. From it comparisons are drawn. Each of two contenders tunes, by one run of each of some settings
(the task's own and drawn ones): the best third after a third of the epochs is trained to its end, with the task's
own, and the two best on validation are taken. Then come the final runs, with the one and the other in turn, on a drawn
test part. Neither contender is the better cell, so that "better" and "worse" are both wrong. "The best alone" is what
it would be had the final runs the best settings alone; a search has both contenders try the same settings, at first.

A pool has too few runs of a setting for two contenders' final runs. So a final run is the mean of its setting's and
what some run of any setting that tuning takes deviates from the mean of its own; no run serves twice in a comparison,
as long as there are enough. Means of few runs lie further apart than settings do; they are drawn together until their
variance is what is left without that of the seeds. "Not tuned" is the control: both contenders with the task's
settings.

The standard error is the deviation over pools whose settings, and runs with the task's own, are drawn from the pool
with repetition, less the part that comes from so few comparisons in each.

``--pool`` writes the runs with the task's settings as `calibration.py --runs` reads them.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from calibration import Pool
from numpy.typing import NDArray
from sized_runs import run_of, sized, trained

from nas_rnn import plugins
from nas_rnn.cells import gate_bias, parse_cell, with_gate_bias
from nas_rnn.comparison import Entry, paired_interval
from nas_rnn.comparison.statistics import settings_variance, widened
from nas_rnn.experiment.stages.halving import LEAST_RUNG, REDUCTION
from nas_rnn.experiment.stages.ranges import ranges
from nas_rnn.experiment.stages.tuning import FINALISTS
from nas_rnn.strategies.settings import Settings as Proposed
from nas_rnn.strategies.settings import SettingsStudy
from nas_rnn.tasks import Mean, Task, TaskData
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.errors import Diverged

DEFAULT_RUNS, DRAWN_SETTINGS, DRAWN_RUNS = 32, 14, 2
TRIALS = (6, 8)
OFTEN = 0.02
"""A setting whose runs count: of so many tunings it is taken."""
Random = np.random.Generator
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One run of a pool: its validation curve (less is better) and its test items (N,), less or more is better."""

    setting: int
    curve: Floats
    items: Floats

    def at(self, epochs: int | None = None) -> float:
        return float(self.curve[:epochs].min())


class Trained:
    """Trains the LSTM of about ``parameters`` with settings of the tuning's ranges."""

    def __init__(self, task: Task, data: TaskData, parameters: int, **own: float) -> None:
        self._task, self._data = task, data
        given = {
            "batch": 32,
            "length": 32,
            **task.training_defaults,
            **own,
            "epochs": "auto",
            "device": "cpu",
        }
        cell = plugins.load_cell("lstm")
        self._entry = Entry(
            name="lstm",
            cell=cell.to_text(),
            digest=cell.digest,
            hidden_size=1,
            parameters=parameters,
            training=TrainingOptions(**given),
            gate_bias=gate_bias(cell),
        )

        self._size = 1
        self._size = sized(self._spec(0, 0), task, data, parameters).hidden_size

    def settings(self, number: int) -> Proposed:
        """Return setting ``number``: 0 is the task's own; each seven more are from a sequence of their own."""
        block, index = divmod(max(number - 1, 0), SettingsStudy.START - 1)
        study = SettingsStudy(ranges([self._entry]), self._entry.settings, seed=block)
        return study.propose(0 if number == 0 else index + 1, [])

    def _spec(self, number: int, seed: int) -> RunSpec:
        entry = self._entry.with_settings(self.settings(number))
        run = run_of("lstm", self._task, entry.training, seed, self._size, id=f"setting-{number}-{seed}")
        return replace(run, cell=with_gate_bias(parse_cell(entry.cell), entry.gate_bias or 0.0).to_text())

    def line(self, number: int, seed: int) -> dict[str, object]:
        """Train one run; what it measured, as a line of the pool's file."""
        measures = self._task.measures(self._data.meta)
        sign = -1.0 if measures.monitor.direction == "maximize" else 1.0
        line: dict[str, object] = {"setting": number, "seed": seed, "settings": self.settings(number)}
        try:
            result = trained(self._spec(number, seed), self._task, self._data).result()
        except Diverged as error:
            return line | {"diverged": str(error)}
        assert isinstance(measures.metric, Mean) and result.test_statistics is not None
        values, weights = measures.metric.items(
            {name: np.asarray(rows) for name, rows in result.test_statistics.items()}
        )
        return line | {
            "curve": [sign * record.metric for record in result.epochs],
            "ended": result.ended_because,
            "items": [round(value, 6) for value in values.tolist()],
            "weights": weights.tolist(),
        }


class Tuned:
    """A pool of runs by setting, from which comparisons are drawn.

    ``seed`` is the deviation of test figures within a setting, ``setting`` that of the settings which tuning takes.
    """

    def __init__(self, task: str, runs: Sequence[Run], weights: Floats) -> None:
        self.runs, self.weights = list(runs), weights
        found: dict[int, list[int]] = {}
        for index, run in enumerate(self.runs):
            found.setdefault(run.setting, []).append(index)
        self.by_setting = {setting: own for setting, own in found.items() if len(own) >= DRAWN_RUNS}
        self._items = Pool(task, np.empty((0, 0)), None, weights)
        self._model()

    def _model(self) -> None:
        """Find the settings' means, drawn together as far as seeds have set them apart, and the runs' deviations."""
        rng = np.random.default_rng(20_269)
        taken = Counter(self.tune(rng, self.settings(rng, min(TRIALS)))[0][0] for _ in range(1000))
        share = {setting: count / 1000 for setting, count in taken.items() if count >= 1000 * OFTEN}
        total = sum(share.values())
        items = {s: np.stack([self.runs[i].items for i in own]) for s, own in self.by_setting.items()}
        apart = [
            (items[s] - items[s].mean(axis=0)) * (len(items[s]) / (len(items[s]) - 1)) ** 0.5 for s in share
        ]
        self.deviations = np.concatenate(apart)
        level = {s: float(np.average(rows.mean(axis=0), weights=self.weights)) for s, rows in items.items()}
        self.seed = float(np.sqrt(np.mean(np.average(self.deviations, axis=1, weights=self.weights) ** 2)))
        centre = sum(p * items[s].mean(axis=0) for s, p in share.items()) / total
        middle = float(np.average(centre, weights=self.weights))
        seen = sum(p / total * (level[s] - middle) ** 2 for s, p in share.items())
        by_chance = sum(p / total * (1 - p / total) * self.seed**2 / len(items[s]) for s, p in share.items())
        left = max(0.0, seen - by_chance)
        self.setting = left**0.5
        self.means = {}
        for s, rows in items.items():
            near = (left / (left + self.seed**2 / len(rows))) ** 0.5 if left else 0.0
            self.means[s] = centre + near * (rows.mean(axis=0) - centre)

    def redrawn(self, rng: Random) -> Tuned:
        """Return a pool of as many drawn settings with their runs, and as many drawn runs with the task's own."""
        others = [setting for setting in self.by_setting if setting != 0]
        own = self.by_setting[0]
        runs = [self.runs[index] for index in rng.choice(own, len(own))]
        for number, setting in enumerate(rng.choice(others, len(others)), start=1):
            runs += [replace(self.runs[index], setting=number) for index in self.by_setting[int(setting)]]
        return Tuned(self._items.task, runs, self.weights)

    def settings(self, rng: Random, trials: int) -> list[int]:
        """Return the task's own setting and as many drawn ones as there are trials more."""
        others = [setting for setting in self.by_setting if setting != 0]
        return [0, *rng.permutation(others)[: trials - 1].tolist()]

    def tune(
        self, rng: Random, settings: Sequence[int], taken: Sequence[int] = ()
    ) -> tuple[list[int], list[int]]:
        """Return the settings that tuning takes, the best first, and the runs it tried, none of those ``taken``."""
        tried = [int(rng.choice([i for i in self.by_setting[s] if i not in taken])) for s in settings]
        rung = max(LEAST_RUNG, math.ceil(len(self.runs[tried[0]].curve) / REDUCTION))
        ranked = sorted(tried, key=lambda index: self.runs[index].at(rung))
        going_on = {tried[0], *ranked[: max(FINALISTS, math.ceil(len(tried) / REDUCTION))]}
        best = sorted(going_on, key=lambda index: self.runs[index].at())
        return [self.runs[index].setting for index in best[:FINALISTS]], tried

    def finals(self, rng: Random, chosen: Sequence[Sequence[int]], seeds: int) -> list[Floats]:
        """Return each contender's final runs, (S, N), with its settings in turn."""
        needed, there = seeds * len(chosen), len(self.deviations)
        rows = self.deviations[rng.choice(there, needed, replace=there < needed)]
        means = [np.stack([self.means[own[run % len(own)]] for run in range(seeds)]) for own in chosen]
        return [level + own for level, own in zip(means, np.split(rows, len(chosen)), strict=True)]

    def interval(
        self, rng: Random, chosen: Sequence[Sequence[int]], cells: Sequence[Floats]
    ) -> tuple[float, float]:
        items = self._items.items(rng)
        weights = self.weights[items]
        baseline, candidate = (cell[:, items] for cell in cells)
        differences = np.average(candidate - baseline, axis=1, weights=weights).tolist()
        used = [run % max(map(len, chosen)) for run in range(len(differences))]
        by_settings = settings_variance(differences, used)
        return widened(paired_interval(candidate, baseline, weights), by_settings).ci95 or (0.0, 0.0)


Settings = tuple[Sequence[int], Sequence[int]]
Draw = Callable[[Tuned, Random], Settings]
"""Draws the settings of the two contenders' final runs."""


def untuned(pool: Tuned, rng: Random) -> Settings:
    return [0], [0]


def tuned(trials: int, *, same: bool, finalists: int = FINALISTS) -> Draw:
    """Both contenders tune, over the ``same`` settings or each over its own; so many of them go to the final."""

    def draw(pool: Tuned, rng: Random) -> Settings:
        settings = pool.settings(rng, trials)
        first, tried = pool.tune(rng, settings)
        second, _ = pool.tune(rng, settings if same else pool.settings(rng, trials), tried)
        return first[:finalists], second[:finalists]

    return draw


@dataclass(frozen=True)
class Rate:
    """How often "better" or "worse" was said, how often the best settings were unlike, and the mean half width."""

    wrong: float
    unlike: float
    half_width: float


def rate_of(pool: Tuned, draw: Draw, seeds: int, repeats: int, rng: Random) -> Rate:
    wrong, unlike, width = 0, 0, 0.0
    for _ in range(repeats):
        chosen = draw(pool, rng)
        low, high = pool.interval(rng, chosen, pool.finals(rng, chosen, seeds))
        wrong += low > 0 or high < 0
        unlike += chosen[0][0] != chosen[1][0]
        width += (high - low) / 2
    return Rate(wrong / repeats, unlike / repeats, width / repeats)


def standard_error(pool: Tuned, draw: Draw, seeds: int, pools: int, repeats: int) -> float:
    """Return the deviation of the rate over redrawn pools, without the part of so few comparisons in each."""
    rng = np.random.default_rng(20_268)
    rates = np.array([rate_of(pool.redrawn(rng), draw, seeds, repeats, rng).wrong for _ in range(pools)])
    return float(max(0.0, rates.var(ddof=1) - np.mean(rates * (1 - rates)) / repeats) ** 0.5)


def read(path: Path, task: str) -> Tuned:
    lines = [json.loads(row) for row in path.read_text().splitlines()]
    ended = [line for line in lines if "curve" in line]
    runs = [Run(line["setting"], np.asarray(line["curve"]), np.asarray(line["items"])) for line in ended]
    return Tuned(task, runs, np.asarray(ended[0]["weights"]))


def wanted() -> Iterator[tuple[int, int]]:
    """Yield (setting, seed) of the runs to train, such that those who stop early have some of each."""
    for seed in range(DEFAULT_RUNS // 4):
        yield from ((0, 4 * seed + index) for index in range(4))
        if seed < DRAWN_RUNS:
            yield from ((setting, seed) for setting in range(1, DRAWN_SETTINGS + 1))


def train(path: Path, trained: Trained, minutes: float) -> None:
    """Add runs to the file of a pool until all are there or the time is over."""
    until = time.monotonic() + 60 * minutes
    rows = path.read_text().splitlines() if path.exists() else []
    known = {(line["setting"], line["seed"]) for line in map(json.loads, rows)}
    for setting, seed in wanted():
        if time.monotonic() > until:
            break
        if (setting, seed) not in known:
            with path.open("a") as file:
                file.write(json.dumps(trained.line(setting, seed)) + "\n")


def print_tables(pool: Tuned, repeats: int, pools: int) -> None:
    lengths, own = [len(run.curve) for run in pool.runs], len(pool.by_setting[0])
    print(
        f"{own} runs with the task's settings, {len(pool.runs) - own} with others; {np.median(lengths):.0f} epochs"
    )
    print(f"deviation of seeds {pool.seed:.3g}, of the settings that tuning takes {pool.setting:.3g}\n")
    print("| contenders | seeds | wrong, % | unlike settings, % | half width |")
    print("|---|---|---|---|---|")
    draws = {"not tuned": untuned}
    for trials in TRIALS:
        draws[f"{trials} settings, the same"] = tuned(trials, same=True)
        draws[f"{trials} settings, each its own"] = tuned(trials, same=False)
        draws[f"{trials} settings, the same, the best alone"] = tuned(trials, same=True, finalists=1)
        draws[f"{trials} settings, each its own, the best alone"] = tuned(trials, same=False, finalists=1)
    for name, draw in draws.items():
        for seeds in (3, 5, 8):
            rate = rate_of(pool, draw, seeds, repeats, np.random.default_rng(20_267))
            error = standard_error(pool, draw, seeds, pools, max(100, repeats // 10)) if pools > 1 else 0.0
            print(
                f"| {name} | {seeds} | {100 * rate.wrong:.1f} ({100 * error:.1f}) | {100 * rate.unlike:.0f} "
                f"| {rate.half_width:.3g} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("task", choices=("char-lm", "glimpses"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parameters", type=int, default=10_000)
    parser.add_argument("--characters", type=int, default=100_000, help="of the text, from its beginning")
    parser.add_argument("--learning-rate", type=float, help="default: the task's")
    parser.add_argument("--most-epochs", type=int, help="of a run; default: 100")
    parser.add_argument("--minutes", type=float, default=25, help="no run begins later; 0: tables only")
    parser.add_argument("--repeats", type=int, default=4000, help="comparisons a row; 0: no tables")
    parser.add_argument("--pools", type=int, default=40, help="redrawn pools for the standard error")
    parser.add_argument("--pool", type=Path, help="write the runs with the task's settings there")
    given = parser.parse_args()
    options = {"characters": given.characters} if given.task == "char-lm" else {}
    task = plugins.registry().find("task", given.task).value(**options)
    own = {"learning_rate": given.learning_rate, "most_epochs": given.most_epochs}
    known = {name: value for name, value in own.items() if value is not None}
    train(given.out, Trained(task, task.load(None), given.parameters, **known), given.minutes)
    if not given.repeats and not given.pool:
        return
    pool = read(given.out, given.task)
    if given.pool:
        own = np.stack([pool.runs[index].items for index in pool.by_setting[0]]).astype(np.float32)
        np.savez_compressed(given.pool, lstm=own, weights=pool.weights.astype(np.float32))
    if given.repeats:
        print_tables(pool, given.repeats, given.pools)


if __name__ == "__main__":
    main()
