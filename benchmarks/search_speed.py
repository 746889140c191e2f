"""What a faster backend is worth to a whole search: the same search with `fused` and with `eager`, in turns.

    python benchmarks/search_speed.py --trials 6 --epochs 2 --repeats 3 --json search.json

Each search is the command ``nas-rnn search`` in a process of its own, with random candidates of the space
``gated`` from one seed, no early stopping, and the text that comes with the task; so all try the same cells for
the same epochs. Each begins with an empty cache of compiled code: every cell is compiled as if it had never been
seen. Who begins changes with the round.

Seconds are measured so:

    whole    the command, from its start to its end; its last stages (selection and final) train what was best,
             which may differ, so all else is about the trials and the baseline alone
    search   from the search's beginning to the end of its last trial
    busy     the workers' time, added up: each worker's from the moment it begins its first run to the end of its
             last, so that waiting for Ray, reading, writing, validation and compiling count, and starting the
             process does not
    steps    the time in training: batches, forwards, backwards, clipping and the optimiser, where the first
             step of a cell holds its compilation; targets learned from, over the targets a second that each
             epoch's record has
    epochs   that and validation: the seconds that the epochs' records have
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nas_rnn.errors import NasRnnError
from nas_rnn.training import RunResult, RunStore
from nas_rnn.training.store import RESULT, WORKERS

BACKENDS = ("fused", "eager")
NAME = "timed"


@dataclass(frozen=True, kw_only=True)
class Times:
    """The seconds of one search, as the module's text has them. ``runs`` have ``backends``; ``cells`` are the
    texts of the trials' cells."""

    backend: str
    runs: int
    backends: tuple[str, ...]
    cells: tuple[str, ...]
    whole: float
    search: float
    busy: float
    steps: float
    epochs: float

    @property
    def share(self) -> float:
        """The share of the workers' time that training takes."""
        return self.steps / self.busy


def run_search(backend: str, arguments: Sequence[str]) -> Times:
    """Run the search once in a folder of its own; `NasRnnError` where it fails."""
    with tempfile.TemporaryDirectory(prefix="search-speed-") as folder:
        asked = ["search", "--backend", backend, "--name", NAME, "--runs", f"{folder}/runs", *arguments]
        code = "from nas_rnn.cli import main; main()"
        environment = {**os.environ, "XDG_CACHE_HOME": f"{folder}/cache"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, *asked],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        whole = time.perf_counter() - began
        if done.returncode != 0:
            raise NasRnnError(f"the search with {backend} failed: {done.stderr.strip()[-2000:]}")
        return read_times(Path(folder, "runs", NAME), backend, whole)


def read_times(folder: Path, backend: str, whole: float) -> Times:
    """Return the times of a finished search, from what lies in its folder.

    Raises `NasRnnError` where a run did not end, or a worker died: its time would not be known.
    """
    began = json.loads((folder / "search.json").read_text())["began_ms"] / 1000
    firsts: dict[int, float] = {}
    lasts: dict[int, float] = {}
    steps = 0.0
    results: list[RunResult] = []
    cells: list[str] = []
    for trial in sorted((folder / "trials").iterdir()):
        store = RunStore(trial)
        spec, result, workers = store.read_spec(), store.read_result(), store.read_workers()
        if spec is None or result is None or len(workers) != 1:
            raise NasRnnError(f"run {trial.name} was not trained in one go by one worker")
        if spec.role not in ("candidate", "baseline"):
            continue
        start, end = ((trial / name).stat().st_mtime for name in (WORKERS, RESULT))
        worker = workers[0]["pid"]
        firsts[worker] = min(start, firsts.get(worker, start))
        lasts[worker] = max(end, lasts.get(worker, end))
        cells.append(spec.cell)
        results.append(result)
        steps += sum(record.targets / record.units_per_second for record in result.epochs)
    return Times(
        backend=backend,
        runs=len(results),
        backends=tuple(sorted({str(result.backend) for result in results})),
        cells=tuple(cells),
        whole=whole,
        search=max(lasts.values()) - began,
        busy=sum(lasts[worker] - firsts[worker] for worker in firsts),
        steps=steps,
        epochs=sum(record.seconds for result in results for record in result.epochs),
    )


def in_turns(repeats: int, arguments: Sequence[str]) -> Iterator[Times]:
    """Yield the searches, both backends in each round; raise `NasRnnError` where they tried different cells."""
    cells: tuple[str, ...] | None = None
    for number in range(repeats):
        for backend in BACKENDS if number % 2 == 0 else BACKENDS[::-1]:
            found = run_search(backend, arguments)
            if found.backends != (backend,):
                raise NasRnnError(f"runs meant for {backend} ran on {', '.join(found.backends)}")
            if cells is not None and cells != found.cells:
                raise NasRnnError("two searches that should be the same tried different cells")
            cells = found.cells
            yield found


def show(found: Sequence[Times], console: Console) -> None:
    """Print every search, then the medians of the ratios of each round."""
    table = Table(title="Seconds of each search", title_justify="left")
    columns = ("whole", "search", "busy", "steps", "epochs")
    for column in ("backend", "runs", *columns, "steps / busy", "epochs / busy"):
        table.add_column(column, justify="left" if column == "backend" else "right")
    for times in found:
        figures = [f"{getattr(times, column):.1f}" for column in columns]
        shares = f"{times.share:.1%}", f"{times.epochs / times.busy:.1%}"
        table.add_row(times.backend, str(times.runs), *figures, *shares)
    console.print(table)
    pairs = list(zip(*([t for t in found if t.backend == name] for name in BACKENDS), strict=False))
    for column in columns if pairs else ():
        ratios = [getattr(fused, column) / getattr(eager, column) for fused, eager in pairs]
        spread = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        console.print(f"{column}: fused over eager {statistics.median(ratios):.2f} (median of {spread})")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=6, help="candidates (default: 6)")
    parser.add_argument("--epochs", type=int, default=2, help="epochs of each (default: 2)")
    parser.add_argument("--params", type=int, default=60_000, help="parameters of a model (default: 60000)")
    parser.add_argument("--seed", type=int, default=0, help="which candidates (default: 0)")
    parser.add_argument("--repeats", type=int, default=3, help="searches of each backend (default: 3)")
    parser.add_argument("--json", type=Path, help="write the searches' times here, as a list")
    options = parser.parse_args()
    chosen = {name: getattr(options, name) for name in ("trials", "epochs", "params", "seed")}
    arguments = [text for name, value in chosen.items() for text in (f"--{name}", str(value))]
    arguments += ["--scheduler", "none", "--seeds", "1", "--device", "cpu"]
    console = Console(width=None if sys.stdout.isatty() else 140)
    found: list[Times] = []
    for times in in_turns(options.repeats, arguments):
        found.append(times)
        console.print(f"{times.backend}: {times.search:.1f} s for the trials, {times.whole:.1f} s in all")
        if options.json is not None:
            options.json.write_text(
                json.dumps([{**asdict(each), "share": each.share} for each in found], indent=1)
            )
    show(found, console)


if __name__ == "__main__":
    main()
