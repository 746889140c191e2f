"""The loss of a caption network, and its scores, for which it writes. Shapes as in `nas_rnn.tasks.caption.net`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch, real_steps
from nas_rnn.tasks.caption.batching import frequencies_in
from nas_rnn.tasks.caption.net import END, PAD, START, UNKNOWN, CaptionNet
from nas_rnn.tasks.caption.scores import scored
from nas_rnn.tasks.decoding import Decoded, beam_search, state_rows
from nas_rnn.tasks.model import ItemStatistics, Loss, Probe, State, TaskModel


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How captions are written: at most ``longest`` symbols with the end, by ``beam`` hypotheses.

    ``symbols`` is how many there are, those included that only references have.
    """

    longest: int
    beam: int
    symbols: int


class Captioner(TaskModel):
    """Cross-entropy of a caption's words, its end included, after the picture and the words before them."""

    def __init__(self, net: CaptionNet, writing: Writing) -> None:
        super().__init__()
        self.net = net
        self.writing = writing

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean cross-entropy in nats of a word; in evaluation with each picture's nats and words."""
        nats_TC, real_TC = self._nats(batch)
        count = int(real_TC.sum())
        statistics = {} if self.training else self._by_picture(batch, nats_TC, real_TC)
        return Loss(nats_TC.sum() / count, count, statistics=statistics), None

    def score(
        self, batch: Batch, state: State, *, generator: torch.Generator
    ) -> tuple[ItemStatistics, State]:
        """Write a caption for each picture, and return what it is worth beside what `loss` gives."""
        targets = targets_of(batch)
        assert isinstance(batch.inputs, Mapping)
        outputs = self.write(batch.inputs["pictures"]).rows()
        references = [list[list[int]]() for _ in outputs]
        lengths = lengths_of(batch)["captions"].tolist()
        captions = targets["captions"].T.tolist()
        for owner, caption, length in zip(targets["owner"].tolist(), captions, lengths, strict=True):
            references[owner].append(caption[: length - 1])
        found = scored(outputs, references, frequencies_in(targets, references, self.writing.symbols))
        told = self._by_picture(batch, *self._nats(batch))
        return told | {name: torch.from_numpy(values) for name, values in found.items()}, None

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        """Return the loss of each caption's end."""
        nats_TC, _ = self._nats(batch)
        lengths_C = lengths_of(batch)["captions"]
        last_C = nats_TC[lengths_C - 1, torch.arange(len(lengths_C), device=nats_TC.device)]
        return {"net.rnn": Probe(last_C.mean(), lengths_C + (self.net.fed == "first"))}

    @torch.no_grad()
    def write(self, pictures: Tensor) -> Decoded:
        """Return the caption of each of B pictures, greedily or by beam search."""
        seen_BP = self.net.picture(pictures)

        def step(symbols_R: Tensor, state: tuple[Tensor, Any]) -> tuple[Tensor, tuple[Tensor, Any]]:
            logits_RV, going = self.net.step(symbols_R, *state)
            logits_RV[:, [PAD, START, UNKNOWN]] = -torch.inf  # what no caption should hold
            return logits_RV, (state[0], going)

        return beam_search(
            step,
            lambda state, rows_R: (state[0][rows_R], state_rows(state[1], rows_R)),
            (seen_BP, self.net.start(seen_BP)),
            torch.full((len(seen_BP),), START, device=seen_BP.device),
            end=END,
            longest=self.writing.longest,
            beam=self.writing.beam,
        )

    def _nats(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the nats of each word (T, C), 0 at padding, and which are real."""
        logits_TCV, _ = self.net(batch.inputs)
        captions_TC = targets_of(batch)["captions"]
        captions_TC = captions_TC.masked_fill(captions_TC >= logits_TCV.shape[-1], UNKNOWN)
        real_TC = real_steps(lengths_of(batch)["captions"], len(captions_TC))
        nats_TC = F.cross_entropy(logits_TCV.movedim(-1, 1), captions_TC, reduction="none")
        return nats_TC.masked_fill(~real_TC, 0.0), real_TC

    def _by_picture(self, batch: Batch, nats_TC: Tensor, real_TC: Tensor) -> dict[str, Tensor]:
        assert batch.items is not None
        owner_C = targets_of(batch)["owner"]
        none_B = nats_TC.new_zeros(len(batch.items), dtype=torch.float64)
        return {
            name: none_B.index_add(0, owner_C, values_TC.sum(0, dtype=torch.float64))
            for name, values_TC in {"nats": nats_TC, "words": real_TC}.items()
        }


def targets_of(batch: Batch) -> Mapping[str, Tensor]:
    """Return the captions, whose they are, and what CIDEr needs."""
    assert isinstance(batch.targets, Mapping)
    return batch.targets


def lengths_of(batch: Batch) -> Mapping[str, Tensor]:
    """Return how many steps of each caption are real, (C,), its end included."""
    assert isinstance(batch.lengths, Mapping)
    return batch.lengths
