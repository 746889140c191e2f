"""What a model of series does, as text: the series in bars, and the answer after each step."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.answers import likeliest, of_class, require_showable, spans
from nas_rnn.tasks.classify.examples import Example, examples, read
from nas_rnn.tasks.classify.net import SeriesModel
from nas_rnn.tasks.task import PreviewOptions

BARS = "▁▂▃▄▅▆▇█"
SHOWN = 3
"""Series on one screen."""
WIDEST = 64
"""Bars of a line; a longer series is averaged to so many."""
MOST_DRAWN = 6
"""Variables of a series, the first ones."""


def describe(net: SeriesModel, meta: Mapping[str, Any], *, seed: int, options: PreviewOptions) -> str:
    """Return some of the kept examples drawn by ``seed``, with the answers; the prompt may name their class.

    Raises:
        UserError: see `nas_rnn.tasks.classify.task.Classify.preview`.
    """
    require_showable(options)
    known = examples(meta)
    if not known:
        return "no series stays with the model to show: they are too long for that"
    candidates = of_class([example.label for example in known], options.prompt, meta["classes"], "series")
    chosen = np.random.default_rng(seed).permutation(candidates)[: min(SHOWN, options.length)]
    ranges = _ranges(known)
    return "\n\n".join(_one(net, known[place], meta, ranges, options.temperature) for place in chosen)


def _one(
    net: SeriesModel,
    example: Example,
    meta: Mapping[str, Any],
    ranges: tuple[NDArray[Any], NDArray[Any]],
    temperature: float,
) -> str:
    reading, classes = read(net, example, meta), meta["classes"]
    answers = [classes[int(answer)] for answer in reading.logits.argmax(-1)]
    share = likeliest(reading.logits[-1], temperature)
    right = "right" if answers[-1] == classes[example.label] else "wrong"
    runs = [f"{answer} ({span})" for answer, span in spans(answers, reading.after)]
    return "\n".join(
        [
            *_drawn(example.series, meta["variables"], ranges),
            f"class {classes[example.label]}, answered {answers[-1]} with {share:.1%}: {right}",
            *textwrap.wrap("the answer after each step: " + ", ".join(runs), 80),
        ]
    )


def _ranges(known: Sequence[Example]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the least and the largest value of each variable, so that examples can be compared."""
    values_SV = np.concatenate([example.series for example in known])
    return values_SV.min(0), values_SV.max(0)


def _drawn(
    series_TV: NDArray[Any], names: Sequence[str], ranges: tuple[NDArray[Any], NDArray[Any]]
) -> list[str]:
    least_V, largest_V = (bound.astype(np.float64) for bound in ranges)
    width = min(WIDEST, len(series_TV))
    means_WV = np.stack([piece.mean(0) for piece in np.array_split(series_TV.astype(np.float64), width)])
    heights_WV = (means_WV - least_V) / np.where(largest_V > least_V, largest_V - least_V, 1.0)
    levels_WV = np.clip(heights_WV * len(BARS), 0, len(BARS) - 1).astype(int)
    indent = max(len(name) for name in names[:MOST_DRAWN])
    lines = [
        f"{name:{indent}} " + "".join(BARS[level] for level in levels_WV[:, place])
        for place, name in enumerate(names[:MOST_DRAWN])
    ]
    more = len(names) - MOST_DRAWN
    return lines + ([f"and {more} more variable{'s' * (more > 1)}"] if more > 0 else [])
