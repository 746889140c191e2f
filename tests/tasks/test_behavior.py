"""Task behavior: its batches, masks, ranks, floors, previews and exports, and that it learns."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas_rnn.errors import UserError
from nas_rnn.tasks import Batch, Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.behavior import Behavior
from nas_rnn.tasks.behavior.floors import popularity, scored, transitions
from nas_rnn.tasks.behavior.model import SessionPredictor
from nas_rnn.tasks.behavior.net import SessionModel
from nas_rnn.tasks.behavior.ranking import ranks_of
from nas_rnn.tasks.behavior.shop import DEPARTMENTS, ITEMS, LONGEST, SHORTEST, UNSEEN, names, sessions
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.tasks.metric import figure_of
from nas_rnn.testing.tasks import check_task
from tests.export.cases import alone, trained_on, write_whole
from tests.tasks.behavior_files import alternating
from tests.tasks.small_runs import trained

WHOLE = Batching(batch=8, length=64, seed=1)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return alternating(tmp_path)


def lstm(input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return nn.LSTM(input_size, 12, bidirectional=bidirectional)


def own(**options: Any) -> Behavior:
    return Behavior(**{"top": 2, "embedding": 8} | options)


def made(task: Behavior, data: TaskData, make_rnn: Any = lstm) -> SessionPredictor:
    torch.manual_seed(0)
    return task.build(data.meta, make_rnn, Regularisation(dropout=0.5))


def tensors(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    assert isinstance(batch.inputs, Tensor) and isinstance(batch.targets, Tensor)
    assert isinstance(batch.lengths, Tensor)
    return batch.inputs, batch.targets, batch.lengths


def rows_of(data: TaskData, part: Any) -> list[list[int]]:
    held = data.part(part)
    return [items[:length].tolist() for items, length in zip(held["items"], held["lengths"], strict=True)]


def test_it_keeps_what_a_task_must(source: Path) -> None:
    assert check_task(partial(own, tied=False, least=30), source) == []


def test_the_embedded_sessions_keep_it_too() -> None:
    assert check_task(Behavior) == []


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_every_event_but_a_sessions_first_is_predicted_once(source: Path, part: Any) -> None:
    task = own()
    data = task.load(source)
    found = dict[int, list[int]]()
    for batch in task.batches(data, part, WHOLE):
        inputs, targets, lengths = tensors(batch)
        assert batch.items is not None
        for column, item in enumerate(batch.items.tolist()):
            length = int(lengths[column])
            read, came = inputs[:, column].tolist(), targets[:, column].tolist()
            assert read[1:length] == came[: length - 1] and not any(read[length:] + came[length:])
            found[item] = [read[0], *came[:length]]
    assert [found[item] for item in range(len(found))] == rows_of(data, part)


def test_the_order_is_that_of_the_seed_and_epoch_and_lengths_stand_together() -> None:
    task = Behavior()
    data = task.load(None)
    orders = [
        [
            tuple(batch.items.tolist())
            for batch in task.batches(data, "train", replace(WHOLE, seed=seed, epoch=epoch))
            if batch.items is not None
        ]
        for seed, epoch in ((1, 1), (1, 1), (1, 2), (2, 1))
    ]
    assert orders[0] == orders[1] and len({*map(tuple, orders)}) == 3
    lengths = [tensors(batch)[2] for batch in task.batches(data, "train", WHOLE)]
    real = sum(int(own.sum()) for own in lengths)
    assert real > 0.9 * sum(len(own) * int(own.max()) for own in lengths)


def test_padding_changes_nothing(source: Path) -> None:
    """Sessions of a batch give what each of them gives alone, to the last digits of float64."""
    task = own(least=30)
    data = task.load(source)
    model = made(task, data).double().eval()
    items = len(data.meta["items"])
    unknown = 0
    for batch in task.batches(data, "valid", EVALUATION):
        inputs, targets, lengths = tensors(batch)
        scores, _ = model.score(batch, None, generator=torch.Generator())
        assert batch.items is not None
        for column, length in enumerate(lengths.tolist()):
            logits, _ = model.net(inputs[:length, column : column + 1])
            expected = dict.fromkeys(("nats", "known", "found", "reciprocal"), 0.0)
            for scores_K, target in zip(logits[:, 0], targets[:length, column].tolist(), strict=True):
                if target == items:
                    unknown += 1
                    continue
                place = int((scores_K > scores_K[target]).sum()) + 1
                expected["nats"] -= scores_K.log_softmax(0)[target].item()
                expected["known"] += 1
                expected["found"] += 100 * (place <= 2)
                expected["reciprocal"] += 100 / place if place <= 2 else 0
            for name, value in expected.items():
                assert scores[name][column].item() == pytest.approx(value, rel=1e-12, abs=1e-12), name
            assert int(scores["steps"][column]) == length
    assert unknown > 0
    batch = next(task.batches(data, "train", WHOLE))
    inputs, targets, lengths = tensors(batch)
    padded = replace(
        batch,
        inputs=torch.cat([inputs, inputs.new_full((3, inputs.shape[1]), 1)]),
        targets=torch.cat([targets, targets.new_full((3, targets.shape[1]), 1)]),
    )
    losses = [model.loss(one, None)[0] for one in (batch, padded)]
    assert (
        losses[0].count
        == losses[1].count
        == int((targets < items)[torch.arange(len(targets))[:, None] < lengths].sum())
    )
    ours, theirs = (torch.autograd.grad(loss.total, [*model.parameters()]) for loss in losses)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_the_loss_is_the_mean_over_known_steps_and_ranks_nothing(source: Path) -> None:
    task = own(least=30)
    data = task.load(source)
    model = made(task, data).eval()
    batch = next(task.batches(data, "train", WHOLE))
    loss, state = model.loss(batch, None)
    assert state is None and set(loss.statistics) == {"nats", "known"}
    assert loss.total.item() == pytest.approx(loss.statistics["nats"].sum().item() / loss.count, rel=1e-6)
    assert loss.count == int(loss.statistics["known"].sum())
    assert model.train().loss(batch, None)[0].statistics == {}


def test_the_probe_is_the_loss_of_each_last_step(source: Path) -> None:
    task = own(least=30)
    data = task.load(source)
    model = made(task, data).eval()
    batch = next(task.batches(data, "train", WHOLE))
    inputs, targets, lengths = tensors(batch)
    logits, _ = model.net(inputs)
    items = len(data.meta["items"])
    last = [int(targets[length - 1, column]) for column, length in enumerate(lengths.tolist())]
    expected = [
        -logits[int(lengths[column]) - 1, column].log_softmax(0)[target]
        for column, target in enumerate(last)
        if target < items
    ]
    assert 0 < len(expected) < len(last)
    torch.testing.assert_close(model.probe(batch)["net.rnn"].loss, torch.stack(expected).mean())


# Ranks


def test_ties_are_counted_as_chance_breaks_them() -> None:
    """Against all orders of what is tied."""
    scores = torch.tensor([[3.0, 1.0, 1.0, 1.0, 0.0]])
    for target, places in ((0, [1]), (1, [2, 3, 4]), (3, [2, 3, 4]), (4, [5])):
        ranks = ranks_of(scores, torch.tensor([target]))
        for top in range(1, 7):
            inside = [place for place in places if place <= top]
            assert float(ranks.found(top)) == pytest.approx(len(inside) / len(places))
            assert float(ranks.reciprocal(top)) == pytest.approx(sum(1 / p for p in inside) / len(places))


def test_scores_that_are_all_alike_or_no_numbers_are_no_knowledge() -> None:
    targets = torch.tensor([0, 7, 39])
    alike = ranks_of(torch.zeros(3, 40), targets)
    assert alike.found(20).tolist() == [0.5] * 3
    broken = ranks_of(torch.full((3, 40), math.nan), targets)
    assert broken.found(20).tolist() == broken.reciprocal(20).tolist() == [0.0] * 3
    others = ranks_of(torch.tensor([[math.nan, 1.0, 2.0]]), torch.tensor([2]))
    assert others.above_N.tolist() == [1]


def test_an_item_that_is_not_known_is_never_right() -> None:
    ranks = ranks_of(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([3]))
    assert ranks.found(2).tolist() == [0.0] and ranks.reciprocal(2).tolist() == [0.0]


def test_ranks_do_not_depend_on_how_many_are_scored_at_a_time(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = own()
    data = task.load(source)
    model = made(task, data).eval()
    batch = next(task.batches(data, "valid", EVALUATION))
    whole, _ = model.score(batch, None, generator=torch.Generator())
    floors = task.floors(data)
    for module in ("model", "floors"):
        monkeypatch.setattr(f"nas_rnn.tasks.behavior.{module}.MOST_SCORES", 12)
    pieces, _ = model.score(batch, None, generator=torch.Generator())
    for name, values in whole.items():
        torch.testing.assert_close(values, pieces[name])
    for name, statistics in task.floors(data).items():
        for key, values in statistics.items():
            np.testing.assert_array_equal(values, floors[name][key])


# Floors


def by_hand(*rows: list[int]) -> dict[str, np.ndarray[Any, Any]]:
    width = max(map(len, rows))
    return {
        "items": np.array([row + [0] * (width - len(row)) for row in rows], dtype=np.uint8),
        "lengths": np.array([len(row) for row in rows], dtype=np.int32),
    }


def test_floors_by_hand() -> None:
    train = by_hand([0, 1, 2], [0, 1], [0, 2, 1, 3], [3, 1])  # came: 1 2 1 2 1 3 1; 3 is none of three items
    test = by_hand([0, 1, 2], [3, 0, 3])
    alone = popularity(train, 3)
    np.testing.assert_allclose(alone(0), [1 / 9, 5 / 9, 3 / 9])
    found = scored(alone, test, 3, 1)
    assert found["found"].tolist() == [100, 0] and found["steps"].tolist() == [2, 2]
    assert found["known"].tolist() == [2, 1]
    np.testing.assert_allclose(found["nats"], [-math.log(5 / 9) - math.log(3 / 9), -math.log(1 / 9)])
    np.testing.assert_allclose(scored(alone, test, 3, 2)["reciprocal"], [150, 0])
    table = transitions(train, by_hand([0, 1, 2, 1]), 3)
    # After 0: 1 twice and 2 once; the leaning that makes the validation part likeliest is the same for all.
    leaning = next(
        own
        for own in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
        if np.allclose(table(0), (np.array([0, 2, 1]) + own * alone(0)) / (3 + own))
    )
    surprises = {
        own: -sum(
            math.log((count + own * share) / (total + own))
            for count, share, total in ((2, 5 / 9, 3), (1, 3 / 9, 1), (1, 5 / 9, 1))
        )
        for own in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
    }
    assert leaning == min(surprises, key=surprises.__getitem__)
    np.testing.assert_allclose(table(3), (np.array([0, 1, 0]) + leaning * alone(0)) / (1 + leaning))


# The shop


def test_the_shop_has_what_it_says() -> None:
    rows = sessions(300, seed=0)
    assert rows == sessions(300, seed=0) != sessions(300, seed=1)
    assert len(names()) == len(set(names())) == len(DEPARTMENTS) * ITEMS
    assert all(SHORTEST <= len(row) <= LONGEST for row in rows)
    for row in rows:
        for place, item in enumerate(row):
            assert item not in row[max(0, place - UNSEEN) : place]
    counts = np.sort(np.bincount(np.concatenate(rows), minlength=len(names())))[::-1]
    assert counts[0] > 3 * np.median(counts)


def test_memory_of_a_session_helps_in_the_shop() -> None:
    """Departments that were left come back more often than by popularity, and directions last."""
    back, by_chance = 0.0, 0.0
    rows = [[item // ITEMS for item in row] for row in sessions(500, seed=2)]
    shares = np.bincount(np.concatenate(rows), minlength=len(DEPARTMENTS)) / sum(map(len, rows))
    for row in rows:
        for place in range(2, len(row)):
            if row[place] != row[place - 1]:
                left = {*row[max(0, place - 10) : place]} - {row[place - 1]}
                back += row[place] in left
                by_chance += shares[list(left)].sum() / (1 - shares[row[place - 1]])
    assert back > 1.4 * by_chance


# Learning


def test_it_learns_what_no_table_of_transitions_knows(source: Path) -> None:
    task = own(top=1)
    data = task.load(source)
    statistics = trained(task, data, learning_rate=0.03, batch=8, epochs=30)
    metric = task.measures(data.meta).metric
    recall = figure_of(metric, statistics)
    floors = [figure_of(metric, floor) for floor in task.floors(data).values()]
    assert metric.name == "recall at 1"
    assert recall is not None and all(floor is not None and recall > floor + 15 for floor in floors)


def test_a_fresh_test_part_is_the_last_sessions_of_training(source: Path) -> None:
    task = own()
    data = task.load(source)
    fresh = task.fresh_test(data, 30, 35)
    assert rows_of(fresh, "test") == rows_of(data, "train")[30:35]
    assert rows_of(fresh, "train") == rows_of(data, "train")[:30]


# Previews


def shown(task: Behavior, data: TaskData, **how: Any) -> Any:
    seed = how.pop("seed", 1)
    meta = json.loads(json.dumps(data.meta))  # all that there is of a saved model
    return task.preview(
        made(task, data), TaskData({}, meta), seed=seed, options=PreviewOptions(**{"length": 20} | how)
    )


def test_a_preview_shows_validation_sessions(source: Path) -> None:
    task = own()
    data = task.load(source)
    preview = shown(task, data)
    assert preview == shown(task, data) != shown(task, data, seed=2)
    assert set(preview.files) == {"next.png"} and preview.files["next.png"].startswith(b"\x89PNG")
    assert preview.text.count("validation session") == 3 and "(no. " in preview.text
    valid = rows_of(data, "valid")
    assert all(example in [row[: len(example)] for row in valid] for example in data.meta["examples"])
    model = made(task, data).train()
    whole = task.preview(model, data.without("test"), seed=1, options=PreviewOptions(length=20))
    assert model.training and set(whole.files) == {"next.png", "recall.png"}
    assert shown(task, data, length=0).files == {}


def test_a_preview_says_where_the_true_item_stood(source: Path) -> None:
    task = own(least=30)
    data = task.load(source)
    model, items = made(task, data).eval(), data.meta["items"]
    row = next(row for row in data.meta["examples"] if len(items) in row[1:])
    meta = {**data.meta, "examples": [row]}
    text = task.preview(model, TaskData({}, meta), seed=1, options=PreviewOptions()).text
    lines = text.splitlines()[1:]
    logits, _ = model.net(torch.tensor(row[:-1])[:, None])
    for line, scores_K, came in zip(lines, logits[:, 0], row[1:], strict=False):
        if came == len(items):
            assert line.endswith("-> <other> (not known)")
        else:
            assert line.endswith(f"-> {items[came]} (no. {int((scores_K > scores_K[came]).sum()) + 1})")


def test_a_prompt_is_a_list_of_items(source: Path) -> None:
    task = own()
    data = task.load(source)
    items = data.meta["items"]
    preview = shown(task, data, prompt=f"{items[2]}, {items[0]}, nothing")
    lines = preview.text.splitlines()
    assert lines[0] == "not known, and read as <other>: nothing"
    assert lines[1] == f"after {items[2]}, {items[0]}, nothing the model expects"
    assert len(lines) == 2 + len(items) and preview.files == {}
    net = made(task, data).eval().net
    with torch.no_grad():
        logits_K = net(torch.tensor([2, 0, len(items)])[:, None])[0][-1, 0]
    order = [items[place] for place in logits_K.argsort(descending=True).tolist()]
    assert [line.split("%  ")[1] for line in lines[2:]] == order
    assert sum(float(line.split()[1]) for line in lines[2:]) == pytest.approx(100, abs=1)
    assert "100.0 %" in shown(task, data, prompt=items[0], temperature=0.0).text
    assert f"after {items[1]}, {items[0]} the" in shown(task, data, prompt=f"{items[1]}|{items[0]}").text


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"prompt": "nothing"}, "the prompt has no item that the model knows"),
        ({"prompt": ", ,"}, "the prompt has no item that the model knows"),
        ({"prompt": "a0," * 1001}, "the prompt has 1,001 items, more than 1,000"),
        ({"temperature": -1.0}, "temperature must be a number of at least 0"),
        ({"temperature": math.nan}, "temperature must be a number of at least 0"),
        ({"length": -1}, "the length of a preview must be at least 0; got -1"),
    ],
)
def test_preview_mistakes(source: Path, how: dict[str, Any], message: str) -> None:
    task = own()
    with pytest.raises(UserError, match=message):
        shown(task, task.load(source), **how)


def test_an_exported_net_reads_items_and_goes_on_from_its_state(tmp_path: Path) -> None:
    whole = trained_on(Behavior(embedding=4))
    write_whole(whole, tmp_path)
    bundle = whole.task_model
    assert bundle is not None
    read = ["games 02", "nothing", "games 03"]
    items = bundle.meta["items"]
    with torch.no_grad():
        numbers = torch.tensor([items.index(name) if name in items else len(items) for name in read])
        expected, _ = bundle.model.eval()(numbers[:, None], None)
    printed = alone(
        "import torch, json\nfrom mine import ITEMS, encode, likeliest, load_model\n"
        f"inputs = encode({read}, ITEMS).unsqueeze(1)\n"
        "net = load_model().eval()\nfirst, state = net(inputs[:1], None)\nrest, _ = net(inputs[1:], state)\n"
        "print(json.dumps([torch.cat([first, rest]).tolist(), likeliest(rest[-1, 0], ITEMS, 3)]))",
        tmp_path,
    )
    scores, best = json.loads(printed)
    np.testing.assert_allclose(np.array(scores), expected.numpy(), rtol=1e-4, atol=1e-5)
    assert best == [items[place] for place in expected[-1, 0].topk(3).indices.tolist()]


def test_tied_scores_are_those_of_the_items_own_vectors() -> None:
    torch.manual_seed(0)
    tied = SessionModel(lstm, items=5, embedding=12)
    assert isinstance(tied.project, nn.Identity)
    hidden = torch.randn(3, 2, 12)
    torch.testing.assert_close(tied.scores(hidden), hidden @ tied.embedding.weight[:5].T + tied.bias)
    assert isinstance(SessionModel(lstm, items=5, embedding=3).project, nn.Linear)
    free = SessionModel(lstm, items=5, embedding=3, tied=False)
    torch.testing.assert_close(free.scores(hidden), free.output(hidden))


def test_options_of_reading_want_a_file() -> None:
    for how in ({"session": "x"}, {"gap": 30.0}, {"split": "users"}, {"separator": "tab"}):
        with pytest.raises(UserError, match="says how a file is read; give one"):
            Behavior(**how).load(None)
