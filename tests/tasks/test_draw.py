"""Task draw: its pieces, masks, model, scores, floors, drawings and exports, its data, and that it learns."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.export import export_files
from nas_rnn.export.onnx_file import onnx_bytes
from nas_rnn.tasks import Batch, Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.tasks.draw import Draw
from nas_rnn.tasks.draw.floors import after_the_left, by_position
from nas_rnn.tasks.draw.model import Drawer
from nas_rnn.tasks.draw.net import DrawNet
from nas_rnn.tasks.draw.pieces import levels_of, pieces, quantised
from nas_rnn.tasks.draw.sampling import draw_pieces
from nas_rnn.tasks.metric import figure_of
from nas_rnn.testing.tasks import check_task
from tests.export.cases import ROOT, alone, trained_on
from tests.tasks.picture_files import bars, idx, write_mnist
from tests.tasks.small_runs import trained

WAYS = [{"by": "pixel"}, {"by": "row"}, {"by": "patch", "side": 3}]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_mnist(tmp_path)


def lstm(input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return nn.LSTM(input_size, 10, bidirectional=bidirectional)


def own_lstm(input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return RNN("lstm", input_size, 10, bidirectional=bidirectional, backend="eager")


def made(task: Draw, data: TaskData, make_rnn: Any = lstm) -> Drawer:
    torch.manual_seed(0)
    return task.build(data.meta, make_rnn, Regularisation(dropout=0.5))


@pytest.mark.parametrize("options", [*WAYS, {"by": "pixel", "levels": 3}])
def test_it_keeps_what_a_task_must(source: Path, options: dict[str, Any]) -> None:
    assert check_task(partial(Draw, **options), source) == []


def test_the_embedded_digits_keep_it_too_in_any_size() -> None:
    assert check_task(partial(Draw, by="row", size=12)) == []


# Pieces and levels


@pytest.mark.parametrize(
    ("by", "side", "shape"), [("pixel", 0, (24, 1)), ("row", 0, (4, 6)), ("patch", 2, (6, 4))]
)
def test_pieces_are_drawn_line_by_line_and_join_to_the_picture(
    by: str, side: int, shape: tuple[int, int]
) -> None:
    own = pieces(4, 6, by, side)
    assert own.pixels_TP.shape == shape
    assert sorted(own.pixels_TP.ravel().tolist()) == list(range(24))
    pictures = np.random.default_rng(0).integers(0, 9, (5, 4, 6)).astype(np.uint8)
    cut = own.cut(pictures)
    assert cut.shape == (shape[0], 5, shape[1])
    np.testing.assert_array_equal(own.joined(cut, 4, 6), pictures)
    for (row, column), piece in zip(own.places_T2.tolist(), cut[:, 0], strict=True):
        high, wide = {"pixel": (1, 1), "row": (1, 6), "patch": (2, 2)}[by]
        corner = pictures[0, row * high : (row + 1) * high, column * wide : (column + 1) * wide]
        np.testing.assert_array_equal(piece, corner.ravel())


def test_a_patch_has_the_side_that_fits_nearest_to_four() -> None:
    assert [pieces(*size, "patch").pixels_TP.shape[1] for size in ((8, 8), (28, 28), (6, 9), (7, 5))] == [
        16,
        16,
        9,
        1,
    ]


def test_levels_are_alike_wide_and_few_ones_are_kept() -> None:
    assert [levels_of(*one) for one in ((17, 16, 0), (256, 255, 0), (33, 255, 2), (32, 255, 0))] == [
        17,
        16,
        2,
        32,
    ]
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    found = quantised(every, np.arange(256), 16)
    assert (
        np.bincount(found.ravel()).tolist() == [16] * 16 and (np.diff(found.ravel().astype(int)) >= 0).all()
    )
    np.testing.assert_array_equal(quantised(every[:, :1], np.arange(17), 17), every[:, :1])
    greys = np.array([0, 3, 255], dtype=np.uint8)
    np.testing.assert_array_equal(np.bincount(quantised(every, greys, 3).ravel()), [2, 128, 126])
    np.testing.assert_array_equal(np.bincount(quantised(every, greys, 2).ravel()), [128, 128])
    np.testing.assert_array_equal(quantised(every, greys, 256), every)
    np.testing.assert_array_equal(np.bincount(quantised(every, np.arange(64), 16).ravel())[:15], [4] * 15)


@pytest.mark.parametrize(
    ("greys", "options", "levels"),
    [
        (range(17), {}, 17),
        ([0, 255], {}, 2),
        ([0, 7, 255], {}, 3),
        ([0, 7, 255], {"levels": 2}, 2),
        (range(33), {}, 16),
    ],
)
def test_the_greys_that_there_are_count(
    tmp_path: Path, greys: Sequence[int], options: dict[str, int], levels: int
) -> None:
    places = np.random.default_rng(0).integers(len(greys), size=(60, 6, 6))
    (tmp_path / "images-idx3-ubyte").write_bytes(idx(np.array(greys)[places]))
    data = Draw(**options).load(tmp_path)
    assert data.meta["levels"] == levels
    if levels == len(greys):
        np.testing.assert_array_equal(data.part("train")["levels"], places[:42])


def test_pictures_of_one_grey_leave_nothing_to_draw(tmp_path: Path) -> None:
    (tmp_path / "images-idx3-ubyte").write_bytes(idx(np.full((60, 6, 6), 9)))
    with pytest.raises(UserError, match="the training pictures are of one even grey"):
        Draw().load(tmp_path)


# Batches and the model


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("length", [64, 5])
def test_every_pixel_is_drawn_once_after_the_piece_before_it(
    source: Path, options: dict[str, Any], length: int
) -> None:
    task = Draw(**options)
    data = task.load(source)
    found: dict[int, list[tuple[Tensor, ...]]] = {}
    for batch in task.batches(data, "train", Batching(batch=16, length=length, seed=1)):
        assert (
            batch.items is not None and isinstance(batch.inputs, dict) and isinstance(batch.targets, Tensor)
        )
        begins = not all(int(item) in found for item in batch.items)
        assert (batch.restarts is not None) == begins
        if batch.restarts is not None:
            assert batch.restarts[0].all() and not batch.restarts[1:].any()
        assert len(batch.targets) <= length and torch.equal(batch.targets, batch.inputs["piece"])
        for column, item in enumerate(batch.items.tolist()):
            own = (batch.targets, batch.inputs["before"], batch.inputs["place"])
            found.setdefault(item, []).append(tuple(tensor[:, column] for tensor in own))
    levels, own = data.part("train")["levels"], task._pieces(data.meta)
    assert sorted(found) == list(range(len(levels)))
    for item, parts in found.items():
        targets, before, place = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
        np.testing.assert_array_equal(own.joined(targets[:, None].astype(np.uint8), 6, 6)[0], levels[item])
        assert (before[0] == data.meta["levels"]).all()
        np.testing.assert_array_equal(before[1:], targets[:-1])
        np.testing.assert_array_equal(place, own.places_T2)


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize(("evaluated", "widths"), [(1024, [10]), (150, [4, 4, 2]), (71, [1] * 10)])
def test_small_pictures_are_evaluated_many_at_once(
    source: Path,
    options: dict[str, Any],
    evaluated: int,
    widths: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 36 pixels as many as have no more pixels than there may be pieces of one picture."""
    monkeypatch.setattr("nas_rnn.tasks.draw.task.EVALUATED", evaluated)
    task = Draw(**options)
    batches = task.batches(task.load(source), "valid", Batching(batch=1, length=64))
    assert [len(batch.items) for batch in batches if batch.items is not None] == widths


