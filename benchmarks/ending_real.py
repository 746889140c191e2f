"""How often the rule of ending keeps its promise on real runs, which are trained on whatever it says.

    python benchmarks/ending_real.py --out runs.jsonl --minutes 25
    python benchmarks/ending_real.py --out runs.jsonl --text shakespeare.txt --minutes 0

LSTMs, GRUs and random cells of the space ``gated`` on char-lm (the text that comes with Python, and any that are
given) and on glimpses, each run at a learning rate of its own, for a fixed number of epochs. The rule is then asked
where it would have ended each curve; so the same runs serve every rule. The promise is that twice the training gains
less than half of the margin. The gain is that of the curve as the rule reads it (medians over a quarter of the epochs
so far), of the best epoch on validation, and on the test part of the weights of that epoch.

Each run that has ended is a line of ``--out``; started again, the script goes on where it was, for so many minutes, and
prints the tables of all there are.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sized_runs import sized
from torch import Tensor

from nas_rnn import plugins
from nas_rnn.cells import Cell
from nas_rnn.tasks import Task, TaskData
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.tasks.model import TaskModel
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.ending import WINDOW, End, end_of
from nas_rnn.training.errors import Diverged
from nas_rnn.training.loop import scoring_pass
from nas_rnn.training.model import build_model
from nas_rnn.training.trainer import Trainer

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

    def spec(
        self,
        name: str,
        cell: Cell,
        seed: int,
        epochs: int,
        factors: tuple[float, float],
        dropout: tuple[float, float],
    ) -> RunSpec:
        """Return a run of so many epochs.

        Its rate is the task's own times what lies between ``factors``, its variational dropout lies in ``dropout``.
        """
        least, most = factors
        given = {"batch": 32, "length": 32, **self.task.training_defaults}
        options = TrainingOptions(device="cpu", **{**given, "epochs": epochs})
        rng = np.random.default_rng([seed, sum(map(ord, name + self.name))])
        rate = options.learning_rate * least * (most / least) ** rng.random()
        dropped = dropout[0] + (dropout[1] - dropout[0]) * rng.random()
        spec = RunSpec(
            id=f"{name}-{seed}",
            role="final",
            name=name,
            cell=cell.to_text(),
            hidden_size=1,
            task=self.task.name,
            training=replace(
                options, learning_rate=float(f"{rate:.3g}"), variational_dropout=float(f"{dropped:.3g}")
            ),
            seed=2 * seed,
            data_seed=2 * seed + 1,
        )
        return sized(spec, self.task, self.data, self.parameters)

    def sign(self) -> float:
        return -1.0 if self.task.measures(self.data.meta).monitor.direction == "maximize" else 1.0

    def margin_at(self, loss: float) -> float:
        return self.task.measures(self.data.meta).monitor.margin_at(abs(loss))

    def test(self, model: TaskModel, weights: dict[str, Tensor], seed: int) -> float:
        """Return the metric on the test part, less is better."""
        model.load_state_dict(weights)
        scored = scoring_pass(model, self.task.batches(self.data, "test", EVALUATION), seed=seed)
        return self.sign() * scored.metric(self.task.measures(self.data.meta).metric)


def measured(problem: Problem, spec: RunSpec) -> Line:
    """Train a run to its last epoch; ``test`` has for each epoch that of the weights that were best until then."""
    trainer, sign = Trainer(spec, problem.task, problem.data), problem.sign()
    model = build_model(spec, problem.task, problem.data.meta)
    curve, tests = list[float](), list[float]()
    began = time.perf_counter()
    line: Line = {"problem": problem.name, "cell": spec.name, "seed": spec.seed // 2}
    try:
        while not trainer.finished:
            value = sign * trainer.run_epoch().metric
            is_best = not curve or value < min(curve)
            curve.append(value)
            tests.append(problem.test(model, trainer.best_weights, spec.seed) if is_best else tests[-1])
    except Diverged as error:
        line["diverged"] = str(error)
    return line | {
        "rate": spec.training.learning_rate,
        "dropout": spec.training.variational_dropout,
        "curve": curve,
        "test": tests,
        "seconds": time.perf_counter() - began,
    }


@dataclass(frozen=True)
class Gain:
    """Where the rule ends a run; what twice the training gained, in margins, and how noisy the curve was there.

    The gains are None where the run was not trained as far as that.
    """

    line: Line
    end: End
    smooth: float | None
    best: float | None
    test: float | None
    noise: float


def gain_of(line: Line, margin_at: Callable[[float], float]) -> Gain | None:
    """Return what there is to say of a run, None where the rule does not end it."""
    curve, tests = np.asarray(line["curve"]), line["test"]
    found = end_of(curve.tolist(), margin_at)
    if found is None:
        return None
    end = found.epoch
    margin = margin_at(curve[:end].min())
    late = curve[math.floor(end * (1 - WINDOW)) : end]
    noise = float(np.std(np.diff(late)) / 2**0.5 / margin)
    if len(curve) < 2 * end:
        return Gain(line, found, None, None, None, noise)
    return Gain(
        line,
        found,
        smooth=(_median(curve, end) - _median(curve, 2 * end)) / margin,
        best=(curve[:end].min() - curve[: 2 * end].min()) / margin,
        test=(tests[end - 1] - tests[2 * end - 1]) / margin,
        noise=noise,
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
    for name, least, most in (
        ("low rates", 0.2, 0.5),
        ("middle rates", 0.5, 2.0),
        ("high rates", 2.0, 4.0),
        ("very high rates", 4.0, 20.0),
    ):
        given = {
            problem.name: problem.task.training_defaults.get("learning_rate", 0.01) for problem in problems
        }
        chosen.append(
            (name, [line for line in lines if least <= line["rate"] / given[line["problem"]] < most])
        )
    for name, some in [*chosen, ("all", list(lines))]:
        yield from _row(name, some, margins, ("converged", "overfitted"))
    yield from _row("all that converged", lines, margins, ("converged",))
    yield from _row("all that overfitted", lines, margins, ("overfitted",))


def _row(
    name: str, lines: Sequence[Line], margins: Mapping[str, Callable[[float], float]], why: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    found = [gain_of(line, margins[str(line["problem"])]) for line in lines]
    ended = [gain for gain in found if gain is not None and gain.end.why in why]
    known = [gain for gain in ended if gain.smooth is not None]
    if known:
        smooth, best, test = ([getattr(gain, name) for gain in known] for name in ("smooth", "best", "test"))
        yield (
            name,
            f"{len(ended)} of {len(lines)}",
            f"{np.median([gain.end.epoch for gain in ended]):.0f}",
            f"{len(known)}",
            f"{np.median([gain.noise for gain in ended]):.2f}",
            *(f"{_share(values, 0.5)}, {_share(values, 1.0)}" for values in (smooth, best, test)),
            f"{np.mean(best):+.2f}, {max(best):+.2f}",
            f"{np.mean(test):+.2f}, {max(test):+.2f}",
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
    parser.add_argument("--epochs", type=int, default=300, help="of each run")
    parser.add_argument("--rates", type=float, nargs=2, default=(0.25, 4.0), help="times the task's own")
    parser.add_argument(
        "--dropout", type=float, nargs=2, default=(0.0, 0.0), help="variational dropout, drawn from between"
    )
    parser.add_argument("--tasks", default="char-lm,glimpses", help="of the embedded data; may be empty")
    parser.add_argument("--minutes", type=float, default=25, help="no run begins later; 0: tables only")
    given = parser.parse_args()
    registry = plugins.registry()
    text = registry.find("task", "char-lm").value(characters=given.characters)
    glimpses = registry.find("task", "glimpses").value()
    problems = [
        *(
            Problem(task.name, task, task.load(None), given.parameters)
            for task in (text, glimpses)
            if task.name in given.tasks.split(",")
        ),
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
            lines.append(
                measured(problem, problem.spec(name, cell, seed, given.epochs, given.rates, given.dropout))
            )
            with given.out.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
    print("| runs | ended | at epoch | known | noise | smooth | best | test | gain of best | gain on test |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in rows(lines, problems):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
