"""How often an LSTM that was tuned is called better or worse than the same LSTM, tuned once more.

    python benchmarks/calibration_tuning.py char-lm --out char-lm.jsonl --minutes 25
    python benchmarks/calibration_tuning.py char-lm --out char-lm.jsonl --minutes 0 --pool runs/char-lm.npz

It trains a pool of LSTMs that all end by the rule: `DEFAULT_RUNS` with the task's settings, a few each with settings
drawn as tuning draws them, then more of those that tuning chooses most often. From it comparisons are drawn. Each of
two contenders tunes, by one run of each of six settings (the task's own and five drawn ones): the best third after a
third of the epochs is trained to its end, and the best on validation is taken. Then come the final runs of that
setting, on a drawn test part. No run occurs twice in a comparison; one for which a setting has too few is left out,
and the share of these is told. Neither contender is the better cell, so that "better" and "worse" are both wrong. The
standard error is the deviation over pools of settings and runs that are drawn from the pool with repetition, less the
part that comes from so few comparisons in each.

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
from calibration import Pool, crossed
from numpy.typing import NDArray

from nas_rnn import plugins
from nas_rnn.cells import gate_bias, parse_cell, with_gate_bias
from nas_rnn.comparison import Entry, nearest_hidden_size
from nas_rnn.experiment.stages.tuning import REDUCTION, RUNG_SHARE, ranges
from nas_rnn.strategies.settings import Settings, SettingsStudy
from nas_rnn.tasks import Mean, Task, TaskData
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.experiment.stages.halving import LEAST_RUNG
from nas_rnn.training.errors import Diverged
from nas_rnn.training.model import count_parameters
from nas_rnn.training.trainer import Trainer

DEFAULT_RUNS = 32
DRAWN_SETTINGS = 14
FIRST_RUNS = 2
ENOUGH = 18
"""Runs of a setting: for both contenders' eight final runs, and a tuning run of each."""
TRIALS = (6, 8)
Random = np.random.Generator
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One run of a pool: its validation curve (less is better) and its test items (N,), less or more is better."""

    setting: int
    seed: int
    curve: Floats
    items: Floats

    def at(self, epochs: int | None = None) -> float:
        return float(self.curve[:epochs].min())


class Trained:
    """Trains the LSTM of about ``parameters`` with settings of the tuning's ranges."""

    def __init__(self, task: Task, data: TaskData, parameters: int) -> None:
        self._task, self._data = task, data
        given = {"batch": 32, "length": 32, **task.training_defaults, "epochs": "auto", "device": "cpu"}
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

        def count(size: int) -> int:
            return count_parameters(replace(self._spec(0, 0), hidden_size=size), task, data.meta)

        self._size = 1
        self._size = nearest_hidden_size(count, parameters).hidden_size

    def settings(self, number: int) -> Settings:
        """Return setting ``number``: 0 is the task's own; each seven more are from a sequence of their own."""
        block, index = divmod(max(number - 1, 0), SettingsStudy.START - 1)
        study = SettingsStudy(ranges([self._entry]), self._entry.settings, seed=block)
        return study.propose(0 if number == 0 else index + 1, [])

    def _spec(self, number: int, seed: int) -> RunSpec:
        entry = self._entry.with_settings(self.settings(number))
        return RunSpec(
            id=f"setting-{number}-{seed}",
            role="final",
            name="lstm",
            cell=with_gate_bias(parse_cell(entry.cell), entry.gate_bias or 0.0).to_text(),
            hidden_size=self._size,
            task=self._task.name,
            training=entry.training,
            seed=2 * seed,
            data_seed=2 * seed + 1,
            read_test=True,
        )

    def line(self, number: int, seed: int) -> dict[str, object]:
        """Train one run; what it measured, as a line of the pool's file."""
        trainer = Trainer(self._spec(number, seed), self._task, self._data)
        measures = self._task.measures(self._data.meta)
        sign = -1.0 if measures.monitor.direction == "maximize" else 1.0
        line: dict[str, object] = {"setting": number, "seed": seed, "settings": self.settings(number)}
        try:
            while not trainer.finished:
                trainer.run_epoch()
        except Diverged as error:
            return line | {"diverged": str(error)}
        result = trainer.result()
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
    """A pool of runs by setting, from which comparisons are drawn."""

    def __init__(self, task: str, runs: Sequence[Run], weights: Floats) -> None:
        self.runs, self.weights = list(runs), weights
        found: dict[int, list[int]] = {}
        for index, run in enumerate(self.runs):
            found.setdefault(run.setting, []).append(index)
        self.by_setting = {setting: own for setting, own in found.items() if len(own) >= FIRST_RUNS}
        self._items = Pool(task, np.empty((0, 0)), None, weights)

    def redrawn(self, rng: Random) -> Tuned:
        """Return a pool of as many settings and runs, drawn with repetition; the task's own setting is there once."""
        others = [setting for setting in self.by_setting if setting != 0]
        drawn = [0, *rng.choice(others, len(others))]
        runs = [
            replace(self.runs[index], setting=number)
            for number, setting in enumerate(drawn)
            for index in rng.choice(self.by_setting[int(setting)], len(self.by_setting[int(setting)]))
        ]
        return Tuned(self._items.task, runs, self.weights)

    def settings(self, rng: Random, trials: int) -> list[int]:
        """Return the task's own setting and as many drawn ones as there are trials more."""
        others = [setting for setting in self.by_setting if setting != 0]
        return [0, *rng.permutation(others)[: trials - 1].tolist()]

    def tune(self, rng: Random, settings: Sequence[int], taken: set[int]) -> tuple[int, int]:
        """Return the setting that tuning takes, and how many epochs the baseline took; its runs become ``taken``."""
        tried = []
        for setting in settings:
            free = [index for index in self.by_setting[setting] if index not in taken]
            tried.append(int(rng.choice(free)))
        taken.update(tried)
        length = len(self.runs[tried[0]].curve)
        rung = max(LEAST_RUNG, math.ceil(length * RUNG_SHARE))
        tried.sort(key=lambda index: self.runs[index].at(rung))
        best = min(tried[: math.ceil(len(tried) / REDUCTION)], key=lambda index: self.runs[index].at())
        return self.runs[best].setting, length

    def finals(self, rng: Random, setting: int, seeds: int, taken: set[int]) -> list[int] | None:
        """Return runs of a setting that are not ``taken``, which they become; None where there are too few."""
        free = [index for index in self.by_setting[setting] if index not in taken]
        if len(free) < seeds:
            return None
        chosen = rng.permutation(free)[:seeds].tolist()
        taken.update(chosen)
        return chosen

    def interval(self, rng: Random, runs: Sequence[Sequence[int]]) -> tuple[float, float]:
        items = self._items.items(rng)
        baseline, candidate = (np.stack([self.runs[i].items[items] for i in own]) for own in runs)
        return crossed(candidate, baseline, self.weights[items], rng)


