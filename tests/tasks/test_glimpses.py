"""Task glimpses: its batches, model, scores and previews, and that it learns."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas_rnn.errors import UserError
from nas_rnn.tasks import Batch, Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.glimpses import Glimpses
from nas_rnn.tasks.glimpses.looks import ORDERS, looks
from nas_rnn.tasks.glimpses.model import GlimpseClassifier
from nas_rnn.tasks.metric import totals_of
from nas_rnn.testing.tasks import check_task
from tests.tasks.picture_files import bars, write_mnist
from tests.tasks.small_runs import trained


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_mnist(tmp_path)


def lstm(input_size: int) -> nn.Module:
    return nn.LSTM(input_size, 8)


def made(task: Glimpses, data: TaskData) -> GlimpseClassifier:
    torch.manual_seed(0)
    return task.build(data.meta, lstm, Regularisation(dropout=0.5))


@pytest.mark.parametrize(("order", "answer"), list(zip(ORDERS, ["last", "mean"] * 2, strict=True)))
def test_it_keeps_what_a_task_must(source: Path, order: str, answer: str) -> None:
    assert check_task(partial(Glimpses, order=order, answer=answer, embedding=3), source) == []


def test_a_batch_is_the_pictures_look_by_look_and_the_last_may_be_smaller(source: Path) -> None:
    task = Glimpses(order="spiral", patch=3)
    data = task.load(source)
    batches = list(task.batches(data, "test", Batching(batch=16, length=99)))
    assert [batch.inputs.shape for batch in batches] == [(4, 16, 9), (4, 4, 9)]  # type: ignore[union-attr]
    inputs = torch.cat([batch.inputs for batch in batches], dim=1).numpy()  # type: ignore[misc]
    pixels = (bars(20)[0].reshape(20, 36) - data.meta["mean"]) / data.meta["deviation"]
    for step, look in enumerate(looks(6, 6, order="spiral", patch=3)):
        assert np.allclose(inputs[step], pixels[:, look], atol=1e-6)
    targets, items = (torch.cat([getattr(batch, name) for batch in batches]) for name in ("targets", "items"))
    assert targets.tolist() == bars(20)[1].tolist()
    assert items.tolist() == list(range(20))


def test_training_order_differs_from_epoch_to_epoch_and_gives_every_picture_once(source: Path) -> None:
    task = Glimpses()
    data = task.load(source)

    def pictures(seed: int, epoch: int) -> list[bytes]:
        batches = task.batches(data, "train", Batching(batch=16, length=1, seed=seed, epoch=epoch))
        return [
            bytes(picture.numpy().tobytes())
            for batch in batches
            for picture in batch.inputs.swapaxes(0, 1)  # type: ignore[union-attr]
        ]

    assert pictures(1, 1) == pictures(1, 1)
    assert pictures(1, 1) != pictures(1, 2) != pictures(2, 2)
    assert sorted(pictures(1, 1)) == sorted(pictures(2, 2))
    assert len(set(pictures(1, 1))) == 70


@pytest.mark.parametrize("embedding", [0, 5])
def test_model_parameters(source: Path, embedding: int) -> None:
    task = Glimpses(embedding=embedding)
    model = made(task, task.load(source))
    size = embedding or 6
    expected = 4 * 8 * (size + 8 + 2) + 3 * (8 + 1) + (embedding * 7 if embedding else 0)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


@pytest.mark.parametrize("answer", ["last", "mean"])
def test_after_each_look_ends_with_the_answer(source: Path, answer: str) -> None:
    task = Glimpses(answer=answer)
    data = task.load(source)
    net = made(task, data).eval().net
    inputs = next(iter(task.batches(data, "valid", Batching(batch=4, length=1)))).inputs
    assert isinstance(inputs, torch.Tensor)
    for looked in (1, 3, 6):
        whole, _ = net(inputs[:looked], None)
        assert torch.allclose(net.after_each_look(inputs)[looked - 1], whole, atol=1e-6)
    hidden, _ = net.rnn(inputs)
    read = hidden[-1] if answer == "last" else hidden.mean(0)
    assert torch.allclose(net.output(read), net(inputs, None)[0], atol=1e-6)


class Says(nn.Module):
    """A net that answers with fixed logits."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, looks: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        return self.logits, "a state"


