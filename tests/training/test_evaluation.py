"""What a pass over a part measures: per item, in the order of the data, and without a trace in training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas_rnn.errors import NasRnnError
from nas_rnn.tasks import (
    LOSS,
    Batch,
    Batching,
    Loss,
    MakeRnn,
    Mean,
    Metric,
    Part,
    Regularisation,
    Task,
    TaskData,
    TaskModel,
)
from nas_rnn.tasks.model import ItemStatistics, State
from nas_rnn.training import Diverged, RunSpec
from nas_rnn.training.loop import scoring_pass, validation_pass
from nas_rnn.training.model import RnnOfSpec
from nas_rnn.training.trainer import Trainer

Change = Callable[..., RunSpec]


class Adds(TaskModel):
    """Gives the sums of its inputs (T, B) by column as statistics, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.states: list[Any] = []
        self.training_seen: list[bool] = []

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        self.states.append(state)
        self.training_seen.append(self.training)
        assert isinstance(batch.inputs, Tensor)
        sums_B = batch.inputs.sum(0)
        pairs_B2 = torch.stack([sums_B, -sums_B], dim=1)
        loss = Loss(
            sums_B.mean() + 0 * self.weight.sum(),
            batch.inputs.numel(),
            statistics={"sum": sums_B, "pair": pairs_B2},
        )
        return loss, len(self.states)


def batch_of(columns: list[list[float]], items: list[int] | None) -> Batch:
    inputs = torch.tensor(columns).T
    return Batch(inputs=inputs, targets=inputs, items=None if items is None else torch.tensor(items))


def test_an_item_that_spans_batches_adds_up_and_items_stand_in_the_order_of_the_data() -> None:
    """Whatever the order in which they come: an item may come twice within a batch, too."""
    batches = [
        batch_of([[1.0, 2.0], [10.0, 20.0]], [2, 0]),
        batch_of([[100.0], [1000.0], [7.0]], [2, 1, 2]),
    ]
    found = validation_pass(Adds(), batches)
    assert found.statistics["sum"].tolist() == [30.0, 1000.0, 110.0]
    assert found.statistics["pair"].tolist() == [[30.0, -30.0], [1000.0, -1000.0], [110.0, -110.0]]
    assert found.targets == 7
    assert found.loss == pytest.approx((16.5 * 4 + 369.0 * 3) / 7)
    mean = Mean("m", "u", "minimize", 1.0, "absolute", of="sum")
    assert found.metric(mean) == pytest.approx(1140 / 3)
    assert found.metric(LOSS) == pytest.approx(found.loss)
    scored = scoring_pass(Adds(), batches, seed=0)
    assert scored.statistics["pair"].tolist() == found.statistics["pair"].tolist()


def test_sums_are_those_of_doubles() -> None:
    """A million small numbers of single precision after a large one."""
    batches = [batch_of([[2.0**24]], [0]), *[batch_of([[1.0]], [0])] * 3]
    assert validation_pass(Adds(), batches).statistics["sum"].tolist() == [2.0**24 + 3]


def test_the_state_goes_from_batch_to_batch_and_each_pass_begins_anew() -> None:
    model, batches = Adds(), [batch_of([[1.0]], [0])] * 3
    validation_pass(model, batches)
    assert model.states == [None, 1, 2]
    scoring_pass(model, batches, seed=0)
    assert model.states[3:] == [None, 4, 5]
    assert not any(model.training_seen)


def test_batches_without_items_are_refused_where_items_are_measured() -> None:
    with pytest.raises(ValueError, match="must say which items they hold"):
        validation_pass(Adds(), [batch_of([[1.0]], None)])


def test_a_loss_without_statistics_needs_no_items() -> None:
    class Bare(Adds):
        def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
            loss, state = super().loss(batch, state)
            return replace(loss, statistics={}), state

    found = validation_pass(Bare(), [batch_of([[4.0, 6.0]], None)])
    assert (found.loss, found.statistics) == (10.0, {})
    assert found.metric(LOSS) == 10.0


