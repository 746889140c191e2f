"""The trainer: one model fitted to one task, epoch by epoch, so that it can be stopped and resumed exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.execution import mark_weights
from nas_rnn.tasks import Batching, Part, Statistics, Task, TaskData
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.tasks.model import TaskModel
from nas_rnn.training.averaging import AveragedWeights
from nas_rnn.training.beside import Beside, NothingBeside
from nas_rnn.training.checkpoint import Checkpoint
from nas_rnn.training.device import RandomStream, resolve_device, threads
from nas_rnn.training.ending import End, Ending
from nas_rnn.training.errors import Diverged
from nas_rnn.training.gradient_flow import flows_of_run
from nas_rnn.training.loop import Batches, scoring_pass, train_pass, validation_pass
from nas_rnn.training.model import RnnOfSpec, backend_of, build_model, cell_rnn
from nas_rnn.training.optimizer import AdamW
from nas_rnn.training.options import TrainingOptions
from nas_rnn.training.schedule import learning_rate
from nas_rnn.training.spec import EndedBecause, EpochRecord, RunResult, RunSpec, Status
from nas_rnn.training.store import RunStore

BETAS = (0.9, 0.95)
"""Adam's. Runs here are short, and torch's 0.999 averages over as many steps as an epoch has: an LSTM of 61k
parameters came to 1.58 nats with it in 3 epochs and to 1.53 with this (batch 16; means of 4 seeds)."""

_NO_MATRICES = ("bias", "norm", "vector")
"""How the names of a layer's parameters begin that do not decay, although some hold several vectors as rows."""

# What may differ between the run that left a checkpoint and the one that resumes from it.
_NOT_COMPARED = ("id", "role", "name", "read_test")
_NOT_COMPARED_OPTIONS = ("threads", "device")
# A run's course does not depend on how long it is to be, but with a rate that decays.
_LENGTHS = ("epochs", "most_epochs", "longer")


