"""Connectionist temporal classification: from a distribution after every frame to the labels of a recording.

Graves, Fernandez, Gomez & Schmidhuber (2006), *Connectionist temporal classification: labelling unsegmented sequence
data with recurrent neural networks*. After every frame a net gives a label or the blank; equal ones in a row are one
label, blanks are none, so that many paths of frames spell the same labels.

Shapes: T frames, K labels and the blank. An exported model has this file's source in it: it imports nothing else.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence


def collapse(path: Sequence[int], blank: int) -> list[int]:
    """Return the labels that a path spells: equal ones in a row once, blanks left out (section 3.1)."""
    return [label for label, _ in itertools.groupby(path) if label != blank]


def frames_needed(labels: Sequence[object]) -> int:
    """Return how many frames it takes to spell labels: one each, and a blank between two equal ones."""
    return len(labels) + sum(one == other for one, other in itertools.pairwise(labels))


def prefix_beam(log_TK: Sequence[Sequence[float]], blank: int, beam: int) -> list[int]:
    """Return the likeliest labels that a search over the ``beam`` likeliest beginnings finds.

    A beginning has the probabilities of all paths that spell it, apart by whether they end in a blank, since only then
    the same label can come again (Hannun, Maas, Jurafsky & Ng 2014, *First-pass large vocabulary continuous speech
    recognition using bi-directional recurrent DNNs*, algorithm 1, without a language model). With a ``beam`` as wide as
    there are beginnings it is exact.
    """
    beginnings: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for log_K in log_TK:
        grown: dict[tuple[int, ...], tuple[float, float]] = {}
        for labels, (with_blank, without) in beginnings.items():
            either = _added(with_blank, without)
            _grow(grown, labels, either + log_K[blank], -math.inf)
            if labels:
                _grow(grown, labels, -math.inf, without + log_K[labels[-1]])
            for label, log in enumerate(log_K):
                if label != blank:
                    before = with_blank if labels and label == labels[-1] else either
                    _grow(grown, (*labels, label), -math.inf, before + log)
        best = sorted(grown.items(), key=lambda item: (-_added(*item[1]), item[0]))
        beginnings = dict(best[:beam])
    return list(next(iter(beginnings)))


def _grow(
    grown: dict[tuple[int, ...], tuple[float, float]],
    labels: tuple[int, ...],
    with_blank: float,
    without: float,
) -> None:
    before = grown.get(labels, (-math.inf, -math.inf))
    grown[labels] = _added(before[0], with_blank), _added(before[1], without)


def _added(one: float, other: float) -> float:
    """Return the logarithm of the sum of two probabilities."""
    larger, smaller = (one, other) if one > other else (other, one)
    return larger if smaller == -math.inf else larger + math.log1p(math.exp(smaller - larger))
