"""Several references for one item: each question has some right answers, and any of them counts.

Shapes: T steps, B questions, R right answers, V symbols.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nas_rnn.tasks import (
    Batch,
    Batching,
    Loss,
    MakeRnn,
    Mean,
    Metric,
    Part,
    Regularisation,
    Statistics,
    Task,
    TaskData,
    TaskModel,
    option,
)
from nas_rnn.tasks.model import State
from tests.tasks.stubs.order import chosen

SYMBOLS = 6
RIGHT = Mean("right", "% of questions", "maximize", 1.0, "absolute", of="right")


@dataclass(frozen=True, kw_only=True)
class Options:
    length: int = option(5, "symbols of a question", low=2, high=50)


class Answerer(TaskModel):
    def __init__(self, make_rnn: MakeRnn, dropout: float) -> None:
        super().__init__()
        self.encoder = make_rnn(SYMBOLS)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(int(self.encoder.hidden_size), SYMBOLS))  # type: ignore[arg-type]

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """The chance of any right answer is the sum over the distinct ones."""
        assert isinstance(batch.inputs, Mapping) and isinstance(batch.targets, Mapping)
        asked_TBV = F.one_hot(batch.inputs["question"], SYMBOLS).to(torch.get_default_dtype())
        logs_BV = F.log_softmax(self.head(self.encoder(asked_TBV, None)[0][-1]), -1)
        right_BV = torch.zeros_like(logs_BV, dtype=torch.bool).scatter_(1, batch.targets["references"], True)
        nats_B = -logs_BV.masked_fill(~right_BV, -torch.inf).logsumexp(-1)
        answered_B = right_BV.gather(1, logs_BV.argmax(-1, keepdim=True))[:, 0]
        return Loss(nats_B.mean(), len(nats_B), statistics={"right": answered_B * 100.0}), None


class Answers(Task):
    name: ClassVar[str] = "stub-answers"
    summary: ClassVar[str] = "name the first symbol of a question, or its last"
    metrics: ClassVar[tuple[Metric, ...]] = (RIGHT,)
    monitor: ClassVar[Metric] = RIGHT
    unit: ClassVar[str] = "questions"
    item: ClassVar[str] = "question"
    Options: ClassVar[type] = Options

    def load(self, source: Path | None) -> TaskData:
        random = np.random.default_rng(0)
        counts: dict[Part, int] = {"train": 160, "valid": 50, "test": 50}
        shares = [0.4, 0.2, 0.1, 0.1, 0.1, 0.1]
        return TaskData(
            {
                part: {"question": random.choice(SYMBOLS, (count, self.options.length), p=shares)}
                for part, count in counts.items()
            }
        )

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> Answerer:
        return Answerer(make_rnn, regularisation.dropout)

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        question_NT = data.part(part)["question"]
        for items in chosen(len(question_NT), part, batching):
            question_BT = torch.from_numpy(question_NT[items])
            yield Batch(
                inputs={"question": question_BT.T},
                targets={"references": question_BT[:, [0, -1]]},
                items=torch.from_numpy(items),
            )

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        train_NT, test_NT = (data.part(part)["question"] for part in ("train", "test"))
        commonest = np.bincount(train_NT[:, [0, -1]].ravel()).argmax()
        return {"commonest answer": {"right": (test_NT[:, [0, -1]] == commonest).any(1) * 100.0}}
