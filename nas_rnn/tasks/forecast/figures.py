"""Forecasts as pictures: over what came, and how the error grows with the distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks.figures import new_figure, png, shortened
from nas_rnn.tasks.forecast.clock import Clock, shown_time
from nas_rnn.tasks.forecast.showing import Example

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes

INK, QUIET, OURS, NAIVE = "#1a1a1a", "#8a8a8a", "#1f5fa8", "#d9822b"
WIDTH = 8.0
"""Inches: 960 pixels."""
LONGEST_NAME = 40
HISTORY = 3
"""The history that is drawn is at most so many horizons long, or a few rows."""


def over_truth(examples: Sequence[Example], clock: Clock, naive: str) -> bytes:
    """Draw history, truth, forecast and the seasonal naive of each example, as a PNG file's bytes."""
    figure = new_figure(0.7 + 2.1 * len(examples), WIDTH)
    for axes, example in zip(np.atleast_1d(figure.subplots(len(examples))), examples, strict=True):
        _panel(axes, example, clock, naive)
    lines, labels = axes.get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside upper right", ncols=4, frameon=False, fontsize=9)
    return png(figure)


def _panel(axes: Axes, example: Example, clock: Clock, naive: str) -> None:
    ahead = len(example.truth)
    history = example.history[-max(HISTORY * ahead, 12) :]
    steps = np.arange(-len(history), ahead)
    x: Any = np.array([clock.after(example.begins, int(step)) for step in steps])
    x = x.astype("datetime64[us]") if clock.dated else x
    mark = "o" if ahead == 1 else None
    now = slice(len(history) - 1, None)  # joined to the last value that was read

    def joined(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([history[-1:], values])

    axes.axvspan(x[len(history) - 1], x[-1], color="#f2f5f9", zorder=0)
    axes.plot(x[: len(history)], history, color=QUIET, linewidth=1.2, label="read")
    axes.plot(x[now], joined(example.truth), color=INK, linewidth=1.6, marker=mark, label="truth")
    axes.plot(x[now], joined(example.naive), color=NAIVE, linewidth=1.1, linestyle="--", label=naive)
    axes.plot(x[now], joined(example.forecast), color=OURS, linewidth=2.0, marker=mark, label="forecast")
    name = shortened(example.target, LONGEST_NAME)
    axes.set_title(
        f"{name} from {shown_time(example.begins, clock.dated)}: off by {example.off:.3g} on average",
        loc="left",
        fontsize=10,
    )
    axes.margins(x=0.01)
    _quiet(axes, clock)


def by_step(errors: Mapping[str, NDArray[np.float64]], unit: str, clock: Clock) -> bytes:
    """Draw the mean absolute error of each forecast, (S,) by name, at every step ahead, as a PNG file's bytes."""
    figure = new_figure(3.2, WIDTH)
    axes = figure.subplots()
    colours = {"model": OURS, "seasonal naive": NAIVE}
    for name, error_S in errors.items():
        steps = np.arange(1, len(error_S) + 1)
        axes.plot(
            steps,
            error_S,
            color=colours.get(name, QUIET),
            linewidth=2.0 if name == "model" else 1.1,
            linestyle="-" if name == "model" else "--",
            marker="o" if len(error_S) == 1 else None,
            label=name,
        )
    axes.set_ylim(bottom=0)
    axes.set_title("Validation: how the error grows with the distance", loc="left", fontsize=10)
    axes.set_xlabel(f"steps ahead, {clock.told()} each" if clock.dated else "steps ahead")
    axes.set_ylabel(f"mean absolute error, {shortened(unit, LONGEST_NAME)}", fontsize=9)
    axes.legend(frameon=False, fontsize=9)
    axes.locator_params(axis="x", integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def _quiet(axes: Axes, clock: Clock) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, length=2)
    axes.xaxis.get_offset_text().set_fontsize(8)
    if clock.dated:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
