"""Two recurrent nets, sequences of unequal length, decoding: write the first half of what was read, backwards.

Shapes: S steps read, T steps written, B sequences, V symbols.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from nas_rnn.tasks import (
    Arrays,
    Batch,
    Batching,
    Loss,
    MakeRnn,
    Mean,
    Metric,
    Part,
    Preview,
    PreviewOptions,
    Probe,
    Regularisation,
    Task,
    TaskData,
    TaskModel,
    at_last_step,
    real_steps,
)
from nas_rnn.tasks.model import ItemStatistics, State
from tests.tasks.stubs.order import chosen

SYMBOLS, SHORTEST, LONGEST = 5, 3, 9
BEGIN = 0
"""What stands before the first symbol that is written, and where a sequence is padded."""


class Writer(nn.Module):
    """Reads what was written so far; its layers begin in the states in which the reader ended."""

    def __init__(self, make_rnn: MakeRnn) -> None:
        super().__init__()
        self.layers = make_rnn(SYMBOLS)
        self.output = nn.Linear(int(self.layers.hidden_size), SYMBOLS)  # type: ignore[arg-type]

    def forward(self, before_TB: Tensor, state: State) -> Tensor:
        logits_TBV: Tensor = self.output(self.layers(one_hot(before_TB), state)[0])
        return logits_TBV

    def step(self, before_B: Tensor, state: State) -> tuple[Tensor, State]:
        hidden_BH, state = self.layers.step(one_hot(before_B), state)  # type: ignore[operator]
        return self.output(hidden_BH), state


class EncoderDecoder(TaskModel):
    decoded: ClassVar[int] = 0
    """How many batches were decoded, by any model."""

    def __init__(self, make_rnn: MakeRnn) -> None:
        super().__init__()
        self.reader = make_rnn(SYMBOLS)
        self.writer = Writer(make_rnn)

    def read(self, batch: Batch) -> State:
        assert isinstance(batch.inputs, Tensor) and isinstance(batch.lengths, Mapping)
        lengths_B = batch.lengths["inputs"].cpu()
        packed = pack_padded_sequence(one_hot(batch.inputs), lengths_B, enforce_sorted=False)
        _, state = self.reader(packed)
        return state

    def nats(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the nats of each symbol to be written, (T, B), and which of them are real."""
        assert isinstance(batch.targets, Tensor) and isinstance(batch.lengths, Mapping)
        before_TB = torch.cat([torch.full_like(batch.targets[:1], BEGIN), batch.targets[:-1]])
        logits_TBV = self.writer(before_TB, self.read(batch))
        nats_TB = F.cross_entropy(logits_TBV.flatten(0, 1), batch.targets.flatten(), reduction="none")
        return nats_TB.view_as(batch.targets), real_steps(batch.lengths["targets"], len(batch.targets))

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        nats_TB, real_TB = self.nats(batch)
        count = int(real_TB.sum())
        return Loss((nats_TB * real_TB).sum() / count, count), None

    @torch.no_grad()
    def decode(self, batch: Batch) -> Tensor:
        """Return (T, B), each symbol the likeliest after those that were written before it."""
        EncoderDecoder.decoded += 1
        assert isinstance(batch.targets, Tensor)
        state, written_B, found = self.read(batch), torch.full_like(batch.targets[0], BEGIN), []
        for _ in batch.targets:
            logits_BV, state = self.writer.step(written_B, state)
            written_B = logits_BV.argmax(-1)
            found.append(written_B)
        return torch.stack(found)

    def score(
        self, batch: Batch, state: State, *, generator: torch.Generator
    ) -> tuple[ItemStatistics, State]:
        assert isinstance(batch.targets, Tensor) and isinstance(batch.lengths, Mapping)
        lengths_B = batch.lengths["targets"]
        wrong_TB = (self.decode(batch) != batch.targets) & real_steps(lengths_B, len(batch.targets))
        wrong_B = wrong_TB.sum(0)
        return {"exact": (wrong_B == 0) * 100.0, "wrong": wrong_B * 100.0, "symbols": lengths_B}, None

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        assert isinstance(batch.lengths, Mapping)
        nats_TB, _ = self.nats(batch)
        last = at_last_step(nats_TB, batch.lengths["targets"]).mean()
        return {
            "reader": Probe(last, batch.lengths["inputs"]),
            "writer.layers": Probe(last, batch.lengths["targets"]),
        }


class Reversing(Task):
    name: ClassVar[str] = "stub-reversing"
    summary: ClassVar[str] = "write the first half of a sequence backwards"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Mean("wrong_symbols", "% of symbols", "minimize", 1.0, "absolute", of="wrong", per="symbols"),
        Mean("exact", "% of sequences", "maximize", 1.0, "absolute", of="exact"),
    )
    unit: ClassVar[str] = "symbols"
    item: ClassVar[str] = "sequence"

    def load(self, source: Path | None) -> TaskData:
        random = np.random.default_rng(0)
        counts: dict[Part, int] = {"train": 96, "valid": 40, "test": 40}
        return TaskData({part: _sequences(random, count) for part, count in counts.items()})

    def build(
        self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation
    ) -> EncoderDecoder:
        return EncoderDecoder(make_rnn)

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        arrays = data.part(part)
        for items in chosen(len(arrays["lengths"]), part, batching):
            lengths_B = arrays["lengths"][items]
            written_B = _halves(lengths_B)
            read_BS, written_BT = (
                arrays["read"][items, : lengths_B.max()],
                arrays["written"][items, : written_B.max()],
            )
            yield Batch(
                inputs=torch.from_numpy(read_BS).T,
                targets=torch.from_numpy(written_BT).T,
                items=torch.from_numpy(items),
                lengths={"inputs": torch.from_numpy(lengths_B), "targets": torch.from_numpy(written_B)},
            )

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        assert isinstance(model, EncoderDecoder)
        arrays = _sequences(np.random.default_rng(seed), 3)
        (batch,) = self.batches(TaskData({"valid": arrays}), "valid", Batching(batch=3, length=1))
        rows = zip(arrays["read"].tolist(), model.eval().decode(batch).T.tolist(), strict=True)
        return Preview(text="\n".join(f"{read} {written}" for read, written in rows))


def one_hot(symbols: Tensor) -> Tensor:
    return F.one_hot(symbols, SYMBOLS).to(torch.get_default_dtype())


def _halves(lengths_N: Any) -> Any:
    return (lengths_N + 1) // 2


def _sequences(random: np.random.Generator, count: int) -> Arrays:
    lengths_N = random.integers(SHORTEST, LONGEST + 1, count)
    read_NS = np.full((count, LONGEST), BEGIN)
    written_NT = np.full((count, _halves(LONGEST)), BEGIN)
    for read, written, length in zip(read_NS, written_NT, lengths_N, strict=True):
        read[:length] = random.integers(1, SYMBOLS, length)
        half = _halves(length)
        written[:half] = read[:half][::-1]
    return {"read": read_NS, "written": written_NT, "lengths": lengths_N}
