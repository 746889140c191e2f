"""Task classify: its batches, masks, model, scores, floors, previews and exports, and that it learns."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.tasks import Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.classify import Classify
from nas_rnn.tasks.metric import figure_of
from nas_rnn.tasks.series.examples import MOST_ASKED, Example, examples, kept, read
from nas_rnn.tasks.series.figures import typical
from nas_rnn.tasks.series.model import SeriesClassifier
from nas_rnn.tasks.series.net import SeriesModel
from nas_rnn.testing.tasks import check_task
from tests.export.cases import alone, trained_on, write_whole
from tests.tasks.series_files import CLASSES, write_pair
from tests.tasks.small_runs import trained

KINDS: dict[str, dict[str, Any]] = {
    "last": {},
    "mean": {"answer": "mean", "embedding": 3},
    "both directions": {"bidirectional": True},
    "mean of both": {"bidirectional": True, "answer": "mean"},
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_pair(tmp_path)


def lstm(input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return nn.LSTM(input_size, 8, bidirectional=bidirectional)


def own_lstm(input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return RNN("lstm", input_size, 8, bidirectional=bidirectional, backend="eager")


def made(task: Classify, data: TaskData, make_rnn: Any = lstm) -> SeriesClassifier:
    torch.manual_seed(0)
    return task.build(data.meta, make_rnn, Regularisation(dropout=0.5))


def test_it_keeps_what_a_task_must(source: Path) -> None:
    assert check_task(partial(Classify, bidirectional=True, embedding=3), source) == []


def test_the_embedded_set_keeps_it_too() -> None:
    assert check_task(Classify) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make_rnn", [lstm, own_lstm])
def test_padding_changes_nothing(source: Path, kind: str, make_rnn: Any) -> None:
    """Neither the answer nor a gradient, to 1e-12: beside a series alone, without lengths."""
    task = Classify(**KINDS[kind])
    data = task.load(source)
    net = made(task, data, make_rnn).net.double().eval()
    (batch,) = task.batches(data, "test", Batching(batch=99, length=1))
    assert isinstance(batch.inputs, torch.Tensor) and isinstance(batch.lengths, torch.Tensor)
    assert len(set(batch.lengths.tolist())) > 3
    padded = batch.inputs.double().clone()
    padded[(torch.arange(len(padded))[:, None] >= batch.lengths)] = 7.0
    padded = torch.cat([padded, padded.new_full((3, *padded.shape[1:]), -5.0)]).requires_grad_()
    together, _ = net(padded, None, batch.lengths)
    singly = [padded[:steps, [column]] for column, steps in enumerate(batch.lengths.tolist())]
    alone_BC = torch.cat([net(one, None)[0] for one in singly])
    torch.testing.assert_close(together, alone_BC, rtol=0, atol=1e-12)
    weights = torch.arange(1.0, alone_BC.numel() + 1).reshape(alone_BC.shape).double()
    tensors = [padded, *net.parameters()]
    ours, theirs = (torch.autograd.grad((out * weights).sum(), tensors) for out in (together, alone_BC))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_what_both_directions_answer_from_is_what_each_has_read_last(source: Path) -> None:
    task = Classify(bidirectional=True)
    data = task.load(source)
    net = made(task, data).net.eval()
    batch = next(task.batches(data, "test", Batching(batch=1, length=1)))
    hidden, (last, _) = net.rnn(batch.inputs)
    torch.testing.assert_close(net.read(hidden, None), torch.cat([last[0], last[1]], dim=-1))


def test_batches_are_scaled_by_the_training_part_and_zero_behind_their_ends(source: Path) -> None:
    task = Classify()
    data = task.load(source)
    values = []
    for batch in task.batches(data, "train", Batching(batch=7, length=1, seed=1)):
        assert isinstance(batch.inputs, torch.Tensor) and isinstance(batch.lengths, torch.Tensor)
        real = torch.arange(len(batch.inputs))[:, None] < batch.lengths
        assert len(batch.inputs) == batch.lengths.max()
        assert (batch.inputs[~real] == 0).all()
        values.append(batch.inputs[real])
    together = torch.cat(values)
    torch.testing.assert_close(together.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(together.std(0, correction=0), torch.ones(2), atol=1e-5, rtol=0)


def test_the_scale_knows_nothing_of_other_parts(source: Path) -> None:
    before = Classify().load(source).meta
    path = source / "Waves_TEST.ts"
    head, rows = path.read_text().split("@data\n")
    path.write_text(head + "@data\n" + rows.replace("0.", "90."))
    after = Classify().load(source).meta
    assert before["mean"] == after["mean"] and before["deviation"] == after["deviation"]


def test_a_fresh_test_part_comes_from_training_and_scales_anew(source: Path) -> None:
    task = Classify()
    data = task.load(source)
    fresh = task.fresh_test(data, 30, 35)
    np.testing.assert_array_equal(fresh.part("test")["series"], data.part("train")["series"][30:35])
    assert len(fresh.part("train")["labels"]) == 30
    assert fresh.meta["mean"] != data.meta["mean"]


def test_floors_by_hand() -> None:
    parts = {
        "train": {
            "series": np.array([[[1.0], [1.0]], [[3.0], [0.0]], [[9.0], [9.0]]], dtype=np.float32),
            "lengths": np.array([2, 1, 2], dtype=np.int32),
            "labels": np.array([0, 0, 2], dtype=np.uint8),
        },
        "test": {
            "series": np.array([[[5.4], [0.0]], [[8.0], [4.4]], [[2.0], [2.0]]], dtype=np.float32),
            "lengths": np.array([1, 2, 2], dtype=np.int32),
            "labels": np.array([0, 2, 1], dtype=np.uint8),
        },
    }
    task = Classify()
    floors = task.floors(TaskData(parts, {"classes": ["a", "b", "c"]}))  # type: ignore[arg-type]
    assert floors["commonest class"]["correct"].tolist() == [100, 0, 0]
    assert floors["averages over time"]["correct"].tolist() == [100, 100, 0]  # 5.4, 6.2, 2 beside 2 and 9
    accuracy, f1 = task.metrics
    assert figure_of(accuracy, floors["averages over time"]) == pytest.approx(200 / 3)
    assert figure_of(f1, floors["averages over time"]) == pytest.approx(100 * (2 / 3 + 0 + 1) / 3)


def test_scores_add_up_to_accuracy_and_macro_f1(source: Path) -> None:
    task = Classify()
    data = task.load(source)
    model = made(task, data).eval()
    (batch,) = task.batches(data, "test", Batching(batch=99, length=1))
    loss, state = model.loss(batch, None)
    assert state is None and loss.count == 15
    statistics = {name: values.double().numpy() for name, values in loss.statistics.items()}
    answers = (
        model(batch.inputs)[0].argmax(-1)
        if batch.lengths is None
        else model.net(batch.inputs, None, batch.lengths)[0].argmax(-1)
    )
    hits = answers == batch.targets
    assert statistics["hits"].sum(0).tolist() == [int((hits & (batch.targets == k)).sum()) for k in range(3)]
    assert statistics["predicted"].sum(0).tolist() == [int((answers == k).sum()) for k in range(3)]
    assert statistics["actual"].sum(0).tolist() == [5, 5, 5]
    assert figure_of(task.metrics[0], statistics) == pytest.approx(100 * float(hits.double().mean()))
    assert model.train().loss(batch, None)[0].statistics == {}


@pytest.mark.parametrize("kind", ["last", "both directions"])
def test_it_learns(source: Path, kind: str) -> None:
    task = Classify(**KINDS[kind])
    statistics = trained(task, task.load(source), 8, learning_rate=0.03, batch=8, epochs=12)
    assert np.mean(statistics["correct"]) > 85.0


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_after_a_step_is_that_of_a_series_that_ends_there(source: Path, kind: str) -> None:
    task = Classify(**KINDS[kind])
    data = task.load(source)
    model = made(task, data).eval()
    example = examples(data.meta)[0]
    reading = read(model.net, example, data.meta)
    assert reading.after == list(range(1, len(example.series) + 1))
    shorter = read(model.net, Example(example.series[:3], example.label), data.meta)
    torch.testing.assert_close(shorter.logits[-1], reading.logits[2])
    many = read(model.net, Example(np.tile(example.series, (100, 1)), 0), data.meta)
    assert len(many.after) == MOST_ASKED and many.after[-1] == 100 * len(example.series)


def shown(source: Path, **how: Any) -> str:
    task = Classify()
    data = task.load(source)
    known = TaskData({}, json.loads(json.dumps(data.meta)))  # all that there is of a saved model
    seed = how.pop("seed", 1)
    preview = task.preview(
        made(task, data), known, seed=seed, options=PreviewOptions(**{"length": 500} | how)
    )
    assert preview.files == {}
    return preview.text


def test_a_preview_shows_validation_series_and_the_answer_after_each_step(source: Path) -> None:
    text = shown(source)
    assert text.count("answered") == text.count("the answer after each step: ") == 3
    assert text.count("variable 1 ▁") + text.count("variable 1 █") >= 1
    assert text == shown(source) != shown(source, seed=2)
    assert shown(source, prompt="wave").count("class wave, answered") == 3
    assert shown(source, length=1).count("answered") == 1
    assert shown(source, length=0) == ""
    assert "with 100.0%" in shown(source, temperature=0.0)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"prompt": "waves"}, "unknown class 'waves'; did you mean 'wave'"),
        ({"temperature": -1.0}, "temperature must be a number of at least 0"),
        ({"length": -1}, "the length of a preview must be at least 0; got -1"),
    ],
)
def test_preview_mistakes(source: Path, how: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        shown(source, **how)


@pytest.mark.parametrize("variables", [2, 9])
def test_pictures_of_the_validation_part(source: Path, variables: int) -> None:
    for path in source.iterdir() if variables > 2 else ():
        head, rows = path.read_text().replace("@dimensions 2", "").split("@data\n")
        wide = [":".join([row.split(":")[0]] * (variables - 2) + [row]) for row in rows.splitlines()]
        path.write_text(head + "@data\n" + "\n".join(wide))
    task = Classify()
    data = task.load(source)
    assert len(data.meta["variables"]) == variables
    model = made(task, data).train()
    random = torch.get_rng_state()
    preview = task.preview(model, data.without("test"), seed=1, options=PreviewOptions())
    assert set(preview.files) == {"confusion.png", "series.png"}
    assert all(content.startswith(b"\x89PNG") for content in preview.files.values())
    assert model.training
    assert torch.equal(random, torch.get_rng_state())


def test_examples_are_few_of_every_class_and_of_each_the_surest_is_drawn(source: Path) -> None:
    task = Classify()
    data = task.load(source)
    known = examples(data.meta)
    assert {example.label for example in known} == {0, 1, 2} and len(known) == 9
    valid = data.part("valid")
    first = known[0].series
    assert any(np.array_equal(row[: len(first)], first) for row in valid["series"])
    model = made(task, data).eval()
    readings = [read(model.net, example, data.meta) for example in known]
    for chosen in typical(readings):
        label = chosen.example.label
        of_class = [reading for reading in readings if reading.example.label == label]
        assert chosen.shares()[-1, label] == max(reading.shares()[-1, label] for reading in of_class)
    huge = {"series": np.zeros((2, 300, 100), np.float32), "lengths": np.full(2, 300), "labels": np.arange(2)}
    none = {**data.meta, "examples": kept(huge), "mean": [0.0] * 100}
    assert examples(none) == []
    text = task.preview(model, TaskData({}, none), seed=1, options=PreviewOptions()).text
    assert text.startswith("no series stays with the model")


def test_an_exported_net_reads_series_of_unequal_length(tmp_path: Path) -> None:
    task = Classify(bidirectional=True)
    whole = trained_on(task)
    write_whole(whole, tmp_path)
    assert whole.task_model is not None
    data = task.load(None)
    batch = next(task.batches(data, "test", Batching(batch=5, length=1)))
    series = torch.from_numpy(data.part("test")["series"][:5, : len(batch.inputs)].swapaxes(0, 1).copy())
    np.save(tmp_path / "series.npy", series.numpy())
    net = whole.task_model.model.eval().net
    with torch.no_grad():
        expected = net(batch.inputs, None, batch.lengths)[0]  # type: ignore[operator]
    assert isinstance(batch.lengths, torch.Tensor)
    printed = alone(
        "import numpy as np, torch\nfrom mine import CLASSES, DEVIATION, MEAN, load_model, scaled\n"
        "inputs = scaled(torch.from_numpy(np.load('series.npy')), MEAN, DEVIATION)\n"
        f"logits, _ = load_model().eval()(inputs, None, torch.tensor({batch.lengths.tolist()}))\n"
        "print(len(CLASSES), logits.tolist())",
        tmp_path,
    )
    count, _, values = printed.partition(" ")
    assert int(count) == 9
    np.testing.assert_allclose(np.array(json.loads(values)), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_parameters(source: Path) -> None:
    data = Classify().load(source)
    both = sum(p.numel() for p in made(Classify(bidirectional=True, embedding=5), data).parameters())
    assert both == 5 * 3 + 2 * 4 * 8 * (5 + 8 + 2) + len(CLASSES) * (16 + 1)
    assert isinstance(made(Classify(), data).net, SeriesModel)
