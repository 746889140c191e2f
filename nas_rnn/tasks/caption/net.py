"""A picture, or features of it, read by recurrent layers of any cell that write its caption.

Shapes: B pictures, C captions, T symbols, V words, P features of a picture, E of a word, H hidden. An exported model
has this file's source in it, so it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAD, START, END, UNKNOWN = 0, 1, 2, 3
"""The symbols that the vocabulary begins with."""


class CaptionNet(nn.Module):
    """Tells what a picture shows (Vinyals et al. 2015, "Show and Tell", arXiv:1411.4555).

    The picture goes through a small convolutional encoder, which is trained along, or comes as ``given`` features of a
    fixed network. It is ``fed`` to the recurrent layers once, as what they read "first" (equations 10 to 12), or beside
    the word in "every" step. They start as their cell declares, so any cell will do. Words are embedded, or with
    ``embedding`` 0 stand for themselves, one unit each.

    Forward: ``({pictures (B, colours, size, size) or (B, given), given (T, C), owner (C,)}, None) -> (logits (T, C, V),
    None)``, where ``given`` are `START` and the caption without its end, and ``owner`` says which picture a caption is
    of.
    """

    def __init__(
        self,
        make_rnn: Any,
        *,
        words: int,
        embedding: int,
        features: int,
        fed: str = "every",
        colours: int = 1,
        size: int = 0,
        channels: int = 8,
        given: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.words, self.fed = words, fed
        self.word = nn.Embedding(words, embedding) if embedding else None
        inputs = embedding or words
        layers, found = list[nn.Module](), given
        if not given:
            layers, found = convolutions(colours, size, channels)
        seen = inputs if fed == "first" else features
        scale = nn.LayerNorm(found)  # else what tells pictures apart is too faint to be found
        self.picture = nn.Sequential(*layers, scale, nn.Dropout(dropout), nn.Linear(found, seen), nn.Tanh())
        self.rnn = make_rnn(inputs if fed == "first" else inputs + features)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.rnn.hidden_size, words)

    def forward(self, inputs: Mapping[str, Tensor], state: Any = None) -> tuple[Tensor, Any]:
        seen_CP = self.picture(inputs["pictures"])[inputs["owner"]]
        return self.teach(seen_CP, inputs["given"]), None

    def teach(self, seen_CP: Tensor, given_TC: Tensor) -> Tensor:
        """Return logits (T, C, V) after each given symbol."""
        words_TCE = self.embed(given_TC)
        if self.fed == "first":
            hidden_TCH, _ = self.rnn(torch.cat([seen_CP[None], words_TCE]))
            hidden_TCH = hidden_TCH[1:]
        else:
            seen_TCP = seen_CP.expand(given_TC.shape[0], -1, -1)
            hidden_TCH, _ = self.rnn(torch.cat([words_TCE, seen_TCP], dim=-1))
        logits_TCV: Tensor = self.output(self.dropout(hidden_TCH))
        return logits_TCV

    def embed(self, symbols: Tensor) -> Tensor:
        """Return (..., E): the words' features, or a one at each word's place."""
        if self.word is None:
            return F.one_hot(symbols, self.words).to(self.output.weight.dtype)
        embedded: Tensor = self.dropout(self.word(symbols))
        return embedded

    def start(self, seen_BP: Tensor) -> Any:
        """Return the layers' state before the first word."""
        return self.rnn(seen_BP[None])[1] if self.fed == "first" else None

    def step(self, symbols_B: Tensor, seen_BP: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the logits (B, V) of what follows the symbols, and the layers' state then."""
        inputs_BI = self.embed(symbols_B)
        if self.fed != "first":
            inputs_BI = torch.cat([inputs_BI, seen_BP], dim=-1)
        hidden_1BH, state = self.rnn(inputs_BI[None], state)
        return self.output(self.dropout(hidden_1BH[0])), state


def convolutions(colours: int, size: int, channels: int) -> tuple[list[nn.Module], int]:
    """Return convolutions of 3 x 3, each with half the side, down to 3 or less, and how many numbers come out.

    They have ``channels`` channels, twice and three times as many, and four times from the fourth on; their weights
    begin so that the spread of what goes through them is kept (He et al. 2015, equation 10).
    """
    layers, before, side, depth = list[nn.Module](), colours, size, 0
    while side > 3:
        depth += 1
        own = channels * min(depth, 4)
        convolution = nn.Conv2d(before, own, 3, padding=1)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        assert convolution.bias is not None
        nn.init.zeros_(convolution.bias)
        layers += [convolution, nn.ReLU(), nn.MaxPool2d(2)]
        before, side = own, side // 2
    return [*layers, nn.Flatten()], before * side * side
