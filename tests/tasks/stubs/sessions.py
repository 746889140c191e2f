"""Sessions that begin anew inside a batch: within each, symbols go on by the step between the first two.

Shapes: L symbols of a stream, T steps of a chunk, B streams, V symbols.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_rnn.tasks import (
    Arrays,
    Batch,
    Batching,
    Loss,
    MakeRnn,
    Mean,
    Metric,
    Part,
    Probe,
    Regularisation,
    Task,
    TaskData,
    TaskModel,
)
from nas_rnn.tasks.model import State
from tests.tasks.stubs.order import chosen

SYMBOLS, LENGTH = 5, 100
NATS = Mean("nats", "nats a symbol", "minimize", 0.02, "relative", of="nats", per="symbols")


class Follower(TaskModel):
    def __init__(self, make_rnn: MakeRnn) -> None:
        super().__init__()
        self.memory = make_rnn(SYMBOLS)
        self.output = nn.Linear(int(self.memory.hidden_size), SYMBOLS)  # type: ignore[arg-type]

    def logits(self, symbols_TB: Tensor, restarts_TB: Tensor, state: State) -> tuple[Tensor, State]:
        shown_TBV = F.one_hot(symbols_TB, SYMBOLS).to(torch.get_default_dtype())
        hidden_TBH, state = self.memory(shown_TBV, state, restarts_TB)
        return self.output(hidden_TBH), state

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        assert (
            isinstance(batch.inputs, Tensor)
            and isinstance(batch.targets, Tensor)
            and batch.restarts is not None
        )
        logits_TBV, state = self.logits(batch.inputs, batch.restarts, state)
        nats_TB = F.cross_entropy(logits_TBV.flatten(0, 1), batch.targets.flatten(), reduction="none")
        nats_TB = nats_TB.view_as(batch.targets)
        statistics = {"nats": nats_TB.sum(0), "symbols": torch.full(nats_TB.shape[1:], len(nats_TB))}
        return Loss(nats_TB.mean(), nats_TB.numel(), statistics=statistics), state

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        assert (
            isinstance(batch.inputs, Tensor)
            and isinstance(batch.targets, Tensor)
            and batch.restarts is not None
        )
        logits_TBV, _ = self.logits(batch.inputs, batch.restarts, None)
        return {"memory": Probe(F.cross_entropy(logits_TBV[-1], batch.targets[-1]))}


class Sessions(Task):
    name: ClassVar[str] = "stub-sessions"
    summary: ClassVar[str] = "say the next symbol of a session"
    metrics: ClassVar[tuple[Metric, ...]] = (NATS,)
    monitor: ClassVar[Metric] = NATS
    unit: ClassVar[str] = "symbols"
    item: ClassVar[str] = "chunk"

    def load(self, source: Path | None) -> TaskData:
        random = np.random.default_rng(0)
        counts: dict[Part, int] = {"train": 8, "valid": 4, "test": 12}
        return TaskData({part: _streams(random, count) for part, count in counts.items()})

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> Follower:
        return Follower(make_rnn)

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        symbols_NL, begins_NL = data.part(part)["symbols"], data.part(part)["begins"]
        starts = range(0, LENGTH, batching.length)
        width = min(batching.batch, len(symbols_NL))
        for streams in chosen(len(symbols_NL), part, Batching(**{**vars(batching), "batch": width})):
            if len(streams) < width:
                continue  # states go from one batch to the next, so that all are of one width
            for number, first in enumerate(starts):
                places = slice(first, min(first + batching.length, LENGTH))
                restarts_BT = begins_NL[streams, places].copy()
                restarts_BT[:, 0] |= first == 0
                yield Batch(
                    inputs=torch.from_numpy(symbols_NL[streams, :-1][:, places]).T,
                    targets=torch.from_numpy(symbols_NL[streams, 1:][:, places]).T,
                    items=torch.from_numpy(streams * len(starts) + number),
                    restarts=torch.from_numpy(restarts_BT).T,
                )


def _streams(random: np.random.Generator, count: int) -> Arrays:
    symbols_NL, begins_NL = (
        np.zeros((count, LENGTH + 1), dtype=np.int64),
        np.zeros((count, LENGTH + 1), dtype=np.bool_),
    )
    for symbols, begins in zip(symbols_NL, begins_NL, strict=True):
        place = 0
        while place <= LENGTH:
            length = min(int(random.integers(4, 12)), LENGTH + 1 - place)
            first, step = random.integers(SYMBOLS, size=2)
            symbols[place : place + length] = (first + step * np.arange(length)) % SYMBOLS
            begins[place] = True
            place += length
    return {"symbols": symbols_NL, "begins": begins_NL}