class Draws(Adds):
    """Says what it draws in scoring."""

    def score(
        self, batch: Batch, state: State, *, generator: torch.Generator
    ) -> tuple[ItemStatistics, State]:
        assert batch.items is not None
        return {"drawn": torch.rand(len(batch.items), generator=generator)}, None


def test_what_is_drawn_in_scoring_depends_on_the_seed_and_the_batch_s_number_alone() -> None:
    batches = [batch_of([[1.0]] * 2, [0, 1]), batch_of([[1.0]] * 2, [2, 3]), batch_of([[1.0]] * 2, [4, 5])]

    def drawn(number: int, seed: int) -> list[float]:
        found: list[float] = scoring_pass(Draws(), batches[:number], seed=seed).statistics["drawn"].tolist()
        return found

    torch.manual_seed(1)
    first = drawn(3, 0)
    torch.manual_seed(2)
    assert drawn(3, 0) == first
    assert drawn(2, 0) == first[:4]
    assert len({*first, *drawn(3, 1)}) == 12


class Noise(Task):
    """Learns to give 1 where its loss, shown and differentiated, has noise in it, drawn in training and evaluation."""

    name: ClassVar[str] = "noise"
    summary: ClassVar[str] = "noise"
    metrics: ClassVar[tuple[Metric, ...]] = (Mean("far", "far", "minimize", 0.1, "absolute", of="far"),)
    unit: ClassVar[str] = "numbers"
    item: ClassVar[str] = "number"

    def load(self, source: Path | None) -> TaskData:
        numbers = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
        return TaskData({"train": {"x": numbers}, "valid": {"x": numbers[:9]}, "test": {"x": numbers[9:20]}})

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> TaskModel:
        return NoiseModel(make_rnn)

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        x_NT = torch.from_numpy(data.part(part)["x"])
        for items in torch.arange(len(x_NT)).split(4):
            yield Batch(inputs=x_NT[items].T.unsqueeze(-1), targets=torch.ones(len(items)), items=items)


class NoiseModel(TaskModel):
    def __init__(self, make_rnn: MakeRnn) -> None:
        super().__init__()
        self.rnn = make_rnn(1)
        self.output = nn.Linear(int(self.rnn.hidden_size), 1)  # type: ignore[arg-type]

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        hidden_TBH, _ = self.rnn(batch.inputs, None)
        given_B = self.output(hidden_TBH[-1])[:, 0]
        noisy = (given_B + torch.randn_like(given_B) - batch.targets).square().mean()
        return Loss(noisy, len(given_B)), None

    def score(
        self, batch: Batch, state: State, *, generator: torch.Generator
    ) -> tuple[ItemStatistics, State]:
        hidden_TBH, _ = self.rnn(batch.inputs, None)
        return {"far": self.output(hidden_TBH[-1])[:, 0]}, None


@pytest.fixture
def noisy(spec_with: Change, torch_lstm: RnnOfSpec) -> Callable[..., Trainer]:
    task = Noise()

    def make(**changes: Any) -> Trainer:
        spec = replace(spec_with(epochs=4, dropout=0.3, layers=2), task="noise", **changes)
        return Trainer(spec, task, task.load(None), make_rnn=torch_lstm)

    return make


def weights(trainer: Trainer) -> list[Tensor]:
    return list(trainer._model.state_dict().values())


def test_validating_more_often_leaves_weights_bit_identical(noisy: Callable[..., Trainer]) -> None:
    """Of a model whose loss samples: what validation draws is not missing in training, whoever asks for more of it."""
    once, often = noisy(), noisy(role="final", read_test=True)
    for _ in range(4):
        once.run_epoch()
        often.run_epoch()
        for _ in range(3):
            with often._aside():
                validation_pass(often._model, often._evaluation_batches("valid"))
        often.result("stopped")
    assert [r.valid_loss for r in once.records] == [r.valid_loss for r in often.records]
    assert all(torch.equal(a, b) for a, b in zip(weights(once), weights(often), strict=True))
    assert not torch.equal(weights(once)[0], weights(noisy(seed=9))[0])


