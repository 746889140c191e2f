"""Searches with a supernet on char-lm, each beside a random search that trains on as many characters.

    python benchmarks/one_shot.py --folder one-shot
    python benchmarks/one_shot.py differentiable --folder one-shot --seeds 3
    python benchmarks/one_shot.py --folder one-shot --table

Each strategy searches the space of DARTS once a seed, in a run folder of its own under ``--folder``; a search that is
there is resumed, one that is complete is only read. Everything runs on one core, without tuning and with a fixed number
of epochs, on the backend that compiles nothing. The table has for each search what its parts took, the mean value at
the first rung of the cells that the supernet proposed and of the random ones beside them, and the test values of all in
the final, which are of the same seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import nas_rnn
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import CONTROL_JOURNAL, RunReader
from nas_rnn.strategies import Trial

STRATEGIES = ("weight-sharing", "differentiable")
OPTIONS = {
    "task": "char-lm",
    "space": "darts",
    "params": 20_000,
    "epochs": 6,
    "supernet_epochs": 9,
    "trials": 6,
    "tune": 0,
    "seeds": 3,
    "controls": "all",
    "reference": "none",
    "backend": "eager",
    "workers": 1,
}


def searched(strategy: str, seed: int, runs: Path) -> RunReader:
    """Return the complete search of a strategy and a seed, which is begun or resumed where it is not there."""
    name = f"{strategy}-{seed}"
    if not (runs / name / "config.toml").is_file():
        nas_rnn.search(strategy=strategy, seed=seed, name=name, runs=runs, **OPTIONS)
    reader = RunReader(RunFolder.open_existing(runs, name))
    if not reader.is_complete():
        nas_rnn.search(resume=name, runs=runs)
    return reader


def at_first_rung(trials: Sequence[Trial]) -> str:
    """Return the mean and the best value of trials at the first rung, and how many there are."""
    values = [
        trial.first_value for trial in trials if trial.first_value is not None and trial.copy_of is None
    ]
    return f"{fmean(values):.3f}, best {min(values):.3f} ({len(values)})" if values else "none"


def told(strategy: str, seed: int, reader: RunReader) -> Iterator[str]:
    """Yield the lines of one search."""
    found = reader.comparison()
    assert found is not None, "a complete search has an answer"
    yield f"{strategy}, seed {seed}"
    for cost in found.costs:
        yield f"  {cost.part:<10} {cost.runs:>3} runs {cost.seconds:>7.0f} s {cost.units / 1e6:>6.2f} M characters"
    yield f"  at the first rung: proposed {at_first_rung(reader.trials())}"
    yield f"                     random   {at_first_rung(reader.trials(CONTROL_JOURNAL))}"
    for standing in (found.baseline, *(row.standing for row in found.rows)):
        mean = "diverged" if standing.mean is None else f"{standing.mean:.3f} ± {standing.std or 0:.3f}"
        yield f"  {standing.control or standing.name:<32} {mean}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("strategies", nargs="*", default=STRATEGIES, metavar="STRATEGY", help="default: both")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0 on")
    parser.add_argument("--table", action="store_true", help="train nothing: only what is complete is told")
    given = parser.parse_args()
    for seed in range(given.seeds):
        for strategy in given.strategies:
            complete = (given.folder / f"{strategy}-{seed}/comparison.json").is_file()
            if complete or not given.table:
                print("\n".join(told(strategy, seed, searched(strategy, seed, given.folder))), flush=True)


if __name__ == "__main__":
    main()
