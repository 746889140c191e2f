"""The loss of an encoder-decoder, and its scores, for which it decodes.

Shapes: S steps of the source, T of the target, B pairs, V symbols of the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nas_rnn.tasks.batch import Batch, real_steps
from nas_rnn.tasks.decoding import Decoded, beam_search, state_rows
from nas_rnn.tasks.model import ItemStatistics, Loss, Probe, State, TaskModel
from nas_rnn.tasks.seq2seq.net import END, PAD, START, UNKNOWN, EncoderDecoder, Going, Memory
from nas_rnn.tasks.seq2seq.scores import scored
from nas_rnn.tasks.vocabulary import texts_of

IGNORED = -100
"""The target at padded places; torch's losses leave it out by default."""


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How targets are decoded and scored.

    ``tokens`` are those behind the vocabulary's special ones, ``by`` is how they are joined. At most ``longest``
    symbols are decoded, with their end. ``bleu_tokens`` is sacrebleu's tokeniser, empty where BLEU is not measured.
    """

    tokens: Sequence[str]
    by: str
    longest: int
    beam: int
    bleu_tokens: str


class Translator(TaskModel):
    """Cross-entropy of the target's symbols, its end included, after those before them (teacher forcing)."""

    def __init__(self, net: EncoderDecoder, writing: Writing) -> None:
        super().__init__()
        self.net = net
        self.writing = writing

    def loss(self, batch: Batch, state: State) -> tuple[Loss, State]:
        """Return the mean cross-entropy in nats of a symbol."""
        logits_TBV, targets_TB = self._taught(batch)
        mean = F.cross_entropy(logits_TBV.flatten(0, 1), targets_TB.flatten(), ignore_index=IGNORED)
        return Loss(mean, int((targets_TB != IGNORED).sum())), None

    def score(
        self, batch: Batch, state: State, *, generator: torch.Generator
    ) -> tuple[ItemStatistics, State]:
        """Decode, and return what each pair's output is worth (`nas_rnn.tasks.seq2seq.scores.scored`)."""
        assert isinstance(batch.targets, Tensor) and isinstance(batch.inputs, Mapping)
        outputs = self.decode(batch.inputs["source"], batch.inputs["lengths"]).rows()
        target_lengths = lengths_of(batch)["targets"].tolist()
        references = [
            column[: length - 1]
            for column, length in zip(batch.targets.T.tolist(), target_lengths, strict=True)
        ]
        own = self.writing
        texts = [[texts_of(row, own.tokens) for row in rows] for rows in (outputs, references)]
        statistics = scored(*texts, by=own.by, bleu_tokens=own.bleu_tokens)
        return {name: torch.from_numpy(values) for name, values in statistics.items()}, None

    def probe(self, batch: Batch) -> Mapping[str, Probe]:
        """Return the loss of the target's last symbol, for the decoder and for whatever reads the source."""
        logits_TBV, targets_TB = self._taught(batch)
        lengths = lengths_of(batch)
        columns_B = torch.arange(targets_TB.shape[1], device=targets_TB.device)
        last_B = lengths["targets"] - 1
        loss = F.cross_entropy(logits_TBV[last_B, columns_B], targets_TB[last_B, columns_B])
        found = {"net.encoder": lengths["source"], "net.decoder": lengths["targets"]}
        if self.net.from_end is not None:
            found["net.from_end"] = lengths["source"]
        return {name: Probe(loss, own_B) for name, own_B in found.items()}

    @torch.no_grad()
    def decode(self, source_SB: Tensor, lengths_B: Tensor) -> Decoded:
        """Return what is written for the sources, greedily or by beam search."""
        memory = self.net.encode(source_SB, lengths_B)

        def step(symbols_R: Tensor, state: tuple[Memory, Going]) -> tuple[Tensor, tuple[Memory, Going]]:
            logits_RV, going = self.net.step(symbols_R, *state)
            logits_RV[:, [PAD, START]] = -torch.inf  # what no target holds
            return logits_RV, (state[0], going)

        return beam_search(
            step,
            lambda state, rows_R: rows_of(state[0], state[1], rows_R),
            (memory, self.net.start(memory)),
            torch.full_like(lengths_B, START),
            end=END,
            longest=self.writing.longest,
            beam=self.writing.beam,
        )

    @torch.no_grad()
    def attention(self, source_S: Tensor, output: Sequence[int]) -> Tensor | None:
        """Return how much each of T output symbols and the end looks at each source step, (T, S), with attention."""
        memory = self.net.encode(source_S[:, None], torch.tensor([len(source_S)], device=source_S.device))
        given_TB = torch.tensor([[START], *([symbol] for symbol in output)], device=source_S.device)
        weights_TBS = self.net.teach(memory, given_TB)[1]
        return None if weights_TBS is None else weights_TBS[:, 0]

    def _taught(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return logits (T, B, V) and targets (T, B), unknown ones as such and `IGNORED` at padding."""
        targets_TB = batch.targets
        assert isinstance(targets_TB, Tensor) and isinstance(batch.inputs, Mapping)
        logits_TBV, _ = self.net(batch.inputs)
        targets_TB = targets_TB.masked_fill(targets_TB >= logits_TBV.shape[-1], UNKNOWN)
        real_TB = real_steps(lengths_of(batch)["targets"], len(targets_TB))
        return logits_TBV, targets_TB.masked_fill(~real_TB, IGNORED)


def lengths_of(batch: Batch) -> Mapping[str, Tensor]:
    """Return how many steps of source, given and targets are real, (B,) each."""
    assert isinstance(batch.lengths, Mapping)
    return batch.lengths


def rows_of(memory: Memory, going: Going, rows_R: Tensor) -> tuple[Memory, Going]:
    """Return memory and place of so many rows of the batch, in this order."""
    values_SRE, keys_SRH, real_SR = (tensor[:, rows_R] for tensor in memory[:3])
    chosen = Memory(values_SRE, keys_SRH, real_SR, memory.summary_BH[rows_R])
    return chosen, Going(state_rows(going.state, rows_R), going.output_BH[rows_R])
