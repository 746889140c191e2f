"""What a model of words does, as text and as a picture: every word coloured by how likely the model held it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nas_rnn.outside import shown
from nas_rnn.tasks.figures import png, shortened
from nas_rnn.tasks.word_lm.words import EOS

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET = "#1a1a1a", "#6b6b6b"
COLUMNS = 92
"""Characters of a line."""
MOST_LINES = 60
LONGEST = 24
"""Characters of a word that are shown."""
SIZE, SMALL = 9.0, 6.6
"""Points of a word, and of what the model held for likelier."""
RAREST = -4.0
"""Logarithm to the base 10 of the probability at which the colours end."""

_ADVANCE = 0.602
"""Width of a character of DejaVu Sans Mono in ems."""
_LEFT, _RIGHT = ".,;:!?)]}’%", "([{"


@dataclass(frozen=True)
class Shown:
    """A word, its probability, and the word that was likelier, "" where there was none."""

    word: str
    probability: float
    likelier: str = ""


def written(words: Sequence[str]) -> str:
    """Return words as people write them: marks stand at the word that they belong to, lines end where they did."""
    text = ""
    for word in words:
        if word == EOS:
            text += "\n"
        else:
            joins = not text or text[-1] in "\n" + _RIGHT or (len(word) == 1 and word in _LEFT)
            text += word if joins else f" {word}"
    return text


def coloured(words: Sequence[Shown], title: str) -> bytes:
    """Draw the words line by line, each on a colour that says how likely it was, as a PNG file's bytes."""
    import matplotlib

    lines = _lines(words)
    guesses = any(one.likelier for one in words)
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
            _word(axes, column, row, one, colours(0.75 * min(1.0, level)), guesses)
    figure.text(0.2 / width, 1 - 0.26 / height, title, fontsize=10, color=INK)
    _legend(figure, width, height, guesses)
    return png(figure)


def _word(axes: Axes, column: int, row: int, one: Shown, colour: tuple[float, ...], guesses: bool) -> None:
    from matplotlib.patches import Rectangle

    text, tall = _clean(one.word), 0.56 if guesses else 0.86
    axes.add_patch(Rectangle((column - 0.25, row + 0.06), len(text) + 0.5, tall, color=colour, linewidth=0))
    style: dict[str, Any] = {
        "family": "monospace",
        "va": "center_baseline",
        "ha": "left",
        "parse_math": False,
    }
    axes.text(column, row + 0.06 + tall / 2, text, fontsize=SIZE, color=INK, **style)
    if one.likelier:
        axes.text(column, row + 0.80, _clean(one.likelier), fontsize=SMALL, color=QUIET, **style)


def _lines(words: Sequence[Shown]) -> list[list[tuple[int, Shown]]]:
    """Return lines of words with the column that each begins at; what is beyond `MOST_LINES` is left out."""
    lines: list[list[tuple[int, Shown]]] = [[]]
    column = 0
    for one in words:
        wide = max(len(_clean(one.word)), math.ceil(len(_clean(one.likelier)) * SMALL / SIZE))
        if column + wide > COLUMNS:
            lines.append([])
            column = 0
        lines[-1].append((column, one))
        column += wide + 1
        if one.word == EOS:
            lines.append([])
            column = 0
    return [line for line in lines if line][:MOST_LINES] or [[]]


def _clean(word: str) -> str:
    return shortened("¶" if word == EOS else shown(word), LONGEST)


def _legend(figure: Figure, width: float, height: float, guesses: bool) -> None:
    axes = figure.add_axes((0.2 / width, 0.32 / height, 2.6 / width, 0.12 / height))
    axes.imshow([[0.75 * place / 99 for place in range(100)]], aspect="auto", cmap="YlOrRd", vmin=0, vmax=1)
    axes.set_yticks([])
    axes.set_xticks([0, 24.75, 49.5, 74.25, 99], ["1", "1/10", "1/100", "1/1,000", "1/10,000"], fontsize=7)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    what = "how likely the model held the word"
    more = "; in grey: the likeliest one" if guesses else ""
    figure.text(3.1 / width, 0.34 / height, what + more, fontsize=7.5, color=QUIET)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), facecolor="white")
