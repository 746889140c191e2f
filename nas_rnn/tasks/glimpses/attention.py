"""A picture read in a few looks, each where a policy or whoever calls says.

Shapes: B pictures of H x W pixels, T looks, S scales, K pixels of a side of a look, E features, N hidden, C classes. A
place is the centre of a look, (row, column): -1 is the first edge of the picture, 1 the other. An exported model has
this file's source in it, so it imports torch alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOW = 0.1
"""A factor on what the policy's layer gives. Adam's steps are as long however noisy a gradient is, and without it they
carry the proposed places off to the edges before the layers can tell good ones from others."""


class Looked(NamedTuple):
    """What the recurrent layers gave after each look, (T, B, N), where each was, and what the policy had proposed."""

    hidden_TBN: Tensor
    places_TB2: Tensor
    proposed_TB2: Tensor


class AttentionModel(nn.Module):
    """Recurrent attention (Mnih et al. 2014, "Recurrent Models of Visual Attention", arXiv:1406.6247, section 3).

    A look is a square of ``patch`` pixels a side, at several ``scales`` each of which sees twice as far with half the
    detail. Pixels and place go through two layers each and are added up (the paper's glimpse network, figure 1 B);
    recurrent layers read that; from what they give, a linear layer proposes the next place, and after the last look
    another one names the class. The first look is at the middle. While training, a look lies around the proposed place,
    normally distributed with the deviation ``spread``; otherwise at it. Beyond the edge the picture's border goes on.

    Unlike in the paper, a proposal has a bias of its own for each look, the ``path``, which begins on a ring around the
    middle: proposals that all begin at one place stay near it.

    With ``learned`` False there is no policy, and the places come with the pictures.

    Forward: ``(pictures (B, H, W), state) -> (logits (B, C), state)``, or with a mapping of ``pictures`` and ``places``
    (T, B, 2).
    """

    def __init__(
        self,
        make_rnn: Any,
        *,
        patch: int,
        scales: int,
        looks: int,
        features: int,
        classes: int,
        learned: bool = True,
        spread: float = 0.15,
        mean: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.patch, self.scales, self.looks = patch, scales, looks
        self.spread, self.mean = spread, mean
        self.pixels = nn.Sequential(
            nn.Linear(scales * patch**2, features), nn.ReLU(), nn.Linear(features, features)
        )
        self.place = nn.Sequential(nn.Linear(2, features), nn.ReLU(), nn.Linear(features, features))
        self.rnn = make_rnn(features)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.rnn.hidden_size, classes)
        self.policy = nn.Linear(self.rnn.hidden_size, 2) if learned else None
        self.path = nn.Parameter(ring(looks - 1)) if learned else None
        self.expected = nn.Linear(self.rnn.hidden_size, 1) if learned else None
        """Guesses after each look the probability that the right class will have, beside which a reward is judged."""

    def forward(self, inputs: Tensor | Mapping[str, Tensor], state: Any = None) -> tuple[Tensor, Any]:
        looked = self.look(inputs)
        return self.answer(looked.hidden_TBN)[-1], state

    def look(self, inputs: Tensor | Mapping[str, Tensor]) -> Looked:
        """Look at pictures, where the policy or the mapping's places say."""
        pictures_BHW = inputs if isinstance(inputs, Tensor) else inputs["pictures"]
        given_TB2 = None if isinstance(inputs, Tensor) else inputs["places"]
        place_B2 = proposed_B2 = pictures_BHW.new_zeros(len(pictures_BHW), 2)
        state, hidden, places, proposed = None, list[Tensor](), list[Tensor](), list[Tensor]()
        for number in range(self.looks):
            if given_TB2 is not None:
                place_B2 = proposed_B2 = given_TB2[number]
            elif number:
                proposed_B2, place_B2 = self.next_place(hidden[-1], number)
            seen_BE = self.glimpse(pictures_BHW, place_B2)
            hidden_1BN, state = self.rnn(seen_BE[None], state)
            hidden.append(hidden_1BN[0])
            places.append(place_B2)
            proposed.append(proposed_B2)
        return Looked(torch.stack(hidden), torch.stack(places), torch.stack(proposed))

    def next_place(self, hidden_BN: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Return the proposed place of look ``number``, from 1, and the one to look at, (B, 2) both.

        No gradient goes back into the layers.
        """
        assert self.policy is not None and self.path is not None, "a net without a policy needs places"
        proposed_B2 = torch.tanh(SLOW * self.policy(hidden_BN.detach()) + self.path[number - 1])
        if not self.training:
            return proposed_B2, proposed_B2
        return proposed_B2, (proposed_B2 + self.spread * torch.randn_like(proposed_B2)).detach()

    def glimpse(self, pictures_BHW: Tensor, place_B2: Tensor) -> Tensor:
        """Return the features (B, E) of a look at a place."""
        place_B2 = place_B2.clamp(-1.0, 1.0)
        return F.relu(self.pixels(self.retina(pictures_BHW, place_B2)) + self.place(place_B2))

    def retina(self, pictures_BHW: Tensor, place_B2: Tensor) -> Tensor:
        """Return the pixels (B, S K K) of a look, between pixels the weighted mean of the four next ones."""
        height, width = pictures_BHW.shape[1:]
        found = list[Tensor]()
        for scale in range(self.scales):
            step = 2**scale
            side = self.patch * step
            apart = torch.arange(side, dtype=place_B2.dtype, device=place_B2.device) - (side - 1) / 2
            rows_BK = place_B2[:, :1] + apart * (2 / height)
            columns_BK = place_B2[:, 1:] + apart * (2 / width)
            grid_BKK2 = torch.stack(
                [columns_BK[:, None, :].expand(-1, side, -1), rows_BK[:, :, None].expand(-1, -1, side)],
                dim=-1,
            )
            look_B1KK = F.grid_sample(
                pictures_BHW[:, None], grid_BKK2, padding_mode="border", align_corners=False
            )
            found.append(F.avg_pool2d(look_B1KK, step).flatten(1))
        return torch.cat(found, dim=1)

    def answer(self, hidden_TBN: Tensor) -> Tensor:
        """Return (T, B, C): the logits if each look had been the last one."""
        if self.mean:
            seen = torch.arange(1, len(hidden_TBN) + 1, device=hidden_TBN.device)[:, None, None]
            hidden_TBN = hidden_TBN.cumsum(0) / seen
        logits_TBC: Tensor = self.output(self.dropout(hidden_TBN))
        return logits_TBC


def ring(count: int) -> Tensor:
    """Return (count, 2): so many places, evenly on a ring around the middle, as tanh reads them."""
    angle = torch.arange(count) * (2 * torch.pi / max(1, count))
    return 0.5 * torch.stack([angle.sin(), angle.cos()], dim=1)


def normalised(pictures: Tensor, mean: float, deviation: float) -> Tensor:
    """Return grey pictures (B, H, W), of the same values as in training, with the training part's mean at 0."""
    return (pictures.to(torch.get_default_dtype()) - mean) / deviation
