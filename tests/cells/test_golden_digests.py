"""Known cells keep their digests, and seeds the cells that they draw.

A sample and its digest take up to 30 ms, so of each space's 1,000 samples 40 are drawn again here, spread over all of
them; ``python -m tests.cells.golden_digests check`` draws every one.
"""

from __future__ import annotations

import pytest

from tests.cells.golden_digests import (
    SAMPLES,
    first_difference,
    published,
    read,
    registry,
    samples,
    spaces,
)

DRAWN = range(0, SAMPLES, 25)
CELLS, SAMPLED = read()


def test_every_published_cell_has_its_digest() -> None:
    assert first_difference(published(), CELLS) is None
    assert {name for name, _ in published()} == set(CELLS)


def test_every_space_has_all_its_samples() -> None:
    assert {space: len(known) for space, known in SAMPLED.items()} == dict.fromkeys(spaces(), SAMPLES)


@pytest.mark.parametrize("space", SAMPLED)
def test_seeds_draw_the_cells_that_they_drew(space: str) -> None:
    assert first_difference(samples(space, DRAWN), SAMPLED[space]) is None


def test_the_first_cell_that_differs_is_named_and_shown() -> None:
    found = list(samples("gated", range(5)))
    golden = {**SAMPLED["gated"], "seed 2": "ffffff", "seed 4": "ffffff"}
    told = first_difference(found, golden)
    assert told is not None
    assert told.startswith(f"seed 2 has the digest {found[2][1].digest}, not ffffff:\n@cell\ndef gated_")


def test_a_cell_that_nobody_knew_is_named() -> None:
    lstm = registry().find("cell", "lstm").value
    told = first_difference([("lstm_of_tomorrow", lstm)], CELLS)
    assert told is not None and told.startswith("lstm_of_tomorrow has the digest c1-")


def test_a_published_digest_counts_with_its_version() -> None:
    lstm = registry().find("cell", "lstm").value
    other = {"lstm": lstm.digest.replace("c1-", "c2-")}
    assert first_difference([("lstm", lstm)], other) is not None
