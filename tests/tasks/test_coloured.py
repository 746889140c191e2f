"""A text as a picture: what a model held of every symbol, and that any text can be drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas_rnn.tasks.coloured import Shown, coloured, seen_in

SHARES = torch.tensor([0.1, 0.2, 0.3, 0.4])


class Fixed(nn.Module):
    """Holds the same of every step, and keeps what it read."""

    def __init__(self) -> None:
        super().__init__()
        self.device_of = nn.Parameter(torch.zeros(1))
        self.read: list[int] = []

    def forward(self, symbols: Tensor, state: object) -> tuple[Tensor, object]:
        assert not self.training
        self.read = symbols[:, 0].tolist()
        return SHARES.log().expand(len(symbols), 1, 4), state


def test_what_a_model_held_of_a_stretch() -> None:
    net = Fixed().train()
    symbols = np.arange(400, dtype=np.uint8) % 4
    seen = seen_in(net, symbols, most=50, seed=3)
    assert net.training and len(seen) == 50 and len(net.read) == 113
    assert [one.symbol for one in seen[:-1]] == net.read[-49:]  # the last is no input
    for one in seen:
        assert one.probability == pytest.approx(float(SHARES[one.symbol]))
        assert one.likelier == (None if one.symbol == 3 else 3)
    for one in seen_in(net, symbols, most=50, seed=3, never=[3]):
        assert one.likelier == (None if one.symbol in (2, 3) else 2)


def test_a_short_text_is_shown_from_its_middle() -> None:
    symbols = np.array([0, 1, 2, 3, 0, 1, 2], dtype=np.uint8)
    assert [one.symbol for one in seen_in(Fixed(), symbols, most=50, seed=0)] == [0, 1, 2]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("what", ["word", "character"])
def test_any_text_can_be_drawn(what: str) -> None:
    """Long, empty of glyphs, of markup, impossible: none fails or warns."""
    items = [
        Shown("w" * 400, 0.0),
        Shown("$\\frac$", 1.0, "<b>"),
        Shown("中文", 1e-3),
        Shown("\x1b[0m", 0.5),
        Shown("¶", 1, ends_line=True),
    ]
    assert coloured(items * 200, "title", what).startswith(b"\x89PNG")
    assert coloured([], "nothing", what).startswith(b"\x89PNG")
