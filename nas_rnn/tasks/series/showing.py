"""What a model of series does, as text: the series in bars, and the answer after each step."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.answers import likeliest, of_class, require_showable, spans
from nas_rnn.tasks.series.examples import Example, examples, read
from nas_rnn.tasks.series.net import SeriesModel
from nas_rnn.tasks.task import PreviewOptions

BARS = "▁▂▃▄▅▆▇█"
SHOWN = 3
"""Series on one screen."""
WIDEST = 64
"""Bars of a line; a longer series is averaged to so many."""
MOST_DRAWN = 6
"""Variables of a series, the first ones."""


Drawn = Callable[[NDArray[Any], Sequence[str], tuple[NDArray[Any], NDArray[Any]]], list[str]]
"""Draws a series (T, V) in lines of text, from the names of its variables, and the least and largest of each."""


def bars(
    series_TV: NDArray[Any], names: Sequence[str], ranges: tuple[NDArray[Any], NDArray[Any]]
) -> list[str]:
    """Return a line of bars for each of the first variables."""
    width = min(WIDEST, len(series_TV))
    levels_WV = levels(series_TV, ranges, width, len(BARS))
    indent = max(len(name) for name in names[:MOST_DRAWN])
    lines = [
        f"{name:{indent}} " + "".join(BARS[level] for level in levels_WV[:, place])
        for place, name in enumerate(names[:MOST_DRAWN])
    ]
    more = len(names) - MOST_DRAWN
    return lines + ([f"and {more} more variable{'s' * (more > 1)}"] if more > 0 else [])


def levels(
    series_TV: NDArray[Any], ranges: tuple[NDArray[Any], NDArray[Any]], width: int, count: int
) -> NDArray[np.int64]:
    """Return a series averaged to ``width`` steps, each value as one of ``count`` levels of its range."""
    least_V, largest_V = (bound.astype(np.float64) for bound in ranges)
    means_WV = np.stack([piece.mean(0) for piece in np.array_split(series_TV.astype(np.float64), width)])
    heights_WV = (means_WV - least_V) / np.where(largest_V > least_V, largest_V - least_V, 1.0)
    found_WV: NDArray[np.int64] = np.clip(heights_WV * count, 0, count - 1).astype(np.int64)
    return found_WV


def describe(
    net: SeriesModel,
    meta: Mapping[str, Any],
    *,
    seed: int,
    options: PreviewOptions,
    item: str = "series",
    drawn: Drawn = bars,
) -> str:
    """Return some of the kept examples drawn by ``seed``, with the answers; the prompt may name their class.

    Raises:
        UserError: for a class that is not known or of which no series is kept, or a negative temperature or length.
    """
    require_showable(options)
    known = examples(meta)
    if not known:
        return f"no {item} stays with the model to show: they are too long for that"
    candidates = of_class([example.label for example in known], options.prompt, meta["classes"], item)
    chosen = np.random.default_rng(seed).permutation(candidates)[: min(SHOWN, options.length)]
    ranges = value_ranges([example.series for example in known])
    return "\n\n".join(_one(net, known[place], meta, ranges, options.temperature, drawn) for place in chosen)


def _one(
    net: SeriesModel,
    example: Example,
    meta: Mapping[str, Any],
    ranges: tuple[NDArray[Any], NDArray[Any]],
    temperature: float,
    drawn: Drawn,
) -> str:
    reading, classes = read(net, example, meta), meta["classes"]
    answers = [classes[int(answer)] for answer in reading.logits.argmax(-1)]
    share = likeliest(reading.logits[-1], temperature)
    right = "right" if answers[-1] == classes[example.label] else "wrong"
    runs = [f"{answer} ({span})" for answer, span in spans(answers, reading.after)]
    return "\n".join(
        [
            *drawn(example.series, meta["variables"], ranges),
            f"class {classes[example.label]}, answered {answers[-1]} with {share:.1%}: {right}",
            *textwrap.wrap("the answer after each step: " + ", ".join(runs), 80),
        ]
    )


def value_ranges(known: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the least and the largest value of each variable, so that examples can be compared."""
    values_SV = np.concatenate(known)
    return values_SV.min(0), values_SV.max(0)
