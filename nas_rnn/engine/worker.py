"""What a worker does: trains the run it is given, epoch by epoch, and goes over to the next one. Knows no Ray."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from nas_rnn import plugins
from nas_rnn.engine.sampling import Sampler, machine_reader
from nas_rnn.errors import UserError
from nas_rnn.oneshot import SupernetPlan
from nas_rnn.spaces import DecisionSpace, constrained, parse_constraints
from nas_rnn.tasks import Task, TaskData
from nas_rnn.training import CannotStore, Diverged, RunSpec, RunStore
from nas_rnn.training.files import Files
from nas_rnn.training.memory import explain_out_of_memory, release_memory
from nas_rnn.training.spec import Status
from nas_rnn.training.store import StepTimes

if TYPE_CHECKING:
    from nas_rnn.oneshot.trainer import SupernetTrainer
    from nas_rnn.training.trainer import Trainer


WORST = 1e30
"""The score of a run without an epoch: no infinity, of which Tune's schedulers cannot take quantiles."""


class Worker:
    """Trains one RunSpec after another; of a run that measures others' steps a step is the whole.

    ``data_for(spec)`` is the data that a run may read, ``files(run)`` are its files, and ``where`` is what is kept with
    it of the place where it was trained. A step is an epoch, or as many as begin within ``report_every`` seconds: to
    tell of one takes as long as a tenth of a short epoch. How many they are changes nothing in the run.

    Results carry plain data: ``records`` (epochs since the last result), ``ending`` ("" while it trains), ``reason``,
    ``parameters``, ``backend`` and ``fallback`` and, at the end, ``result`` (as JSON text: Tune flattens nested
    dictionaries). A run that diverges or raises ends itself and nothing else. ``halt`` says that nothing can be kept
    any more: that run has no ending.
    """

    def __init__(
        self,
        data_for: Callable[[RunSpec], TaskData],
        files: Callable[[str], Files],
        where: Mapping[str, Any],
        report_every: float = 0.0,
    ) -> None:
        self._data_for = data_for
        self._files = files
        self._where = where
        self._report_every = report_every
        self._read_machine = machine_reader()

    def begin(self, config: Mapping[str, Any]) -> None:
        """Have the run of ``config`` be the one that is trained: its ``spec`` as a dictionary, and ``sign``."""
        self._spec = RunSpec.from_dict(config["spec"])
        self._sign = config["sign"]
        self._told = 0
        self._trainer: Trainer | SupernetTrainer | None = None
        self._sampler = Sampler(self._read_machine)

    def rest(self) -> None:
        """Let go of the last run: none follows for now."""
        self._trainer = None

    def step(self) -> dict[str, Any]:
        """Train for an epoch or some, and return what there is to tell."""
        try:
            return self._step()
        except CannotStore as error:
            return {**self._news(), "halt": str(error), "done": True}

    def _step(self) -> dict[str, Any]:
        try:
            if self._spec.role == "timing":
                self._measure_times()
                return self._report("finished", "it only measured")
            trainer = self._trainer or self._make_trainer()
            if not trainer.finished:
                with self._sampler.running():
                    self._train(trainer)
            return self._report("finished" if trainer.finished else "", None)
        except Diverged as error:
            return self._report("diverged", str(error))
        except CannotStore:
            raise
        except (Exception, SystemExit) as error:
            self._files(self._spec.id).write("traceback.txt", traceback.format_exc().encode())
            reason = self._explained(error)
        release_memory()  # now that no traceback holds the run's tensors: others may share its GPU
        return self._report("failed", reason)

    def _train(self, trainer: Trainer | SupernetTrainer) -> None:
        began = time.monotonic()
        while True:
            trainer.run_epoch()
            if trainer.finished or time.monotonic() - began >= self._report_every:
                return

    def _explained(self, error: BaseException) -> str:
        """Return what went wrong; in the code of the task, with its file and line."""
        if (no_memory := explain_out_of_memory(error)) is not None:
            return no_memory
        try:
            told = plugins.blame(error, plugins.registry().find("task", self._spec.task))
        except UserError:  # the task itself is not there
            told = None
        return told or f"{type(error).__name__}: {error}"

    def _make_trainer(self) -> Trainer | SupernetTrainer:
        from nas_rnn.training.trainer import Trainer

        store, task = RunStore(self._files(self._spec.id)), self._make_task()
        try:
            if self._spec.role == "supernet":
                self._trainer = self._make_supernet(task, store)
            else:
                self._trainer = Trainer(self._spec, task, self._data_for(self._spec), store)
        finally:
            done = None if self._trainer is None else self._trainer.epoch
            store.append_worker({**self._where, "epochs_before": done})
        return self._trainer

    def _make_supernet(self, task: Task, store: RunStore) -> SupernetTrainer:
        from nas_rnn.oneshot.trainer import SupernetTrainer

        plan = SupernetPlan.from_dict(store.read_supernet())
        space = constrained(plugins.load_space(plan.space), parse_constraints(plan.constraints))
        assert isinstance(space, DecisionSpace), "only such a space has a supernet"
        return SupernetTrainer(self._spec, plan, space, task, self._data_for(self._spec), store)

    def _make_task(self) -> Task:
        task: Task = plugins.registry().find("task", self._spec.task).value(**self._spec.task_options)
        return task

    def _measure_times(self) -> None:
        """Measure the steps of the runs that this one names, each in turns with the first of them."""
        from nas_rnn.training.timing import seconds_per_target

        store, task, data = (
            RunStore(self._files(self._spec.id)),
            self._make_task(),
            self._data_for(self._spec),
        )
        first, *others = store.read_timed()
        times: list[StepTimes | None] = []
        for spec in others:
            try:
                theirs, own = seconds_per_target([first, spec], task, data)
                times.append((own, theirs))
            except Diverged:
                times.append(None)
        store.write_times(times)

    def _report(self, ending: Status | Literal[""], reason: str | None) -> dict[str, Any]:
        if samples := self._sampler.collect():
            RunStore(self._files(self._spec.id)).append_samples(samples)
        result = (
            self._trainer.result(ending, reason).to_dict() if ending and self._trainer is not None else None
        )
        return {
            **self._news(),
            "ending": result["status"] if result else ending,
            "reason": result["reason"] if result else reason,
            "result": json.dumps(result),
            "done": bool(ending),
        }

    def _news(self) -> dict[str, Any]:
        records = [] if self._trainer is None else self._trainer.records
        new, self._told = records[self._told :], len(records)
        backend, fallback = (None, None) if self._trainer is None else self._trainer.backend
        return {
            "records": [record.to_dict() for record in new],
            "parameters": 0 if self._trainer is None else self._trainer.parameters,
            "backend": backend,
            "fallback": fallback,
            "epoch": max(1, len(records)),
            "score": self._sign * records[-1].metric if records else WORST,
        }
