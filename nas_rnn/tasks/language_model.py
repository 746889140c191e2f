"""The layers around the recurrent ones for next-symbol prediction, and sampling from the model.

Shapes: T steps, B sequences, V symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nas_rnn.tasks.plain import Source, filled


class OneHot(nn.Module):
    """Symbols as one-hot vectors: (T, B) integers to (T, B, V) floats. No parameters.

    The only place that makes them: recurrent layers that can look a symbol's column of weights up directly
    need to change nothing else.
    """

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.size = symbols

    def forward(self, symbols_TB: Tensor) -> Tensor:
        shape = (*symbols_TB.shape, self.size)
        zeros = torch.zeros(shape, device=symbols_TB.device, dtype=torch.get_default_dtype())
        return zeros.scatter_(-1, symbols_TB.unsqueeze(-1), 1.0)


class LanguageModel(nn.Module):
    """One-hot, or embedding and dropout; recurrent layers; dropout; a linear layer to the symbols' logits.

    Forward: ``(symbols (T, B), state) -> (logits (T, B, V), state)``. One-hot inputs see no dropout: it would
    erase whole symbols instead of features.
    """

    def __init__(
        self, symbols: int, make_rnn: Callable[[int], nn.Module], *, embedding: int, dropout: float
    ) -> None:
        super().__init__()
        self.input: nn.Module = OneHot(symbols)
        if embedding:
            self.input = nn.Sequential(nn.Embedding(symbols, embedding), nn.Dropout(dropout))
        self.rnn = make_rnn(embedding or symbols)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(int(self.rnn.hidden_size), symbols)  # type: ignore[arg-type]

    def forward(self, symbols_TB: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        hidden_TBH, state = self.rnn(self.input(symbols_TB), state)
        return self.output(self.dropout(hidden_TBH)), state


PLAIN = """
    class OneHot(nn.Module):
        \"""Symbols (T, B) as vectors (T, B, size) of zeros and a one.\"""

        def __init__(self, size: int) -> None:
            super().__init__()
            self.size = size

        def forward(self, symbols: Tensor) -> Tensor:
            return F.one_hot(symbols, self.size).to(torch.get_default_dtype())


    class Model(nn.Module):
        \"""Predicts the next symbol: ``logits (T, B, @symbols@), state = model(symbols (T, B), state)``.\"""

        def __init__(self, rnn: nn.Module) -> None:
            super().__init__()
            self.input = @input@
            self.rnn = rnn
            self.output = nn.Linear(rnn.hidden_size, @symbols@)

        def forward(self, symbols: Tensor, state: tuple[Tensor, ...] | None = None):
            hidden, state = self.rnn(self.input(symbols), state)
            return self.output(hidden), state
    """


def plain_source(symbols: int, embedding: int) -> str:
    """Return `LanguageModel` in plain torch, as `Task.plain_model` wants it."""
    # The trained embedding is the first of two layers, so that its weights are called input.0.weight.
    layer = f"nn.Sequential(nn.Embedding({symbols}, {embedding}))" if embedding else f"OneHot({symbols})"
    return filled(PLAIN, symbols=symbols, input=Source(layer))


@torch.no_grad()
def sample(model: nn.Module, prompt: list[int], *, length: int, temperature: float, seed: int) -> list[int]:
    """Return ``length`` symbols that follow ``prompt``, each drawn from the model's own distribution.

    ``temperature`` divides the logits; 0 always takes the likeliest symbol. The draws depend on ``seed``
    alone and leave torch's own random state as it was; the model's training mode is left as it was.
    """
    was_training = model.training
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    device = next(model.parameters()).device
    state: Any = None
    step, drawn = prompt, list[int]()
    for _ in range(length):
        logits, state = model(torch.tensor(step, device=device).unsqueeze(1), state)
        drawn.append(_draw(logits[-1, 0].double().cpu(), temperature, generator))
        step = drawn[-1:]
    model.train(was_training)
    return drawn


def _draw(logits_V: Tensor, temperature: float, generator: torch.Generator) -> int:
    if temperature == 0.0:
        return int(logits_V.argmax())
    scaled_V = (logits_V - logits_V.max()) / temperature
    return int(torch.multinomial(scaled_V.exp(), 1, generator=generator))
