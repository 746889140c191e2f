"""Differentiable architecture search at first order: DARTS, Liu, Simonyan & Yang 2019, arXiv:1806.09055."""

from __future__ import annotations

from nas_rnn.cells import Cell
from nas_rnn.spaces import Space
from nas_rnn.spaces.chain import chain_of
from nas_rnn.strategies.one_shot import OneShot


class Differentiable(OneShot):
    """A mixture of all cells is trained, and the probabilities of its choices; the most probable cells are proposed."""

    name = "differentiable"
    summary = (
        "trains a mixture of all cells of a chain space such as darts (DARTS); proposes the most probable"
    )
    mixes = True

    def cell_of(self, space: Space) -> Cell:
        return chain_of(space).cell
