"""Task memory: its series, batches, model, scores, floors and previews, and that it learns."""

import itertools
import json
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nas_rnn.errors import UserError
from nas_rnn.tasks import Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.memory import Memory, figures
from nas_rnn.tasks.memory.batching import batch_of
from nas_rnn.tasks.memory.brackets import BRACKETS, closing, well_formed, whole
from nas_rnn.tasks.memory.classic import adding, copying, parity
from nas_rnn.tasks.memory.model import Rememberer
from nas_rnn.tasks.memory.net import ProbeNet
from nas_rnn.tasks.memory.series import Series
from nas_rnn.tasks.memory.showing import remembered
from nas_rnn.tasks.metric import totals_of
from nas_rnn.testing.tasks import check_task
from tests.tasks.small_runs import trained

SMALL: dict[str, Any] = {"items": 60, "tests": 16, "steps": 12}
KINDS: dict[str, dict[str, Any]] = {
    "adding": SMALL,
    "copy": {**SMALL, "steps": 4, "copied": 3, "shortest": 2},
    "parity": SMALL,
    "dyck": SMALL,
    "whole": {**SMALL, "kind": "dyck", "ask": "whole"},
    "pixels": {"tests": 1000},
}


def made(kind: str, **options: Any) -> tuple[Memory, TaskData]:
    task = Memory(**{"kind": kind, **KINDS[kind], **options})
    return task, task.load(None)


def lstm(input_size: int) -> nn.Module:
    return nn.LSTM(input_size, 6)


