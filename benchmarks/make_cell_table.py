"""Trains every cell of a part of the space ``gated`` on char-lm, and writes the table that `cell_table.py` reads.

    python benchmarks/make_cell_table.py --out runs/cell-table --pilot 10
    python benchmarks/make_cell_table.py --out runs/cell-table --table benchmarks/tables/gated_char_lm.json.gz

The part is `KEPT`: it has the vanilla RNN, the GRU and the LSTM. All cells get as many parameters, the same options and
the same epochs; the best of them get further seeds, whose weights and data order are the same for all cells. The runs
go through the engine, as those of a search do, and are kept in ``--out``: started again with the same options, the
script goes on where it was, and a kill costs at most the unfinished epochs; with more epochs it trains all runs on.
``--pilot`` trains so many cells, and the three named above, on all seeds; their runs are part of the whole table's.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import psutil
from cell_table import CellTable, Ending, PartOfSpace, TabledCell, TabledRun, every_candidate
from sized_runs import sized

from nas_rnn.engine import Engine, RunList, RunSource, Sequential
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.plugins import load_cell, load_space, registry
from nas_rnn.run_folder.data_digests import data_digest
from nas_rnn.run_folder.environment import environment
from nas_rnn.spaces import Candidate, DecisionSpace, Label
from nas_rnn.tasks import Task, TaskData
from nas_rnn.tasks.char_lm.floors import bigram_bits, unigram_bits
from nas_rnn.training import RunResult, RunSpec, RunStore, TrainingOptions

SPACE = "gated"
KEPT: dict[str, tuple[Label, ...]] = {
    "peepholes": ("no",),
    "candidate": ("tanh", "relu", "sigmoid", "identity"),
    "reset": ("none", "after"),
    "reset_reads": ("x and h",),
    "update": ("input and forget", "input", "forget", "1 - forget"),
    "input_reads": ("x and h", "x"),
    "forget_reads": ("x and h", "x"),
    "exposed": ("tanh", "relu"),
    "output_gate": ("yes", "no"),
    "output_reads": ("x and h",),
}
"""What is left of the space: 408 cells. ``1 - input`` is ``1 - forget`` with its gate's sign turned round; an
``identity`` exposed without an output gate would be the memory that is the output."""

NAMED = ("rnn", "gru", "lstm")
"""Published cells that are points of the part."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all runs of a table share."""

    parameters: int
    training: TrainingOptions
    task_options: dict[str, int]
    task: str = "char-lm"
    space: str = SPACE
    kept: Mapping[str, Sequence[Label]] = field(default_factory=lambda: KEPT)

    def part(self) -> PartOfSpace:
        space = load_space(self.space)
        assert isinstance(space, DecisionSpace)
        return PartOfSpace(space, self.kept)

    def make_task(self) -> Task:
        task: Task = registry().find("task", self.task).value(**self.task_options)
        return task


def about(settings: Settings, data: TaskData) -> dict[str, Any]:
    """Return what a table says of its training: what the runs of one folder must agree in."""
    symbols, codes = len(data.meta["vocabulary"]), {part: own["codes"] for part, own in data.parts.items()}
    floors = {
        name: round(float(table(codes["train"], codes["valid"], symbols).mean()), 4)
        for name, table in (("unigram", unigram_bits), ("bigram", bigram_bits))
    }
    here = environment()
    return {
        **asdict(settings),
        "kept": {key: list(labels) for key, labels in settings.kept.items()},
        "training": settings.training.to_dict(),
        "loss": "bits per character on the validation part",
        "floors": floors,
        "data": {
            "source": data.meta["source"],
            "digest": data_digest(data),
            "characters": {part: len(own) for part, own in codes.items()},
            "vocabulary": symbols,
        },
        "made_with": {name: here[name] for name in ("nas_rnn", "torch", "Python", "processor")},
    }


class Clock:
    """Counts the processor seconds of each run: what its worker took since the one before, compilers included."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before: dict[int, float] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self.seconds: dict[str, float] = {}
        for line in lines:
            try:
                self.seconds.update(json.loads(line))
            except ValueError:  # a kill cut it short
                continue

    def ended(self, run: str, worker: int) -> None:
        """Hear that a worker has ended a run; of its first the start of the process would count as well."""
        try:
            now = sum(psutil.Process(worker).cpu_times()[:4])  # its own and its children's, user and system
        except psutil.Error:
            return
        if worker in self._before:
            self.seconds[run] = round(self.seconds.get(run, 0.0) + now - self._before[worker], 2)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(
                    f"\n{json.dumps({run: self.seconds[run]})}"
                )  # on a line of its own, whatever is before
        self._before[worker] = now


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a folder of runs for the time of the block; UserError where another process does."""
    path.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(path / ".lock", timeout=0):
            yield
    except filelock.Timeout:
        raise UserError(f"another process trains the runs of {path}; wait for it, or stop it first") from None


