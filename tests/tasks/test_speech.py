"""Task speech: one label and several in a row, decoding, scores, floors, previews and exports, and that it learns."""

from __future__ import annotations

import itertools
import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.tasks import Batch, Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.metric import figure_of
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.series.net import SeriesModel
from nas_rnn.tasks.speech import Speech
from nas_rnn.tasks.speech.ctc import collapse, frames_needed, prefix_beam
from nas_rnn.tasks.speech.floors import told_floors
from nas_rnn.tasks.speech.model import Transcriber
from nas_rnn.tasks.speech.rows import SPEAKERS, InRows
from nas_rnn.tasks.speech.scores import aligned, told_statistics
from nas_rnn.testing.tasks import check_task
from tests.export.cases import alone, trained_on, write_whole
from tests.tasks.small_runs import trained
from tests.tasks.speech_files import WORDS, write_sentences, write_words

FEW: dict[str, Any] = {"bands": 12, "test_where": "take=0"}
ROW: dict[str, Any] = {**FEW, "target": "row", "row": 3, "passes": 2}
SAID: dict[str, Any] = {"bands": 12, "target": "transcript"}


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("speech") / "words")


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sentences(tmp_path_factory.mktemp("speech") / "said")


def lstm(input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return nn.LSTM(input_size, 12, bidirectional=bidirectional)


def own_lstm(input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return RNN("lstm", input_size, 12, bidirectional=bidirectional, backend="eager")


def made(task: Speech, data: TaskData, make_rnn: Any = lstm) -> TaskModel:
    torch.manual_seed(0)
    return task.build(data.meta, make_rnn, Regularisation(dropout=0.5))


def everything(task: Speech, data: TaskData, part: Any = "test") -> Batch:
    (batch,) = task.batches(data, part, Batching(batch=999, length=1))
    return batch


@pytest.mark.parametrize(
    "options",
    [{"bidirectional": True, "embedding": 3, "bands": 12}, {**ROW, "beam": 2}],
    ids=["class", "row"],
)
def test_it_keeps_what_a_task_must(words: Path, options: dict[str, Any]) -> None:
    assert check_task(partial(Speech, **options), words) == []


def test_transcripts_keep_it_too(sentences: Path) -> None:
    assert check_task(partial(Speech, **SAID, by="character"), sentences) == []


def test_the_embedded_cepstra_keep_it_too() -> None:
    assert check_task(partial(Speech, target="row")) == []
    data = Speech().load(None)
    assert {part: len(own["labels"]) for part, own in data.parts.items()} == {
        "train": 216,
        "valid": 54,
        "test": 370,
    }
    with pytest.raises(UserError, match="target=transcript needs recordings with a transcript each"):
        Speech(target="transcript").load(None)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("make_rnn", [lstm, own_lstm])
def test_padding_changes_nothing(words: Path, bidirectional: bool, make_rnn: Any) -> None:
    """Neither the loss of rows nor a gradient, to 1e-11: beside each row alone."""
    task = Speech(**ROW, bidirectional=bidirectional)
    data = task.load(words)
    model = made(task, data, make_rnn).double().eval()
    batch = everything(task, data)
    assert isinstance(batch.inputs, torch.Tensor) and isinstance(batch.targets, torch.Tensor)
    assert isinstance(batch.lengths, dict)
    frames, labels = batch.lengths["inputs"], batch.lengths["targets"]
    assert len(set(frames.tolist())) > 2 and len(set(labels.tolist())) > 1
    inputs = batch.inputs.double()
    inputs[torch.arange(len(inputs))[:, None] >= frames] = 7.0
    together, _ = model.loss(Batch(inputs=inputs, targets=batch.targets, lengths=batch.lengths), None)
    singly = []
    for column, (steps, count) in enumerate(zip(frames.tolist(), labels.tolist(), strict=True)):
        one = Batch(
            inputs=inputs[:steps, [column]],
            targets=batch.targets[:count, [column]],
            lengths={"inputs": frames[[column]], "targets": labels[[column]]},
        )
        singly.append(model.loss(one, None)[0].total * count)
    apart = torch.stack(singly).sum() / labels.sum()
    assert together.count == int(labels.sum())
    torch.testing.assert_close(together.total, apart, rtol=1e-12, atol=0)
    ours, theirs = (torch.autograd.grad(one, list(model.parameters())) for one in (together.total, apart))
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-11, atol=1e-12)


def spelled(log_TK: np.ndarray, blank: int) -> dict[tuple[int, ...], float]:
    """Return the probability of all labels that any path spells."""
    found = dict[tuple[int, ...], float]()
    for path in itertools.product(range(log_TK.shape[1]), repeat=len(log_TK)):
        labels = tuple(collapse(path, blank))
        found[labels] = found.get(labels, 0.0) + math.exp(sum(log_TK[time, k] for time, k in enumerate(path)))
    return found


def test_what_a_path_spells() -> None:
    assert collapse([3, 0, 0, 3, 0, 1, 1, 3], 3) == [0, 0, 1]
    assert collapse([3, 3], 3) == [] == collapse([], 3)
    assert frames_needed([]) == 0 and frames_needed([1, 1, 2, 2]) == 6


@pytest.mark.parametrize("seed", range(6))
def test_the_loss_and_the_search_are_those_of_all_paths(seed: int) -> None:
    random = np.random.default_rng(seed)
    logits_TK = random.normal(0, 1.5, (5, 3))
    log_TK = logits_TK - np.log(np.exp(logits_TK).sum(1, keepdims=True))
    known = spelled(log_TK, 2)
    assert sum(known.values()) == pytest.approx(1)
    assert tuple(prefix_beam(log_TK.tolist(), 2, 1000)) == max(known, key=lambda labels: known[labels])

    class Given(nn.Module):
        def forward(self, inputs: Any, state: Any, lengths: Any) -> Any:
            return torch.from_numpy(logits_TK)[:, None], None

    model = Transcriber(Given())  # type: ignore[arg-type]
    for labels in [(0,), (1, 1), (0, 1, 0)]:
        batch = Batch(
            inputs=torch.zeros(5, 1, 1),
            targets=torch.tensor(labels)[:, None],
            lengths={"inputs": torch.tensor([5]), "targets": torch.tensor([len(labels)])},
        )
        loss = model.loss(batch, None)[0]
        assert float(loss.total) * len(labels) == pytest.approx(-math.log(known[labels]), rel=1e-12)


def test_a_wide_search_can_find_what_the_likeliest_path_does_not() -> None:
    log_TK = np.log([[0.4, 0.6], [0.4, 0.6]]).tolist()  # blank twice has 0.36, all that spells 0 has 0.64
    batch = torch.tensor(log_TK)[:, None]
    nothing = SeriesModel(lstm, variables=1, classes=2, each=True)
    assert Transcriber(nothing).decode(batch, torch.tensor([2])) == [[]]
    assert Transcriber(nothing, beam=4).decode(batch, torch.tensor([2])) == [[0]]
    longer = torch.cat([batch, batch.flip(-1)])  # what is behind the end is not heard
    assert Transcriber(nothing).decode(longer, torch.tensor([2])) == [[]]
    assert Transcriber(nothing, beam=4).decode(longer, torch.tensor([2])) == [[0]]


def test_scores_by_hand() -> None:
    statistics = told_statistics([[1, 2], [], [0, 0, 1], [2]], [[1, 2], [0, 1], [0, 1], [1]])
    assert statistics["errors"].tolist() == [0, 200, 100, 100]
    assert statistics["labels"].tolist() == [2, 2, 2, 1]
    assert statistics["exact"].tolist() == [100, 0, 0, 0]
    errors, exact = Speech(target="row").measures({}).metrics
    assert figure_of(errors, statistics) == pytest.approx(400 / 7)
    assert figure_of(exact, statistics) == 25
    assert aligned([1, 0], [1, 2, 0], 9) == [(1, 1), (2, 9), (0, 0)]
    assert aligned([5, 1, 3], [1, 2], 9) == [(1, 1), (2, 3)]


def test_floors_by_hand() -> None:
    floors = told_floors([[0, 1], [2], [0, 1], [1, 2]], [[0, 1], [1, 1, 2]])
    assert floors["empty answer"]["errors"].tolist() == [200, 300]
    assert floors["commonest label"]["errors"].tolist() == [100, 200]
    assert floors["commonest labels in a row"]["errors"].tolist() == [0, 200]
    assert figure_of(Speech(target="row").measures({}).metrics[0], floors["empty answer"]) == 100


def test_scores_are_those_of_the_decoded_labels(words: Path) -> None:
    task = Speech(**ROW)
    data = task.load(words)
    model = made(task, data).eval()
    batch = everything(task, data)
    scores, _ = model.score(batch, None, generator=torch.Generator())
    assert scores["labels"].tolist() == batch.lengths["targets"].tolist()  # type: ignore[index,union-attr]
    assert len(scores["errors"]) == len(scores["exact"]) == len(task._said(data, "test"))
    assert model.loss(batch, None)[0].statistics == {}


@pytest.mark.parametrize("speakers", [False, True])
def test_rows_are_made_within_a_part_and_a_speaker(words: Path, speakers: bool) -> None:
    options = {**ROW, "test_where": ""} if speakers else ROW
    data = Speech(**options, speakers=speakers).load(words)
    how = InRows(3, 2)
    for part, own in data.parts.items():
        rows = how.rows(own, part)
        times = np.bincount(np.concatenate(rows), minlength=len(own["labels"]))
        assert (times == (2 if part == "train" else 1)).all()
        assert max(map(len, rows)) <= 3 and sum(len(row) < 2 for row in rows) <= 6
        if speakers:
            assert all(len(set(own[SPEAKERS][row])) == 1 for row in rows)
            assert data.groups[part].tolist() == [own[SPEAKERS][row[0]] for row in rows]
    if speakers:
        heard = [set(own[SPEAKERS].tolist()) for own in data.parts.values()]
        assert not (heard[0] & heard[1] or heard[0] & heard[2] or heard[1] & heard[2])


def test_training_rows_are_others_in_every_epoch_and_as_many(words: Path) -> None:
    data = Speech(**ROW).load(words)
    train, how = data.part("train"), InRows(3, 2)
    passes = [
        how.rows(train, "train", Batching(batch=4, length=1, seed=seed, epoch=epoch))
        for seed, epoch in ((1, 1), (1, 1), (1, 2), (2, 1))
    ]
    listed = [[row.tolist() for row in rows] for rows in passes]
    assert listed[0] == listed[1] and listed[0] not in listed[2:]
    assert len({len(rows) for rows in listed}) == 1
    valid = [how.rows(data.part("valid"), "valid", Batching(batch=4, length=1, seed=s)) for s in (1, 2)]
    assert all(np.array_equal(*pair) for pair in zip(*valid, strict=True))


def test_a_row_is_its_recordings_one_behind_the_other(words: Path) -> None:
    task = Speech(**ROW)
    data = task.load(words)
    own, batch = data.part("test"), everything(task, data)
    row = InRows(3, 2).rows(own, "test")[0]
    assert isinstance(batch.inputs, torch.Tensor) and isinstance(batch.targets, torch.Tensor)
    parts = [own["series"][place, : own["lengths"][place]] for place in row]
    joined = (np.concatenate(parts) - data.meta["mean"]) / data.meta["deviation"]
    np.testing.assert_allclose(batch.inputs[: len(joined), 0].numpy(), joined, rtol=1e-4, atol=1e-5)
    assert not batch.inputs[len(joined) :, 0].any()
    assert batch.targets[: len(row), 0].tolist() == own["labels"][row].tolist()


def test_transcripts_are_targets_in_order(sentences: Path) -> None:
    task = Speech(**SAID)
    data = task.load(sentences)
    rows = dict(line.split(",")[:2] for line in sentences.read_text().splitlines()[1:])
    said = sorted(
        " ".join(data.meta["classes"][k] for k in one) for p in data.parts for one in task._said(data, p)
    )
    assert said == sorted(rows.values())
    batch = everything(task, data, "valid")
    assert isinstance(batch.targets, torch.Tensor) and isinstance(batch.lengths, dict)
    columns = zip(batch.targets.T.tolist(), batch.lengths["targets"].tolist(), strict=True)
    assert [column[:count] for column, count in columns] == task._said(data, "valid")


def test_a_fresh_test_part_comes_from_training_and_scales_anew(words: Path) -> None:
    for options in (FEW, ROW):
        task = Speech(**options)
        data = task.load(words)
        fresh = task.fresh_test(data, 15, 19)
        np.testing.assert_array_equal(fresh.part("test")["series"], data.part("train")["series"][15:19])
        assert fresh.meta["mean"] != data.meta["mean"]
        assert len(task.floors(fresh)) == 2 + (options is ROW)


def test_labels_that_training_lacks_are_told(sentences: Path, tmp_path: Path) -> None:
    table = sentences.parent / "parts.csv"
    head, *rows = sentences.read_text().splitlines()
    parts = ["test" if number < 6 else "" for number in range(len(rows))]
    rows[0] = rows[0].replace("up", "up over").replace("down", "over").replace("flat", "over")
    table.write_text("\n".join([f"{head},part", *map(",".join, zip(rows, parts, strict=True))]))
    task = Speech(**SAID)
    assert any("'over'" in told for told in task.notices(task.load(table)))


@pytest.mark.parametrize(
    ("options", "epochs", "least"),
    [(FEW, 14, 80.0), ({**ROW, "passes": 6}, 30, -25.0)],
    ids=["class", "row"],
)
def test_it_learns(words: Path, options: dict[str, Any], epochs: int, least: float) -> None:
    task = Speech(**options)
    data = task.load(words)
    statistics = trained(task, data, learning_rate=0.03, batch=8, epochs=epochs)
    metric = task.measures(data.meta).metric
    figure = figure_of(metric, statistics)
    assert figure is not None
    assert (figure if metric.direction == "maximize" else -figure) > least


def shown(source: Path, options: dict[str, Any], **how: Any) -> str:
    task = Speech(**options)
    data = task.load(source)
    known = TaskData({}, json.loads(json.dumps(data.meta)))  # all that there is of a saved model
    seed = how.pop("seed", 1)
    preview = task.preview(
        made(task, data), known, seed=seed, options=PreviewOptions(**{"length": 500} | how)
    )
    assert preview.files == {}
    return preview.text


def test_a_preview_shows_recordings_and_what_is_told(words: Path) -> None:
    text = shown(words, FEW)
    assert text.count("answered") == text.count("the answer after each step: ") == 3
    assert "█" in text
    assert text == shown(words, FEW) != shown(words, FEW, seed=2)
    assert shown(words, FEW, prompt="up").count("class up, answered") == 2
    rows = shown(words, ROW)
    assert rows.count("said ") == rows.count("told at frames: ") == 3
    assert shown(words, ROW, length=1).count("said ") == 1
    assert all("down" in line for line in shown(words, ROW, prompt="down").splitlines() if "said " in line)


@pytest.mark.parametrize("options", [FEW, ROW], ids=["class", "row"])
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"prompt": "upp"}, "unknown (class|label) 'upp'; did you mean 'up'"),
        ({"temperature": -1.0}, "temperature must be a number of at least 0"),
        ({"length": -1}, "the length of a preview must be at least 0; got -1"),
    ],
)
def test_preview_mistakes(words: Path, options: dict[str, Any], how: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        shown(words, options, **how)


@pytest.mark.parametrize("options", [FEW, ROW], ids=["class", "row"])
def test_pictures_of_the_validation_part(words: Path, options: dict[str, Any]) -> None:
    task = Speech(**options)
    data = task.load(words)
    model = made(task, data).train()
    preview = task.preview(model, data.without("test"), seed=1, options=PreviewOptions())
    assert set(preview.files) == {"confusion.png", "recordings.png"}
    assert all(content.startswith(b"\x89PNG") for content in preview.files.values())
    assert model.training


def test_an_exported_net_tells_labels_in_a_row(tmp_path: Path) -> None:
    task = Speech(target="row", bidirectional=True)
    whole = trained_on(task)
    write_whole(whole, tmp_path)
    assert whole.task_model is not None
    model = whole.task_model.model.eval()
    assert isinstance(model, Transcriber)
    data = task.load(None)
    batch = next(task.batches(data, "test", Batching(batch=5, length=1)))
    assert isinstance(batch.inputs, torch.Tensor) and isinstance(batch.lengths, dict)
    lengths = batch.lengths["inputs"]
    with torch.no_grad():
        expected = model.decode(model.log_probabilities(batch.inputs, lengths), lengths)
    raw = batch.inputs * torch.tensor(data.meta["deviation"]) + torch.tensor(data.meta["mean"])
    np.save(tmp_path / "features.npy", raw.numpy())
    printed = alone(
        "import numpy as np, torch\n"
        "from mine import BLANK, CLASSES, DEVIATION, MEAN, collapse, load_model, scaled\n"
        "inputs = scaled(torch.from_numpy(np.load('features.npy')), MEAN, DEVIATION)\n"
        f"lengths = torch.tensor({lengths.tolist()})\n"
        "logits, _ = load_model().eval()(inputs, None, lengths)\n"
        "paths = zip(logits.argmax(-1).T.tolist(), lengths.tolist())\n"
        "print([collapse(path[:count], BLANK) for path, count in paths])",
        tmp_path,
    )
    assert json.loads(printed) == expected


def test_parameters(words: Path) -> None:
    data = Speech(**ROW).load(words)
    both = sum(p.numel() for p in made(Speech(**ROW, bidirectional=True, embedding=5), data).parameters())
    assert both == 5 * 13 + 2 * 4 * 12 * (5 + 12 + 2) + (len(WORDS) + 1) * (24 + 1)
