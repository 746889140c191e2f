"""A supernet is trained like any run, can be stopped and resumed, and ranks the cells of its space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nas_rnn.oneshot import Ranking, SupernetPlan
from nas_rnn.oneshot.supernet import Architecture
from nas_rnn.oneshot.supernet import Path as OnePath
from nas_rnn.oneshot.trainer import SupernetTrainer
from nas_rnn.plugins import registry
from nas_rnn.spaces import DecisionSpace
from nas_rnn.tasks import TaskData
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.training import Diverged, RunSpec, RunStore, TrainingOptions
from nas_rnn.training.loop import validation_pass
from tests.experiment_runs import write_text
from tests.oneshot.chains import leaves, two

TASK = "char-lm"
OPTIONS = TrainingOptions(batch=8, length=16, epochs=3, average=0.0, device="cpu")
Make = Callable[..., SupernetTrainer]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TaskData:
    text = write_text(tmp_path_factory.mktemp("oneshot") / "text.txt", words=400)
    found: TaskData = registry().find("task", TASK).value().load(text)
    return found.without("test")


@pytest.fixture
def make(data: TaskData, tmp_path: Path) -> Make:
    def trainer(
        space: DecisionSpace, mixes: bool, name: str = "run", epochs: int = 3, **more: object
    ) -> SupernetTrainer:
        spec = RunSpec(
            id=name,
            role="supernet",
            name="supernet",
            cell=two.sample(0).cell.to_text(),
            hidden_size=6,
            task=TASK,
            training=replace(OPTIONS, epochs=epochs, **more),
            seed=3,
            data_seed=4,
        )
        plan = SupernetPlan(space=space.name, mixes=mixes, ranked=10)
        task = registry().find("task", TASK).value()
        return SupernetTrainer(spec, plan, space, task, data, RunStore(tmp_path / name))

    return trainer


def finish(trainer: SupernetTrainer) -> Ranking:
    while not trainer.finished:
        trainer.run_epoch()
    trainer.result()
    return Ranking.from_dict(trainer._store.read_ranking())


@pytest.mark.parametrize(("space", "mixes", "cells"), [(two, False, 10), (leaves, False, 8), (two, True, 10)])
def test_it_learns_and_ranks_different_cells(
    make: Make, space: DecisionSpace, mixes: bool, cells: int
) -> None:
    trainer = make(space, mixes)
    ranking = finish(trainer)
    losses = [record.valid_loss for record in trainer.records]
    assert len(losses) == 3 and losses[-1] < losses[0] < np.log(40)
    digests = {space.replay(dict(cell.decisions)).digest for cell in ranking.cells}
    assert len(digests) == len(ranking.cells) == cells
    values = [cell.value for cell in ranking.cells]
    assert values == sorted(values, reverse=mixes)
    result = trainer.result()
    assert result.status == "finished" and result.test_statistics is None
    assert result.seconds == pytest.approx(sum(r.seconds for r in trainer.records) + ranking.seconds)


def test_targets_count_what_the_probabilities_learned_from(make: Make, data: TaskData) -> None:
    plain, mixing = make(two, False, "plain", 1), make(two, True, "mixing", 1)
    targets = [trainer.run_epoch().targets for trainer in (plain, mixing)]
    steps = targets[0] // (OPTIONS.batch * OPTIONS.length)
    scored = [
        int((batch.targets != -100).sum())
        for batch in registry().find("task", TASK).value().batches(data, "valid", EVALUATION)
        if not batch.context
    ]
    assert targets[1] - targets[0] == sum((scored * steps)[:steps])


def test_only_the_probabilities_learn_from_the_validation_part(make: Make) -> None:
    trainer = make(two, True, epochs=1)
    learn, probed = Architecture.learn, list[bool]()

    def watched(self: Architecture, gradients: object) -> None:
        weights = [p.detach().clone() for p in model.parameters()]
        before = [self.get_buffer(f"logits_{number}").clone() for number in range(2)]
        learn(self, gradients)
        probed.append(all(map(torch.equal, weights, model.parameters())))
        after = [self.get_buffer(f"logits_{number}") for number in range(2)]
        probed.append(not any(map(torch.equal, before, after)))

    model = trainer._trainer._model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Architecture, "learn", watched)
        trainer.run_epoch()
    assert probed and all(probed)


@pytest.mark.parametrize(("space", "mixes"), [(two, False), (leaves, False), (two, True)])
def test_one_that_was_stopped_goes_on_as_if_it_had_not_been(
    make: Make, space: DecisionSpace, mixes: bool
) -> None:
    whole = make(space, mixes, "whole")
    expected = finish(whole)
    make(space, mixes, "stopped").run_epoch()
    resumed = make(space, mixes, "stopped")
    assert resumed.epoch == 1
    assert finish(resumed).cells == expected.cells
    for mine, theirs in zip(resumed.records, whole.records, strict=True):
        assert (mine.train_loss, mine.valid_loss, mine.targets) == (
            theirs.train_loss,
            theirs.valid_loss,
            theirs.targets,
        )


def test_a_rank_is_the_monitor_on_validation_with_the_shared_weights(make: Make, data: TaskData) -> None:
    trainer = make(two, False)
    best = finish(trainer).cells[0]
    model, task = trainer._trainer.best_model(), registry().find("task", TASK).value()
    trainer._choosing.architecture.path = OnePath.of(two.replay(dict(best.decisions)).cell)
    valid = validation_pass(model, task.batches(data, "valid", EVALUATION))
    assert valid.metric(task.measures(data.meta).monitor) == best.value


def test_one_that_diverges_before_an_epoch_ranks_nothing(make: Make) -> None:
    trainer = make(two, False, learning_rate=1e39, clip=0.0)
    with pytest.raises(Diverged):
        for _ in range(3):
            trainer.run_epoch()
    trainer.result("diverged", "loss")
    assert (trainer._store.read_ranking() is None) == (trainer.epoch == 0)


def test_an_architecture_is_kept_once_however_many_nets_have_it(make: Make) -> None:
    trainer = make(two, True, layers=2)
    names = [name for name in trainer._trainer._model.state_dict() if "logits" in name]
    assert len(names) == 2
