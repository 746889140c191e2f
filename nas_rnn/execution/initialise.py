"""What the parameters start at."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from nas_rnn.cells.graph.nodes import LearnedVector, Linear, Scalar
from nas_rnn.execution.layout import Layout, Place


def rows(parameters: Mapping[str, Tensor], place: Place) -> Tensor:
    """Return the part of ``parameters`` that ``place`` names."""
    return parameters[place.tensor][place.start : place.stop]


@torch.no_grad()
def initialise(layout: Layout, parameters: Mapping[str, Tensor]) -> None:
    """Fill the tensors of one layer and direction, drawing in the canonical order of the owners.

    Matrices and diagonals are uniform within 1/sqrt(hidden_size), as torch's RNNs start; biases, learned
    numbers and vectors start at what the cell states; a layer norm starts as the identity.
    """
    bound = 1 / math.sqrt(layout.hidden_size)
    drawn = sorted(
        [(m.owner, m.argument, m.place) for m in layout.matrices]
        + [(d.owner, 0, d.place) for d in layout.diagonals]
    )
    for _, _, place in drawn:
        rows(parameters, place).uniform_(-bound, bound)
    for vector in layout.biases:
        node = layout.canonical.nodes[vector.owner]
        assert isinstance(node, Linear) and node.bias is not None
        rows(parameters, vector.place).fill_(node.bias)
    for vector in layout.scalars + layout.vectors:
        node = layout.canonical.nodes[vector.owner]
        assert isinstance(node, Scalar | LearnedVector)
        rows(parameters, vector.place).fill_(node.init)
    for gain in layout.gains:
        rows(parameters, gain.place).fill_(1.0)
    for shift in layout.shifts:
        rows(parameters, shift.place).zero_()
