"""Drawing what follows from a language model's own distribution.

Shapes: T steps, V symbols.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nas_rnn.errors import UserError
from nas_rnn.tasks.task import PreviewOptions


@dataclass(frozen=True)
class Drawn:
    """A symbol that was drawn, and how likely it was by the model itself, whatever the temperature."""

    symbol: int
    probability: float


def require_drawable(options: PreviewOptions) -> None:
    """Raise `UserError` for a temperature or a length that nothing can be drawn with."""
    if not (math.isfinite(options.temperature) and options.temperature >= 0.0):
        raise UserError(f"temperature must be a number of at least 0; got {options.temperature!r}")
    if options.length < 0:
        raise UserError(f"the length of a preview must be at least 0; got {options.length!r}")


@torch.no_grad()
def draw(
    net: nn.Module,
    prompt: Sequence[int],
    *,
    length: int,
    temperature: float,
    seed: int,
    never: Collection[int] = (),
) -> list[Drawn]:
    """Return ``length`` symbols that follow ``prompt``.

    The net is ``(symbols (T, 1), state) -> (logits (T, 1, V), state)``. ``temperature`` divides the logits; 0 always
    takes the likeliest symbol. Symbols in ``never`` are not drawn. The draws depend on ``seed`` alone and leave torch's
    own random state as it was; the net's training mode is left as it was.
    """
    was_training = net.training
    net.eval()
    generator = torch.Generator().manual_seed(seed)
    device = next(net.parameters()).device
    state: Any = None
    step, drawn = list(prompt), list[Drawn]()
    for _ in range(length):
        logits, state = net(torch.tensor(step, device=device).unsqueeze(1), state)
        logits_V = logits[-1, 0].double().cpu()
        allowed_V = logits_V.index_fill(0, torch.tensor(list(never), dtype=torch.int64), -math.inf)
        symbol = _one(allowed_V, temperature, generator)
        drawn.append(Drawn(symbol, float(torch.softmax(logits_V, 0)[symbol])))
        step = [symbol]
    net.train(was_training)
    return drawn


def _one(logits_V: Tensor, temperature: float, generator: torch.Generator) -> int:
    if temperature == 0.0:
        return int(logits_V.argmax())
    scaled_V = (logits_V - logits_V.max()) / temperature
    return int(torch.multinomial(scaled_V.exp(), 1, generator=generator))