class Trainer:
    """Trains the model of ``spec``, and resumes from the store's checkpoint if there is one.

    A run that went on from a checkpoint has the curve and the weights, bit for bit, of one that was never
    stopped, on the same machine and number of threads (on a GPU as far as its kernels are deterministic).
    Initial weights depend on ``spec.seed`` alone, the data's order on ``spec.data_seed``. Torch's random
    state and number of threads are left as they were. ``beside`` is told of what is trained, as `Beside` says.

    Raises:
        UserError: for a device that is not there, data too small for a batch, or a store that holds the
            checkpoint of another run.
    """

    def __init__(
        self,
        spec: RunSpec,
        task: Task,
        data: TaskData,
        store: RunStore | None = None,
        *,
        make_rnn: RnnOfSpec = cell_rnn,
        beside: Beside | None = None,
    ) -> None:
        self.spec = spec
        self._beside = beside or NothingBeside()
        self._task = task
        self._data = data
        self._measures = task.measures(data.meta)
        self._store = store
        device = resolve_device(spec.training.device)
        with threads(spec.training.threads):
            self._model = build_model(spec, task, data.meta, make_rnn).to(device)
        self._optimizer = _optimizer(self._model, spec.training)
        self._average = AveragedWeights(self._model, spec.training.average)
        self._random = RandomStream(spec.seed, device)
        monitor = self._measures.monitor
        self._sign = -1.0 if monitor.direction == "maximize" else 1.0
        self._records: list[EpochRecord] = []
        self._ending = Ending(lambda loss: monitor.margin_at(self._sign * loss))
        self._best: dict[str, Tensor] = {}
        self._steps = sum(1 for _ in self._training_batches(1))
        if store is not None:
            self._resume(store)

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self._records)

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end: by its own curve, or because all epochs are done."""
        return self._ended_because() is not None

    @property
    def records(self) -> list[EpochRecord]:
        """The curve so far."""
        return list(self._records)

    @property
    def parameters(self) -> int:
        """How many learned numbers the model has."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    @property
    def backend(self) -> tuple[str | None, str | None]:
        """Which backend runs the cell, and why it is not the fused one where that was wanted."""
        return backend_of(self._model)

    @property
    def best_weights(self) -> dict[str, Tensor]:
        """The model's state dict at the best validation epoch, on the CPU; empty before the first epoch."""
        return dict(self._best)

    def best_model(self) -> TaskModel:
        """Return the model itself, on its device, with the best epoch's weights; training cannot continue then.

        Raises:
            NasRnnError: when no epoch was completed.
        """
        if not self._best:
            raise NasRnnError(f"run {self.spec.id!r} completed no epoch, so it has no best weights")
        self._model.load_state_dict(self._best)
        return self._model.eval()

    def run_epoch(self) -> EpochRecord:
        """Train for one epoch, validate the averaged weights, and leave a checkpoint.

        Raises:
            Diverged: when the loss, a gradient or a weight is not finite; the store keeps the epochs before.
            NasRnnError: when all epochs are done, or the store cannot be written.
        """
        if self.finished:
            raise NasRnnError(f"run {self.spec.id!r} has ended after {self.epoch} epochs")
        epoch, options = self.epoch + 1, self.spec.training
        before = self.epoch * self._steps
        started = time.perf_counter()
        further = 0

        def after_step(step: int) -> None:
            nonlocal further
            self._average.update(before + step + 1)
            further += self._beside.after_step(self._model)

        with threads(options.threads), self._random.drawing():
            trained = train_pass(
                self._model,
                self._beside.batches("train", epoch, self._training_batches(epoch)),
                self._optimizer,
                rate=lambda step: learning_rate(options, before + step, self._steps),
                clip=options.clip,
                epoch=epoch,
                after_step=after_step,
            )
        with threads(options.threads), self._aside(), self._average.loaded():
            batches = self._beside.batches("valid", epoch, self._evaluation_batches("valid"))
            valid = validation_pass(self._model, batches)
        metric = valid.metric(self._measures.monitor)
        if not (math.isfinite(valid.loss) and math.isfinite(metric)):
            name, value = self._measures.monitor.name, metric
            if not math.isfinite(valid.loss):
                name, value = "loss", valid.loss
            raise Diverged(f"validation {name} became {value}", epoch=epoch, step=self._steps)
        record = EpochRecord(
            epoch=epoch,
            train_loss=trained.loss,
            valid_loss=valid.loss,
            metric=metric,
            seconds=time.perf_counter() - started,
            units_per_second=trained.units_per_second,
            gradient_norm=trained.gradient_norm,
            clipped=trained.clipped,
            targets=trained.targets + further,
            steps=self._steps,
        )
        self._keep(record)
        return record

    def result(self, status: Status = "finished", reason: str | None = None) -> RunResult:
        """Return how the run ended, and put it into the store; of a final run also its gradient flow.

        With ``spec.read_test`` the test part is read at the best epoch's weights, unless the run diverged or
        failed; a result that the store already holds for the same epochs is returned as it is.
        """
        end = self._end()
        because: EndedBecause | None = self._ended_because() if status == "finished" else status
        if status == "diverged" and end is not None:
            status = "finished"  # what it is judged by came before
        kept = self._store.read_result() if self._store is not None else None
        asked = (status, because, self._records, self.spec.id)
        if kept is not None and (kept.status, kept.ended_because, kept.epochs, kept.id) == asked:
            return kept
        test: Statistics | None = None
        if self.spec.read_test and self._best and status in ("finished", "stopped"):
            test = self._test_statistics()
            if not all(np.isfinite(array).all() for array in test.values()):
                status, reason, test = "diverged", "a test item's score is not finite", None
                because = "diverged"
        best = self._best_record()
        backend, fallback = self.backend
        result = RunResult(
            id=self.spec.id,
            status=status,
            reason=reason,
            epochs=self.records,
            best_epoch=best.epoch if best else None,
            best_metric=best.metric if best else None,
            parameters=self.parameters,
            test_statistics={name: array.tolist() for name, array in test.items()} if test else None,
            seconds=math.fsum(record.seconds for record in self._records),
            backend=backend,
            fallback=fallback,
            ended_because=because,
            converged_epoch=None if end is None else end.epoch,
        )
        if self._store is not None:
            if self.spec.role == "final" and self._best:
                self._store.write_flow(self.gradient_flow())
            self._store.write_result(result)
        return result

    def gradient_flow(self) -> dict[str, Any]:
        """Return the gradient flow before and after training, at the best epoch's weights, as the store keeps it."""
        try:
            with self._best_loaded(), threads(self.spec.training.threads), self._aside():
                flows = flows_of_run(self.spec, self._task, self._data, self._model, self._records)
            return {"flows": [flow.to_dict() for flow in flows], "problem": None}
        except (
            Exception
        ) as error:  # a task of somebody else may do what this cannot follow; the run is none the worse
            return {"flows": [], "problem": f"{type(error).__name__}: {error}"}

    def _end(self) -> End | None:
        """Return where the curve says that the run has stopped improving; with a decaying rate a curve says nothing."""
        return None if self.spec.training.decay != "none" else self._ending.end

    def _record(self, record: EpochRecord) -> None:
        self._records.append(record)
        self._ending.add(self._sign * record.metric)

    def _ended_because(self) -> EndedBecause | None:
        options = self.spec.training
        if options.epochs != "auto":
            return "budget" if self.epoch >= options.epochs else None
        end = self._end()
        if end is not None and self.epoch >= math.ceil(end.epoch * options.longer):
            return end.why
        return "cap" if self.epoch >= options.cap else None

    def _training_batches(self, epoch: int) -> Batches:
        options = self.spec.training
        batching = Batching(batch=options.batch, length=options.length, seed=self.spec.data_seed, epoch=epoch)
        return self._task.batches(self._data, "train", batching)

    def _evaluation_batches(self, part: Part) -> Batches:
        return self._task.batches(self._data, part, EVALUATION)

    def _test_statistics(self) -> Statistics:
        """Return each test item's statistics for the task's metrics, at the best weights."""
        with self._best_loaded(), threads(self.spec.training.threads), self._aside():
            found = scoring_pass(
                self._model, self._evaluation_batches("test"), seed=self.spec.seed
            ).statistics
        wanted = dict.fromkeys(name for metric in self._measures.metrics for name in metric.statistics)
        missing = [name for name in wanted if name not in found]
        if missing:
            raise NasRnnError(
                f"task {self._task.name!r}: score gives no statistic {', '.join(missing)}, which its metrics need; it "
                f"gives {', '.join(found) or 'none'}"
            )
        return {name: found[name] for name in wanted}

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Let what is drawn inside depend on the run's seed alone, and the training draw as if nothing had been."""
        stream = RandomStream(self.spec.seed, next(self._model.parameters()).device)
        with stream.drawing():
            yield

    @contextmanager
    def _best_loaded(self) -> Iterator[None]:
        current = _copied(self._model)
        self._model.load_state_dict(self._best)
        try:
            yield
        finally:
            self._model.load_state_dict(current)

    def _best_record(self) -> EpochRecord | None:
        best: EpochRecord | None = None
        for record in self._records:
            if best is None or self._measures.monitor.better(record.metric, best.metric):
                best = record
        return best

    def _keep(self, record: EpochRecord) -> None:
        self._record(record)
        if self._best_record() is record:
            with self._average.loaded():
                self._best = _copied(self._model)
        if self._store is not None:  # first the checkpoint: the curve must never be ahead of it
            self._store.write_checkpoint(
                Checkpoint(
                    spec=self.spec,
                    records=self.records,
                    weights=self._model.state_dict(),
                    best=self._best,
                    optimizer=_optimizer_tensors(self._optimizer),
                    average=self._average.state(),
                    random=self._random.state(),
                )
            )
            self._store.append_record(record)

    def _resume(self, store: RunStore) -> None:
        store.clear_leftovers()
        checkpoint = store.read_checkpoint()
        if checkpoint is not None:
            _require_same_run(self.spec, checkpoint.spec, store)
            self._model.load_state_dict(mark_weights(self._model, checkpoint.weights))
            _load_optimizer_tensors(self._optimizer, checkpoint.optimizer)
            self._average.restore(checkpoint.average)
            self._random.restore(checkpoint.random)
            for record in checkpoint.records:
                self._record(record)
            self._best = mark_weights(self._model, checkpoint.best) if checkpoint.best else {}
        store.write_spec(self.spec)
        store.replace_records(self._records)


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _optimizer(model: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """Return AdamW, which lets matrices decay and leaves biases, norms' gains and learned vectors alone."""
    decaying, others = list[nn.Parameter](), list[nn.Parameter]()
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim > 1 and not name.rpartition(".")[2].startswith(_NO_MATRICES)
        (decaying if is_matrix else others).append(parameter)
    groups = [
        {"params": decaying, "weight_decay": options.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return AdamW([group for group in groups if group["params"]], lr=options.learning_rate, betas=BETAS)


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    states = optimizer.state_dict()["state"]
    return {f"{index}.{name}": tensor for index, state in states.items() for name, tensor in state.items()}


def _load_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        states.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})


def _require_same_run(spec: RunSpec, stored: RunSpec, store: RunStore) -> None:
    """Refuse to resume from another run's checkpoint: its curve would belong to neither."""
    differing = sorted(
        name for name, (mine, theirs) in _compared_fields(spec, stored).items() if mine != theirs
    )
    if differing:
        raise UserError(
            f"{store.place} holds the checkpoint of a run that differs in {', '.join(differing)}; "
            "give this run a folder of its own, or remove that one"
        )


def _compared_fields(spec: RunSpec, stored: RunSpec) -> dict[str, tuple[object, object]]:
    mine, theirs = spec.to_dict(), stored.to_dict()
    mine_options, their_options = mine.pop("training"), theirs.pop("training")
    pairs = {name: (mine[name], theirs[name]) for name in mine if name not in _NOT_COMPARED}
    free = _NOT_COMPARED_OPTIONS + (_LENGTHS if spec.training.decay == "none" else ())
    for name in mine_options:
        if name not in free:
            pairs[f"training.{name}"] = (mine_options[name], their_options[name])
    return pairs
