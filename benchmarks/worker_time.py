"""Where the time of a search's workers goes: the share of training, of validation, and of everything beside them.

    python benchmarks/worker_time.py
    python benchmarks/worker_time.py --nice 10 --json time.json -- --trials 12 --tune 3 --seeds 4 --most-epochs 500

It runs ``nas-rnn search`` with the options of ``make search``, only smaller, or with those given after ``--``, in a
folder that is removed and with an empty cache of compiled code. A plugin (`timed_workers`) has each worker note how
long each piece of its work takes. Seconds of the clock are told beside seconds of CPU: where a piece has far more of
the first, its worker waited for a disk, or for a processor that others had.

The whole is the time from the first worker's first run to the last worker's last, once for each place of a worker.
A place is what one worker process after the other had. Waiting is what no piece of work explains: "between runs", where
a worker has no run and gets one later, and "no worker", before the first and after the last of a place.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from nas_rnn.errors import NasRnnError

OPTIONS = (
    *("--task-option", "characters=36000", "--params", "30000", "--learning-rate", "0.02"),
    *("--most-epochs", "40", "--trials", "4", "--tune", "3", "--seeds", "2"),
)
"""Those of `make search`, but for fewer candidates, seeds and epochs."""
PLUGINS = Path(__file__).parent / "timed_workers"
EVERY = 0.5
"""Seconds between two looks at which processes there are."""


@dataclass
class Spent:
    """What was spent in one piece of work: seconds of the clock and of CPU, and how often."""

    wall: float = 0.0
    cpu: float = 0.0
    times: int = 0


@dataclass
class Account:
    """The time of all workers of one search: by piece of work, and the whole that the pieces are parts of."""

    whole: float
    command: float
    runs: int
    epochs: int
    spent: dict[str, Spent]
    processes: dict[str, float] = field(default_factory=dict)
    """Seconds of CPU of all the command's processes, by what they are."""


def run_search(options: Sequence[str], niceness: int) -> Account:
    """Run a search with ``options`` and return its workers' account; `NasRnnError` where it fails."""
    with tempfile.TemporaryDirectory(prefix="worker-time-") as folder:
        lines = Path(folder, "timed.jsonl")
        asked = ["search", "--name", "timed", "--runs", f"{folder}/runs", "--plugins", str(PLUGINS), *options]
        environment = {**os.environ, "XDG_CACHE_HOME": f"{folder}/cache", "NAS_RNN_TIMED": str(lines)}
        environment.pop("MLFLOW_TRACKING_URI", None)
        began = time.perf_counter()
        with Path(folder, "out.txt").open("w+") as out:
            process = psutil.Popen(
                [sys.executable, "-c", "from nas_rnn.cli import main; main()", *asked],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: os.nice(niceness),
            )
            used = _watched(process)
            command = time.perf_counter() - began
            if process.wait() != 0:
                out.seek(0)
                raise NasRnnError(f"the search failed: {out.read()[-2000:]}")
        runs = [json.loads(line) for line in lines.read_text().splitlines()]
        return account_of(runs, command, used)


def account_of(runs: Sequence[dict[str, Any]], command: float, processes: dict[str, float]) -> Account:
    """Return the account of a search from what its workers noted of each run."""
    spent: dict[str, Spent] = defaultdict(Spent)
    first, last = min(run["began"] for run in runs), max(run["ended"] for run in runs)
    workers: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run["began"]):
        workers[run["worker"]].append(run)
        for name, (wall, cpu, times) in run["spent"].items():
            piece = spent[name]
            piece.wall, piece.cpu, piece.times = piece.wall + wall, piece.cpu + cpu, piece.times + times
    for own in workers.values():
        for before, after in itertools.pairwise(own):
            spent["between runs"].wall += after["began"] - before["ended"]
            spent["between runs"].times += 1
    places = _most_at_once(list(workers.values()))
    whole = places * (last - first)
    had = sum(own[-1]["ended"] - own[0]["began"] for own in workers.values())
    spent["no worker"] = Spent(whole - had, 0.0, len(workers))
    spent["unexplained"] = Spent(whole - sum(piece.wall for piece in spent.values()))
    return Account(whole, command, len(runs), sum(run["epochs"] for run in runs), dict(spent), processes)


def _most_at_once(workers: Sequence[Sequence[dict[str, Any]]]) -> int:
    """Return how many workers there were at one time, at most."""
    changes = sorted(change for own in workers for change in ((own[0]["began"], 1), (own[-1]["ended"], -1)))
    now = most = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def _watched(process: psutil.Popen) -> dict[str, float]:
    """Wait for the process to end; return the seconds of CPU that it and all below it had, by what they are."""
    seen: dict[tuple[int, float], tuple[str, float]] = {}
    while process.poll() is None:
        for one in [process, *process.children(recursive=True)]:
            try:
                times = one.cpu_times()
                seen[one.pid, one.create_time()] = (_kind(one, process), times.user + times.system)
            except psutil.Error:
                continue
        time.sleep(EVERY)
    kinds: dict[str, float] = defaultdict(float)
    for kind, seconds in seen.values():
        kinds[kind] += seconds
    return dict(kinds)


def _kind(one: psutil.Process, driver: psutil.Process) -> str:
    if one.pid == driver.pid:
        return "driver"
    command = " ".join(one.cmdline())
    for word, kind in (("Trainable", "workers"), ("ray::IDLE", "idle workers"), ("raylet", "raylet")):
        if word in command.split(" --")[0]:
            return kind
    return "gcs_server" if "gcs_server" in command else "others"


def show(account: Account) -> None:
    """Print the account as a table."""
    print(
        f"{account.runs} runs, {account.epochs} epochs; the command took {account.command:.0f} s; "
        f"workers' time {account.whole:.0f} s; load {os.getloadavg()[0]:.1f} at the end"
    )
    kinds = ", ".join(f"{kind} {seconds:.0f}" for kind, seconds in account.processes.items())
    busy = sum(piece.cpu for piece in account.spent.values())
    print(f"CPU seconds of processes: {kinds}; of workers' work: {busy:.0f}\n")
    print("| work | share | seconds | of CPU | share | times | ms each |")
    print("|---|---|---|---|---|---|---|")
    for name, piece in sorted(account.spent.items(), key=lambda item: -item[1].wall):
        each = f"{1000 * piece.wall / piece.times:.1f}" if piece.times else ""
        seconds = (
            f"{piece.wall / account.whole:.1%} | {piece.wall:.1f} | {piece.cpu:.1f} | {piece.cpu / busy:.1%}"
        )
        print(f"| {name} | {seconds} | {piece.times} | {each} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nice", type=int, default=0, help="niceness of the search (default: 0)")
    parser.add_argument("--json", type=Path, help="write the account here")
    parser.add_argument("options", nargs="*", help="options of the search, after --")
    given = parser.parse_args()
    account = run_search(given.options or OPTIONS, given.nice)
    if given.json is not None:
        found = {**vars(account), "spent": {name: vars(piece) for name, piece in account.spent.items()}}
        given.json.write_text(json.dumps(found, indent=1))
    show(account)


if __name__ == "__main__":
    main()
