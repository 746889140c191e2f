"""What keeps recurrent layers from learning by heart: masks that stay the same over a whole sequence.

Variational dropout (Gal & Ghahramani 2016, section 4.2) drops features of what a layer reads, the same at every step.
Weight drop (Merity, Keskar & Socher 2018, section 2) drops single weights of the matrices that states pass through, as
DropConnect does. What is kept is divided by the share that is kept, so nothing needs scaling where nothing is dropped.

All masks are drawn with torch's generator and applied outside of the backends, which so agree at one seed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nas_rnn.execution.layout import Layout


def mask_like(tensor: Tensor, rate: float) -> Tensor:
    """Return 0 with probability ``rate`` and else 1 / (1 - rate), for each number of ``tensor``."""
    return nn.functional.dropout(torch.ones_like(tensor, requires_grad=False), rate)


def drop_features(x_TBI: Tensor, rate: float) -> Tensor:
    """Return ``x_TBI`` without some features of each sequence, which are missing at all its steps."""
    return x_TBI * mask_like(x_TBI[0], rate)


def drop_weights(layout: Layout, tensors: Mapping[str, Tensor], rate: float) -> dict[str, Tensor]:
    """Return a layer's tensors by name, with some weights of its recurrent matrices zero."""
    dropped = dict(tensors)
    for name, spans in layout.recurrent_rows.items():
        mask = torch.ones_like(tensors[name], requires_grad=False)
        for start, stop in spans:
            mask[start:stop] = mask_like(mask[start:stop], rate)
        dropped[name] = tensors[name] * mask
    return dropped
