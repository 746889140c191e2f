"""Task glimpses where each picture has its own places: the retina, the policy and its gradient, that it learns."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.execution import RNN
from nas_rnn.export import export_files
from nas_rnn.tasks import Batch, Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.glimpses import Glimpses
from nas_rnn.tasks.glimpses.attention import SLOW, AttentionModel
from nas_rnn.tasks.glimpses.places import random_places, side_of_look
from nas_rnn.tasks.glimpses.policy import POLICY, Attender
from nas_rnn.testing.tasks import check_task
from tests.export.cases import alone, trained_on, write_whole
from tests.tasks.picture_files import idx, write_mnist
from tests.tasks.small_runs import trained


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_mnist(tmp_path)


def lstm(input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return nn.LSTM(input_size, 8, bidirectional=bidirectional)


def net(**sizes: Any) -> AttentionModel:
    torch.manual_seed(0)
    given = {"patch": 2, "scales": 1, "looks": 4, "features": 6, "classes": 3} | sizes
    return AttentionModel(lstm, **given).double()


@pytest.mark.parametrize(
    "options",
    [
        {"order": "learned"},
        {"order": "random"},
        {"order": "learned", "scales": 2, "answer": "mean"},
        {"order": "learned", "looks": 1},
    ],
)
def test_it_keeps_what_a_task_must(source: Path, options: dict[str, Any]) -> None:
    assert check_task(partial(Glimpses, **options), source) == []


def centre(first: int, side: int, of: int) -> float:
    """Return the place of a look whose first pixel is ``first``."""
    return (2 * first + side) / of - 1


@pytest.mark.parametrize(("top", "left"), [(0, 0), (3, 5), (6, 4)])
def test_a_look_is_the_pixels_at_its_place(top: int, left: int) -> None:
    pictures = torch.rand(2, 8, 9, dtype=torch.float64)
    places = torch.tensor(
        [[centre(top, 2, 8), centre(left, 2, 9)], [centre(1, 2, 8), centre(7, 2, 9)]]
    ).double()
    seen = net().retina(pictures, places)
    wanted = torch.stack([pictures[0, top : top + 2, left : left + 2], pictures[1, 1:3, 7:9]]).flatten(1)
    torch.testing.assert_close(seen, wanted)


def test_between_pixels_it_is_their_weighted_mean_and_beyond_the_edge_the_border_goes_on() -> None:
    picture = torch.arange(36, dtype=torch.float64).view(1, 6, 6)
    half = torch.tensor([[centre(2, 2, 6) + 1 / 6, centre(3, 2, 6)]]).double()  # half a pixel further down
    expected = (picture[:, 2:4, 3:5] + picture[:, 3:5, 3:5]) / 2
    torch.testing.assert_close(net().retina(picture, half), expected.flatten(1))
    corner = net().retina(picture, torch.tensor([[-1.0, 1.0]]).double())
    torch.testing.assert_close(
        corner, torch.full((1, 4), 5.0, dtype=torch.float64)
    )  # the last pixel of row 0


def test_a_further_scale_sees_twice_as_far_with_half_the_detail() -> None:
    pictures = torch.rand(3, 8, 8, dtype=torch.float64)
    seen = net(scales=3).retina(pictures, torch.zeros(3, 2, dtype=torch.float64))
    fine, coarse, whole = seen.view(3, 3, 2, 2).unbind(1)
    torch.testing.assert_close(fine, pictures[:, 3:5, 3:5])
    torch.testing.assert_close(coarse, F.avg_pool2d(pictures[:, None, 2:6, 2:6], 2)[:, 0])
    torch.testing.assert_close(whole, F.avg_pool2d(pictures[:, None], 4)[:, 0])


def test_looks_go_on_from_one_another_as_they_are_written_out() -> None:
    own = net(dropout=0.5).eval()
    pictures = torch.rand(5, 7, 7, dtype=torch.float64)
    looked, state, place = own.look(pictures), None, torch.zeros(5, 2, dtype=torch.float64)
    assert own.policy is not None and own.path is not None
    for number in range(4):
        torch.testing.assert_close(looked.places_TB2[number], place)
        seen = torch.relu(own.pixels(own.retina(pictures, place)) + own.place(place))
        hidden, state = own.rnn(seen[None], state)
        torch.testing.assert_close(looked.hidden_TBN[number], hidden[0])
        place = torch.tanh(SLOW * own.policy(hidden[0]) + own.path[min(number, 2)])
    torch.testing.assert_close(own(pictures)[0], own.output(looked.hidden_TBN[-1]))
    own.mean = True
    torch.testing.assert_close(own(pictures)[0], own.output(looked.hidden_TBN.mean(0)))


def test_places_are_drawn_in_training_alone(source: Path) -> None:
    own, pictures = net(), torch.rand(500, 7, 7, dtype=torch.float64)
    random = torch.get_rng_state()
    first, again = (own.eval().look(pictures).places_TB2 for _ in range(2))
    assert torch.equal(first, again) and torch.equal(random, torch.get_rng_state())
    looked = own.train().look(pictures)
    off = (looked.places_TB2[1:] - looked.proposed_TB2[1:]).detach()
    assert float(off.std()) == pytest.approx(own.spread, rel=0.05) and abs(float(off.mean())) < 0.01
    assert not looked.places_TB2[0].any()
    assert not looked.places_TB2.requires_grad


def test_the_policy_s_gradient_is_that_of_reinforce() -> None:
    """Against the rule written out: reward less expectation, times the derivative of the log-density."""
    own = net()
    model = Attender(own).train()
    assert own.policy is not None and own.path is not None and own.expected is not None
    pictures, labels = torch.rand(40, 7, 7, dtype=torch.float64), torch.arange(40) % 3
    batch = Batch(inputs=pictures, targets=labels)
    torch.manual_seed(3)
    looked = own.look(pictures)
    torch.manual_seed(3)
    loss, _ = model.loss(batch, None)
    loss.total.backward()  # type: ignore[no-untyped-call]
    reward = own.answer(looked.hidden_TBN)[-1].detach().softmax(-1)[torch.arange(40), labels]
    wanted, hidden = torch.zeros_like(own.policy.bias), looked.hidden_TBN.detach()
    expected = own.expected(hidden)[..., 0].detach()
    for picture in range(40):
        for step in range(1, own.looks):
            proposed = torch.tanh(SLOW * own.policy(hidden[step - 1, picture]) + own.path[step - 1]).detach()
            surprise = float(reward[picture]) - float(expected[step - 1, picture])
            density = (looked.places_TB2[step, picture] - proposed) / own.spread**2
            wanted -= surprise * density * (1 - proposed**2) * SLOW / 40
    assert own.policy.bias.grad is not None
    torch.testing.assert_close(own.policy.bias.grad, POLICY * wanted)


def test_a_single_look_needs_no_policy(source: Path) -> None:
    task = Glimpses(order="learned", looks=1)
    data = task.load(source)
    model = task.build(data.meta, lstm, Regularisation(dropout=0.0)).train()
    loss, _ = model.loss(next(task.batches(data, "train", Batching(batch=8, length=1, seed=0))), None)
    assert loss.shown is not None and torch.equal(loss.total, loss.shown) and bool(loss.total.isfinite())


def test_neither_the_answer_teaches_the_policy_nor_the_policy_the_layers() -> None:
    own = net()
    model = Attender(own).train()
    batch = Batch(inputs=torch.rand(9, 7, 7, dtype=torch.float64), targets=torch.arange(9) % 3)
    torch.manual_seed(3)
    logits = own.answer(own.look(batch.inputs).hidden_TBN)[-1]
    layers = {
        name: tensor
        for name, tensor in own.named_parameters()
        if not name.startswith(("policy", "path", "expected"))
    }
    answer = F.cross_entropy(logits, torch.arange(9) % 3)
    alone_ = torch.autograd.grad(answer, [*layers.values(), own.policy.bias], allow_unused=True)  # type: ignore[union-attr]
    assert alone_[-1] is None
    torch.manual_seed(3)
    loss, _ = model.loss(batch, None)
    assert loss.shown is not None and float(loss.shown) == pytest.approx(float(answer.detach()))
    for wanted, found in zip(alone_, torch.autograd.grad(loss.total, list(layers.values())), strict=False):
        torch.testing.assert_close(found, wanted)


def test_random_places_are_others_in_each_epoch_and_the_same_in_evaluation(source: Path) -> None:
    task = Glimpses(order="random", looks=5)
    data = task.load(source)

    def places(part: Any, size: int, **how: Any) -> Tensor:
        batches = list(task.batches(data, part, Batching(batch=size, length=1, **how)))
        items = torch.cat([batch.items for batch in batches if batch.items is not None])
        found = torch.cat([batch.inputs["places"] for batch in batches], dim=1)  # type: ignore[index]
        return found[:, items.argsort()]

    first, again = places("test", 8), places("test", 7)
    assert torch.equal(first, again) and first.shape == (5, 20, 2)
    assert not first[0].any() and float(first.abs().max()) <= 1.0
    assert len(first[1:].flatten(0, 1).unique(dim=0)) == 4 * 20
    epochs = [places("train", 8, seed=1, epoch=epoch) for epoch in (0, 1, 1)]
    assert not torch.equal(epochs[0], epochs[1]) and torch.equal(epochs[1], epochs[2])
    assert abs(float(torch.from_numpy(random_places(500, 9, 0))[1:].mean())) < 0.05


def signposts(folder: Path, count: int) -> Path:
    """Write pictures whose middle says whether the class stands above or below; the other place shows any class."""
    random = np.random.default_rng(5)
    pixels = random.integers(0, 40, size=(count, 12, 12))
    labels, decoys, below = (random.integers(0, 2, count) for _ in range(3))
    for picture, label, decoy, side in zip(pixels, labels, decoys, below, strict=True):
        picture[5:7, 5:7] = 255 * side
        for number, top in ((label, 2 + 5 * side), (decoy, 2 + 5 * (1 - side))):
            picture[top : top + 3, 7:11] = 255 * number
    for name, array in (("images-idx3-ubyte", pixels), ("labels-idx1-ubyte", labels)):
        (folder / name).write_bytes(idx(array))
    return folder


@pytest.mark.parametrize(
    ("order", "epochs", "least", "most"), [("learned", 60, 90.0, 100.0), ("random", 15, 50.0, 75.0)]
)
def test_the_policy_learns_to_look_where_the_answer_is(
    tmp_path: Path, order: str, epochs: int, least: float, most: float
) -> None:
    """Two looks, of which the first says where the second finds the class: no fixed place does."""
    task = Glimpses(order=order, looks=2, patch=2, embedding=16)
    data = task.load(signposts(tmp_path, 800))
    statistics = trained(task, data, 24, batch=16, learning_rate=0.01, epochs=epochs)
    assert least <= np.mean(statistics["correct"]) <= most


@pytest.mark.parametrize("order", ["learned", "random"])
def test_gradient_flow_goes_through_every_look(source: Path, order: str) -> None:
    from nas_rnn.training.gradient_flow import model_flows

    task = Glimpses(order=order, looks=3)
    data = task.load(source)
    torch.manual_seed(0)
    model = task.build(data.meta, lambda size: RNN("lstm", size, 5, backend="eager"), Regularisation())
    (flow,) = model_flows(
        model, next(iter(task.batches(data, "valid", Batching(batch=4, length=1)))), weights="fresh"
    )
    assert flow.steps == 3
    assert all(norm for norm in flow.paths[0].norms[:-1])


@pytest.mark.parametrize("order", ["learned", "random"])
def test_previews_draw_each_picture_s_places(source: Path, order: str) -> None:
    task = Glimpses(order=order)
    data = task.load(source)
    torch.manual_seed(0)
    model = task.build(data.meta, lstm, Regularisation(dropout=0.5)).train()
    random = torch.get_rng_state()
    first, again = (task.preview(model, data, seed=1, options=PreviewOptions(length=500)) for _ in range(2))
    assert first == again and model.training and torch.equal(random, torch.get_rng_state())
    assert set(first.files) == {"confusion.png", "looks.png"}
    assert first.text.count("the answer after each look: ") == 3
    saved = TaskData({}, json.loads(json.dumps(data.meta)))
    kept = task.preview(model, saved, seed=1, options=PreviewOptions(length=500))
    assert kept.text == first.text and kept.files == {}


def test_an_export_looks_where_the_model_does(tmp_path: Path) -> None:
    task = Glimpses(order="learned", looks=3)
    whole = trained_on(task)
    write_whole(whole, tmp_path)
    bundle = whole.task_model
    assert bundle is not None
    pictures = task.load(None).part("test")["pictures"][:3]
    inputs = task._reading(bundle.meta).inputs(pictures, (0,))(np.arange(3))
    with torch.no_grad():
        expected, _ = bundle.model.eval()(inputs, None)
    printed = alone(
        "import torch\nfrom mine import DEVIATION, MEAN, load_model, normalised\n"
        f"pictures = torch.tensor({pictures.tolist()})\n"
        "print(load_model().eval()(normalised(pictures, MEAN, DEVIATION), None)[0].tolist())",
        tmp_path,
    )
    np.testing.assert_allclose(np.array(json.loads(printed)), expected.numpy(), rtol=1e-4, atol=1e-5)


def test_onnx_needs_layers_that_read_a_sequence_in_one_call() -> None:
    with pytest.raises(NasRnnError, match=r"here they are called 3 times\. --format torch has all of it"):
        export_files(trained_on(Glimpses(order="learned", looks=3)), "onnx", Path("x.onnx"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"order": "random", "patch": 7},
            r"patch=7 is larger than pictures of 6 x 6 pixels; use at most patch=6",
        ),
        ({"order": "learned", "patch": 4, "scales": 3}, r"would see 16 pixels a side.*use at most scales=2"),
    ],
)
def test_options_that_do_not_fit_are_told(source: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Glimpses(**options).load(source)


def test_a_look_has_as_many_pixels_as_in_the_paper_unless_it_is_told() -> None:
    assert side_of_look(28, 28, 0, 1) == 8
    assert [side_of_look(8, 8, 0, 1), side_of_look(1, 40, 0, 1), side_of_look(20, 30, 5, 3)] == [3, 1, 5]