def test_every_validation_meets_the_same_noise(noisy: Callable[..., Trainer]) -> None:
    """So that a curve shows what was learned, not what was drawn."""
    trainer = noisy()
    trainer.run_epoch()
    losses = []
    for _ in range(2):
        with trainer._aside(), trainer._average.loaded():
            losses.append(validation_pass(trainer._model, trainer._evaluation_batches("valid")).loss)
    assert losses[0] == losses[1] == trainer.records[0].valid_loss


def test_the_loss_is_the_monitor_of_a_task_that_states_none(noisy: Callable[..., Trainer]) -> None:
    trainer = noisy(role="final", read_test=True)
    while not trainer.finished:
        trainer.run_epoch()
    assert [record.metric for record in trainer.records] == pytest.approx(
        [r.valid_loss for r in trainer.records]
    )
    result = trainer.result()
    assert result.best_metric == min(record.metric for record in trainer.records)
    assert result.test_statistics is not None
    assert list(result.test_statistics) == ["far"]
    assert len(result.test_statistics["far"]) == 11


def test_a_statistic_that_a_metric_needs_and_no_score_gives(
    noisy: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Mean("near", "near", "minimize", 0.1, "absolute", of="near")
    monkeypatch.setattr(Noise, "metrics", (*Noise.metrics, wrong))
    trainer = noisy(role="final", read_test=True)
    trainer.run_epoch()
    with pytest.raises(
        NasRnnError, match="score gives no statistic near, which its metrics need; it gives far"
    ):
        trainer.result("stopped")


def test_a_test_item_without_a_finite_score_ends_the_run_as_diverged(
    noisy: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, batch: Batch, state: State, *, generator: torch.Generator) -> tuple[Any, None]:
        assert batch.items is not None
        return {"far": torch.where(batch.items == 3, torch.nan, 1.0)}, None

    monkeypatch.setattr(NoiseModel, "score", broken)
    trainer = noisy(role="final", read_test=True)
    trainer.run_epoch()
    result = trainer.result("stopped")
    assert (result.status, result.reason) == ("diverged", "a test item's score is not finite")
    assert result.test_statistics is None


def test_a_monitor_that_is_not_finite_ends_the_run(
    noisy: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Noise, "monitor", Mean("far", "far", "minimize", 0.1, "absolute", of="far", per="looks")
    )
    own = NoiseModel.loss

    def loss(self: NoiseModel, batch: Batch, state: State) -> tuple[Loss, State]:
        assert batch.items is not None
        none = torch.zeros(len(batch.items))
        return replace(own(self, batch, state)[0], statistics={"far": none, "looks": none}), None

    monkeypatch.setattr(NoiseModel, "loss", loss)
    with pytest.raises(Diverged, match="validation far became nan in epoch 1"):
        noisy().run_epoch()


def test_a_surrogate_is_differentiated_and_the_other_is_shown(
    noisy: Callable[..., Trainer], monkeypatch: Any
) -> None:
    """A surrogate that is not finite ends the run although what is shown is."""
    own = NoiseModel.loss

    def loss(self: NoiseModel, batch: Batch, state: State) -> tuple[Loss, State]:
        loss, _ = own(self, batch, state)
        return replace(loss, total=loss.total * factor, shown=torch.tensor(3.0)), None

    monkeypatch.setattr(NoiseModel, "loss", loss)
    factor = 1.0
    trainer = noisy()
    record = trainer.run_epoch()
    assert (record.train_loss, record.valid_loss) == (3.0, 3.0)
    assert record.gradient_norm > 0.0
    factor = torch.inf
    with pytest.raises(Diverged, match="became"):
        trainer.run_epoch()


def test_real_targets_are_counted(noisy: Callable[..., Trainer]) -> None:
    record = noisy().run_epoch()
    assert record.targets == 40
