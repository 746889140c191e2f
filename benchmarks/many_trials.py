"""What a search of ten thousand trials costs beside the training: choices, the study, memory, a resume.

    python benchmarks/many_trials.py --trials 10000 --json OUT.json

Trials are simulated: a candidate's loss is drawn from its digest, one in ten diverges. All times are CPU time, so other
work on the machine does not count. For each strategy are told the time of a choice (ask, and the tell that follows)
around numbers of finished trials, the total, and how much memory the process gained; then what the study's journal
takes for as many trials, and what a resume takes: reading the journal, and telling a new strategy all of it.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from nas_rnn import plugins
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import Exhausted, Study

STRATEGIES = ("random", "evolution", "local-search", "tpe", "predictor")
PLACES = (100, 300, 1000, 3000, 10_000)
AROUND = 50
"""So many choices before a number of trials give the time around it."""


def loss_of(candidate: Candidate) -> float | None:
    """Return a made-up loss of a cell; None for one in ten."""
    number = int(candidate.digest.rpartition("-")[2], 16)
    return None if number % 10 == 0 else 1 + (number // 10) % 10_000 / 10_000


def memory() -> float:
    """Return the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def choices(name: str, space: Any, trials: int) -> dict[str, Any]:
    """Return what the choices of a strategy take; its trials end where the space has no more."""
    kind = plugins.registry().find("strategy", name).value
    before, began = memory(), time.process_time()
    strategy = kind(space, 0)
    seconds: list[float] = []
    proposed: list[Candidate] = []
    for _ in range(trials):
        start = time.process_time()
        try:
            candidate = strategy.ask()
        except Exhausted:
            break
        strategy.tell(candidate, loss_of(candidate))
        seconds.append(time.process_time() - start)
        proposed.append(candidate)
    total = time.process_time() - began
    start = time.process_time()
    again = kind(space, len(proposed))
    for candidate in proposed:
        again.tell(candidate, loss_of(candidate))
    told = time.process_time() - start
    again.ask()
    around = {
        str(place): round(1000 * float(np.mean(seconds[place - AROUND : place])), 2)
        for place in PLACES
        if AROUND <= place <= len(seconds)
    }
    return {
        "trials": len(seconds),
        "ms_a_choice_around": around,
        "ms_a_choice": round(1000 * float(np.mean(seconds)), 2),
        "seconds": round(total, 1),
        "MiB_gained": round(memory() - before, 1),
        "seconds_to_tell_all": round(told, 1),
        "seconds_of_first_choice_after": round(time.process_time() - start - told, 2),
    }


def study_of(space: Any, trials: int) -> dict[str, Any]:
    """Return what the study takes: to add and end trials, on disk, and to read them again."""
    rng = np.random.default_rng(0)
    candidates = [space.sample(rng) for _ in range(trials)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.journal"
        study = Study.create(path, "s", "minimize")
        seconds = []
        for candidate in candidates:
            start = time.process_time()
            number = study.add(candidate, hidden_size=32, plugins={})
            loss = loss_of(candidate)
            study.finish(number, "diverged" if loss is None else "finished", loss)
            seconds.append(time.process_time() - start)
        start = time.process_time()
        read = Study.resume(path, "s").trials()
        took = time.process_time() - start
        assert len(read) == trials
        return {
            "trials": trials,
            "ms_a_trial_around": {
                str(place): round(1000 * float(np.mean(seconds[place - AROUND : place])), 2)
                for place in PLACES
                if AROUND <= place <= trials
            },
            "seconds": round(sum(seconds), 1),
            "MiB_on_disk": round(path.stat().st_size / 2**20, 1),
            "seconds_to_read": round(took, 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--space", default="gated")
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    space = plugins.load_space(options.space)
    console = Console(width=None if sys.stdout.isatty() else 140)
    told: dict[str, Any] = {"space": options.space, "strategies": {}}
    for name in options.strategies.split(","):
        told["strategies"][name] = choices(name, space, options.trials)
        console.print(name, told["strategies"][name])
        _write(options.json, told)
    told["study"] = study_of(space, options.trials)
    _write(options.json, told)
    table = Table(
        title=f"{options.trials} trials of {options.space}: ms a choice around so many finished trials"
    )
    table.add_column("strategy")
    places = [str(place) for place in PLACES if place <= options.trials]
    for heading in (*places, "total s", "MiB", "resume s"):
        table.add_column(heading, justify="right")
    for name, one in told["strategies"].items():
        row = [str(one["ms_a_choice_around"].get(place, "-")) for place in places]
        table.add_row(
            name, *row, str(one["seconds"]), str(one["MiB_gained"]), str(one["seconds_to_tell_all"])
        )
    one = told["study"]
    row = [str(one["ms_a_trial_around"].get(place, "-")) for place in places]
    table.add_row(
        "the study", *row, str(one["seconds"]), f"{one['MiB_on_disk']} on disk", str(one["seconds_to_read"])
    )
    console.print(table)


def _write(path: Path | None, told: dict[str, Any]) -> None:
    if path is not None:
        path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