def test_training_order_depends_on_seed_and_epoch(source: Path) -> None:
    task = Draw(by="row")
    data = task.load(source)

    def order(seed: int, epoch: int) -> list[int]:
        batches = task.batches(data, "train", Batching(batch=16, length=64, seed=seed, epoch=epoch))
        return [int(item) for batch in batches if batch.items is not None for item in batch.items]

    orders = [order(1, 1), order(1, 2), order(2, 1)]
    assert len({str(one) for one in orders}) == 3 and order(1, 1) == orders[0]


def passed(model: Drawer, batches: Any) -> dict[str, Tensor]:
    state, sums = None, dict[str, Tensor]()
    for batch in batches:
        loss, state = model.loss(batch, state)
        for name, values in loss.statistics.items():
            sums.setdefault(name, torch.zeros(99, dtype=torch.float64)).index_add_(
                0, batch.items, values.double()
            )
    return sums


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("make_rnn", [lstm, own_lstm])
def test_neighbours_and_cuts_change_nothing(
    source: Path, options: dict[str, Any], make_rnn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bits of each picture are those of the picture drawn alone, pixel by pixel, to 1e-12."""
    task = Draw(**options)
    data = task.load(source)
    model = made(task, data, make_rnn).double().eval()
    whole = passed(model, task.batches(data, "valid", replace(EVALUATION, batch=4)))
    monkeypatch.setattr("nas_rnn.tasks.draw.task.EVALUATED", 2)
    cut = passed(model, task.batches(data, "valid", replace(EVALUATION, batch=3)))
    own, net, levels = task._pieces(data.meta), model.net, data.meta["levels"]
    for item, picture in enumerate(data.part("valid")["levels"]):
        pixels_TP = torch.from_numpy(own.cut(picture[None])[:, 0].astype(np.int64))
        state, bits, before = None, 0.0, torch.full_like(pixels_TP[0], levels)
        for piece, place in zip(pixels_TP, torch.from_numpy(own.places_T2), strict=True):
            hidden, state = net.read(before[None, None], place[None, None], state)
            for pixel, level in enumerate(piece.tolist()):
                known = torch.where(
                    torch.arange(len(piece)) < pixel, piece, 0
                )  # of later ones nothing is known
                shares = net.logits(hidden[0, 0], known)[pixel].softmax(-1)
                bits -= math.log2(float(shares[level].detach()))
            before = piece
        for sums in (whole, cut):
            assert float(sums["bits"][item].detach()) == pytest.approx(bits, rel=1e-12)
            assert float(sums["pixels"][item]) == 36


@pytest.mark.parametrize("options", WAYS)
def test_a_pixel_s_logits_depend_on_those_before_it_alone(source: Path, options: dict[str, Any]) -> None:
    task = Draw(**options)
    data = task.load(source)
    net = made(task, data).double().eval().net
    batch = next(task.batches(data, "train", Batching(batch=1, length=64)))
    assert isinstance(batch.inputs, dict)
    order = task._pieces(data.meta).pixels_TP.ravel().tolist()
    first, _ = net(batch.inputs)
    for number in (0, 7, len(order) - 1):
        changed = batch.inputs["piece"].clone()
        changed.flatten()[number] = (changed.flatten()[number] + 1) % data.meta["levels"]
        moved = dict(
            batch.inputs, piece=changed, before=torch.cat([batch.inputs["before"][:1], changed[:-1]])
        )
        second, _ = net(moved)
        differ = (first - second).abs().amax(-1).flatten() > 1e-12
        assert not differ[: number + 1].any()
        assert differ[number + 1 :].any() == (number + 1 < len(order))


def test_a_state_goes_on_within_pictures_and_never_into_the_next(source: Path) -> None:
    task = Draw()
    data = task.load(source)
    model = made(task, data).eval()
    first, second, *_ = task.batches(data, "train", Batching(batch=8, length=20, seed=1))
    _, state = model.loss(first, None)
    assert model.loss(second, state)[0].total.item() != model.loss(second, None)[0].total.item()
    torch.testing.assert_close(model.loss(first, state)[0].total, model.loss(first, None)[0].total)


def test_the_probe_is_the_loss_of_the_last_piece(source: Path) -> None:
    task = Draw(by="row")
    data = task.load(source)
    model = made(task, data).eval()
    batch = next(task.batches(data, "valid", EVALUATION))
    assert isinstance(batch.targets, Tensor)
    logits, _ = model.net(batch.inputs)
    wanted = nn.functional.cross_entropy(logits[-1].flatten(0, 1), batch.targets[-1].flatten())
    torch.testing.assert_close(model.probe(batch)["net.rnn"].loss, wanted)


def test_the_loss_is_the_mean_over_pixels_and_its_bits_those_of_the_metric(source: Path) -> None:
    task = Draw(by="row")
    data = task.load(source)
    model = made(task, data).eval()
    batch = next(task.batches(data, "valid", EVALUATION))
    loss, _ = model.loss(batch, None)
    found = figure_of(
        task.metrics[0], {name: rows.detach().numpy() for name, rows in loss.statistics.items()}
    )
    assert found == pytest.approx(float(loss.total.detach()) / math.log(2), rel=1e-6)
    assert loss.count == 36 * len(loss.statistics["bits"])
    assert model.train().loss(batch, None)[0].statistics == {}


@pytest.mark.parametrize("options", WAYS)
def test_what_is_looked_up_is_what_is_written_out(source: Path, options: dict[str, Any]) -> None:
    """The mean over pixels with its gradients; and what the layers read, to the last bit."""
    task = Draw(**options)
    data = task.load(source)
    batch = next(task.batches(data, "train", Batching(batch=5, length=64, seed=1)))
    assert isinstance(batch.inputs, dict) and isinstance(batch.targets, Tensor)
    before, place = batch.inputs["before"], batch.inputs["place"]
    model = made(task, data).double().train()
    net, levels = model.net, data.meta["levels"]
    net.dropout.p = 0.0

    where = net.row(place[..., 0]) + net.column(place[..., 1])
    seen = nn.functional.one_hot(before[..., 0], levels + 1).double()
    if net.pixels > 1:
        seen = (before.double() * (2 / (levels - 1)) - 1.0).masked_fill(before == levels, 0.0)
    read = list[Tensor]()
    net.rnn.register_forward_pre_hook(lambda module, given: read.append(given[0]))
    hidden, _ = net.rnn(torch.cat([seen, where], dim=-1))
    logits = net.logits(hidden, batch.inputs["piece"]).movedim(-1, 1)
    written_out = nn.functional.cross_entropy(logits, batch.targets, reduction="none").mean()
    wanted = torch.autograd.grad(written_out, list(model.parameters()))
    loss, _ = model.loss(batch, None)
    found = torch.autograd.grad(loss.total, list(model.parameters()))
    assert torch.equal(*read)
    for one, other in zip((loss.total, *found), (written_out, *wanted), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_floors_by_hand() -> None:
    train = np.array([[[0, 1]], [[0, 0]], [[1, 0]]], dtype=np.uint8)
    test = np.array([[[0, 0]], [[1, 1]]], dtype=np.uint8)
    single = by_position(train, test, 2)
    left, right = (2 + 0.5) / 4, (1 + 0.5) / 4  # of 0 at the first place, of 1 at the second
    wanted = [-math.log2(left) - math.log2(1 - right), -math.log2(1 - left) - math.log2(right)]
    np.testing.assert_allclose(single["bits"], wanted)
    assert single["pixels"].tolist() == [2, 2]
    beside = after_the_left(train, test, 2)
    of_0 = (4 + 0.5) / 7
    first, after_0 = (2 + of_0) / 4, (1 + of_0) / 3  # of 0 where a row begins, and after a 0
    after_1 = (0 + 1 - of_0) / 2  # of 1 after a 1
    wanted = [-math.log2(first) - math.log2(after_0), -math.log2(1 - first) - math.log2(after_1)]
    np.testing.assert_allclose(beside["bits"], wanted)


@pytest.mark.parametrize("floor", [by_position, after_the_left])
def test_floors_are_the_same_piece_by_piece(floor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    train, test = (random.integers(0, 5, (count, 3, 4), dtype=np.uint8) for count in (50, 20))
    whole = floor(train, test, 5)
    monkeypatch.setattr("nas_rnn.tasks.draw.floors.PIECE", 40)  # three pictures
    assert all(np.array_equal(own, whole[name]) for name, own in floor(train, test, 5).items())


@pytest.mark.parametrize("options", [*WAYS])
def test_it_learns_what_no_histogram_knows(source: Path, options: dict[str, Any]) -> None:
    task = Draw(levels=2, **options)
    data = task.load(source)
    statistics = trained(task, data, 10, batch=8, learning_rate=0.02, length=64, epochs=25)
    bits = figure_of(task.metrics[0], statistics)
    floors = {name: figure_of(task.metrics[0], floor) for name, floor in task.floors(data).items()}
    assert bits is not None and bits < 0.5 * min(floor for floor in floors.values() if floor is not None)


# Drawings


def test_what_is_drawn_is_as_frequent_as_its_share(source: Path) -> None:
    """Given pieces stay, pieces are read one by one as in a row, and levels come as often as the net says."""
    task = Draw(by="row", levels=3)
    data = task.load(source)
    net, own = made(task, data).eval().net, task._pieces(data.meta)
    given = own.cut(np.repeat(data.part("valid")["levels"][:1], 300, axis=0))[:2]
    random = torch.get_rng_state()
    drawn = draw_pieces(net, own, given, temperature=1.0, seed=3)
    assert torch.equal(random, torch.get_rng_state())
    np.testing.assert_array_equal(drawn[:2], given)
    np.testing.assert_array_equal(drawn, draw_pieces(net, own, given, temperature=1.0, seed=3))
    pieces_TBP = torch.from_numpy(drawn.astype(np.int64))
    before = torch.cat([torch.full_like(pieces_TBP[:1], 3), pieces_TBP[:-1]])
    place = torch.from_numpy(own.places_T2)[:, None].expand(-1, 300, 2)
    with torch.no_grad():
        shares = net({"before": before, "place": place, "piece": pieces_TBP})[0].softmax(-1)[2:]
    for level in range(3):
        count, expected = float((pieces_TBP[2:] == level).sum()), shares[..., level]
        assert abs(count - float(expected.sum())) < 4 * float((expected * (1 - expected)).sum()) ** 0.5
    sure = draw_pieces(net, own, given[:, :2], temperature=0.0, seed=3)
    np.testing.assert_array_equal(sure[:, 0], sure[:, 1])


def shown(task: Draw, source: Path, **how: Any) -> Any:
    data = task.load(source)
    meta = json.loads(json.dumps(data.meta))  # all that there is of a saved model
    seed = how.pop("seed", 1)
    model = made(task, data).train()
    preview = task.preview(model, TaskData({}, meta), seed=seed, options=PreviewOptions(**how))
    assert model.training
    return preview


@pytest.mark.parametrize("options", WAYS)
def test_a_preview_has_drawn_and_completed_pictures(source: Path, options: dict[str, Any]) -> None:
    task = Draw(**options)
    preview = shown(task, source)
    assert preview == shown(task, source) != shown(task, source, seed=2)
    assert set(preview.files) == {"samples.png", "completed.png"}
    assert all(content.startswith(b"\x89PNG") for content in preview.files.values())
    assert preview.text.count("drawn:") == 3 and preview.text.count("completed after the first") == 3
    assert shown(task, source, length=0).text == ""


def test_a_prompt_names_the_class_of_the_halves(source: Path) -> None:
    folder = source / "classes"
    pixels, labels = bars(60)
    for number, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
        place = folder / f"kind {label}" / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place)
    task = Draw(by="row")
    assert shown(task, folder, prompt="kind 1").files != shown(task, folder, prompt="kind 2").files
    with pytest.raises(UserError, match=r"unknown class 'kind'"):
        shown(task, folder, prompt="kind")


def test_preview_mistakes(source: Path) -> None:
    for how, said in (
        ({"temperature": -1.0}, "temperature must be a number of at least 0"),
        ({"length": -1}, "the length of a preview must be at least 0; got -1"),
        ({"prompt": "7"}, "unknown class '7'"),
    ):
        with pytest.raises(UserError, match=said):
            shown(Draw(), source, **how)


# Data


def test_pictures_need_no_labels(tmp_path: Path) -> None:
    pixels, _ = bars(50)
    flat, files = tmp_path / "flat", tmp_path / "idx"
    flat.mkdir(), files.mkdir()
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(flat / f"{number:02}.png")
    (files / "train-images-idx3-ubyte").write_bytes(idx(pixels[:40]))
    (files / "t10k-images-idx3-ubyte").write_bytes(idx(pixels[40:]))
    with pytest.raises(
        UserError, match="the pictures of flat have no classes, so the prompt '7' names none; leave"
    ):
        shown(Draw(), flat, prompt="7")
    counts = {part: len(arrays["levels"]) for part, arrays in Draw().load(flat).parts.items()}
    assert counts == {"train": 35, "valid": 5, "test": 10}
    data = Draw(levels=256).load(files)
    np.testing.assert_array_equal(data.part("test")["levels"], pixels[40:])
    (files / "t10k-images-idx3-ubyte").unlink()
    assert len(Draw().load(files).part("test")["levels"]) == 8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"by": "patch", "side": 4},
            "side=4 does not fit pictures of 6 x 6 pixels: some would never be drawn; use side",
        ),
        ({"size": 65}, r"have 4,225 pieces by pixel, more than 4,096; draw by row or patch"),
        ({"levels": 1}, "levels=1 leaves nothing to draw"),
        ({"train": 81}, "train=81 of 100 pictures"),
    ],
)
def test_options_that_do_not_fit_are_told(source: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Draw(**options).load(source)


def test_more_levels_than_there_are_are_told() -> None:
    with pytest.raises(
        UserError, match="levels=18 is more than the 17 greys of the pictures; use at most levels=17"
    ):
        Draw(levels=18).load(None)


@pytest.mark.parametrize(
    ("made_in", "said"),
    [
        (lambda folder: None, r"holds no pictures; give a folder of pictures, one with a sub-folder"),
        (lambda folder: (folder / "a.png").write_bytes(b"\x89PNG cut"), "cannot read the picture .*a.png"),
        (lambda folder: (folder / "x-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03\0"), "is cut off"),
        (
            lambda folder: [
                (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(bars(9)[0])) for name in ("a", "b")
            ],
            r"cannot tell which IDX files of .* belong together: a-images-idx3-ubyte, b-images-idx3-ubyte; give a fo",
        ),
    ],
)
def test_folders_that_cannot_be_used_are_told(tmp_path: Path, made_in: Any, said: str) -> None:
    made_in(tmp_path)
    with pytest.raises(UserError, match=said):
        Draw().load(tmp_path)


def test_a_fresh_test_part_is_cut_from_training(source: Path) -> None:
    task = Draw()
    data = task.load(source)
    fresh = task.fresh_test(data, 50, 60)
    np.testing.assert_array_equal(fresh.part("test")["levels"], data.part("train")["levels"][50:60])
    assert len(fresh.part("train")["levels"]) == 50


@pytest.mark.parametrize("by", ["pixel", "row"])
def test_an_exported_net_says_the_same_and_goes_on_from_its_state(tmp_path: Path, by: str) -> None:
    task = Draw(by=by)
    whole = trained_on(task)
    for path, content in export_files(whole, "python", tmp_path / "mine.py").items():
        path.write_bytes(content)
    bundle = whole.task_model
    assert bundle is not None
    batch = next(task.batches(task.load(None), "test", Batching(batch=2, length=64)))
    assert isinstance(batch, Batch) and isinstance(batch.inputs, dict)
    with torch.no_grad():
        expected, _ = bundle.model.eval()(batch.inputs, None)
    given = {name: tensor.tolist() for name, tensor in batch.inputs.items()}
    printed = alone(
        f"import torch\nfrom mine import load_model\ninputs = {{k: torch.tensor(v) for k, v in {given!r}.items()}}\n"
        "net = load_model().eval()\nfirst, state = net({k: v[:3] for k, v in inputs.items()}, None)\n"
        "rest, _ = net({k: v[3:] for k, v in inputs.items()}, state)\nprint(torch.cat([first, rest]).tolist())",
        tmp_path,
    )
    np.testing.assert_allclose(np.array(json.loads(printed)), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_the_documented_program_draws_with_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The likeliest pictures are those of torch; with chance they differ."""
    (program,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/tasks/draw.md").read_text(), flags=re.DOTALL
    )
    *defined, printed = program.strip().split("\n")
    assert printed.startswith("print(")
    task = Draw(by="row")
    whole = trained_on(task)
    bundle = whole.task_model
    assert bundle is not None and isinstance(bundle.model, Drawer)
    (tmp_path / "mine.onnx").write_bytes(onnx_bytes(whole))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec("\n".join(defined), names)

    class Sure:
        def gumbel(self, size: tuple[int, int]) -> float:
            return 0.0

    own = task._pieces(bundle.meta)
    nothing = np.empty((0, 3, own.pixels_TP.shape[1]), dtype=np.uint8)
    expected = draw_pieces(bundle.model.net, own, nothing, temperature=0.0, seed=0)
    np.testing.assert_array_equal(names["drawn"](3, own.rows, own.columns, Sure()), expected)
    by_chance = names["drawn"](3, own.rows, own.columns, np.random.default_rng(0))
    assert (by_chance[:, 0] != by_chance[:, 1]).any()


def test_a_net_of_one_pixel_has_no_weights_within_a_piece() -> None:
    names = [name for name, _ in DrawNet(lstm, pixels=1, levels=3, rows=2, columns=2).named_parameters()]
    assert not any(name.startswith("within") for name in names)
