"""Task music: its batches, masks, model, scores, floors, previews and exports, and that it learns."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.tasks import Batch, Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.tasks.metric import figure_of
from nas_rnn.tasks.music import Music
from nas_rnn.tasks.music.examples import examples
from nas_rnn.tasks.music.midi import read_midi
from nas_rnn.tasks.music.model import Pianist
from nas_rnn.tasks.music.rolls import from_numbers, packed, roll_of, unpacked
from nas_rnn.tasks.music.scores import ACCURACY
from nas_rnn.tasks.music.showing import MOST_WRITTEN, prompted, write
from nas_rnn.testing.tasks import check_task
from tests.export.cases import alone, trained_on, write_whole
from tests.tasks.music_files import wheels_mat, write_mat
from tests.tasks.small_runs import trained

WHOLE, CUT = Batching(batch=8, length=64, seed=1), Batching(batch=8, length=5, seed=1)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return wheels_mat(tmp_path)


def lstm(input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return nn.LSTM(input_size, 12, bidirectional=bidirectional)


def own_lstm(input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return RNN("lstm", input_size, 12, bidirectional=bidirectional, backend="eager")


def made(task: Music, make_rnn: Any = lstm) -> Pianist:
    torch.manual_seed(0)
    return task.build({}, make_rnn, Regularisation(dropout=0.5))


def tensors(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    assert isinstance(batch.inputs, Tensor) and isinstance(batch.targets, Tensor)
    assert isinstance(batch.lengths, Tensor)
    return batch.inputs, batch.targets, batch.lengths


def rolls_of(data: TaskData, part: Any) -> list[np.ndarray[Any, Any]]:
    own = data.part(part)
    return [unpacked(roll[:length]) for roll, length in zip(own["rolls"], own["lengths"], strict=True)]


def test_it_keeps_what_a_task_must(source: Path) -> None:
    assert check_task(partial(Music, embedding=3), source) == []


def test_the_embedded_chorales_keep_it_too() -> None:
    assert check_task(partial(Music, pieces=20)) == []


@pytest.mark.parametrize("batching", [WHOLE, CUT])
@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_every_frame_but_a_pieces_first_is_predicted_once(
    source: Path, part: Any, batching: Batching
) -> None:
    task = Music()
    data = task.load(source)
    found: dict[int, list[tuple[Tensor, Tensor]]] = {}
    for batch in task.batches(data, part, batching):
        inputs, targets, lengths = tensors(batch)
        assert batch.items is not None and len(inputs) == lengths.max()
        for column, (item, length) in enumerate(zip(batch.items.tolist(), lengths.tolist(), strict=True)):
            assert not inputs[length:, column].any() and not targets[length:, column].any()
            found.setdefault(item, []).append((inputs[:length, column], targets[:length, column]))
    rolls = rolls_of(data, part)
    assert sorted(found) == list(range(len(rolls)))
    for item, roll in enumerate(rolls):
        read, predicted = (torch.cat(pieces).numpy() for pieces in zip(*found[item], strict=True))
        np.testing.assert_array_equal(read, roll[:-1])
        np.testing.assert_array_equal(predicted, roll[1:])


def test_training_order_depends_on_seed_and_epoch_and_always_has_as_many_batches(source: Path) -> None:
    task = Music()
    data = task.load(source)

    def order(batching: Batching) -> list[list[int]]:
        batches = task.batches(data, "train", batching)
        return [batch.items.tolist() for batch in batches if batch.items is not None]

    for batching in (WHOLE, CUT, replace(CUT, length=12)):  # all short, all long, some of each
        passes = [order(replace(batching, seed=seed, epoch=epoch)) for seed in (1, 2) for epoch in (1, 2)]
        assert len({str(one) for one in passes}) == 4
        assert len({len(one) for one in passes}) == 1
        assert order(batching) == order(batching)
    groups = {str(sorted(group)) for epoch in range(3) for group in order(replace(WHOLE, epoch=epoch))}
    assert len(groups) > 8  # of 5 batches an epoch: pieces have other neighbours


def test_long_pieces_are_cut_side_by_side_and_begin_together(source: Path) -> None:
    task = Music()
    data = task.load(source)
    before: list[int] | None = None
    for batch in task.batches(data, "train", CUT):
        assert batch.items is not None
        inputs, _, _ = tensors(batch)
        assert len(inputs) <= 5
        if batch.restarts is None:
            assert batch.items.tolist() == before  # the same pieces go on
        else:
            assert batch.restarts[0].all() and not batch.restarts[1:].any()
        before = batch.items.tolist()


def passed(model: Pianist, batches: Any) -> dict[str, Tensor]:
    """Return each item's statistics over a whole pass, as whoever evaluates adds them up."""
    state, sums = None, dict[str, Tensor]()
    for batch in batches:
        loss, state = model.loss(batch, state)
        for name, values in loss.statistics.items():
            sums.setdefault(name, torch.zeros(99, dtype=torch.float64)).index_add_(
                0, batch.items, values.double()
            )
    return sums