Draw = Callable[[Tuned, Random, set[int]], tuple[int, int]]
"""Draws the settings of the two contenders' final runs; tuning runs become taken."""


def untuned(pool: Tuned, rng: Random, taken: set[int]) -> tuple[int, int]:
    return 0, 0


def tuned(trials: int, *, same: bool) -> Draw:
    """Both contenders tune, over the ``same`` settings or each over its own."""

    def draw(pool: Tuned, rng: Random, taken: set[int]) -> tuple[int, int]:
        first = pool.settings(rng, trials)
        second = first if same else pool.settings(rng, trials)
        return pool.tune(rng, first, taken)[0], pool.tune(rng, second, taken)[0]

    return draw


@dataclass(frozen=True)
class Rate:
    """How often "better" or "worse" was said, of ``drawn`` comparisons, and how many could not be drawn."""

    wrong: float
    drawn: int
    left_out: float
    unlike: float
    half_width: float


def rate_of(pool: Tuned, draw: Draw, seeds: int, repeats: int, rng: Random) -> Rate:
    wrong = left_out = unlike = 0
    widths = []
    for _ in range(repeats):
        taken: set[int] = set()
        chosen = draw(pool, rng, taken)
        runs = [pool.finals(rng, setting, seeds, taken) for setting in chosen]
        if runs[0] is None or runs[1] is None:
            left_out += 1
            continue
        low, high = pool.interval(rng, (runs[0], runs[1]))
        wrong += low > 0 or high < 0
        unlike += chosen[0] != chosen[1]
        widths.append((high - low) / 2)
    drawn = len(widths)
    return Rate(
        wrong / max(drawn, 1),
        drawn,
        left_out / repeats,
        unlike / max(drawn, 1),
        float(np.mean(widths or [math.nan])),
    )


def standard_error(pool: Tuned, draw: Draw, seeds: int, pools: int, repeats: int) -> float:
    """Return the deviation of the rate over redrawn pools, without the part of so few comparisons in each."""
    rng = np.random.default_rng(20_268)
    rates = [rate_of(pool.redrawn(rng), draw, seeds, repeats, rng) for _ in range(pools)]
    seen = [rate for rate in rates if rate.drawn]
    noise = np.mean([rate.wrong * (1 - rate.wrong) / rate.drawn for rate in seen])
    return float(max(0.0, np.var([rate.wrong for rate in seen], ddof=1) - noise) ** 0.5)


