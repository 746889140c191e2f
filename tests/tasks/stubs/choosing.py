"""A sampled loss and a sampled score: choose by drawing, learn from the reward alone (REINFORCE, Williams 1992).

A learned baseline is taken from the reward. Shapes: T steps, B sequences, A actions.
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
)
from nas_rnn.tasks.model import ItemStatistics, State
from tests.tasks.stubs.order import chosen

ACTIONS, LENGTH = 3, 4
REWARD = Mean("reward", "% of the best", "maximize", 2.0, "absolute", of="reward")


class Chooser(TaskModel):
    def __init__(self, make_rnn: MakeRnn) -> None:
        super().__init__()
        self.core = make_rnn(ACTIONS)
        self.policy = nn.Linear(int(self.core.hidden_size), ACTIONS)  # type: ignore[arg-type]
        self.expected = nn.Linear(int(self.core.hidden_size), 1)  # type: ignore[arg-type]

    def read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        assert isinstance(batch.inputs, Tensor)
        shown_TBA = F.one_hot(batch.inputs, ACTIONS).to(torch.get_default_dtype())
        last_BH = self.core(shown_TBA, None)[0][-1]
        return F.log_softmax(self.policy(last_BH), -1), self.expected(last_BH)[:, 0]

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        logs_BA, expected_B = self.read(batch)
        action_B = torch.multinomial(logs_BA.exp(), 1)[:, 0]
        reward_B = (action_B == batch.targets).to(logs_BA.dtype)
        log_B = logs_BA.gather(1, action_B[:, None])[:, 0]
        total = -((reward_B - expected_B.detach()) * log_B).mean() + (reward_B - expected_B).square().mean()
        return Loss(
            total, len(reward_B), shown=1.0 - reward_B.mean(), statistics={"reward": reward_B * 100.0}
        ), None

    def score(
        self, batch: Batch, state: State, *, generator: torch.Generator
    ) -> tuple[ItemStatistics, State]:
        logs_BA, _ = self.read(batch)
        action_B = torch.multinomial(logs_BA.exp(), 1, generator=generator)[:, 0]
        return {"reward": (action_B == batch.targets) * 100.0}, None


class Choosing(Task):
    name: ClassVar[str] = "stub-choosing"
    summary: ClassVar[str] = "choose what was shown first, by reward alone"
    metrics: ClassVar[tuple[Metric, ...]] = (REWARD,)
    monitor: ClassVar[Metric] = REWARD
    unit: ClassVar[str] = "choices"
    item: ClassVar[str] = "choice"

    def load(self, source: Path | None) -> TaskData:
        random = np.random.default_rng(0)
        counts: dict[Part, int] = {"train": 240, "valid": 50, "test": 50}
        # Of 81 sequences: the parts share some, by far not most of them.
        shown = random.permutation(ACTIONS**LENGTH)
        pools: dict[Part, Any] = {"train": shown[:50], "valid": shown[50:65], "test": shown[65:]}
        digits = ACTIONS ** np.arange(LENGTH)
        return TaskData(
            {
                part: {"shown": random.choice(pools[part], count)[:, None] // digits % ACTIONS}
                for part, count in counts.items()
            }
        )

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> Chooser:
        return Chooser(make_rnn)

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        shown_NT = data.part(part)["shown"]
        for items in chosen(len(shown_NT), part, batching):
            shown_BT = torch.from_numpy(shown_NT[items])
            yield Batch(inputs=shown_BT.T, targets=shown_BT[:, 0], items=torch.from_numpy(items))

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        return {"at random": {"reward": np.full(len(data.part("test")["shown"]), 100.0 / ACTIONS)}}
