"""Matrices that are made of the learned ones, before a sequence and so outside of the backends.

A backend knows matrices alone, whatever they were made of; what is learned gets its gradient through autograd.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nas_rnn.execution.layout import Layout


def matrices_of(layout: Layout, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a layer's tensors by name as backends read them: with A - Aᵀ where `antisymmetric` has learned A."""
    made = dict(tensors)
    for place in layout.antisymmetric:
        whole = made[place.tensor]
        own = whole[place.start : place.stop]
        made[place.tensor] = torch.cat([whole[: place.start], own - own.T, whole[place.stop :]])
    return made
