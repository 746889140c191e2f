"""Which schedule of the learning rate, and which weights, come out best: each with its own best rate.

    python benchmarks/schedules.py --out runs.jsonl
    python benchmarks/schedules.py --out runs.jsonl --text shakespeare.txt --characters 100000
    python benchmarks/schedules.py --out runs.jsonl --table

An LSTM is trained on char-lm (the text that comes with Python, and any others that are given) and on glimpses with each
schedule of `schedules_peers.py`: at four rates with one seed, and with three other seeds at the rate that was best on
validation; where that is the highest or lowest of the four, one more beyond it is tried. All but the cosine end by the
rule of `nas_rnn.training.ending` on their own validation curve; the cosine gets as many epochs as the averaged weights
took at their best rate. Every reading is of its best epoch on validation. Each run that has ended is a line of
``--out``; started again, the script goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from schedules_peers import (
    Problem,
    Reading,
    Run,
    averaged,
    constant,
    cosine,
    nt_asgd,
    plateaus,
    schedule_free,
)

from nas_rnn import plugins
from nas_rnn.training.errors import Diverged

RATES = (0.0025, 0.005, 0.01, 0.02)
FINAL_SEEDS = (1, 2, 3)
Train = Callable[[Run], list[Reading]]
Line = dict[str, object]


@dataclass(frozen=True)
class Peer:
    """Readings that one kind of run gives. ``faster`` multiplies the rates that are tried."""

    kind: str
    readings: tuple[str, ...]
    faster: float = 1.0


PEERS = (
    Peer("constant", ("averaged", "raw", "averaged, tail", "averaged, tail from raw")),
    Peer("cosine", ("cosine",)),
    Peer("plateaus", ("plateaus", "plateaus, own end")),
    Peer("nt-asgd", ("NT-ASGD",)),
    Peer("constant 0.999", ("averaged, beta2 0.999",)),
    Peer("schedule-free 0.95", ("schedule-free, beta2 0.95",), 2.0),
    Peer("schedule-free 0.999", ("schedule-free, beta2 0.999",), 2.0),
)


class NotThere(Exception):
    """A run is asked for that has not been trained, and is not to be."""


class Lines:
    """The runs that have ended, in a file of one JSON line each. ``complete`` says that no others are to be trained."""

    def __init__(self, path: Path, *, complete: bool = False) -> None:
        self._path, self.complete = path, complete
        text = path.read_text() if path.exists() else ""
        self._known = {self._key(line): line for line in map(json.loads, text.splitlines())}

    def get(self, problem: str, kind: str, rate: float, seed: int) -> Line | None:
        return self._known.get((problem, kind, rate, seed))

    def keep(self, line: Line) -> None:
        self._known[self._key(line)] = line
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    @staticmethod
    def _key(line: Line) -> tuple[object, ...]:
        return line["problem"], line["kind"], line["rate"], line["seed"]


def trained(lines: Lines, problem: Problem, kind: str, rate: float, seed: int) -> Line:
    """Return the line of a run, which is trained where there is none yet."""
    line = lines.get(problem.name, kind, rate, seed)
    if line is not None:
        return line
    if lines.complete:
        raise NotThere
    began, run, found = time.perf_counter(), Run(problem, rate, seed), dict[str, object]()
    try:
        for reading in _train(lines, problem, kind)(run):
            found[reading.name] = reading.plain() | (
                {"test": run.test(reading.weights)} if seed in FINAL_SEEDS else {}
            )
    except Diverged as error:
        found = {"diverged": str(error)}
    line = {
        "problem": problem.name,
        "kind": kind,
        "rate": rate,
        "seed": seed,
        "seconds": time.perf_counter() - began,
        "readings": found,
    }
    lines.keep(line)
    print(f"{problem.name}, {kind}, rate {rate:g}, seed {seed}: {line['seconds']:.0f} s", flush=True)
    return line


def _train(lines: Lines, problem: Problem, kind: str) -> Train:
    if kind == "cosine":
        rate, _ = best_rate(lines, problem, PEERS[0], "averaged")
        known = trained(lines, problem, "constant", rate, 0)
        epochs = int(value(known, "averaged", "epochs"))
        return lambda run: cosine(run, epochs)
    if kind.startswith("constant "):
        second = float(kind.split()[1])
        return lambda run: averaged(run, second, f"averaged, beta2 {second:g}")
    if kind.startswith("schedule-free"):
        second = float(kind.split()[1])
        return lambda run: schedule_free(run, second, f"schedule-free, beta2 {second:g}")
    return {"constant": constant, "plateaus": plateaus, "nt-asgd": nt_asgd}[kind]


def value(line: Line, reading: str, what: str) -> float:
    """Return a figure of a reading; of a run that diverged, infinity."""
    return line["readings"].get(reading, {}).get(what, math.inf)


def best_rate(lines: Lines, problem: Problem, peer: Peer, reading: str) -> tuple[float, bool]:
    """Return the rate that is best on validation, and whether it lies at an edge of those tried."""
    rates = [rate * peer.faster for rate in RATES]

    def loss(rate: float) -> float:
        return value(trained(lines, problem, peer.kind, rate, 0), reading, "valid")

    best = min(rates, key=loss)
    if best in (rates[0], rates[-1]):
        rates.append(best / 2 if best == rates[0] else best * 2)
        best = min(rates, key=loss)
    return best, best in (min(rates), max(rates))


def finals(lines: Lines, problem: Problem, peer: Peer, reading: str) -> tuple[float, bool, list[Line]]:
    rate, at_edge = best_rate(lines, problem, peer, reading)
    return rate, at_edge, [trained(lines, problem, peer.kind, rate, seed) for seed in FINAL_SEEDS]


def print_table(lines: Lines, problems: Sequence[Problem]) -> None:
    """Print the mean and deviation over seeds of the test metric, the epochs and the rate (*: at an edge).

    Behind it is by how much it is better than the averaged weights on the same seeds (negative: worse).
    """
    print(f"| weights and schedule | {' | '.join(f'{problem.name} | better by' for problem in problems)} |")
    print("|---" * (2 * len(problems) + 1) + "|")
    for peer in PEERS:
        for reading in peer.readings:
            cells = []
            for problem in problems:
                try:
                    cells.append(_cell(lines, problem, peer, reading))
                except NotThere:
                    cells.append("- | -")
            print(f"| {reading} | {' | '.join(cells)} |")


def _cell(lines: Lines, problem: Problem, peer: Peer, reading: str) -> str:
    rate, at_edge, runs = finals(lines, problem, peer, reading)
    own = finals(lines, problem, PEERS[0], "averaged")[2]
    test, epochs, averaged = (
        np.array([value(run, name, what) for run in found])
        for found, name, what in (
            (runs, reading, "test"),
            (runs, reading, "epochs"),
            (own, "averaged", "test"),
        )
    )
    better = problem.loss(1.0) * (averaged - test)
    digits = 3 if test.mean() < 10 else 2
    return (
        f"{test.mean():.{digits}f} ± {test.std(ddof=1):.{digits}f} "
        f"({epochs.mean():.0f}; {rate:g}{'*' if at_edge else ''})"
        f" | {better.mean():+.{digits}f} ± {better.std(ddof=1):.{digits}f}"
    )


def problems_of(texts: Sequence[Path], characters: int, parameters: int) -> Iterator[Problem]:
    registry = plugins.registry()
    glimpses = registry.find("task", "glimpses").value()
    yield Problem.of("glimpses", glimpses, glimpses.load(None), parameters)
    cut = registry.find("task", "char-lm").value(characters=characters)
    yield Problem.of("char-lm", cut, cut.load(None), parameters)
    for text in texts:
        yield Problem.of(f"char-lm, {text.name}", cut, cut.load(text), parameters)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--text", type=Path, action="append", default=[], help="another text; may be repeated"
    )
    parser.add_argument("--characters", type=int, default=100_000, help="of each text, from its beginning")
    parser.add_argument("--parameters", type=int, default=20_000)
    parser.add_argument(
        "--table", action="store_true", help="train nothing; the table of the runs that are there"
    )
    parser.add_argument(
        "--only", nargs="+", choices=[peer.kind for peer in PEERS], help="peers to train; default: all"
    )
    parser.add_argument("--on", nargs="+", help="problems to train on, as the table names them; default: all")
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = Lines(given.out, complete=given.table)
    problems = list(problems_of(given.text, given.characters, given.parameters))
    names = {problem.name for problem in problems}
    if unknown := set(given.on or ()) - names:
        parser.error(f"--on: {', '.join(sorted(unknown))} is none of {', '.join(sorted(names))}")
    problems = [problem for problem in problems if given.on is None or problem.name in given.on]
    chosen = [peer for peer in PEERS if given.only is None or peer.kind in given.only]
    for peer in () if given.table else chosen:
        for problem in problems:
            for reading in peer.readings:
                finals(lines, problem, peer, reading)
    lines.complete = True
    print_table(lines, problems)


if __name__ == "__main__":
    main()