def test_scores_are_per_cent_of_pictures_and_no_state_goes_on() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [5.0, 1.0]])
    model = GlimpseClassifier(Says(logits)).eval()  # type: ignore[arg-type]
    batch = Batch(inputs=torch.zeros(4, 3, 2), targets=torch.tensor([0, 1, 1]), items=torch.arange(3))
    loss, state = model.loss(batch, None)
    assert state is None
    assert loss.count == 3
    assert float(loss.total) == pytest.approx(float(nn.functional.cross_entropy(logits, batch.targets)))  # type: ignore[arg-type]
    assert loss.statistics["correct"].tolist() == [100.0, 100.0, 0.0]
    (metric,) = Glimpses.metrics
    totals = totals_of({name: values.double().numpy() for name, values in loss.statistics.items()})
    assert metric.value(totals) == pytest.approx(200 / 3)
    assert metric.better(97.0, 96.0)
    assert metric.margin_at(97.0) == 0.5


def test_the_floor_always_answers_what_is_commonest_in_training(source: Path) -> None:
    task = Glimpses()
    data = task.load(source)
    rare = TaskData({**data.parts, "train": {"labels": np.array([2, 0, 2, 1], dtype=np.uint8)}}, data.meta)
    (name,) = floors = task.floors(rare)
    assert name == "commonest class"
    test = data.part("test")["labels"]
    assert floors[name]["correct"].tolist() == [100.0 if label == 2 else 0.0 for label in test]
    assert 0.0 < np.mean(floors[name]["correct"]) < 100.0


def test_it_learns(source: Path) -> None:
    task = Glimpses()
    statistics = trained(task, task.load(source), learning_rate=0.03, batch=8, epochs=12)
    assert len(statistics["correct"]) == 20
    assert np.mean(statistics["correct"]) > 90.0


def shown(source: Path, **how: Any) -> str:
    task = Glimpses()
    data = task.load(source)
    defaults: dict[str, Any] = {"length": 500}
    seed = how.pop("seed", 1)
    known = TaskData({}, json.loads(json.dumps(data.meta)))  # all that there is of a saved model
    preview = task.preview(made(task, data), known, seed=seed, options=PreviewOptions(**defaults | how))
    assert preview.files == {}
    return preview.text


def test_a_preview_shows_validation_pictures_and_the_answer_after_each_look(source: Path) -> None:
    text = shown(source)
    assert text.count("answered") == 3
    assert text.count("the answer after each look: ") == 3
    assert text == shown(source)
    assert text != shown(source, seed=2)
    assert shown(source, length=1).count("answered") == 1
    assert shown(source, length=0) == ""
    assert "with 100.0%" in shown(source, temperature=0.0)


def test_a_prompt_names_the_class_to_show(source: Path) -> None:
    assert shown(source, prompt="2").count("class 2, answered") == 3
    bright = [
        line for line in shown(source, prompt="2", length=1).splitlines()[:6] if "%" in line or "*" in line
    ]
    assert len(bright) == 2


def test_preview_mistakes(source: Path) -> None:
    with pytest.raises(UserError, match=r"unknown class '7'.*Known: 0, 1, 2"):
        shown(source, prompt="7")
    with pytest.raises(UserError, match="temperature must be a number of at least 0"):
        shown(source, temperature=-1.0)
    with pytest.raises(UserError, match="at least 0; got -1"):
        shown(source, length=-1)


def test_the_kept_pictures_are_few_and_of_every_class(source: Path) -> None:
    kept = Glimpses().load(source).meta["examples"]
    assert set(kept["labels"]) == {0, 1, 2}
    assert len(json.dumps(Glimpses().load(None).meta)) < 4000


def test_previews_are_pictures_of_the_validation_part(source: Path) -> None:
    task = Glimpses()
    data = task.load(source)
    model = made(task, data).train()
    random = torch.get_rng_state()
    preview = task.preview(model, data, seed=1, options=PreviewOptions())
    files = preview.files
    assert set(files) == {"confusion.png", "looks.png"}
    assert all(content.startswith(b"\x89PNG") for content in files.values())
    assert task.preview(model, data, seed=1, options=PreviewOptions()) == preview
    assert torch.equal(random, torch.get_rng_state())
    assert model.training
    assert task.preview(model, data.without("test"), seed=1, options=PreviewOptions()) == preview


def test_a_word_that_is_no_choice_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(UserError, match="unknown order of task 'glimpses': 'spirale'; did you mean 'spiral'"):
        Glimpses(order="spirale")
