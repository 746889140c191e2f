"""Random search with weight sharing: Li & Talwalkar 2019, arXiv:1902.07638, section 3."""

from __future__ import annotations

from nas_rnn.cells import Cell
from nas_rnn.spaces import Space
from nas_rnn.spaces.chain import shared_cell
from nas_rnn.strategies.one_shot import OneShot


class WeightSharing(OneShot):
    """Random cells train shared weights in turns; the best of random cells with these weights are proposed."""

    name = "weight-sharing"
    summary = "ranks random cells with the weights of one supernet, on chain spaces such as darts; proposes the best"
    mixes = False

    def cell_of(self, space: Space) -> Cell:
        return shared_cell(space)
