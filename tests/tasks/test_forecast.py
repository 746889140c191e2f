"""Task forecast: its windows, model, floors, previews and export, and that it learns."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nas_rnn.errors import UserError
from nas_rnn.tasks import Batch, Batching, PreviewOptions, Regularisation, TaskData
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.tasks.forecast import Forecast
from nas_rnn.tasks.forecast.floors import naive_error
from nas_rnn.tasks.forecast.model import Forecaster
from nas_rnn.tasks.forecast.net import in_own_units, standardised
from nas_rnn.tasks.metric import totals_of
from nas_rnn.testing.tasks import check_task
from tests.export.cases import LOAD_AND_COMPARE, alone, trained_on, write_whole
from tests.tasks.hourly_files import lines, waves, write
from tests.tasks.small_runs import trained


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "a.csv", lines())


def lstm(input_size: int, *, bidirectional: bool = False) -> nn.Module:
    return nn.LSTM(input_size, 8)


def made(task: Forecast, data: TaskData) -> Forecaster:
    torch.manual_seed(0)
    return task.build(data.meta, lstm, Regularisation())


def test_it_keeps_what_a_task_must(source: Path) -> None:
    task = partial(Forecast, horizon=5, decoding="recursive", target="oil", window=20)
    assert check_task(task, source) == []


def test_the_embedded_series_keeps_what_a_task_must() -> None:
    assert check_task(Forecast) == []


def test_windows_read_what_precedes_and_every_value_is_a_target_once(source: Path) -> None:
    task = Forecast(horizon=6, window=30)
    data = task.load(source)
    mean, deviation = np.array(data.meta["mean"]), np.array(data.meta["deviation"])
    for part, begins, count in (("valid", 280, 40), ("test", 320, 80)):
        inputs, targets, items = list[Any](), list[Any](), list[int]()
        for batch in task.batches(data, part, Batching(batch=4, length=9)):
            assert isinstance(batch.targets, dict) and batch.items is not None
            inputs.append(batch.inputs)
            targets.append(batch.targets["values"])
            assert batch.targets["known"].all()
            items += batch.items.tolist()
        read, said = torch.cat(inputs, 1).numpy(), torch.cat(targets, 1).numpy()
        windows = count // 6
        assert read.shape == (30, windows, 4) and said.shape == (6, windows, 2)
        assert items == [number // 2 for number in range(windows)]
        for window in range(windows):
            start = begins + 6 * window
            own = np.concatenate([read[:, window, :2], said[:, window]]) * deviation + mean
            assert np.allclose(own, waves(400)[start - 30 : start + 6], atol=1e-5)
        angle = 2 * np.pi * ((begins - 30) % 24) / 24
        assert np.allclose(read[0, 0, 2:], [np.sin(angle), np.cos(angle)], atol=1e-6)


def test_training_windows_are_drawn_anew_each_epoch_as_many_each_time(source: Path) -> None:
    task = Forecast(horizon=16, window=20)
    data = task.load(source)

    def windows(seed: int, epoch: int) -> list[bytes]:
        batches = task.batches(data, "train", Batching(batch=16, length=1, seed=seed, epoch=epoch))
        return [w.numpy().tobytes() for batch in batches for w in batch.inputs.swapaxes(0, 1)]  # type: ignore[union-attr]

    first = windows(1, 1)
    assert first == windows(1, 1)
    assert len(first) == len(windows(1, 2)) == len(windows(2, 1)) == -(-(280 - 36 + 1) // 4)
    assert set(first) != set(windows(1, 2)) and first != windows(2, 1)


def test_one_step_ahead_without_calendar_or_anchor(source: Path) -> None:
    task = Forecast(horizon=1, calendar=False, anchor="none", standardised="no")
    data = task.load(source)
    batch = next(iter(task.batches(data, "test", EVALUATION)))
    assert batch.inputs.shape == (48, 32, 2)  # type: ignore[union-attr]
    loss, _ = made(task, data).eval().loss(batch, None)
    mean = task.measures(data.meta).metric.value(
        {name: v.sum().numpy() for name, v in loss.statistics.items()}
    )
    own = np.abs(waves(400)[320:352] - np.array(data.meta["mean"])).mean()
    assert 0.3 * own < mean < 3 * own
    assert loss.count == 64


def test_the_scale_and_mase_are_of_the_training_part_alone(source: Path) -> None:
    data = Forecast(horizon=6).load(source)
    train = waves(400)[:280]
    assert np.allclose(data.meta["mean"], train.mean(0))
    assert np.allclose(data.meta["deviation"], train.std(0))
    naive = np.abs(train[24:] - train[:-24]).mean(0) / train.std(0)
    assert np.allclose(data.meta["naive"], naive)
    cut = Forecast(horizon=6, window=10).fresh_test(Forecast(horizon=6, window=10).load(source), 200, 240)
    assert np.allclose(cut.meta["mean"], train[:200].mean(0))


def test_after_a_fresh_test_no_window_reads_across_what_is_missing(source: Path) -> None:
    """Of a validation part whose forerunner has become the test part, the first rows are read and not forecast."""
    task = Forecast(horizon=6, window=20)
    with pytest.raises(UserError, match=r"has 40 rows, .* 48 of them are read .* \(option valid\)"):
        Forecast(horizon=6).fresh_test(Forecast(horizon=6).load(source), 200, 270)
    cut = task.fresh_test(task.load(source), 200, 270)
    assert len(cut.part("test")["times"]) == 70
    (valid,) = list(task.batches(cut.without("test"), "valid", EVALUATION))
    assert len(valid.items) == (40 - 24) // 6  # type: ignore[arg-type]
    mean, deviation = np.array(cut.meta["mean"]), np.array(cut.meta["deviation"])
    assert np.allclose(valid.inputs[:, 0, :2].numpy() * deviation + mean, waves(400)[284:304], atol=1e-5)  # type: ignore[index]
    first = next(iter(task.batches(cut, "test", EVALUATION)))
    assert np.allclose(first.inputs[:, 0, :2].numpy() * deviation + mean, waves(400)[180:200], atol=1e-5)  # type: ignore[index]


def test_naive_error_by_hand() -> None:
    values, known = np.array([1.0, 5.0, 2.0, 8.0]), np.array([True, True, True, True])
    assert naive_error(values, known, 2) == 2.0
    assert naive_error(values, np.array([False, True, True, True]), 2) == 3.0
    assert naive_error(np.array([1.0, 2.0, 1.0, 2.0]), known, 2) == 1.0  # repeats: that of neighbours
    assert naive_error(np.ones(4), known, 2) == 0.0


def test_floors_by_hand(source: Path) -> None:
    task = Forecast(horizon=30, window=10, target="load", test=120, valid=40)
    data = task.load(source)
    load, floors = waves(400)[:, 0], task.floors(data)
    starts, ahead = np.array([280, 310, 340, 370]), np.arange(30)
    truth = load[starts[:, None] + ahead]
    mean = np.array([load[:240][np.arange(240) % 24 == phase].mean() for phase in range(24)])
    line = (load[starts - 1] - load[starts - 10])[:, None] / 9 * (ahead + 1)
    wanted = {
        "last value": load[starts - 1][:, None] + 0 * ahead,
        "drift": load[starts - 1][:, None] + line,
        "seasonal naive": load[starts[:, None] - 24 + ahead % 24],
        "mean season": mean[(starts[:, None] + ahead) % 24],
    }
    assert set(floors) == set(wanted)
    scale = np.abs(load[24:240] - load[:216]).mean()
    for name, said in wanted.items():
        error = np.abs(said - truth)
        found = {
            metric.name: metric.value(totals_of(floors[name])) for metric in task.measures(data.meta).metrics
        }
        assert found["mae"] == pytest.approx(error.mean())
        assert found["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
        assert found["mase"] == pytest.approx(error.mean() / scale)
        assert floors[name]["count"].tolist() == [60.0, 60.0]


class Says(nn.Module):
    """A net that says fixed numbers."""

    def __init__(self, said: torch.Tensor) -> None:
        super().__init__()
        self.said = said

    def forward(self, window: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, Any]:
        return self.said, "a state"


def test_scores_by_hand_and_no_state_goes_on() -> None:
    said = torch.tensor([[[1.0], [2.0]], [[3.0], [5.0]]])
    model = Forecaster(Says(said), (), [10.0], [0.5]).eval()
    known = torch.tensor([[[True], [True]], [[True], [False]]])
    targets = {"values": torch.zeros(2, 2, 1), "known": known}
    loss, state = model.loss(Batch(inputs=torch.zeros(1), targets=targets, items=torch.zeros(2)), None)
    assert state is None and loss.count == 3 and float(loss.total.detach()) == pytest.approx(2.0)
    assert {name: values.tolist() for name, values in loss.statistics.items()} == {
        "absolute": [40.0, 20.0],
        "squares": [1000.0, 400.0],
        "scaled": [8.0, 4.0],
        "count": [2.0, 1.0],
    }


@pytest.mark.parametrize("decoding", ["direct", "recursive"])
def test_filled_values_are_never_scored(tmp_path: Path, decoding: str) -> None:
    """Whatever stands where a target was missing: loss, gradients and statistics are the same to 1e-12."""
    rows = lines()
    del rows[340:347]
    task = Forecast(horizon=6, window=20, fill="last", decoding=decoding)
    torch.set_default_dtype(torch.float64)
    try:
        data = task.load(write(tmp_path / "a.csv", rows))
        assert sum((~arrays["known"]).sum() for arrays in data.parts.values()) == 14
        model = made(task, data).eval()
        figures = []
        for noise in (0.0, 1e3):
            batch = next(iter(task.batches(data, "test", EVALUATION)))
            assert isinstance(batch.targets, dict)
            values = torch.where(batch.targets["known"], batch.targets["values"], noise)
            moved = Batch(inputs=batch.inputs, targets={**batch.targets, "values": values}, items=batch.items)
            model.zero_grad()
            loss, _ = model.loss(moved, None)
            loss.total.backward()  # type: ignore[no-untyped-call]
            grads = torch.cat([parameter.grad.ravel() for parameter in model.parameters()])  # type: ignore[union-attr]
            figures.append(torch.cat([loss.total[None], grads, *loss.statistics.values()]))
        assert (figures[0] - figures[1]).abs().max() < 1e-12
        assert float(figures[0][-13:].sum().detach()) == 13 * 12 - 14
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("decoding", ["direct", "recursive"])
def test_nothing_of_the_future_is_read(source: Path, decoding: str) -> None:
    task = Forecast(horizon=6, window=20, decoding=decoding)
    data = task.load(source)
    model = made(task, data).eval()
    test = data.part("test")
    later = TaskData(
        {**data.parts, "test": {**test, "values": test["values"] + 100.0 * (np.arange(80) >= 6)[:, None]}},
        data.meta,
    )
    first, second = (next(iter(task.batches(one, "test", EVALUATION))).inputs for one in (data, later))
    said, other = model.said(first), model.said(second)  # type: ignore[arg-type]
    assert torch.equal(said[:, :2], other[:, :2])  # the second begins where the change does
    assert not torch.equal(said[:, 2], other[:, 2])


@settings(max_examples=15, deadline=None)
@given(st.floats(-3, 3), st.sampled_from(["direct", "recursive"]))
def test_an_anchored_forecast_moves_with_its_level(level: float, decoding: str) -> None:
    task = Forecast(horizon=3, decoding=decoding, calendar=False)
    meta = {
        "variables": ["a", "b"],
        "targets": [1],
        "calendar": [],
        "standardised": True,
        "deviation": [1.0, 1.0],
    }
    torch.manual_seed(0)
    model = task.build({**meta, "naive": [1.0]}, lstm, Regularisation()).double().eval()
    window = torch.randn(9, 2, 2, dtype=torch.float64)
    moved = model.said(window + level) - model.said(window)
    assert (moved - level).abs().max() < 1e-12


@pytest.mark.parametrize("decoding", ["direct", "recursive"])
def test_it_learns(source: Path, decoding: str) -> None:
    task = Forecast(horizon=6, window=24, target="load", decoding=decoding)
    data = task.load(source)
    found = trained(task, data, 8, epochs=12, batch=16)
    mae = task.measures(data.meta).metric
    own = mae.value(totals_of({name: np.array(values) for name, values in found.items()}))
    floors = {name: mae.value(totals_of(statistics)) for name, statistics in task.floors(data).items()}
    assert own < 0.85 * floors["last value"]


def shown(task: Forecast, data: TaskData, **how: Any) -> Any:
    return task.preview(made(task, data), data, seed=1, options=PreviewOptions(**how))


def test_previews_of_loaded_data_and_of_a_saved_model(source: Path) -> None:
    task = Forecast(horizon=6)
    data = task.load(source)
    preview = shown(task, data)
    assert set(preview.files) == {"forecast.png", "steps.png"}
    assert all(content.startswith(b"\x89PNG") for content in preview.files.values())
    saved = TaskData({}, json.loads(json.dumps(data.meta)))
    assert shown(task, saved).text == preview.text
    assert set(shown(task, saved).files) == {"forecast.png"}
    assert preview.text.count("forecast") == preview.text.count("seasonal naive") == 3
    assert "load from 2024-01-13 " in preview.text and "6 rows, 1 h apart" in preview.text
    assert shown(task, saved, prompt="oil", length=1).text.startswith("oil from")
    assert shown(task, data, length=0).text == ""
    with pytest.raises(UserError, match=r"unknown target 'oul'; did you mean 'oil'"):
        shown(task, data, prompt="oul")
    with pytest.raises(UserError, match="at least 0; got -1"):
        shown(task, data, length=-1)


def test_notices(tmp_path: Path) -> None:
    rows = lines()
    rows[1:] = [[time, str(float(load) + number), oil] for number, (time, load, oil) in enumerate(rows[1:])]
    task = Forecast(fill="linear", horizon=20)
    del rows[50:52]
    notices = task.notices(task.load(write(tmp_path / "a.csv", rows)))
    assert len(notices) == 3
    assert "never scored: 4 of 560 in the training part; fill=linear" in notices[0]
    assert "of the test values of 'load' lie beyond" in notices[1]
    assert "4 windows of 20 steps" in notices[2]


def test_units_of_what_is_measured(source: Path) -> None:
    for options, unit in (({}, "standard deviations"), ({"target": "oil"}, "units of oil")):
        task = Forecast(**options)  # type: ignore[arg-type]
        measures = task.measures(task.load(source).meta)
        assert [metric.name for metric in measures.metrics] == ["mae", "rmse", "mase"]
        assert measures.metric.unit == unit and measures.monitor == measures.metric
        assert measures.metric.margin_at(5.0) == pytest.approx(0.1)


def test_it_is_exported_as_plain_torch(tmp_path: Path) -> None:
    write_whole(trained_on(Forecast(horizon=4, window=12, decoding="recursive", rows=500)), tmp_path)
    assert alone(LOAD_AND_COMPARE, tmp_path) == "2\n"


def test_it_is_exported_to_onnx() -> None:
    import onnx

    from nas_rnn.export.onnx_file import onnx_bytes

    model = onnx.load_from_string(onnx_bytes(trained_on(Forecast(horizon=4, window=12, rows=500))))
    assert [entry.name for entry in model.graph.input] == ["inputs"]


def test_units_there_and_back() -> None:
    values = torch.tensor([[1.0, 20.0], [3.0, 40.0]])
    scaled = standardised(values, [2.0, 30.0], [1.0, 5.0])
    assert scaled.tolist() == [[-1.0, -2.0], [1.0, 2.0]]
    assert torch.equal(in_own_units(scaled, [2.0, 30.0], [1.0, 5.0]), values)
