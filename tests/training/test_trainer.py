"""The trainer learns, reproduces, keeps the best weights, and leaves nothing behind."""

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.tasks import Batching, Regularisation, TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.data import EVALUATION, PARTS
from nas_rnn.tasks.model import detached
from nas_rnn.training import EpochRecord, RunSpec, RunStore
from nas_rnn.training.loop import train_pass, validation_pass
from nas_rnn.training.model import RnnOfSpec, build_model, count_parameters
from nas_rnn.training.trainer import Trainer

MakeTrainer = Callable[..., Trainer]
Comparable = Callable[[list[EpochRecord]], list[EpochRecord]]


def trained(trainer: Trainer) -> Trainer:
    while not trainer.finished:
        trainer.run_epoch()
    return trainer


def same_weights(a: Trainer, b: Trainer) -> bool:
    return a.best_weights.keys() == b.best_weights.keys() and all(
        torch.equal(tensor, b.best_weights[name]) for name, tensor in a.best_weights.items()
    )


def test_it_learns_and_counts(make_trainer: MakeTrainer) -> None:
    trainer = trained(make_trainer())
    first, last = trainer.records[0], trainer.records[-1]
    assert [record.epoch for record in trainer.records] == [1, 2, 3]
    assert last.train_loss < first.train_loss
    assert last.metric < first.metric - 0.2
    assert last.metric == pytest.approx(last.valid_loss / np.log(2), rel=1e-6)
    assert last.gradient_norm > 0
    assert 0 <= last.clipped <= 1
    result = trainer.result()
    assert (result.status, result.ended_because, result.converged) == ("finished", "budget", False)
    assert result.epochs == trainer.records
    assert result.best_metric == min(record.metric for record in trainer.records)
    assert result.seconds == pytest.approx(sum(record.seconds for record in trainer.records))
    assert result.test_statistics is None
    with pytest.raises(NasRnnError, match="has ended after 3 epochs"):
        trainer.run_epoch()


def test_the_same_seeds_give_the_same_run_whatever_happens_around_it(
    make_trainer: MakeTrainer, spec_with: Callable[..., RunSpec], comparable: Comparable
) -> None:
    spec = spec_with(dropout=0.3, layers=2)
    torch.manual_seed(5)
    first, other = make_trainer(spec), make_trainer(replace(spec, seed=8))
    state = torch.get_rng_state()
    while not first.finished:
        first.run_epoch()
        other.run_epoch()
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(6)
    second = trained(make_trainer(spec))
    assert comparable(first.records) == comparable(second.records)
    assert same_weights(first, second)
    assert not same_weights(first, other)


def test_initial_weights_depend_on_the_seed_alone(
    spec: RunSpec, data: TaskData, make_trainer: MakeTrainer, torch_lstm: RnnOfSpec
) -> None:
    def weights(changed: RunSpec) -> list[torch.Tensor]:
        return list(build_model(changed, CharLM(), data.meta, torch_lstm).state_dict().values())

    options = replace(spec.training, learning_rate=0.5, dropout=0.4, batch=7, epochs=9)
    same = weights(replace(spec, data_seed=77, id="other", training=options))
    assert all(torch.equal(a, b) for a, b in zip(weights(spec), same, strict=True))
    assert not torch.equal(weights(spec)[0], weights(replace(spec, seed=2))[0])


def test_data_seed_changes_the_order(make_trainer: MakeTrainer, spec: RunSpec) -> None:
    one, two = make_trainer(spec).run_epoch(), make_trainer(replace(spec, data_seed=9)).run_epoch()
    assert one.train_loss != two.train_loss


def test_parameters_are_counted_without_building(
    make_trainer: MakeTrainer,
    spec: RunSpec,
    data: TaskData,
    torch_lstm: RnnOfSpec,
) -> None:
    assert count_parameters(spec, CharLM(), data.meta, torch_lstm) == make_trainer().parameters
    huge = replace(spec, hidden_size=200_000)  # 640 GB if it were allocated
    assert count_parameters(huge, CharLM(), data.meta, torch_lstm) > 1.6e11


def test_best_weights_and_the_test_part_are_those_of_the_best_epoch(
    make_ramp: Callable[..., Trainer],
) -> None:
    trainer = trained(make_ramp(role="final", read_test=True))
    assert [record.metric for record in trainer.records] == pytest.approx([0.6, 0.2, 1.4, 3.0], abs=1e-4)
    result = trainer.result()
    assert result.best_epoch == 2
    assert float(trainer.best_weights["weight"]) == pytest.approx(1.2, abs=1e-4)
    assert result.test_statistics is not None
    assert result.test_statistics["distance"] == pytest.approx([1.2, 3.6], abs=1e-3)
    assert result.test_statistics["weight"] == [1.0, 3.0]