@pytest.mark.parametrize("make_rnn", [lstm, own_lstm])
def test_padding_neighbours_and_cuts_change_nothing(
    source: Path, make_rnn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nats, hits and gradients of each piece are those of the piece read alone, to 1e-12."""
    task = Music()
    data = task.load(source)
    model = made(task, make_rnn).double().eval()
    doubled = lambda batch: replace(
        batch, inputs=tensors(batch)[0].double(), targets=tensors(batch)[1].double()
    )

    def together(steps: int) -> dict[str, Tensor]:
        monkeypatch.setattr("nas_rnn.tasks.music.batching.EVALUATED", steps)
        return passed(model, map(doubled, task.batches(data, "valid", replace(EVALUATION, batch=4))))

    whole, cut = together(512), together(3)
    for item, roll in enumerate(rolls_of(data, "valid")):
        roll_TK = torch.from_numpy(roll.astype(np.float64))
        logits_TK = model.net(roll_TK[:-1, None])[0][:, 0]
        share_TK = torch.where(roll_TK[1:] > 0, logits_TK.sigmoid(), 1 - logits_TK.sigmoid())
        said_TK, sounds_TK = logits_TK > 0, roll_TK[1:] > 0
        expected = {
            "nats": -share_TK.log().sum(),
            "frames": torch.tensor(len(roll) - 1),
            "hits": (said_TK & sounds_TK).sum(),
            "either": (said_TK | sounds_TK).sum(),
        }
        for sums in (whole, cut):
            for name, number in expected.items():
                torch.testing.assert_close(sums[name][item], number.double(), rtol=1e-12, atol=1e-12)
    monkeypatch.undo()
    (batch,) = task.batches(data, "valid", EVALUATION)
    inputs, targets, lengths = tensors(doubled(batch))
    loss, _ = model.loss(doubled(batch), None)
    padded = replace(
        batch,
        inputs=torch.cat([inputs, inputs.new_full((3, *inputs.shape[1:]), 7.0)]),
        targets=torch.cat([targets, targets.new_full((3, *targets.shape[1:]), 1.0)]),
    )
    other, _ = model.loss(padded, None)
    assert other.count == loss.count == int(lengths.sum())
    ours, theirs = (torch.autograd.grad(one.total, [*model.parameters()]) for one in (loss, other))
    for one, another in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, another, rtol=1e-12, atol=1e-12)


def test_a_state_goes_on_within_a_piece_and_never_into_the_next(source: Path) -> None:
    task = Music()
    model = made(task).eval()
    first, second, *_ = task.batches(task.load(source), "train", CUT)
    assert first.restarts is not None and second.restarts is None
    _, state = model.loss(first, None)
    goes_on, _ = model.loss(second, state)
    anew, _ = model.loss(second, None)
    assert goes_on.total.item() != anew.total.item()
    torch.testing.assert_close(model.loss(first, state)[0].total, model.loss(first, None)[0].total)
    assert model.loss(first, (torch.zeros(1),))[0].count > 0  # a state of other columns is not looked at


def test_the_training_loss_is_the_mean_over_frames(source: Path) -> None:
    task = Music()
    model = made(task).eval()
    batch = next(task.batches(task.load(source), "train", WHOLE))
    loss, _ = model.loss(batch, None)
    assert loss.total.detach().item() == pytest.approx(
        float(loss.statistics["nats"].detach().sum()) / loss.count, rel=1e-6
    )
    assert model.train().loss(batch, None)[0].statistics == {}


def test_the_probe_is_the_loss_of_each_last_frame(source: Path) -> None:
    task = Music()
    data = task.load(source)
    model = made(task).eval()
    batch = next(task.batches(data, "train", WHOLE))
    inputs, targets, lengths = tensors(batch)
    probe = model.probe(batch)["net.rnn"]
    logits, _ = model.net(inputs)
    expected = [
        nn.functional.binary_cross_entropy_with_logits(
            logits[length - 1, column], targets[length - 1, column], reduction="sum"
        )
        for column, length in enumerate(lengths.tolist())
    ]
    torch.testing.assert_close(probe.loss, torch.stack(expected).mean())
    ended = replace(batch, lengths=lengths.clone().index_fill_(0, torch.tensor([0]), 0))
    torch.testing.assert_close(model.probe(ended)["net.rnn"].loss, torch.stack(expected[1:]).mean())


def test_a_figure_weighs_pieces_by_their_frames() -> None:
    nats, accuracy = Music.metrics
    statistics = {
        "nats": np.array([10.0, 90.0]),
        "frames": np.array([1.0, 9.0]),
        "hits": np.array([1.0, 2.0]),
        "either": np.array([2.0, 4.0]),
    }
    assert figure_of(nats, statistics) == 10.0
    assert figure_of(accuracy, statistics) == 50.0
    totals = {name: values.sum() for name, values in statistics.items()}
    numeric = super(type(ACCURACY), ACCURACY).gradient(totals)
    for name, slope in ACCURACY.gradient(totals).items():
        assert slope == pytest.approx(numeric[name], rel=1e-6)
    assert math.isnan(ACCURACY.value({"hits": np.array(0.0), "either": np.array(0.0)}))


def test_floors_by_hand() -> None:
    parts: dict[Any, Any] = {
        "train": packed([from_numbers([[60], [60], [60, 62], [62]]), from_numbers([[60], []])]),
        "test": packed([from_numbers([[60], [60], [62]]), from_numbers([[], [60]])]),
    }
    floors = Music().floors(TaskData(parts))
    single, held = floors["frequency of each note"], floors["notes held as often as in training"]
    # Of 4 predicted frames 60 sounds in 2, 62 in 2, all others in none; each count begins at one of two.
    rest = 86 * math.log(5 / 6)
    per_frame = -(math.log(1 / 2) + math.log(1 / 2) + rest)
    np.testing.assert_allclose(single["nats"], [2 * per_frame, per_frame])
    assert single["frames"].tolist() == [2, 1] and single["hits"].tolist() == [0, 0]
    # After silence: 1 beginning in 346 chances; after sounding: 3 of 6 go on.
    off, on = (1 + 1) / (4 * 88 - 5 + 2), (2 + 1 + 1) / (4 + 1 + 2)
    share = lambda before, after, count: (after + (on if before else off)) / (count + 1)
    on_60, off_62, off_60 = share(True, 2, 4), share(False, 1, 3), share(False, 0, 0)
    others = 86 * math.log(1 - share(False, 0, 4))
    first = math.log(on_60) + math.log(1 - off_62) + others
    second = math.log(1 - on_60) + math.log(off_62) + others
    third = math.log(off_60) + math.log(1 - off_62) + others
    np.testing.assert_allclose(held["nats"], [-first - second, -third])
    assert np.isfinite(held["nats"]).all()


def test_it_learns_what_no_table_of_notes_knows(source: Path) -> None:
    task = Music()
    data = task.load(source)
    statistics = trained(task, data, learning_rate=0.03, batch=8, epochs=30)
    nats, accuracy = (figure_of(metric, statistics) for metric in task.metrics)
    floors = [figure_of(task.metrics[0], floor) for floor in task.floors(data).values()]
    assert nats is not None and nats < 0.5 * min(floor for floor in floors if floor is not None)
    assert accuracy is not None and accuracy > 60.0


def test_notes_that_only_the_test_part_has_are_named(tmp_path: Path) -> None:
    low, high = from_numbers([[60]] * 4), from_numbers([[60, 61]] * 4)
    path = write_mat(tmp_path / "x.mat", [[low], [low[:3]], [high]])
    (notice,) = Music().notices(Music().load(path))
    assert "some notes are not in the training part" in notice
    assert "50 % of the notes of the test part are 'C#4' (4)" in notice


def test_a_fresh_test_part_is_whole_pieces_of_training(source: Path) -> None:
    task = Music()
    data = task.load(source)
    fresh = task.fresh_test(data, 30, 35)
    assert [len(rolls_of(fresh, part)) for part in ("train", "test")] == [30, 5]
    for one, other in zip(rolls_of(fresh, "test"), rolls_of(data, "train")[30:35], strict=True):
        np.testing.assert_array_equal(one, other)


# Previews


def shown(source: Path, known: Mapping[str, Any] | None = None, **how: Any) -> Any:
    task = Music()
    meta = json.loads(json.dumps(known or task.load(source).meta))  # all that there is of a saved model
    seed = how.pop("seed", 1)
    options = PreviewOptions(**{"length": 20} | how)
    return task.preview(made(task), TaskData({}, meta), seed=seed, options=options)


def test_a_preview_goes_on_with_a_validation_piece(source: Path) -> None:
    preview = shown(source)
    assert preview == shown(source) != shown(source, seed=2)
    assert "of valid " in preview.text and "the model goes on for 20 frames" in preview.text
    assert set(preview.files) == {"roll.png", "sample.mid"}
    assert preview.files["roll.png"].startswith(b"\x89PNG")
    notes, ticks = read_midi(Path("sample.mid"), preview.files["sample.mid"])
    written = roll_of(notes, Fraction(ticks), "x")[0]
    data = Music().load(source)
    start = next(piece.roll for piece in examples(data.meta) if piece.name in preview.text.split(" (")[0])
    given = int(preview.text.split()[1])
    np.testing.assert_array_equal(written[:given], start[:given])
    valid = rolls_of(data, "valid")
    assert all(any(np.array_equal(one.roll, roll) for roll in valid) for one in examples(data.meta))


def test_a_prompt_spells_frames(source: Path) -> None:
    preview = shown(source, prompt="C4 E4 67 | - | c5", length=2, temperature=0.0)
    assert preview.text.startswith("after the prompt (to the left of |) the model goes on for 2 frames:")
    rows = {line.split()[0]: line.split()[1] for line in preview.text.splitlines()[1:] if "|" in line[:9]}
    assert {name: row[:3] for name, row in rows.items() if "█" in row[:3]} == {
        "C4": "█··",
        "E4": "█··",
        "G4": "█··",
        "C5": "··█",
    }
    assert "\n" not in shown(source, prompt="-", length=0).text.strip()


def test_sampling_follows_the_models_own_shares(source: Path) -> None:
    """Frames are read one by one as they would be in a row; what is drawn is as frequent as its share."""
    net = made(Music()).eval().net
    with torch.no_grad():
        net.output.bias += 1.0
    random = torch.get_rng_state()
    start = prompted("C4 | E4")
    written = write(net, start, length=30, temperature=1.0, seed=3)
    assert torch.equal(random, torch.get_rng_state())
    with torch.no_grad():
        logits, _ = net(torch.from_numpy(written.roll.astype(np.float32))[:, None])
    np.testing.assert_allclose(written.shares[1:], logits[:-1, 0].sigmoid().numpy(), atol=1e-5)
    drawn, expected = written.roll[2:].sum(), written.shares[2:].sum()
    assert abs(drawn - expected) < 4 * math.sqrt(expected)
    sure = write(net, start, length=30, temperature=0.0, seed=3)
    np.testing.assert_array_equal(sure.roll[2:], sure.shares[2:] > 0.5)
    cold = write(net, start, length=30, temperature=0.01, seed=3)
    assert (cold.roll[2:] == (cold.shares[2:] > 0.5)).mean() > 0.97
    assert len(write(net, start, length=0, temperature=1.0, seed=3).roll) == 2


def test_a_preview_has_a_bound_and_does_without_mido(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mido", None)
    preview = shown(source, length=10**9)
    assert f"goes on for {MOST_WRITTEN} frames" in preview.text and "more frames" in preview.text
    assert set(preview.files) == {"roll.png"}


def test_a_preview_leaves_the_model_as_it_was(source: Path) -> None:
    task = Music()
    data = task.load(source)
    model = made(task).train()
    task.preview(model, data.without("test"), seed=1, options=PreviewOptions(length=2))
    assert model.training


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (
            {"prompt": "C4 H4"},
            "'H4' in frame 1 of the prompt is no note of a piano, A0 to C8 or 21 to 108; give fr",
        ),
        ({"prompt": "C4 | 109"}, "'109' in frame 2 of the prompt is no note of a piano"),
        ({"prompt": "C4 || C4"}, "frame 2 of the prompt is empty; write - for silence"),
        ({"prompt": "|".join(["C4"] * 257)}, "the prompt has 257 frames, more than 256"),
        ({"temperature": -1.0}, "temperature must be a number of at least 0"),
        ({"temperature": math.nan}, "temperature must be a number of at least 0"),
        ({"length": -1}, "the length of a preview must be at least 0; got -1"),
    ],
)
def test_preview_mistakes(source: Path, how: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        shown(source, **how)


def test_an_exported_net_reads_notes_and_goes_on_from_its_state(tmp_path: Path) -> None:
    whole = trained_on(Music(pieces=20, embedding=4))
    write_whole(whole, tmp_path)
    bundle = whole.task_model
    assert bundle is not None
    frames = [[60, 64, 67], [59, 62, 67], []]
    with torch.no_grad():
        expected, _ = bundle.model.eval()(
            torch.from_numpy(from_numbers(frames).astype(np.float32))[:, None], None
        )
    printed = alone(
        "import torch\nfrom mine import LOWEST, NOTES, load_model, roll\n"
        f"inputs = roll({frames}, LOWEST, NOTES).unsqueeze(1)\n"
        "net = load_model().eval()\nfirst, state = net(inputs[:1], None)\nrest, _ = net(inputs[1:], state)\n"
        "print(torch.cat([first, rest]).tolist())",
        tmp_path,
    )
    np.testing.assert_allclose(np.array(json.loads(printed)), expected.numpy(), rtol=1e-4, atol=1e-5)
