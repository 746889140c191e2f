"""The loss and the scores of several labels in a row.

Shapes: T frames, B recordings, V features, K labels and a blank, L labels of a recording.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.model import ItemStatistics, Loss, Probe, State, TaskModel
from nas_rnn.tasks.series.net import SeriesModel
from nas_rnn.tasks.speech.ctc import collapse, prefix_beam
from nas_rnn.tasks.speech.scores import told_statistics


class Transcriber(TaskModel):
    """Connectionist temporal classification; the blank is the net's last class.

    A ``beam`` of 1 decodes greedily: the labels of the likeliest path.
    """

    def __init__(self, net: SeriesModel, beam: int = 1) -> None:
        super().__init__()
        self.net, self.beam = net, beam

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the negative log-probability of all labels of a batch, by their number, in nats."""
        log_TBK, targets_LB, lengths = self._read(batch)
        total = F.ctc_loss(
            log_TBK,
            targets_LB.T,
            lengths["inputs"],
            lengths["targets"],
            blank=log_TBK.shape[-1] - 1,
            reduction="sum",
        )
        count = int(lengths["targets"].sum())
        return Loss(total / count, count), None

    def score(
        self, batch: Batch, state: State, *, generator: torch.Generator
    ) -> tuple[ItemStatistics, State]:
        """Decode, and return `told_statistics`."""
        log_TBK, targets_LB, lengths = self._read(batch)
        wanted = [
            column[:count]
            for column, count in zip(targets_LB.T.tolist(), lengths["targets"].tolist(), strict=True)
        ]
        statistics = told_statistics(self.decode(log_TBK, lengths["inputs"]), wanted)
        return {name: torch.from_numpy(values) for name, values in statistics.items()}, None

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        """Return the loss of all labels: none belongs to one frame."""
        assert isinstance(batch.lengths, Mapping)
        loss, _ = self.loss(batch, None)
        return {"net.rnn": Probe(loss.curve, batch.lengths["inputs"])}

    def decode(self, log_TBK: Tensor, lengths_B: Tensor) -> list[list[int]]:
        """Return the labels of each recording, from logarithms of probabilities after each frame."""
        blank, counts = log_TBK.shape[-1] - 1, lengths_B.tolist()
        if self.beam == 1:
            paths = log_TBK.argmax(-1).T.tolist()
            return [collapse(path[:count], blank) for path, count in zip(paths, counts, strict=True)]
        columns = log_TBK.double().transpose(0, 1).tolist()
        return [
            prefix_beam(one[:count], blank, self.beam) for one, count in zip(columns, counts, strict=True)
        ]

    def log_probabilities(self, inputs_TBV: Tensor, lengths_B: Tensor) -> Tensor:
        """Return the logarithm of each label's probability after each frame, the blank's last, (T, B, K)."""
        logits_TBK: Tensor = self.net(inputs_TBV, None, lengths_B)[0]
        # Halves of precision would not do for sums over many paths.
        return logits_TBK.log_softmax(-1, dtype=torch.promote_types(logits_TBK.dtype, torch.float32))

    def _read(self, batch: Batch) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
        lengths = batch.lengths
        assert isinstance(batch.inputs, Tensor) and isinstance(batch.targets, Tensor)
        assert isinstance(lengths, Mapping)
        return self.log_probabilities(batch.inputs, lengths["inputs"]), batch.targets, lengths
