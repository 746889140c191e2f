"""A figure is the model's: it does not depend on how a part is cut into batches, streams and chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas_rnn.tasks import Batch, Batching, Loss, Task, TaskData, TaskModel
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.glimpses import Glimpses
from nas_rnn.tasks.model import State
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.loop import scoring_pass, validation_pass
from nas_rnn.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")

CUTS = [Batching(batch=batch, length=length) for batch, length in product((1, 3, 32), (50, 64, 500))]


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def gru(spec: RunSpec, input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return nn.GRU(input_size, spec.hidden_size)


def learned(task: Task, data: TaskData, **training: int) -> TaskModel:
    options = TrainingOptions(learning_rate=0.01, **training)  # type: ignore[arg-type]
    spec = RunSpec(
        id="alike",
        role="candidate",
        name="gru",
        cell="",
        hidden_size=24,
        task=task.name,
        training=options,
        seed=0,
        data_seed=0,
    )
    trainer = Trainer(spec, task, data, make_rnn=gru)
    while not trainer.finished:
        trainer.run_epoch()
    return trainer.best_model()


def text_of_moods(count: int) -> str:
    """Letters that go round the alphabet by one of four steps, seldom by another: the step lasts for some 300 letters.

    Who has read a few of them knows the step, so a stream that starts without any pays for finding it out.
    """
    random = np.random.default_rng(0)
    steps = np.repeat(random.choice([1, 3, 6, 10], size=count // 300 + 1), 300)[:count]
    places = np.cumsum(np.where(random.random(count) < 0.05, random.integers(16, size=count), steps)) % 16
    return "".join("abcdefghijklmnop"[place] for place in places)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> tuple[CharLM, TaskData, TaskModel]:
    """A GRU that has learned a text, of which 1,800 characters validate and as many test."""
    path = tmp_path_factory.mktemp("text") / "moods.txt"
    path.write_text(text_of_moods(18_000))
    task = CharLM()
    data = task.load(path)
    return task, data, learned(task, data, epochs=10, batch=8, length=32)


def scored(model: TaskModel, batches: Iterable[Batch], task: Task) -> float:
    return scoring_pass(model, batches, seed=0).metric(task.metrics[0])


@pytest.mark.parametrize("part", ["valid", "test"])
def test_bits_of_a_text_do_not_depend_on_how_it_is_cut(part, text) -> None:
    task, data, model = text
    found, cold = list[float](), list[float]()
    for cut in CUTS:
        batches = list(task.batches(data, part, cut))
        found.append(scored(model, batches, task))
        assert validation_pass(model, batches).metric(task.monitor) == pytest.approx(found[-1], rel=1e-6)
        cold.append(scored(model, (batch for batch in batches if not batch.context), task))
    assert max(found) / min(found) - 1 < 1e-3
    assert max(cold) / min(cold) - 1 > 2e-3  # what would come out if streams began without their context


def test_pictures_are_named_alike_in_batches_of_any_size() -> None:
    task = Glimpses()
    data = task.load(None)
    model = learned(task, data, epochs=2, batch=16, length=1)
    own = [scoring_pass(model, task.batches(data, "valid", cut), seed=0).statistics for cut in CUTS]
    assert 30 < own[0]["correct"].mean() < 100
    assert all(np.array_equal(one["correct"], own[0]["correct"]) for one in own)


class Counting(TaskModel):
    """Counts all that it has read so far; every item gets the count."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        assert isinstance(batch.inputs, Tensor)
        read_B = torch.full(batch.inputs.shape[1:], float(len(batch.inputs)))
        read_B = read_B if state is None else read_B + state
        return Loss(self.weight * read_B.mean(), len(read_B), statistics={"read": read_B}), read_B


@pytest.mark.parametrize("passing", [validation_pass, lambda *both: scoring_pass(*both, seed=0)])
def test_context_leaves_its_state_and_nothing_else(passing) -> None:
    def batches() -> Iterator[Batch]:
        inputs = torch.zeros(3, 2)
        yield Batch(inputs=inputs, targets=inputs, context=True)
        yield Batch(inputs=inputs, targets=inputs, items=torch.tensor([0, 1]))

    found = passing(Counting(), batches())
    assert found.statistics["read"].tolist() == [6.0, 6.0]
    if passing is validation_pass:
        assert (found.loss, found.targets) == (6.0, 2)
