"""The layers around the recurrent ones, from the notes that sound to those that sound next.

Shapes: T frames, B pieces, K notes. An exported model has this file's source in it, so it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

SILENCE = -3.0
"""The logits' bias at the start: by it four of 88 notes sound, where at 0 it would be half of them."""


class RollModel(nn.Module):
    """The notes of a frame, or a linear embedding of them; recurrent layers; dropout; a linear layer to 88 logits.

    Each logit is that of one note in the next frame; given what was heard, notes are independent (Bai, Kolter & Koltun
    2018, arXiv:1803.01271, 5.3).

    Forward: ``(roll (T, B, K), state) -> (logits (T, B, K), state)``.
    """

    def __init__(self, make_rnn: Any, *, notes: int, embedding: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.input: nn.Module = nn.Linear(notes, embedding) if embedding else nn.Identity()
        self.rnn = make_rnn(embedding or notes)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.rnn.hidden_size, notes)
        nn.init.constant_(self.output.bias, SILENCE)

    def forward(self, roll_TBK: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        hidden_TBH, state = self.rnn(self.input(roll_TBK), state)
        return self.output(self.dropout(hidden_TBH)), state


def roll(frames: Sequence[Sequence[int]], lowest: int, notes: int) -> Tensor:
    """Return the roll (T, K) of frames of MIDI numbers, of which ``lowest`` is the first of so many notes."""
    found_TK = torch.zeros(len(frames), notes)
    for place, frame in enumerate(frames):
        for number in frame:
            if not 0 <= number - lowest < notes:
                raise ValueError(
                    f"frame {place} has {number}, which is none of {lowest} to {lowest + notes - 1}"
                )
            found_TK[place, number - lowest] = 1.0
    return found_TK
