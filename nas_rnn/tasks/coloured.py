"""A text as a picture: every word, or every character, on a colour that says how likely a model held it."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nas_rnn.outside import shown
from nas_rnn.tasks.data import Symbols
from nas_rnn.tasks.figures import DPI, INK, QUIET, shortened

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
_MARGIN = 0.2
"""Inches beside the text."""
_LEVELS = 128
"""Different colours."""


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
    gap = 0 if what == "character" else 1
    lines = _lines(items, gap)
    guesses = any(one.likelier for one in items)
    step, tall = (0.30, 0.56) if guesses else (0.21, 0.86)
    page = _Page(COLUMNS * _ADVANCE * SIZE / 72 + 2 * _MARGIN, 0.95 + step * len(lines))
    page.write(_MARGIN, 0.21, title, 10, INK, mono=False)
    for row, line in enumerate(lines):
        top = 0.40 + step * row
        for column, one in line:
            text, left = _clean(one.text), _MARGIN + column * _ADVANCE * SIZE / 72
            more, wide = gap / 4 * _ADVANCE * SIZE / 72, len(text) * _ADVANCE * SIZE / 72
            level = max(0.0, math.log10(max(one.probability, 1e-300)) / RAREST)
            page.fill(left - more, top + 0.06 * step, wide + 2 * more, tall * step, min(1.0, level))
            page.write(left, top + (0.06 + tall / 2) * step, text, SIZE, INK)
            page.write(left, top + 0.80 * step, _clean(one.likelier), SMALL, QUIET)
    _legend(page, 0.40 + step * len(lines), guesses, what)
    return page.png()


class _Page:
    """A white picture on which is written, in inches from its upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        import matplotlib
        from PIL import Image, ImageDraw

        self._image = Image.new("RGB", (round(width * DPI), round(height * DPI)), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._fonts: dict[tuple[float, bool], Any] = {}
        self._folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
        levels = matplotlib.colormaps["YlOrRd"](np.linspace(0, 0.75, _LEVELS), bytes=True)
        self._colours = [tuple(colour[:3]) for colour in levels.tolist()]

    def fill(self, left: float, top: float, width: float, height: float, level: float) -> None:
        """Fill a rectangle with the colour of a level, 0 to 1."""
        colour = self._colours[round(level * (_LEVELS - 1))]
        corners = (left * DPI, top * DPI, (left + width) * DPI, (top + height) * DPI)
        self._draw.rectangle(tuple(round(place) for place in corners), colour)

    def write(
        self, left: float, middle: float, text: str, points: float, ink: str, mono: bool = True
    ) -> None:
        """Write a text, around the height ``middle``; of one width each (``mono``), its characters stand in columns."""
        font, step = self._font(points, mono), _ADVANCE * points / 72
        for number, part in enumerate(text if mono else [text]):
            self._draw.text(((left + number * step) * DPI, middle * DPI), part, ink, font, "lm")

    def _font(self, points: float, mono: bool) -> Any:
        from PIL import ImageFont

        if (points, mono) not in self._fonts:
            file = self._folder / ("DejaVuSansMono.ttf" if mono else "DejaVuSans.ttf")
            self._fonts[points, mono] = ImageFont.truetype(
                file, points * DPI / 72, layout_engine=ImageFont.Layout.BASIC
            )
        return self._fonts[points, mono]

    def png(self) -> bytes:
        """Return the picture as a PNG file's bytes."""
        content = io.BytesIO()
        self._image.save(content, "PNG")
        return content.getvalue()


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


def _legend(page: _Page, top: float, guesses: bool, what: str) -> None:
    wide, marks = 2.6, ("1", "1/10", "1/100", "1/1,000", "1/10,000")
    for place in range(_LEVELS):
        page.fill(_MARGIN + wide * place / _LEVELS, top + 0.11, wide / _LEVELS, 0.12, place / (_LEVELS - 1))
    for place, mark in enumerate(marks):
        page.write(
            _MARGIN + wide * place / (len(marks) - 1) - 0.03 * len(mark), top + 0.33, mark, 7, INK, mono=False
        )
    more = "; in grey: the likeliest one" if guesses else ""
    told = f"how likely the model held the {what}{more}"
    page.write(_MARGIN + wide + 0.4, top + 0.17, told, 7.5, QUIET, mono=False)