def model_of(task: Memory, data: TaskData) -> Rememberer:
    torch.manual_seed(0)
    return task.build(data.meta, lstm, Regularisation()).eval()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of the time; that they are drawn is a test of its own."""
    monkeypatch.setattr(figures, "png", lambda figure: b"\x89PNG")


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_what_a_task_must(kind: str, undrawn: None) -> None:
    assert check_task(partial(Memory, **{"kind": kind, **KINDS[kind]})) == []


def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum() -> None:
    found = adding(np.random.default_rng(1), np.array([10, 3, 2, 10] * 20))
    for inputs, steps, (answer,), length in zip(
        found.inputs, found.steps, found.answers, found.length, strict=True
    ):
        assert steps == length
        first, second = np.flatnonzero(inputs[:, 1])
        assert first < length // 2 <= second < length
        assert answer == pytest.approx(inputs[first, 0] + inputs[second, 0])
        assert not inputs[steps:].any()
        assert ((inputs[:, 0] >= 0) & (inputs[:, 0] < 1)).all()
    marked = {int(place) for row in found.inputs[::4] for place in np.flatnonzero(row[:, 1])}
    assert marked == set(range(10))


def test_copying_is_symbols_a_gap_a_sign_and_room_for_the_answer() -> None:
    found = copying(np.random.default_rng(1), np.array([4, 1]), symbols=5, copied=3)
    blank, sign = 5, 6
    for row, told, length in zip(found.inputs.tolist(), found.answers.tolist(), (4, 1), strict=True):
        wanted = [*told, *[blank] * (length - 1), sign, *[blank] * 3]
        assert row == wanted + [0] * (10 - len(wanted))
    assert found.steps.tolist() == [10, 7]
    assert set(copying(np.random.default_rng(1), np.full(99, 2), symbols=5, copied=3).answers.flat) == set(
        range(5)
    )


def test_parity_is_that_of_the_real_bits() -> None:
    found = parity(np.random.default_rng(1), np.array([5, 9, 1] * 30))
    for row, steps, (odd,) in zip(found.inputs.tolist(), found.steps, found.answers, strict=True):
        assert odd == sum(row) % 2
        assert not any(row[steps:])
    assert 0.3 < found.answers.mean() < 0.7


def words(found: Series) -> list[str]:
    rows = zip(found.inputs.tolist(), found.steps.tolist(), strict=True)
    return ["".join(BRACKETS[number] for number in row[:steps]) for row, steps in rows]


def depth_of(word: str) -> int:
    return max(itertools.accumulate(1 if bracket in "([" else -1 for bracket in word))


def waiting(word: str) -> str:
    """Return what would close the last bracket that is open; fails where one is closed by another kind."""
    open_ones = ""
    for bracket in word:
        if bracket in "([":
            open_ones += ")" if bracket == "(" else "]"
        else:
            assert open_ones.endswith(bracket), word
            open_ones = open_ones[:-1]
    return open_ones[-1]


@pytest.mark.parametrize("depth", [3, 6])
def test_the_bracket_to_close_is_that_of_the_last_open_one(depth: int) -> None:
    found = closing(np.random.default_rng(1), np.array([1, 2, 7, 12] * 60), depth=depth)
    distances = set()
    for word, (kind,), length in zip(words(found), found.answers, found.length, strict=True):
        assert len(word) == length
        assert waiting(word) == ")]"[kind]
        assert depth_of(word) <= depth
        if length == 12:
            distances.add(max(back for back in range(12) if well_formed(word[12 - back :])))
    assert distances == {0, 2, 4, 6, 8, 10}  # as far back as it can be, and all that lies between


def test_words_are_well_formed_or_have_one_bracket_of_the_other_kind() -> None:
    found = whole(np.random.default_rng(1), np.array([2, 8, 11] * 60), depth=3)
    for word, (well,) in zip(words(found), found.answers, strict=True):
        assert well_formed(word) == well
        same = word.replace("[", "(").replace("]", ")")
        assert well_formed(same)
        assert depth_of(same) <= 3
    assert {len(word) for word in words(found)} == {2, 8, 12}
    assert 0.35 < found.answers.mean() < 0.65
    alike = {word.replace("[", "(").replace("]", ")") for word in words(found) if len(word) == 8}
    assert len(alike) == 13  # of 14 words of eight brackets all but the one that nests four deep


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "pixels"])
def test_series_depend_on_the_seed_alone_and_none_stands_in_two_parts(kind: str) -> None:
    _, data = made(kind)
    _, again = made(kind)
    _, other = made(kind, seed=1)
    for part, arrays in data.parts.items():
        for name, array in arrays.items():
            assert np.array_equal(array, again.parts[part][name])
        assert not np.array_equal(arrays["inputs"], other.parts[part]["inputs"])
    keys = {part: Series.of(arrays).keys() for part, arrays in data.parts.items()}
    for one, two in itertools.combinations(keys, 2):
        assert not set(keys[one]) & set(keys[two])
    assert len(set(keys["test"])) == len(keys["test"]) == 32
    lengths = data.part("test")["length"].tolist()
    assert lengths[:4] == [*data.meta["lengths"]] * 2


def test_digits_are_read_pixel_by_pixel_in_one_order_of_the_seed() -> None:
    from sklearn.datasets import load_digits

    _, data = made("pixels")
    assert [len(data.part(part)["steps"]) for part in ("train", "valid", "test")] == [1259, 179, 359]  # type: ignore[arg-type]
    order = np.random.default_rng(0).permutation(64)
    known = {(image.reshape(64)[order] / 16).astype(np.float32).tobytes(): label
             for image, label in zip(load_digits().images, load_digits().target, strict=True)}  # fmt: skip
    test = data.part("test")
    for pixels, (label,) in zip(test["inputs"], test["answers"], strict=True):
        assert known[pixels.tobytes()] == label
    assert set(np.bincount(test["answers"][:, 0])) <= {34, 35, 36, 37}
    assert not np.array_equal(made("pixels", seed=1)[1].part("test")["inputs"], test["inputs"])


@pytest.mark.parametrize("kind", ["adding", "copy", "dyck"])
def test_padding_changes_nothing(kind: str) -> None:
    task, data = made(kind, shortest=3)
    model = model_of(task, data).double()
    batch = next(iter(task.batches(data, "valid", Batching(batch=8, length=1))))
    series = Series.of(data.part("valid"))
    assert isinstance(batch.targets, dict) and batch.items is not None
    whole_model = model.loss(batch, None)[0].statistics["error"]
    for column, item in enumerate(batch.items.tolist()):
        alone = batch_of(series.at([item]))
        assert torch.allclose(
            model.loss(alone, None)[0].statistics["error"][0], whole_model[column], rtol=0, atol=1e-12
        )
        steps = int(series.steps[item])
        assert alone.inputs.shape[0] == steps  # type: ignore[union-attr]
        last, _ = model.net(alone.inputs, None)
        answered, _ = model.answers(alone)
        assert answered.shape == (series.answers.shape[1], 1)
        assert torch.allclose(last, model.net(alone.inputs, None, torch.tensor([steps]))[0])


def test_training_order_depends_on_seed_and_epoch_and_gives_every_series_once() -> None:
    task, data = made("parity", shortest=2)

    def items(seed: int, epoch: int) -> list[int]:
        batches = task.batches(data, "train", Batching(batch=8, length=1, seed=seed, epoch=epoch))
        return [item for batch in batches for item in batch.items.tolist()]  # type: ignore[union-attr]

    assert items(1, 1) == items(1, 1)
    assert items(1, 1) != items(1, 2) != items(2, 2)
    assert sorted(items(1, 1)) == list(range(60))


class Says(nn.Module):
    """A net that answers with fixed outputs."""

    def __init__(self, outputs: torch.Tensor) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, series: Any, state: Any, lengths: Any) -> tuple[torch.Tensor, Any]:
        return self.outputs, "a state"


def test_a_sum_is_solved_when_it_is_less_than_four_hundredths_off() -> None:
    series = adding(np.random.default_rng(1), np.array([4, 8, 8]))
    right = torch.from_numpy(series.answers.T)
    off = torch.tensor([[0.039, -0.041, 0.2]])
    model = Rememberer(Says((right + off)[..., None]), numbers=True, lengths=[4, 8])  # type: ignore[arg-type]
    loss, state = model.eval().loss(batch_of(series), None)
    assert state is None
    assert loss.count == 3
    assert float(loss.total) == pytest.approx((0.039**2 + 0.041**2 + 0.04) / 3, rel=1e-4)
    totals = totals_of({name: values.numpy() for name, values in loss.statistics.items()})
    task, _ = made("adding")
    measures = task.measures({"classes": [], "lengths": [4, 8]})
    values = {metric.name: metric.value(totals) for metric in measures.metrics}
    assert values == pytest.approx(
        {"solved": 100 / 3, "squared_error": float(loss.total), "solved_4": 100.0, "solved_8": 0.0}
    )
    assert measures.metric.margin_at(90.0) == 0.5


def test_a_copy_is_solved_when_all_symbols_are_right() -> None:
    series = copying(np.random.default_rng(1), np.array([3, 3]), symbols=4, copied=3)
    logits = 9.0 * nn.functional.one_hot(torch.from_numpy(series.answers.T.astype(np.int64)), 4).float()
    logits[1, 1] = logits[1, 1].roll(1)
    model = Rememberer(Says(logits), numbers=False, lengths=[3]).eval()  # type: ignore[arg-type]
    loss, _ = model.loss(batch_of(series), None)
    assert loss.count == 6
    assert loss.statistics["solved"].tolist() == [100.0, 0.0]
    assert loss.statistics["answers"].tolist() == [3.0, 3.0]
    assert float(loss.statistics["error"].sum()) == pytest.approx(6 * float(loss.total))
    assert not model.train().loss(batch_of(series), None)[0].statistics


def test_the_probe_is_the_last_answer_alone() -> None:
    series = copying(np.random.default_rng(1), np.array([3, 5]), symbols=4, copied=3)
    task, data = made("copy", symbols=4)
    model = model_of(task, data)
    outputs, steps = model.net(batch_of(series).inputs, None, torch.from_numpy(series.steps))[0], series.steps
    wanted = nn.functional.cross_entropy(
        outputs[-1], torch.from_numpy(series.answers[:, -1].astype(np.int64))
    )
    probe = model.probe(batch_of(series))["net.rnn"]
    assert float(probe.loss.detach()) == pytest.approx(float(wanted.detach()))
    assert probe.lengths is not None
    assert probe.lengths.tolist() == steps.tolist()


def test_symbols_are_read_one_hot_and_numbers_as_they_are() -> None:
    net = ProbeNet(lstm, symbols=3, numbers=0, outputs=2)
    assert net.read(torch.tensor([[2, 0]])).tolist() == [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]
    numbers = torch.rand(4, 2, 2, dtype=torch.float64)
    assert torch.equal(ProbeNet(lstm, symbols=0, numbers=2, outputs=1).double().read(numbers), numbers)


def floor(kind: str, **options: Any) -> dict[str, float]:
    task, data = made(kind, **options)
    ((_, statistics),) = task.floors(data).items()
    totals = totals_of(statistics)
    return {metric.name: metric.value(totals) for metric in task.measures(data.meta).metrics}


def test_floors() -> None:
    values = floor("adding", tests=4000)
    assert values["squared_error"] == pytest.approx(1 / 6, rel=0.05)
    assert values["solved"] == pytest.approx(100 * (0.08 - 0.04**2), abs=1.0)
    assert floor("copy") == pytest.approx(
        {"solved": 100 / 8**3, "cross_entropy": np.log(8), "solved_2": 100 / 8**3, "solved_4": 100 / 8**3}
    )
    assert floor("parity", tests=400, steps=24)["solved"] == pytest.approx(50.0, abs=6.0)
    digits = floor("pixels")
    assert digits["solved"] == pytest.approx(10.0, abs=0.5)
    assert digits["cross_entropy"] == pytest.approx(np.log(10), abs=0.01)


def test_the_commonest_answer_is_that_of_training() -> None:
    task, data = made("parity")
    train = {**data.part("train"), "answers": np.array([[1], [1], [0]], dtype=np.uint8)}
    statistics = task.floors(TaskData({**data.parts, "train": train}, data.meta))["commonest answer"]
    odd = data.part("test")["answers"][:, 0] == 1
    assert statistics["solved"].tolist() == (odd * 100.0).tolist()
    assert statistics["error"] == pytest.approx(-np.log(np.where(odd, 3 / 5, 2 / 5)))


@pytest.mark.parametrize(
    ("options", "words_of_it"),
    [
        ({"kind": "adding", "steps": 1}, "steps of kind=adding must be at least 2; got 1"),
        ({"lengths": "10,x"}, "lengths has 'x', which is no length; give whole numbers"),
        ({"lengths": "10,,20"}, "lengths has ''"),
        ({"lengths": "0"}, "lengths has '0'"),
        ({"lengths": "²"}, "lengths has '²'"),
        ({"lengths": ",".join(map(str, range(2, 40)))}, "lengths has 38 numbers, more than 32"),
        ({"kind": "dyck", "ask": "whole", "steps": 25}, "steps of kind=dyck ask=whole must be even, since"),
        ({"kind": "dyck", "ask": "whole", "shortest": 5}, "shortest of kind=dyck ask=whole must be even"),
        (
            {"kind": "dyck", "ask": "whole", "lengths": "16,15,18"},
            "must be even, .*; got 15, give such as 16",
        ),
        ({"steps": 10, "shortest": 11}, "shortest=11 is more than steps=10; give one of at most 10"),
        ({"steps": 100_000, "items": 1_000_000}, "are more than 500,000,000 steps; use shorter ones"),
        ({"kind": "parity", "steps": 6, "lengths": "6"}, "too few different ones; use larger lengths"),
    ],
)
def test_options_that_cannot_be_met(options: dict[str, Any], words_of_it: str) -> None:
    with pytest.raises(UserError, match=".*".join(words_of_it.split("  "))) as told:
        Memory(**options).load(None)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("copy", "pixels")])
def test_every_length_that_is_asked_is_there(kind: str) -> None:
    task, data = made(kind, steps=14)  # half of it is odd
    assert {*data.part("test")["length"].tolist()} == {*data.meta["lengths"]}
    for figures_of_floor in task.floors(data).values():
        assert all(np.isfinite(values).all() for values in figures_of_floor.values())
        assert all(figures_of_floor[f"of {length}"].sum() == 16 for length in data.meta["lengths"])


def test_a_single_length_may_be_a_number() -> None:
    assert made("adding", lengths=8)[1].meta["lengths"] == [8]


def test_data_are_refused_in_one_line(tmp_path: Any) -> None:
    with pytest.raises(
        UserError, match="draws its series itself and reads no data; leave out --data"
    ) as told:
        Memory().load(tmp_path / "x.csv")
    assert "\n" not in str(told.value)


def test_a_fresh_test_part_has_the_training_length_alone() -> None:
    task, data = made("adding")
    cut = task.fresh_test(data, 40, 60)
    assert cut.meta["lengths"] == [12]
    assert [metric.name for metric in task.measures(cut.meta).metrics] == ["solved", "squared_error"]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("adding", ["] ", "(step ", "answered 0.", "solved"]),
        ("copy", ["·!···", "right is ", "answered "]),
        ("parity", ["0", "1", "right is ", "answered "]),
        ("dyck", ["right is )", "right is ]"]),
        ("pixels", ["|", "right is 8"]),
    ],
)
def test_a_preview_shows_series_with_answers(kind: str, shown: list[str], undrawn: None) -> None:
    task, data = made(kind)
    model = model_of(task, data).train()
    known = TaskData({}, json.loads(json.dumps(data.meta)))  # all that there is of a saved model
    random = torch.get_rng_state()

    def preview(seed: int, **how: Any) -> Any:
        return task.preview(model, known, seed=seed, options=PreviewOptions(**how))

    first = preview(1)
    for piece in shown:
        assert piece in first.text
    assert first == preview(1)
    assert first != preview(2)
    assert first.text.count("answered") == 4
    assert preview(1, length=1).text.count("answered") == 1
    assert set(first.files) == {"jacobians.png"} | ({"lengths.png"} if kind != "pixels" else set())
    assert ("even of length" in first.text) == (kind != "pixels")
    assert model.training
    assert torch.equal(random, torch.get_rng_state())
    with pytest.raises(UserError, match="leave out the prompt"):
        preview(1, prompt="0101")
    with pytest.raises(UserError, match="at least 0; got -1"):
        preview(1, length=-1)


def test_previews_are_drawn() -> None:
    task, data = made("adding")
    files = task.preview(model_of(task, data), data, seed=1, options=PreviewOptions(length=0)).files
    assert all(content.startswith(b"\x89PNG") and len(content) > 5000 for content in files.values())


def test_it_says_up_to_which_length_a_cell_remembers() -> None:
    assert "at least 90 % are solved up to length 20 (" in remembered(
        [(10, 100.0), (20, 90.0), (30, 89.0), (40, 99.0)]
    )
    assert "less than 90 % are solved even of length 10 (" in remembered([(10, 80.0), (20, 99.0)])


def test_it_learns() -> None:
    task, data = made("adding", steps=4, items=600, tests=50, lengths="4")
    found = trained(task, data, 16, learning_rate=0.03, epochs=12)
    assert len(found["solved"]) == 50
    assert np.mean(found["error"]) < 0.01 < floor("adding", steps=4, lengths="4")["squared_error"]
