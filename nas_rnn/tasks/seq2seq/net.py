"""An encoder and a decoder around recurrent layers of any cell, with attention or without.

Shapes: S steps of the source, T of the target, B pairs, V symbols of the target, E features of an encoded step, H
hidden. An exported model has this file's source in it, so it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

PAD, START, END, UNKNOWN = 0, 1, 2, 3
"""The symbols that both vocabularies begin with."""


class Memory(NamedTuple):
    """What the decoder knows of the source; all is zero at its padding.

    ``summary_BH`` is a projection of the last real output. ``keys_SBH`` are what attention compares with.
    """

    values_SBE: Tensor
    keys_SBH: Tensor
    real_SB: Tensor
    summary_BH: Tensor


class Going(NamedTuple):
    """Where the decoder is: its layers' state, None at the start, and its last output."""

    state: Any
    output_BH: Tensor


class EncoderDecoder(nn.Module):
    """Reads a source, and gives the logits of its target's symbols one by one (Sutskever, Vinyals & Le 2014).

    Cells differ in how many states they carry and in their sizes, so no state is handed over: the decoder starts as its
    cell declares, and reads in every step what the source came to (Cho et al. 2014, arXiv:1406.1078), which is the
    encoder's last real output through a learned projection and a tanh. With ``attention``

    - "dot", the decoder's output is compared with all encoded steps, and read together with their weighted mean
      (Luong, Pham & Manning 2015, equations 5 and 8, "general": the encoded steps go through a matrix);
    - "additive", its output before a step is compared, and the weighted mean is what the step reads (Bahdanau, Cho &
      Bengio 2015, A.1.2); the summary stands for the output before the first step.

    A ``bidirectional`` encoder is two, of which one reads the source from its end (each with layers of its own).

    Forward: ``({source (S, B), lengths (B,), given (T, B)}, None) -> (logits (T, B, V), None)``, where ``given`` are
    `START` and the target without its last symbol.
    """

    def __init__(
        self,
        make_rnn: Any,
        *,
        sources: int,
        targets: int,
        embedding: int,
        attention: str = "none",
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.source = nn.Sequential(nn.Embedding(sources, embedding), nn.Dropout(dropout))
        self.target = nn.Sequential(nn.Embedding(targets, embedding), nn.Dropout(dropout))
        self.encoder = make_rnn(embedding)
        self.from_end = make_rnn(embedding) if bidirectional else None
        hidden = self.encoder.hidden_size
        encoded = 2 * hidden if bidirectional else hidden
        self.summary = nn.Linear(encoded, hidden)
        self.decoder = make_rnn(embedding + (encoded if attention == "additive" else hidden))
        if attention != "none":
            self.keys = nn.Linear(encoded, hidden, bias=attention == "additive")
            self.read = nn.Linear(encoded + hidden, hidden)
        if attention == "additive":
            self.query = nn.Linear(hidden, hidden, bias=False)
            self.energy = nn.Linear(hidden, 1, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, targets)

    def forward(self, inputs: Mapping[str, Tensor], state: Any = None) -> tuple[Tensor, Any]:
        logits_TBV, _ = self.teach(self.encode(inputs["source"], inputs["lengths"]), inputs["given"])
        return logits_TBV, None

    def encode(self, source_SB: Tensor, lengths_B: Tensor) -> Memory:
        """Read the sources, of which so many steps are real."""
        steps_S1 = torch.arange(len(source_SB), device=source_SB.device)[:, None]
        real_SB = steps_S1 < lengths_B
        columns_B = torch.arange(len(lengths_B), device=source_SB.device)
        embedded_SBI = self.source(source_SB)
        values_SBE, _ = self.encoder(embedded_SBI)
        last_BE = values_SBE[lengths_B - 1, columns_B]
        if self.from_end is not None:
            turned_SB = torch.where(real_SB, lengths_B - 1 - steps_S1, steps_S1)
            from_end_SBH, _ = self.from_end(embedded_SBI[turned_SB, columns_B])
            from_end_SBH = from_end_SBH[turned_SB, columns_B]
            values_SBE = torch.cat([values_SBE, from_end_SBH], dim=-1)
            last_BE = torch.cat([last_BE, from_end_SBH[0]], dim=-1)
        values_SBE = values_SBE.masked_fill(~real_SB[:, :, None], 0.0)
        keys_SBH = values_SBE if self.attention == "none" else self.keys(values_SBE)
        return Memory(values_SBE, keys_SBH, real_SB, self.summary(last_BE).tanh())

    def teach(self, memory: Memory, given_TB: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits (T, B, V) after each given symbol, and the attention's weights (T, B, S) if it has some."""
        if self.attention == "additive":
            going, logits, weights = self.start(memory), list[Tensor](), list[Tensor]()
            for given_B in given_TB:
                logits_BV, weights_BS, going = self.attend_and_step(given_B, memory, going)
                logits.append(logits_BV)
                weights.append(weights_BS)
            return torch.stack(logits), torch.stack(weights)
        embedded_TBI = self.target(given_TB)
        summary_TBH = memory.summary_BH.expand(len(given_TB), -1, -1)
        hidden_TBH, _ = self.decoder(torch.cat([embedded_TBI, summary_TBH], dim=-1))
        return self.answer(hidden_TBH, memory)

    def start(self, memory: Memory) -> Going:
        """Return where the decoder begins."""
        return Going(None, memory.summary_BH)

    def step(self, symbols_B: Tensor, memory: Memory, going: Going) -> tuple[Tensor, Going]:
        """Return the logits (B, V) of what follows the symbols, and where the decoder is then."""
        if self.attention == "additive":
            logits_BV, _, going = self.attend_and_step(symbols_B, memory, going)
            return logits_BV, going
        inputs_BI = torch.cat([self.target(symbols_B), memory.summary_BH], dim=-1)
        hidden_TBH, state = self.decoder(inputs_BI[None], going.state)
        logits_TBV, _ = self.answer(hidden_TBH, memory)
        return logits_TBV[0], Going(state, hidden_TBH[0])

    def answer(self, hidden_TBH: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """Return the logits, from the decoder's outputs and, with attention "dot", what they look at."""
        if self.attention == "none":
            return self.output(self.dropout(hidden_TBH)), None
        energy_TBS = torch.einsum("tbh,sbh->tbs", hidden_TBH, memory.keys_SBH)
        weights_TBS = energy_TBS.masked_fill(~memory.real_SB.T, -torch.inf).softmax(-1)
        context_TBE = torch.einsum("tbs,sbe->tbe", weights_TBS, memory.values_SBE)
        read_TBH = self.read(torch.cat([context_TBE, hidden_TBH], dim=-1)).tanh()
        return self.output(self.dropout(read_TBH)), weights_TBS

    def attend_and_step(
        self, symbols_B: Tensor, memory: Memory, going: Going
    ) -> tuple[Tensor, Tensor, Going]:
        """Return logits (B, V), weights (B, S) and where the decoder is then, with attention "additive"."""
        energy_SB = self.energy((memory.keys_SBH + self.query(going.output_BH)).tanh())[:, :, 0]
        weights_SB = energy_SB.masked_fill(~memory.real_SB, -torch.inf).softmax(0)
        context_BE = torch.einsum("sb,sbe->be", weights_SB, memory.values_SBE)
        inputs_BI = torch.cat([self.target(symbols_B), context_BE], dim=-1)
        hidden_TBH, state = self.decoder(inputs_BI[None], going.state)
        read_BH = self.read(torch.cat([context_BE, hidden_TBH[0]], dim=-1)).tanh()
        return self.output(self.dropout(read_BH)), weights_SB.T, Going(state, hidden_TBH[0])
