"""Trains a supernet on a task, as any run is trained, and ranks the cells of its space."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from nas_rnn.oneshot.deriving import derived
from nas_rnn.oneshot.plan import Ranked, Ranking, SupernetPlan
from nas_rnn.oneshot.supernet import Architecture, Path, Supernet
from nas_rnn.spaces import Candidate, DecisionSpace, Infeasible, SpaceError
from nas_rnn.spaces.chain import Chain, chain_of, shared_cell
from nas_rnn.spaces.constrained import ConstrainedDecisionSpace
from nas_rnn.tasks import Part, Task, TaskData
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.tasks.model import State, TaskModel, detached
from nas_rnn.training import Diverged, EpochRecord, RunResult, RunSpec, RunStore
from nas_rnn.training.device import RandomStream, threads
from nas_rnn.training.loop import Batches, validation_pass
from nas_rnn.training.spec import Status
from nas_rnn.training.trainer import Trainer

_TRAIN, _VALID, _RANKED = range(3)
"""What random cells are drawn for."""
MOST_REPEATS = 300
"""How many known cells in a row show that a space has no more."""


class SupernetTrainer:
    """Trains the supernet of ``plan`` with the spec's options, and resumes from the store as `Trainer` does.

    ``spec.cell`` is only the cell whose weights are counted. Without ``plan.mixes`` each step trains the weights of a
    random cell (Li & Talwalkar 2019, arXiv:1902.07638), and cells are ranked by the validation part with the weights
    that they share. With it the mixture of all cells is trained, and after each of its steps the probabilities take one
    on a batch of the validation part (DARTS at first order: Liu, Simonyan & Yang 2019, arXiv:1806.09055, algorithm 1,
    with the weights as they are in place of those one step on); the most probable cells are the best. The test part is
    never read. Ranked is with the weights and probabilities of the best epoch on validation.

    Raises:
        UserError: as `Trainer`, and for a space whose cells cannot share weights.
    """

    def __init__(
        self,
        spec: RunSpec,
        plan: SupernetPlan,
        space: DecisionSpace,
        task: Task,
        data: TaskData,
        store: RunStore,
    ) -> None:
        self.spec, self._plan, self._space = spec, plan, space
        self._task, self._data, self._store = task, data, store
        self._choosing = _Mixing(space, task, data) if plan.mixes else _Drawing(space, spec.seed)
        self._trainer = Trainer(spec, task, data, store, make_rnn=self._make_rnn, beside=self._choosing)

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return self._trainer.epoch

    @property
    def finished(self) -> bool:
        """As `Trainer.finished`."""
        return self._trainer.finished

    @property
    def records(self) -> list[EpochRecord]:
        """As `Trainer.records`; targets are those that weights and probabilities learned from together."""
        return self._trainer.records

    @property
    def parameters(self) -> int:
        """How many learned numbers the model has, probabilities left out: as many as with any of the cells."""
        return self._trainer.parameters

    @property
    def backend(self) -> tuple[str | None, str | None]:
        """As `Trainer.backend`."""
        return self._trainer.backend

    def run_epoch(self) -> EpochRecord:
        """As `Trainer.run_epoch`."""
        return self._trainer.run_epoch()

    def result(self, status: Status = "finished", reason: str | None = None) -> RunResult:
        """Rank the cells where an epoch was completed; return how the run ended, with the seconds of the ranking."""
        kept = self._store.read_ranking()
        ranking = None if kept is None else Ranking.from_dict(kept)
        if ranking is None and self._trainer.best_weights and status != "failed":
            began = time.perf_counter()
            cells = self._ranked()
            ranking = Ranking(cells=cells, seconds=time.perf_counter() - began)
            self._store.write_ranking(ranking.to_dict())
        result = self._trainer.result(status, reason)
        if ranking is not None:
            seconds = math.fsum(record.seconds for record in result.epochs) + ranking.seconds
            result = replace(result, seconds=seconds)
            self._store.write_result(result)
        return result

    def _make_rnn(self, spec: RunSpec, input_size: int, *, bidirectional: bool = False) -> nn.Module:
        training, choosing = spec.training, self._choosing
        net = Supernet(
            choosing.cell,
            choosing.architecture,
            input_size,
            spec.hidden_size,
            num_layers=training.layers,
            dropout=training.dropout if training.layers > 1 else 0.0,
            bidirectional=bidirectional,
            variational_dropout=training.variational_dropout,
            weight_drop=training.weight_drop,
            init=training.init,
        )
        if not choosing.placed:  # in the first net of the model, whose state dict so has it once
            net.architecture, choosing.placed = choosing.architecture, True
        return net

    def _ranked(self) -> tuple[Ranked, ...]:
        model = self._trainer.best_model()
        if isinstance(self._choosing, _Mixing):
            return self._choosing.most_probable(self._plan.ranked)
        monitor = self._task.measures(self._data.meta).monitor
        found = []
        for candidate in self._choosing.different(self._plan.ranked):
            self._choosing.architecture.path = Path.of(candidate.cell)
            device = next(model.parameters()).device
            with threads(self.spec.training.threads), RandomStream(self.spec.seed, device).drawing():
                valid = validation_pass(model, self._task.batches(self._data, "valid", EVALUATION))
            value = valid.metric(monitor)
            if math.isfinite(value):
                found.append(Ranked(decisions=dict(candidate.decisions or {}), value=value))
        return tuple(sorted(found, key=lambda one: one.value, reverse=monitor.direction == "maximize"))


class _Drawing:
    """Random search with weight sharing: a random cell at each step; on validation one a batch, always the same."""

    def __init__(self, space: DecisionSpace, seed: int) -> None:
        self.cell, self.placed = shared_cell(space), False
        self.architecture = Architecture()
        self._space, self._seed = space, seed
        self._chain = _chain_if_free(space)

    def batches(self, part: Part, epoch: int, batches: Batches) -> Batches:
        use = (_TRAIN, epoch) if part == "train" else (_VALID, 0)
        for number, batch in enumerate(batches):
            self.architecture.path = self._drawn(np.random.default_rng((self._seed, *use, number)))
            yield batch

    def after_step(self, model: TaskModel) -> int:
        return 0

    def _drawn(self, rng: np.random.Generator) -> Path:
        if self._chain is None:
            return Path.of(self._space.sample(rng).cell)
        return Path(self._chain.draw(rng), self.cell.outputs)

    def different(self, count: int) -> Iterator[Candidate]:
        """Yield up to ``count`` random candidates of different cells."""
        rng, digests, repeats = np.random.default_rng((self._seed, _RANKED)), set[str](), 0
        while len(digests) < count and repeats < MOST_REPEATS:
            try:
                candidate = self._space.sample(rng)
            except Infeasible:
                return
            repeats = repeats + 1 if candidate.digest in digests else 0
            if not repeats:
                digests.add(candidate.digest)
                yield candidate


def _chain_if_free(space: DecisionSpace) -> Chain | None:
    """Return the chain that ``space`` is, of which cells can be drawn without tracing them; None where it is none."""
    if isinstance(space, ConstrainedDecisionSpace):
        return None
    try:
        return chain_of(space)
    except SpaceError:
        return None


class _Mixing:
    """DARTS at first order: all cells at once, and probabilities that learn from the validation part.

    Its batches are those of every validation, in their order; an epoch begins with the first of them, and after the
    last the first follows again; what is read and not scored is left out. The model is in evaluation mode for them,
    without dropout.
    """

    def __init__(self, space: DecisionSpace, task: Task, data: TaskData) -> None:
        self.chain, self.placed = chain_of(space), False
        self.cell, self.architecture = self.chain.cell, Architecture(self.chain.nodes)
        self._space, self._task, self._data = space, task, data
        self._batches: Iterator[Any] = iter(())
        self._state: State = None
        self._epoch = 0

    def batches(self, part: Part, epoch: int, batches: Batches) -> Batches:
        if part == "train":
            self._epoch, self._state = epoch, None
            self._batches = itertools.chain.from_iterable(self._passes())
        return batches

    def _passes(self) -> Iterator[Batches]:
        while True:
            self._state = None
            yield self._task.batches(self._data, "valid", EVALUATION)

    def after_step(self, model: TaskModel) -> int:
        """Take one step of the probabilities on the next batch that is scored."""
        device = next(model.parameters()).device
        model.eval()
        try:
            batch = next(batch for batch in self._batches if not batch.context).to(device)
            with self.architecture.differentiated() as logits:
                loss, self._state = model.loss(batch, detached(self._state))
                if not math.isfinite(loss.total.item()):
                    raise Diverged(
                        "loss of the mixture on validation became not finite", epoch=self._epoch, step=0
                    )
                self.architecture.learn(torch.autograd.grad(loss.total, logits))
        finally:
            model.train()
        return loss.count

    def most_probable(self, count: int) -> tuple[Ranked, ...]:
        """Return the ``count`` most probable cells."""
        probabilities = [p.double().cpu().numpy() for p in self.architecture.probabilities()]
        found = derived(self._space, self.chain, probabilities, count)
        return tuple(Ranked(decisions=dict(c.decisions or {}), value=p) for p, c in found)
