"""Real values in units of their own, items that span chunks, groups of items: the next value of series.

Shapes: N series of L values, T steps of a chunk, B series of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.tasks import (
    Batch,
    Batching,
    Loss,
    MakeRnn,
    Mean,
    Measures,
    Metric,
    Part,
    PlainNet,
    Probe,
    Regularisation,
    Rmse,
    Statistics,
    Task,
    TaskData,
    TaskModel,
)
from nas_rnn.tasks.model import State
from tests.tasks.stubs import series_net
from tests.tasks.stubs.order import chosen
from tests.tasks.stubs.series_net import SeriesNet

LENGTH, STATIONS = 150, 6


class Forecaster(TaskModel):
    carries_state: ClassVar[bool] = True

    def __init__(self, net: SeriesNet, deviation: float) -> None:
        super().__init__()
        self.net, self.deviation = net, deviation

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        assert isinstance(batch.targets, Tensor) and batch.restarts is not None
        if bool(batch.restarts[0].all()):  # other series, perhaps another number of them
            state = None
        y_TB, state = self.net(batch.inputs, state)
        error_TB = y_TB - batch.targets
        own_TB = error_TB.double() * self.deviation
        statistics = {
            "off": own_TB.abs().sum(0),
            "squares": own_TB.square().sum(0),
            "count": torch.full(own_TB.shape[1:], len(own_TB)),
        }
        return Loss(error_TB.square().mean(), error_TB.numel(), statistics=statistics), state

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        y_TB, _ = self.net(batch.inputs, None)
        return {"net.cells": Probe((y_TB[-1] - batch.targets[-1]).square().mean())}  # type: ignore[index]


class Temperatures(Task):
    name: ClassVar[str] = "stub-temperatures"
    summary: ClassVar[str] = "say the next value of a series, in its own units"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Mean("off", "", "minimize", 0.02, "relative", of="off", per="count"),
    )
    unit: ClassVar[str] = "values"
    item: ClassVar[str] = "series"

    def measures(self, meta: Mapping[str, Any]) -> Measures:
        unit = str(meta["unit"])
        off = Mean("off", unit, "minimize", 0.02, "relative", of="off", per="count")
        return Measures((off, Rmse("rmse", unit, "minimize", 0.02, "relative")), off)

    def load(self, source: Path | None) -> TaskData:
        random = np.random.default_rng(0)
        parts = {
            part: _series(random, count) for part, count in {"train": 12, "valid": 12, "test": 18}.items()
        }
        known_NL = parts["train"]["values"]
        meta = {"unit": "kelvin", "mean": float(known_NL.mean()), "deviation": float(known_NL.std())}
        groups = {part: np.arange(len(own["values"])) % STATIONS for part, own in parts.items()}
        return TaskData(parts, meta, groups)  # type: ignore[arg-type]

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> Forecaster:
        return Forecaster(SeriesNet(make_rnn), meta["deviation"])

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        values_NL = data.part(part)["values"]
        scaled_NL = ((values_NL - data.meta["mean"]) / data.meta["deviation"]).astype(np.float32)
        for items in chosen(len(values_NL), part, batching):
            x_LB = torch.from_numpy(scaled_NL[items]).T
            for first in range(0, len(x_LB) - 1, batching.length):
                ahead_TB = x_LB[first + 1 : first + 1 + batching.length]
                restarts_TB = torch.zeros(ahead_TB.shape, dtype=torch.bool)
                restarts_TB[0] = first == 0
                yield Batch(
                    inputs=x_LB[first : first + len(ahead_TB), :, None],
                    targets=ahead_TB,
                    items=torch.from_numpy(items),
                    restarts=restarts_TB,
                )

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        values_NL = data.part("test")["values"]
        mean = data.part("train")["values"].mean()
        off = {"last value": values_NL[:, 1:] - values_NL[:, :-1], "mean": values_NL[:, 1:] - mean}
        return {
            name: {
                "off": np.abs(own).sum(1),
                "squares": np.square(own).sum(1),
                "count": np.full(len(own), own.shape[1]),
            }
            for name, own in off.items()
        }

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        return PlainNet(
            modules=(series_net,), name="SeriesNet", arguments={}, constants={"MEAN": meta["mean"]}
        )


def _series(random: np.random.Generator, count: int) -> dict[str, NDArray[Any]]:
    """Return waves of their stations' periods with noise on them, around 280 kelvin."""
    periods_N1 = 6.0 + np.arange(count)[:, None] % STATIONS
    angles_NL = 2 * np.pi * (np.arange(LENGTH) / periods_N1 + random.random((count, 1)))
    return {"values": 280.0 + 8.0 * np.sin(angles_NL) + random.normal(size=angles_NL.shape)}