def read(path: Path, task: str) -> Tuned:
    lines = [json.loads(row) for row in path.read_text().splitlines()]
    ended = [line for line in lines if "curve" in line]
    runs = [
        Run(line["setting"], line["seed"], np.asarray(line["curve"]), np.asarray(line["items"]))
        for line in ended
    ]
    return Tuned(task, runs, np.asarray(ended[0]["weights"]))


def wanted(path: Path, task: str, known: set[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield (setting, seed) of the runs to train: first some of each, then of those that tuning takes most often."""
    for seed in range(DEFAULT_RUNS // 4):
        yield from ((0, 4 * seed + index) for index in range(4))
        if seed < FIRST_RUNS:
            yield from ((setting, seed) for setting in range(1, DRAWN_SETTINGS + 1))
    while True:
        pool, rng = read(path, task), np.random.default_rng(20_269)
        trained = Counter(setting for setting, _ in known)
        taken = Counter(pool.tune(rng, pool.settings(rng, min(TRIALS)), set())[0] for _ in range(2000))
        often = [setting for setting, _ in taken.most_common() if trained[setting] < ENOUGH]
        if not often:
            return
        yield often[0], trained[often[0]]


def train(path: Path, trained: Trained, task: str, minutes: float) -> None:
    """Add runs to the file of a pool until all are there or the time is over."""
    until = time.monotonic() + 60 * minutes
    rows = path.read_text().splitlines() if path.exists() else []
    known = {(line["setting"], line["seed"]) for line in map(json.loads, rows)}
    for setting, seed in wanted(path, task, known):
        if time.monotonic() > until:
            break
        if (setting, seed) not in known:
            with path.open("a") as file:
                file.write(json.dumps(trained.line(setting, seed)) + "\n")
            known.add((setting, seed))


def print_tables(pool: Tuned, repeats: int, pools: int) -> None:
    lengths = [len(run.curve) for run in pool.runs]
    counts = sorted(((len(own), setting) for setting, own in pool.by_setting.items()), reverse=True)
    print(f"{len(pool.runs)} runs of {np.median(lengths):.0f} epochs (median)")
    print("runs by setting: " + ", ".join(f"{setting}: {count}" for count, setting in counts) + "\n")
    print("| contenders | seeds | wrong, % | unlike settings, % | half width | left out, % |")
    print("|---|---|---|---|---|---|")
    draws = {"not tuned": untuned}
    for trials in TRIALS:
        draws[f"{trials} settings each"] = tuned(trials, same=False)
        draws[f"{trials} settings, the same"] = tuned(trials, same=True)
    for name, draw in draws.items():
        for seeds in (3, 5, 8):
            rate = rate_of(pool, draw, seeds, repeats, np.random.default_rng(20_267))
            error = standard_error(pool, draw, seeds, pools, max(100, repeats // 10)) if pools > 1 else 0.0
            print(
                f"| {name} | {seeds} | {100 * rate.wrong:.1f} ({100 * error:.1f}) | {100 * rate.unlike:.0f} "
                f"| {rate.half_width:.3g} | {100 * rate.left_out:.0f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("task", choices=("char-lm", "glimpses"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parameters", type=int, default=10_000)
    parser.add_argument("--characters", type=int, default=100_000, help="of the text, from its beginning")
    parser.add_argument("--minutes", type=float, default=25, help="no run begins later; 0: tables only")
    parser.add_argument("--repeats", type=int, default=4000, help="comparisons a row; 0: no tables")
    parser.add_argument("--pools", type=int, default=40, help="redrawn pools for the standard error")
    parser.add_argument("--pool", type=Path, help="write the runs with the task's settings there")
    given = parser.parse_args()
    options = {"characters": given.characters} if given.task == "char-lm" else {}
    task = plugins.registry().find("task", given.task).value(**options)
    train(given.out, Trained(task, task.load(None), given.parameters), given.task, given.minutes)
    pool = read(given.out, given.task)
    if given.pool:
        own = np.stack([pool.runs[index].items for index in pool.by_setting[0]]).astype(np.float32)
        np.savez_compressed(given.pool, lstm=own, weights=pool.weights.astype(np.float32))
    if given.repeats:
        print_tables(pool, given.repeats, given.pools)


if __name__ == "__main__":
    main()
