"""Pictures of what a model writes: where attention looks, or the pairs with the wrong tokens marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas_rnn.outside import shown
from nas_rnn.tasks.figures import new_figure, png, shortened
from nas_rnn.tasks.seq2seq.written import Written
from nas_rnn.tasks.vocabulary import join

if TYPE_CHECKING:  # matplotlib takes half a second to import
    from matplotlib.axes import Axes

INK, QUIET, WRONG = "#1a1a1a", "#6b6b6b", "#c0392b"
WIDTH, HIGHEST = 8.0, 16.0
"""Inches: 960 pixels wide."""
FONTS = ["DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "sans-serif"]
"""Those of them that there are are asked in turn for a sign."""
MOST_WRITTEN = 34
"""Characters of a text in a column of the table."""
END = "■"


def attention_of(written: Sequence[Written]) -> bytes:
    """Draw a matrix for each pair, dark where a written token (a row) looks at the source, as a PNG file's bytes."""
    heights = [0.9 + 0.2 * (len(pair.output) + 1) for pair in written]
    figure = new_figure(min(sum(heights) + 0.4, HIGHEST), WIDTH)
    panels = figure.subplots(len(written), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, pair in zip(panels, written, strict=True):
        axes.imshow(pair.weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest")
        rows = [*map(_shown, pair.output), END]
        axes.set_xticks(range(len(pair.source)), map(_shown, pair.source), rotation=_turn(pair.source))
        axes.set_yticks(range(len(rows)), rows)
        axes.xaxis.tick_top()
        axes.tick_params(length=0, labelsize=9)
        axes.spines[:].set_visible(False)
        for place, tick in enumerate(axes.get_yticklabels()):
            wanted = None if pair.target is None else [*pair.target, None]
            own = pair.output[place] if place < len(pair.output) else None
            if wanted is not None and (place >= len(wanted) or wanted[place] != own):
                tick.set_color(WRONG)
                tick.set_fontweight("bold")
    figure.suptitle(
        f"Where the decoder looks (dark) while it writes each row; {END}: the end; red: wrong", fontsize=11
    )
    return png(figure, FONTS)


def table_of(written: Sequence[Written], by: str, target_by: str) -> bytes:
    """Draw source, target and output of each pair, wrong tokens in red, as a PNG file's bytes."""
    figure = new_figure(min(0.9 + 0.32 * len(written), HIGHEST), WIDTH)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(len(written) - 0.3, -1.0)
    given = any(pair.target is not None for pair in written)
    columns = (0.0, 0.42, 0.71) if given else (0.0, 0.5, 0.5)
    for place, name in zip(columns, ("source", "target" if given else "", "output"), strict=True):
        axes.text(place, -0.6, name, color=QUIET, fontsize=10)
    axes.axhline(-0.35, color=QUIET, linewidth=0.8)
    for row, pair in enumerate(written):
        axes.text(columns[0], row, _short(join(pair.source, by)), color=INK, fontsize=10, va="center")
        if pair.target is not None:
            axes.text(columns[1], row, _short(join(pair.target, target_by), 24), fontsize=10, va="center")
        _write_output(axes, columns[2], row, pair, target_by)
    if given:
        right = sum(pair.right for pair in written)
        axes.set_title(f"{right} of {len(written)} validation pairs are right", loc="left", fontsize=11)
    return png(figure, FONTS)


def _write_output(axes: Axes, left: float, row: int, pair: Written, by: str) -> None:
    """Write the output token by token, each behind the one before it, wrong ones in red; cut where it is long."""
    gap = " " if by == "word" else ""
    pieces, used = list[tuple[str, bool]](), 0
    for place, token in enumerate(pair.output):
        wrong = pair.target is not None and (place >= len(pair.target) or pair.target[place] != token)
        used += len(token) + len(gap)
        if used > 26:
            pieces.append(("…", False))
            break
        if pieces and pieces[-1][1] == wrong:
            pieces[-1] = (pieces[-1][0] + gap + token, wrong)
        else:
            pieces.append((gap + token if pieces else token, wrong))
    if pair.target is not None and not pair.right and len(pair.output) < len(pair.target):
        pieces.append((END, True))  # too short
    before = axes.text(left, row, "", fontsize=10, va="center")
    for text, wrong in pieces:
        before = axes.annotate(
            shown(text),
            xy=(1, 0.5),
            xycoords=before,
            va="center",
            fontsize=10,
            color=WRONG if wrong else INK,
            fontweight="bold" if wrong else "normal",
        )


def _shown(token: str) -> str:
    return "␣" if token == " " else shown(token)


def _turn(tokens: Sequence[str]) -> int:
    return 90 if max(map(len, tokens)) > 3 else 0


def _short(text: str, most: int = MOST_WRITTEN) -> str:
    return shortened(shown(text), most)
