"""How often the rule of ending keeps its promise on real runs: each is trained twice as long as the rule says.

    python benchmarks/ending_real.py --out runs.jsonl --minutes 25
    python benchmarks/ending_real.py --out runs.jsonl --text shakespeare.txt --minutes 0

LSTMs, GRUs and random cells of the space ``gated`` on char-lm (the text that comes with Python, and any that are
given) and on glimpses, each run at a learning rate of its own, drawn from those that tuning tries. The promise is
that twice the training gains less than half of the margin. The gain is that of the curve as the rule reads it
(medians over a quarter of the epochs so far), of the best epoch on validation, and on the test part of the weights of
that epoch.

Each run that has ended is a line of ``--out``; started again, the script goes on where it was, for so many minutes, and
prints the tables of all there are.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from nas_rnn import plugins
from nas_rnn.cells import Cell
from nas_rnn.comparison import nearest_hidden_size
from nas_rnn.experiment.stages.tuning import LEAST_LEARNING_RATE, MOST_LEARNING_RATE
from nas_rnn.tasks import Task, TaskData
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.ending import WINDOW, end_of
from nas_rnn.training.errors import Diverged
from nas_rnn.training.loop import scoring_pass
from nas_rnn.training.model import count_parameters
from nas_rnn.training.trainer import Trainer

MOST = 100
"""Epochs within which the rule must find an end."""
RANDOM_CELLS = 6
SEEDS = range(100)
Line = dict[str, object]


@dataclass(frozen=True)
class Problem:
    """A task with its data."""

    name: str
    task: Task
    data: TaskData
    parameters: int

    def spec(self, name: str, cell: Cell, seed: int) -> RunSpec:
        """Return a run at a rate of its own, of twice the length that the rule gives."""
        given = {"batch": 32, "length": 32, **self.task.training_defaults}
        options = TrainingOptions(
            device="cpu", **{**given, "epochs": "auto", "most_epochs": MOST, "longer": 2.0}
        )
        rng = np.random.default_rng([seed, sum(map(ord, name + self.name))])
        span = MOST_LEARNING_RATE / LEAST_LEARNING_RATE
        rate = options.learning_rate * LEAST_LEARNING_RATE * span ** rng.random()
        spec = RunSpec(
            id=f"{name}-{seed}",
            role="final",
            name=name,
            cell=cell.to_text(),
            hidden_size=1,
            task=self.task.name,
            training=replace(options, learning_rate=float(f"{rate:.3g}")),
            seed=2 * seed,
            data_seed=2 * seed + 1,
        )

        def count(size: int) -> int:
            return count_parameters(replace(spec, hidden_size=size), self.task, self.data.meta)

        return replace(spec, hidden_size=nearest_hidden_size(count, self.parameters).hidden_size)

    def sign(self) -> float:
        return -1.0 if self.task.measures(self.data.meta).monitor.direction == "maximize" else 1.0

    def margin_at(self, loss: float) -> float:
        return self.task.measures(self.data.meta).monitor.margin_at(abs(loss))

    def test(self, trainer: Trainer, weights: Sequence[dict[str, Tensor]]) -> list[float]:
        """Return the metric on the test part, less is better; the trainer cannot go on then."""
        metric, found = self.task.measures(self.data.meta).metric, []
        model = trainer.best_model()
        for state in weights:
            model.load_state_dict(state)
            scored = scoring_pass(
                model, self.task.batches(self.data, "test", EVALUATION), seed=trainer.spec.seed
            )
            found.append(self.sign() * scored.metric(metric))
        return found


def measured(problem: Problem, spec: RunSpec) -> Line:
    """Train a run twice as long as the rule says; one without an end within `MOST` epochs is stopped there."""
    trainer, sign = Trainer(spec, problem.task, problem.data), problem.sign()
    curve, end, weights = list[float](), None, list[dict[str, Tensor]]()
    began = time.perf_counter()
    line: Line = {"problem": problem.name, "cell": spec.name, "seed": spec.seed // 2}
    try:
        while not trainer.finished and (end is not None or trainer.epoch < MOST):
            curve.append(sign * trainer.run_epoch().metric)
            if end is None and (end := end_of(curve, problem.margin_at)) is not None:
                weights.append(trainer.best_weights)
        if end is not None:
            weights.append(trainer.best_weights)
    except Diverged as error:
        line["diverged"] = str(error)
    return line | {
        "rate": spec.training.learning_rate,
        "end": None if end is None else end.epoch,
        "why": None if end is None else end.why,
        "test": problem.test(trainer, weights) if len(weights) == 2 else None,
        "curve": curve,
        "seconds": time.perf_counter() - began,
    }


@dataclass(frozen=True)
class Gain:
    """What twice the training gained, in margins, and how noisy the curve was there."""

    line: Line
    smooth: float
    best: float
    test: float
    noise: float


def gain_of(line: Line, margin_at: object) -> Gain:
    curve, end = np.asarray(line["curve"]), int(line["end"])
    margin = margin_at(curve[:end].min())
    late = curve[math.floor(end * (1 - WINDOW)) : end]
    first, second = line["test"]
    return Gain(
        line,
        smooth=(_median(curve, end) - _median(curve, 2 * end)) / margin,
        best=(curve[:end].min() - curve[: 2 * end].min()) / margin,
        test=(first - second) / margin,
        noise=float(np.std(np.diff(late)) / 2**0.5 / margin),
    )


def _median(curve: np.ndarray, epoch: int) -> float:
    return float(np.median(curve[math.floor(epoch * (1 - WINDOW)) : epoch]))


def rows(lines: Sequence[Line], problems: Sequence[Problem]) -> Iterator[tuple[str, ...]]:
    """Yield for each task, and for some kinds of runs on all of them, how often the promise held."""
    margins = {problem.name: problem.margin_at for problem in problems}
    chosen: list[tuple[str, list[Line]]] = [
        (problem.name, [line for line in lines if line["problem"] == problem.name]) for problem in problems
    ]
    for kind in ("lstm", "gru", "random"):
        chosen.append((kind, [line for line in lines if str(line["cell"]).startswith(kind)]))
    for name, least, most in (("low rates", 0.1, 0.3), ("middle rates", 0.3, 1.0), ("high rates", 1.0, 3.1)):
        given = {
            problem.name: problem.task.training_defaults.get("learning_rate", 0.01) for problem in problems
        }
        chosen.append(
            (name, [line for line in lines if least <= line["rate"] / given[line["problem"]] < most])
        )
    for why in ("converged", "overfitted"):
        chosen.append((why, [line for line in lines if line["why"] == why]))
    for name, some in [*chosen, ("all", list(lines))]:
        ended = [line for line in some if line["test"] is not None]
        gains = [gain_of(line, margins[str(line["problem"])]) for line in ended]
        if gains:
            yield (
                name,
                f"{len(ended)} of {len(some)}",
                f"{np.median([int(line['end']) for line in ended]):.0f}",
                f"{np.median([gain.noise for gain in gains]):.2f}",
                *(
                    f"{_share(values, 0.5)}, {_share(values, 1.0)}"
                    for values in (
                        [gain.smooth for gain in gains],
                        [gain.best for gain in gains],
                        [gain.test for gain in gains],
                    )
                ),
                f"{np.mean([gain.best for gain in gains]):+.2f}, {max(gain.best for gain in gains):+.2f}",
                f"{np.mean([gain.test for gain in gains]):+.2f}, {max(gain.test for gain in gains):+.2f}",
            )


def _share(values: Sequence[float], limit: float) -> str:
    return f"{np.mean(np.asarray(values) < limit):.0%}"


def cells() -> dict[str, Cell]:
    space = plugins.load_space("gated")
    named = {name: plugins.load_cell(name) for name in ("lstm", "gru")}
    return named | {f"random {index}": space.sample(index).cell for index in range(RANDOM_CELLS)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--text", type=Path, action="append", default=[], help="another text; may be repeated"
    )
    parser.add_argument("--characters", type=int, default=100_000, help="of each text, from its beginning")
    parser.add_argument("--parameters", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=25, help="no run begins later; 0: tables only")
    given = parser.parse_args()
    registry = plugins.registry()
    text = registry.find("task", "char-lm").value(characters=given.characters)
    glimpses = registry.find("task", "glimpses").value()
    problems = [
        Problem("char-lm", text, text.load(None), given.parameters),
        Problem("glimpses", glimpses, glimpses.load(None), given.parameters),
        *(Problem(f"char-lm, {path.name}", text, text.load(path), given.parameters) for path in given.text),
    ]
    lines = [json.loads(row) for row in given.out.read_text().splitlines()] if given.out.exists() else []
    known = {(line["problem"], line["cell"], line["seed"]) for line in lines}
    until = time.monotonic() + 60 * given.minutes
    todo = ((s, name, cell, problem) for s in SEEDS for name, cell in cells().items() for problem in problems)
    for seed, name, cell, problem in todo:
        if time.monotonic() > until:
            break
        if (problem.name, name, seed) not in known:
            lines.append(measured(problem, problem.spec(name, cell, seed)))
            with given.out.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
    print("| runs | ended | at epoch | noise | smooth | best | test | gain of best | gain on test |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows(lines, problems):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
