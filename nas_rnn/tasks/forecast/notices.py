"""What somebody should know of a series before they read a figure of it."""

from __future__ import annotations

import numpy as np

from nas_rnn.tasks.data import PARTS, TaskData
from nas_rnn.tasks.forecast.windows import Shape
from nas_rnn.tasks.notices import SAID, per_cent

FEW_WINDOWS = 20
"""Of fewer test windows, ten items, an interval is wide."""
MANY_BEYOND = 0.05
"""More values than this share beyond all that was trained on are worth a sentence."""


def told_of(data: TaskData, shape: Shape, fill: str, windows: int) -> tuple[str, ...]:
    """Return a sentence on each of: filled values, a level that was never trained on, few test windows."""
    told = [*_filled(data, fill), *_beyond(data, shape)]
    if windows < FEW_WINDOWS:
        told.append(
            f"the test part holds {windows:,} windows of {shape.horizon:,} steps, too few to tell cells apart: a "
            "longer series, a larger share (option test) or a shorter horizon gives more"
        )
    return tuple(told)


def _filled(data: TaskData, fill: str) -> list[str]:
    counts = {part: int((~data.part(part)["known"]).sum()) for part in PARTS}
    if not any(counts.values()):
        return []
    shown = ", ".join(
        f"{counts[part]:,} of {data.part(part)['known'].size:,} in the {SAID[part]} part"
        for part in PARTS
        if counts[part]
    )
    ahead = "; fill=linear draws a line to the next known value, which a forecast from within a gap could not know"
    return [
        f"values that were missing are filled and read as inputs, and never scored: {shown}"
        + (ahead if fill == "linear" else "")
    ]


def _beyond(data: TaskData, shape: Shape) -> list[str]:
    """Name the target with most test values below or above all that the training part knows."""
    train, test = data.part("train"), data.part("test")
    found = list[tuple[float, str]]()
    for place in shape.targets:
        trained = train["values"][train["known"][:, place], place]
        tested = test["values"][test["known"][:, place], place]
        if len(tested):
            beyond = (tested < trained.min()) | (tested > trained.max())
            found.append((float(np.mean(beyond)), data.meta["variables"][place]))
    share, name = max(found, default=(0.0, ""))
    if share <= MANY_BEYOND:
        return []
    return [
        f"{per_cent(share)} of the test values of {name!a} lie beyond all that the training part has: the series "
        "moves on, and every cell is asked for what it never saw"
    ]
