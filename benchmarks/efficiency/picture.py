"""The curves of a benchmark of strategies: what was found after how many evaluations, with bands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from efficiency.problems import Problem
from efficiency.searching import TOP, Searches


def draw(path: Path, problem: Problem, found: Mapping[str, Searches], evaluations: int) -> None:
    """Draw the mean of the ten best found: the median of all searches, and between the quartiles a band."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for name, searches in found.items():
        curves = searches.top()[:, TOP - 1 : evaluations]
        first, middle, third = np.percentile(curves, (25, 50, 75), axis=0)
        places = np.arange(TOP, TOP + len(middle))
        (line,) = axes.plot(places, middle, label=name, linewidth=1.6)
        axes.fill_between(places, first, third, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.axhline(problem.best, color="0.4", linewidth=1, linestyle=":", label="the ten best of all")
    low = problem.best
    high = float(np.median(found["random"].top()[:, 2 * TOP - 1]))
    axes.set_ylim(low - 0.05 * (high - low), high + 0.15 * (high - low))
    axes.set_xlim(TOP, evaluations)
    axes.set_xlabel("evaluations")
    axes.set_ylabel(f"mean of the ten best found, {problem.unit}")
    axes.set_title(f"{problem.name}: median and quartiles over searches", loc="left", fontsize="medium")
    axes.legend(frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
