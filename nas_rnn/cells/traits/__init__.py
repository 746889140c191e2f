"""What a cell's equations do, as numbers: for models that predict how well a cell will learn."""

from __future__ import annotations

from nas_rnn.cells.graph.canonical import canonicalise
from nas_rnn.cells.graph.nodes import CellGraph
from nas_rnn.cells.traits.carry import carry_traits
from nas_rnn.cells.traits.growth import growth_traits
from nas_rnn.cells.traits.motifs import count_traits, motif_traits

GROUPS = {
    "growth": growth_traits,
    "carry": carry_traits,
    "motifs": motif_traits,
    "counts": count_traits,
}
"""The kinds of traits: how values grow, what carries a state, which operations meet, and how many there are."""


def traits(cell: CellGraph, *groups: str) -> dict[str, float]:
    """Return the traits of ``cell``, those of ``groups`` alone where these are named; what is missing counts as 0.

    They follow from the canonical form, so cells of one digest have the same.
    """
    canonical = canonicalise(cell)
    return {
        f"{group}: {name}": value
        for group in groups or GROUPS
        for name, value in GROUPS[group](canonical).items()
    }