class Folder:
    """The runs of one table, in ``--out``."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self.runs = path / "runs"
        self.runs.mkdir(parents=True, exist_ok=True)
        self._require_same(path / "about.json", about)
        self.clock = Clock(path / "cpu_seconds.jsonl")

    @staticmethod
    def _require_same(kept: Path, about: Mapping[str, Any]) -> None:
        now = json.loads(json.dumps(about))
        if not kept.is_file():
            kept.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        before = json.loads(kept.read_text(encoding="utf-8"))
        for one in (before, now):
            del one["training"]["epochs"]  # at a constant rate runs can be trained on, and cut
        differing = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        if differing:
            raise UserError(
                f"{kept.parent} has runs of another {', '.join(differing)}; give another --out, or the same options"
            )

    def earlier(self, spec: RunSpec) -> RunResult | None:
        """Return the result of a run that has one; what failed is tried again, what has too few epochs trained on."""
        result = RunStore(self.runs / spec.id).read_result()
        if result is None or result.status == "failed":
            return None
        is_whole = _diverged(result) or len(result.epochs) >= spec.training.cap
        return result if is_whole else None

    def on_done(self, spec: RunSpec, result: RunResult) -> None:
        if workers := RunStore(self.runs / spec.id).read_workers():
            self.clock.ended(spec.id, workers[-1]["pid"])
        best = "none" if result.best_metric is None else f"{result.best_metric:.4f}"
        seconds = self.clock.seconds.get(spec.id, math.nan)
        print(f"{spec.id} {spec.name}: {result.status}, best {best}, {seconds:.1f} s of CPU", flush=True)

    def stage(self, specs: Sequence[RunSpec]) -> RunList:
        """Return what is left of these runs to be trained."""
        found = {spec.id: self.earlier(spec) for spec in specs}
        results = {id: result for id, result in found.items() if result is not None}
        print(f"{len(specs)} runs, of which {len(results)} are there", flush=True)
        return RunList(specs, results=results, on_done=self.on_done)


def chosen(settings: Settings, pilot: int | None) -> list[Candidate]:
    """Return the distinct candidates of the part; of a pilot so many evenly spaced, and the named ones."""
    found: dict[str, Candidate] = {}
    for candidate in every_candidate(settings.part()):
        found.setdefault(candidate.digest, candidate)
    if pilot is None:
        return list(found.values())
    places = np.linspace(0, len(found) - 1, pilot).astype(int)
    digests = [list(found)[place] for place in places] + [load_cell(name).digest for name in NAMED]
    return [found[digest] for digest in dict.fromkeys(digests)]


def specs_of(
    candidates: Sequence[Candidate], settings: Settings, task: Task, data: TaskData
) -> dict[str, RunSpec]:
    """Return each cell's run on seed 0, by digest, at the hidden size nearest to the parameters asked for."""
    return {
        candidate.digest: sized(
            RunSpec(
                id="to be sized",
                role="candidate",
                name=candidate.cell.name,
                cell=candidate.cell.to_text(),
                hidden_size=1,
                task=settings.task,
                task_options=dict(settings.task_options),
                training=settings.training,
                seed=0,
                data_seed=0,
            ),
            task,
            data,
            settings.parameters,
        )
        for candidate in candidates
    }


def on_seed(digest: str, spec: RunSpec, seed: int) -> RunSpec:
    """Return the run on another seed, the same initial draws and data order for all cells."""
    name = digest.rpartition("-")[2][:16]
    return replace(spec, id=f"{name}-{seed}", seed=2 * seed, data_seed=2 * seed + 1)


