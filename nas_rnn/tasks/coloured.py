"""A text as a picture: every word, or every character, on a colour that says how likely a model held it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from nas_rnn.outside import shown
from nas_rnn.tasks.data import Symbols
from nas_rnn.tasks.figures import INK, QUIET, png, shortened

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 92
"""Characters of a line."""
MOST_LINES = 60
LONGEST = 24
"""Characters of a word that are shown."""
READ_BEFORE = 64
"""Symbols that a model reads before those that are shown."""
SIZE, SMALL = 9.0, 6.6
"""Points of a word, and of what the model held for likelier."""
RAREST = -4.0
"""Logarithm to the base 10 of the probability at which the colours end."""

_ADVANCE = 0.602
"""Width of a character of DejaVu Sans Mono in ems."""


@dataclass(frozen=True)
class Shown:
    """A word or character, its probability, what was likelier ("": nothing), and whether a line ends behind it."""

    text: str
    probability: float
    likelier: str = ""
    ends_line: bool = False


@dataclass(frozen=True)
class Seen:
    """A symbol that a model was shown, the probability that it gave to it, and the likeliest, if that is another."""

    symbol: int
    probability: float
    likelier: int | None


@torch.no_grad()
def seen_in(
    net: nn.Module, symbols: Symbols, *, most: int, seed: int, never: Sequence[int] = ()
) -> list[Seen]:
    """Return what ``net`` held of a stretch of ``symbols`` (N,) that ``seed`` chooses, at most so many.

    The net is ``(symbols (T, 1), state) -> (logits (T, 1, V), state)``; it reads some symbols before the stretch. Those
    in ``never`` are not called likelier. The net's training mode is left as it was.
    """
    last = max(1, len(symbols) - most - READ_BEFORE)
    first = int(np.random.default_rng(seed).integers(last))
    chosen = torch.from_numpy(symbols[first : first + READ_BEFORE + most].astype(np.int64))
    was_training = net.training
    net.eval()
    logits_T1V, _ = net(chosen[:-1, None].to(next(net.parameters()).device), None)
    net.train(was_training)
    shares_TV = logits_T1V[:, 0].double().softmax(-1).cpu()
    barred, found = torch.tensor(list(never), dtype=torch.int64), list[Seen]()
    for shares_V, symbol in zip(shares_TV, chosen[1:].tolist(), strict=True):
        best = int(shares_V.index_fill(0, barred, -1.0).argmax())
        likelier = best if shares_V[best] > shares_V[symbol] else None
        found.append(Seen(symbol, float(shares_V[symbol]), likelier))
    shown_of = min(most, max(len(found) - READ_BEFORE + 1, len(found) // 2))
    return found[len(found) - shown_of :]


def coloured(items: Sequence[Shown], title: str, what: str) -> bytes:
    """Draw words or characters line by line, on colours that say how likely they were, as a PNG file's bytes.

    ``what`` is what an item is: a "word" stands apart from the next, a "character" does not.
    """
    import matplotlib

    gap = 0 if what == "character" else 1
    lines = _lines(items, gap)
    guesses = any(one.likelier for one in items)
    step = 0.30 if guesses else 0.21
    height = 0.95 + step * len(lines)
    width = COLUMNS * _ADVANCE * SIZE / 72 + 0.4
    figure = _figure(width, height)
    axes = figure.add_axes((0.2 / width, 0.55 / height, 1 - 0.4 / width, step * len(lines) / height))
    axes.set_xlim(0, COLUMNS)
    axes.set_ylim(len(lines), 0)
    axes.axis("off")
    colours = matplotlib.colormaps["YlOrRd"]
    for row, line in enumerate(lines):
        for column, one in line:
            level = max(0.0, math.log10(max(one.probability, 1e-300)) / RAREST)
            _item(axes, column, row, one, colours(0.75 * min(1.0, level)), guesses, gap)
    figure.text(0.2 / width, 1 - 0.26 / height, title, fontsize=10, color=INK)
    _legend(figure, width, height, guesses, what)
    return png(figure)


def _item(
    axes: Axes, column: int, row: int, one: Shown, colour: tuple[float, ...], guesses: bool, gap: int
) -> None:
    from matplotlib.patches import Rectangle

    text, tall, more = _clean(one.text), 0.56 if guesses else 0.86, gap / 4
    axes.add_artist(  # not as a patch, for each of which matplotlib would look after the limits, which are set
        Rectangle((column - more, row + 0.06), len(text) + 2 * more, tall, color=colour, linewidth=0)
    )
    style: dict[str, Any] = {
        "family": "monospace",
        "va": "center_baseline",
        "ha": "left",
        "parse_math": False,
    }
    if text.strip():
        axes.text(column, row + 0.06 + tall / 2, text, fontsize=SIZE, color=INK, **style)
    if one.likelier:
        axes.text(column, row + 0.80, _clean(one.likelier), fontsize=SMALL, color=QUIET, **style)


def _lines(items: Sequence[Shown], gap: int) -> list[list[tuple[int, Shown]]]:
    """Return lines of items with the column that each begins at; what is beyond `MOST_LINES` is left out."""
    lines: list[list[tuple[int, Shown]]] = [[]]
    column = 0
    for one in items:
        wide = max(len(_clean(one.text)), math.ceil(len(_clean(one.likelier)) * SMALL / SIZE))
        if column + wide > COLUMNS:
            lines.append([])
            column = 0
        lines[-1].append((column, one))
        column += wide + gap
        if one.ends_line:
            lines.append([])
            column = 0
    return [line for line in lines if line][:MOST_LINES] or [[]]


def _clean(text: str) -> str:
    return shortened(shown(text), LONGEST)


def _legend(figure: Figure, width: float, height: float, guesses: bool, what: str) -> None:
    axes = figure.add_axes((0.2 / width, 0.32 / height, 2.6 / width, 0.12 / height))
    axes.imshow([[0.75 * place / 99 for place in range(100)]], aspect="auto", cmap="YlOrRd", vmin=0, vmax=1)
    axes.set_yticks([])
    axes.set_xticks([0, 24.75, 49.5, 74.25, 99], ["1", "1/10", "1/100", "1/1,000", "1/10,000"], fontsize=7)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    more = "; in grey: the likeliest one" if guesses else ""
    figure.text(
        3.1 / width, 0.34 / height, f"how likely the model held the {what}{more}", fontsize=7.5, color=QUIET
    )


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), facecolor="white")
