"""The layers around the recurrent ones, from the pieces drawn so far to the next one.

Shapes: T pieces of P pixels, B pictures, L levels of grey, F features of a place, H hidden. An exported model has this
file's source in it, so it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DrawNet(nn.Module):
    """Draws the next piece of a picture from those before it, pixel by pixel (van den Oord et al. 2016, section 2).

    A piece of one pixel is read one-hot, with one place more for "nothing yet"; one of several by its greys from -1 to
    1, nothing by 0. Beside it stand features of the row and of the column where the next piece belongs. Recurrent
    layers and dropout follow, then a linear layer to a distribution over levels for each pixel. Within a piece a pixel
    depends also on those before it, by a linear layer whose weights from later ones are masked (Germain et al. 2015,
    MADE).

    Forward: ``({before (T, B, P), place (T, B, 2), piece (T, B, P)}, state) -> (logits (T, B, P, L), state)``: levels
    of the piece before, `L` where there is none; where the next one stands; and its own levels, of which each pixel's
    logits know those before it.
    """

    earlier: Tensor
    units: Tensor

    def __init__(
        self,
        make_rnn: Any,
        *,
        pixels: int,
        levels: int,
        rows: int,
        columns: int,
        features: int = 16,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.pixels, self.levels = pixels, levels
        self.row = nn.Embedding(rows, features)
        self.column = nn.Embedding(columns, features)
        self.rnn = make_rnn((levels + 1 if pixels == 1 else pixels) + features)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.rnn.hidden_size, pixels * levels)
        self.within = nn.Linear(pixels, pixels * levels, bias=False) if pixels > 1 else None
        earlier_PP = torch.ones(pixels, pixels).tril(-1)
        self.register_buffer("earlier", earlier_PP.repeat_interleave(levels, 0), persistent=False)
        self.register_buffer("units", torch.eye(levels + 1), persistent=False)

    def forward(self, inputs: Mapping[str, Tensor], state: Any = None) -> tuple[Tensor, Any]:
        hidden_TBH, state = self.read(inputs["before"], inputs["place"], state)
        return self.logits(hidden_TBH, inputs["piece"]), state

    def read(self, before_TBP: Tensor, place_TB2: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return what the recurrent layers give after pieces, (T, B, H)."""
        # the sums of all places, to be looked up once: the gradient of a lookup is dear
        places_RCF = self.row.weight[:, None] + self.column.weight
        number_TB = place_TB2[..., 0] * places_RCF.shape[1] + place_TB2[..., 1]
        where_TBF = F.embedding(number_TB, places_RCF.flatten(0, 1))
        if self.pixels == 1:
            seen_TBI = F.embedding(before_TBP[..., 0], self.units)
        else:
            greys_TBP = self.scaled(before_TBP, where_TBF.dtype)
            seen_TBI = greys_TBP.masked_fill(before_TBP == self.levels, 0.0)
        hidden_TBH, state = self.rnn(torch.cat([seen_TBI, where_TBF], dim=-1), state)
        return self.dropout(hidden_TBH), state

    def logits(self, hidden: Tensor, piece: Tensor) -> Tensor:
        """Return (..., P, L) for pieces (..., P), of which a pixel's logits depend on those before it alone."""
        found: Tensor = self.output(hidden)
        if self.within is not None:
            found = found + F.linear(self.scaled(piece, hidden.dtype), self.within.weight * self.earlier)
        return found.view(*found.shape[:-1], self.pixels, self.levels)

    def scaled(self, levels: Tensor, dtype: torch.dtype) -> Tensor:
        """Return greys from -1 to 1."""
        return levels.to(dtype) * (2 / max(1, self.levels - 1)) - 1