def train(
    specs: Mapping[str, RunSpec], folder: Folder, data: TaskData, *, seeds: int, best: int, workers: int
) -> dict[str, RunResult]:
    """Train all cells on seed 0 and the ``best`` of them on the other seeds; return all results by run.

    Raises:
        NasRnnError: where runs failed: a table has no gaps.
    """
    results: dict[str, RunResult] = {}

    def stages() -> Iterator[RunSource]:
        first = {digest: on_seed(digest, spec, 0) for digest, spec in specs.items()}
        stage = folder.stage(list(first.values()))
        yield stage
        results.update(whole(stage))
        ranked = sorted(specs, key=lambda digest: loss_of(results[first[digest].id], first[digest]))
        others = [
            on_seed(digest, specs[digest], seed) for seed in range(1, seeds) for digest in ranked[:best]
        ]
        stage = folder.stage(others)
        yield stage
        results.update(whole(stage))

    engine = Engine(
        workers=workers,
        threads=1,
        folder=folder.runs,
        data=data.without("test"),
        sources=registry().sources,
        notify=print,
    )
    with engine:
        engine.run(Sequential(stages()))
    return results


def whole(stage: RunList) -> dict[str, RunResult]:
    """Return the results of a stage that has ended; NasRnnError where runs failed: a table has no gaps."""
    failed = {id: result.reason for id, result in stage.results.items() if result.status == "failed"}
    if failed:
        raise NasRnnError(f"runs that failed, and are tried again at the next start: {failed}")
    return stage.results


def _diverged(result: RunResult) -> bool:
    """Whether a run diverged, also where its curve had come to an end before that: others went on then."""
    return result.ended_because == "diverged"


def tabled(result: RunResult, epochs: int, cpu_seconds: float | None = None) -> TabledRun:
    """Return so many epochs of a run; what more of them took is not told."""
    curve = tuple(record.metric for record in result.epochs)
    ending: Ending = "diverged" if _diverged(result) and len(curve) < epochs else "finished"
    return TabledRun(curve[:epochs], ending, cpu_seconds if len(curve) <= epochs else None)


def loss_of(result: RunResult, spec: RunSpec) -> float:
    """Return the loss by which cells are ranked: infinite where a run diverged."""
    loss = tabled(result, spec.training.cap).loss(spec.training.cap)
    return math.inf if loss is None else loss


def table_of(
    candidates: Sequence[Candidate],
    specs: Mapping[str, RunSpec],
    results: Mapping[str, RunResult],
    seconds: Mapping[str, float],
    about: Mapping[str, Any],
    seeds: int,
) -> CellTable:
    """Return the table of all that was trained."""

    cells = []
    for candidate in candidates:
        digest, spec = candidate.digest, specs[candidate.digest]
        ids = {seed: on_seed(digest, spec, seed).id for seed in range(seeds)}
        own = {seed: results[id] for seed, id in ids.items() if id in results}
        parameters = own[0].parameters
        epochs = spec.training.cap
        runs = {seed: tabled(result, epochs, seconds.get(result.id)) for seed, result in own.items()}
        cells.append(TabledCell(digest, dict(candidate.decisions or {}), spec.hidden_size, parameters, runs))
    return CellTable(about, tuple(cells))


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the runs, to go on from")
    parser.add_argument("--table", type=Path, help="where to write the table")
    parser.add_argument("--pilot", type=int, help="train so many cells alone, on all seeds")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--characters", type=int, default=30_000, help="of the embedded text")
    parser.add_argument("--embedding", type=int, default=16)
    parser.add_argument("--parameters", type=int, default=19_500, help="of each whole model")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.03)
    parser.add_argument("--seeds", type=int, default=3, help="of the best cells")
    parser.add_argument("--best", type=int, default=100, help="how many cells have all seeds")
    return parser.parse_args(arguments)


def made(given: argparse.Namespace, settings: Settings) -> CellTable:
    """Train what is left to be trained and return the table."""
    task = settings.make_task()
    data = task.load(None)
    told = about(settings, data)
    candidates = chosen(settings, given.pilot)
    specs = specs_of(candidates, settings, task, data)
    with held(given.out):
        folder = Folder(given.out, told)
        results = train(specs, folder, data, seeds=given.seeds, best=given.best, workers=given.workers)
    told = {**told, "seeds": given.seeds, "best": given.best}
    return table_of(candidates, specs, results, folder.clock.seconds, told, given.seeds)


def main() -> None:
    given = parsed()
    training = TrainingOptions(
        epochs=given.epochs,
        batch=given.batch,
        length=given.length,
        learning_rate=given.learning_rate,
        device="cpu",
    )
    settings = Settings(
        parameters=given.parameters,
        training=training,
        task_options={"characters": given.characters, "embedding": given.embedding},
    )
    table = made(given, settings)
    if given.table is not None and given.pilot is None:
        table.save(given.table)
        print(f"{len(table.cells)} cells: {given.table}, {given.table.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