def test_reading_the_test_part_leaves_training_as_it_was(make_ramp: Callable[..., Trainer]) -> None:
    plain, asked = make_ramp(), make_ramp(role="final", read_test=True)
    for _ in range(3):
        plain.run_epoch()
        asked.run_epoch()
    stopped = asked.result("stopped", "enough")
    assert (stopped.status, stopped.reason) == ("stopped", "enough")
    assert stopped.test_statistics is not None
    assert asked.run_epoch().metric == plain.run_epoch().metric


def test_the_test_part_is_read_once(
    tmp_path: Path, make_ramp: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = trained(make_ramp(RunStore(tmp_path), role="final", read_test=True)).result()
    again = make_ramp(RunStore(tmp_path), role="final", read_test=True)
    monkeypatch.setattr("nas_rnn.training.trainer.scoring_pass", None)
    assert again.finished
    assert again.result() == result


def test_best_model_is_the_one_that_was_measured(make_trainer: MakeTrainer, data: TaskData) -> None:
    trainer = trained(make_trainer())
    batches = CharLM().batches(data, "valid", EVALUATION)
    model = trainer.best_model()
    assert validation_pass(model, batches).metric(CharLM.monitor) == trainer.result().best_metric
    with pytest.raises(NasRnnError, match="completed no epoch"):
        make_trainer().best_model()


def test_clipping_limits_the_norm_and_zero_means_none(
    make_trainer: MakeTrainer, spec_with: Callable[..., RunSpec]
) -> None:
    assert make_trainer(spec_with(clip=1e-3)).run_epoch().clipped == 1.0
    free = make_trainer(spec_with(clip=0.0)).run_epoch()
    loose = make_trainer(spec_with(clip=1e6)).run_epoch()
    assert free.clipped == 0.0
    assert free.train_loss == loose.train_loss


def test_too_little_data_is_said_before_training(
    make_trainer: MakeTrainer, spec_with: Callable[..., RunSpec]
) -> None:
    with pytest.raises(UserError, match="too few for batch 400 x length 16"):
        make_trainer(spec_with(batch=400))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there(make_trainer: MakeTrainer, spec_with: Callable[..., RunSpec]) -> None:
    with pytest.raises(UserError, match="'cuda' is not there: this process sees 0 GPUs; use auto or cpu"):
        make_trainer(spec_with(device="cuda"))
    assert make_trainer(spec_with(device="auto")).run_epoch().epoch == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_trains_on_a_gpu(
    make_trainer: MakeTrainer, spec_with: Callable[..., RunSpec], tmp_path: Path
) -> None:
    on_cpu = make_trainer(spec_with(device="cpu")).run_epoch()
    spec = spec_with(device="cuda")
    on_gpu = make_trainer(spec, RunStore(tmp_path)).run_epoch()
    assert on_gpu.metric == pytest.approx(on_cpu.metric, rel=1e-2)
    assert make_trainer(spec, RunStore(tmp_path)).run_epoch().epoch == 2


def test_a_trainer_that_is_done_with_frees_its_model(make_trainer: MakeTrainer) -> None:
    models: list[weakref.ref[nn.Module]] = []

    def spying(spec: RunSpec, input_size: int) -> nn.Module:
        model = nn.LSTM(input_size, spec.hidden_size)
        models.append(weakref.ref(model))
        return model

    trainer = make_trainer(make_rnn=spying)
    trainer.run_epoch()
    trainer.result()
    del trainer
    gc.collect()
    assert [model() for model in models] == [None]


def test_what_came_before_a_chunk_counts(data: TaskData) -> None:
    """A text costs as much in many short chunks as in one: the state is carried from each to the next."""
    task = CharLM()
    model = task.build(dict(data.meta), lambda size: nn.LSTM(size, 12), Regularisation(dropout=0.0))
    length = len(data.part("train")["codes"]) // 20 * 10
    still = torch.optim.SGD(model.parameters(), lr=0.0)

    def losses(chunk: int) -> list[float]:
        train, valid = (task.batches(data, part, Batching(batch=2, length=chunk)) for part in PARTS[:2])
        shown = train_pass(model, train, still, rate=lambda step: 0.0, clip=0.0, epoch=1)
        return [shown.loss, validation_pass(model, valid).loss]

    assert losses(10) == pytest.approx(losses(length), rel=1e-6)


def test_detaching_keeps_the_state_s_form() -> None:
    tensor = torch.ones(2, requires_grad=True) * 2
    assert detached(None) is None
    assert not detached(tensor).requires_grad
    state = detached((tensor, (tensor, tensor)))
    assert isinstance(state, tuple)
    assert not state[1][0].requires_grad
