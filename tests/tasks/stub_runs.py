"""Stub tasks of every kind, and their final runs with two cells and two seeds, made once for all tests of a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nas_rnn.cells import parse_cell
from nas_rnn.comparison import Entry, FinalPlan, TaskChoice, final_specs
from nas_rnn.export import ExportBundle, TaskModelBundle, example_inputs
from nas_rnn.plugins import load_cell
from nas_rnn.tasks import Measures, Task, TaskData
from nas_rnn.training import RunResult, RunSpec, RunStore, TrainingOptions
from nas_rnn.training.model import recurrent_nets
from nas_rnn.training.trainer import Trainer
from tests.tasks.stubs.answers import Answers
from tests.tasks.stubs.choosing import Choosing
from tests.tasks.stubs.reversing import Reversing
from tests.tasks.stubs.sessions import Sessions
from tests.tasks.stubs.temperatures import Temperatures

STUBS: dict[str, type[Task]] = {
    kind.name: kind for kind in (Reversing, Temperatures, Choosing, Answers, Sessions)
}
OPTIONS = TrainingOptions(
    batch=8, length=32, learning_rate=0.02, epochs=2, device="cpu", backend="eager", dropout=0.1
)
SEEDS = 2


def entry(name: str) -> Entry:
    cell = load_cell(name)
    return Entry(
        name=name, cell=cell.to_text(), digest=cell.digest, hidden_size=8, parameters=0, training=OPTIONS
    )


@dataclass(frozen=True)
class Run:
    """A final run that has ended, with its store."""

    trainer: Trainer
    result: RunResult
    store: RunStore


class Finals:
    """The final runs of one stub: LSTM, the baseline, and GRU."""

    def __init__(self, name: str, folder: Path) -> None:
        self.task = STUBS[name]()
        self.data: TaskData = self.task.load(None)
        self.measures: Measures = self.task.measures(self.data.meta)
        self.plan: FinalPlan = final_specs(
            entry("lstm"), [entry("gru")], task=TaskChoice(name, {}), seed=0, seeds=SEEDS
        )
        self._folder = folder

    def trainer(self, spec: RunSpec, store: RunStore | None = None, **options: Any) -> Trainer:
        training = replace(spec.training, **options)
        return Trainer(replace(spec, training=training), self.task, self.data, store)

    @cached_property
    def runs(self) -> dict[str, Run]:
        found = {}
        for spec in self.plan.specs:
            store = RunStore(self._folder / spec.id)
            trainer = self.trainer(spec, store)
            while not trainer.finished:
                trainer.run_epoch()
            found[spec.id] = Run(trainer, trainer.result(), store)
        return found

    @property
    def results(self) -> dict[str, RunResult]:
        return {name: run.result for name, run in self.runs.items()}

    @property
    def first(self) -> Run:
        """The first run of the baseline."""
        return self.runs[self.plan.baseline.specs[0].id]

    def exported(self) -> ExportBundle:
        run, spec = self.first, self.plan.baseline.specs[0]
        model = run.trainer.best_model()
        bundle = TaskModelBundle(
            task=self.task,
            model=model,
            spec=spec,
            meta=self.data.meta,
            example=example_inputs(self.task, self.data),
        )
        return ExportBundle(
            name=parse_cell(spec.cell).name, rnn=next(iter(recurrent_nets(model).values())), task_model=bundle
        )
