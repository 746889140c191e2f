"""Pictures that a net draws, from nothing or from the pieces that are given.

Shapes: T pieces of P pixels, of which G are given, B pictures, L levels.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.tasks.draw.net import DrawNet
from nas_rnn.tasks.draw.pieces import Pieces


@torch.no_grad()
def draw_pieces(
    net: DrawNet, pieces: Pieces, given_GBP: NDArray[np.uint8], *, temperature: float, seed: int
) -> NDArray[np.uint8]:
    """Return pictures (T, B, P) of levels that begin with the ``given`` pieces, of which there may be none.

    ``temperature`` divides the logits; at 0 the likeliest level is taken. The draws depend on ``seed`` alone and leave
    torch's own random state as it was. The net must be in evaluation mode.
    """
    generator = torch.Generator().manual_seed(seed)
    device = next(net.parameters()).device
    places_T2 = torch.from_numpy(pieces.places_T2).to(device)
    given, count = len(given_GBP), given_GBP.shape[1]
    drawn_TBP = torch.zeros(len(places_T2), count, net.pixels, dtype=torch.int64, device=device)
    drawn_TBP[:given] = torch.from_numpy(given_GBP.astype(np.int64)).to(device)
    before_BP = torch.full((count, net.pixels), net.levels, device=device)
    state = None
    for number, place_2 in enumerate(places_T2):
        hidden_1BH, state = net.read(before_BP[None], place_2.expand(1, count, 2), state)
        for pixel in range(net.pixels) if number >= given else ():
            logits_BL = net.logits(hidden_1BH[0], drawn_TBP[number])[:, pixel].double().cpu()
            drawn_TBP[number, :, pixel] = _one_each(logits_BL, temperature, generator).to(device)
        before_BP = drawn_TBP[number]
    return drawn_TBP.cpu().numpy().astype(np.uint8)


def _one_each(logits_BL: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    if temperature == 0.0:
        return logits_BL.argmax(-1)
    shares_BL = ((logits_BL - logits_BL.amax(-1, keepdim=True)) / temperature).exp()
    return torch.multinomial(shares_BL, 1, generator=generator)[:, 0]
