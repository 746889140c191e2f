"""The options of `memory`, and what they come to for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nas_rnn.errors import UserError
from nas_rnn.tasks.memory.brackets import BRACKETS, closing, whole
from nas_rnn.tasks.memory.classic import adding, copying, parity
from nas_rnn.tasks.memory.pixels import PIXELS
from nas_rnn.tasks.memory.series import Draw
from nas_rnn.tasks.options import option

LONGEST = 100_000
MOST_NUMBERS = 500_000_000
"""Steps of all series of a part together: two gigabytes of numbers."""
MOST_LENGTHS = 32


DRAWN = ("adding", "copy", "parity", "dyck")
"""The kinds whose series are drawn; digits are what they are."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `memory`."""

    kind: str = option("adding", "what is to be remembered", choices=(*DRAWN, "pixels"))
    steps: int = option(
        0,
        "length of series to train on (kind copy: of the gap); 0: what suits the kind",
        low=0,
        high=LONGEST,
        only={"kind": DRAWN},
    )
    shortest: int = option(
        0,
        "training lengths are drawn from this one to steps; 0: half of steps, or less where that helps",
        low=0,
        high=LONGEST,
        only={"kind": DRAWN},
    )
    lengths: str = option(
        "",
        "lengths to validate and test on, with commas; empty: half of steps, and steps",
        only={"kind": DRAWN},
    )
    items: int = option(
        0, "series to train on; 0: what suits the kind", low=0, high=10_000_000, only={"kind": DRAWN}
    )
    tests: int = option(
        1000,
        "series of each length to test on; a quarter validates",
        low=4,
        high=1_000_000,
        only={"kind": DRAWN},
    )
    symbols: int = option(8, "kind copy: different symbols", low=2, high=200, only={"kind": ("copy",)})
    copied: int = option(5, "kind copy: symbols to remember", low=1, high=1000, only={"kind": ("copy",)})
    depth: int = option(
        8, "kind dyck: how deep brackets nest at most", low=3, high=1000, only={"kind": ("dyck",)}
    )
    ask: str = option(
        "closing",
        "kind dyck: which bracket may close next, or whether the word is well-formed",
        choices=("closing", "whole"),
        only={"kind": ("dyck",)},
    )
    seed: int = option(0, "what all series are drawn from", low=0, high=2**31)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a kind has where options say nothing, and how it is read.

    ``symbols`` is how many different inputs there are, 0 for inputs that are ``numbers`` a step. ``classes`` are the
    names of answers, none where the answer is a number. ``least`` is the shortest length that can be asked, ``even``
    says that there are no odd ones, and ``shortest`` is the least to train on, where it is not half of the longest.
    """

    steps: int
    items: int
    least: int
    symbols: int = 0
    numbers: int = 0
    classes: list[str] = field(default_factory=list)
    answers: int = 1
    shortest: int = 0
    even: bool = False


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Training lengths from ``shortest`` to ``steps``, and those ``asked`` in validation and test, ascending."""

    shortest: int
    steps: int
    asked: tuple[int, ...]


def kind_of(own: Options) -> Kind:
    """Return what the kind comes to."""
    if own.kind == "adding":
        return Kind(steps=30, items=1_000, least=2, numbers=2)
    if own.kind == "copy":
        names = [letter(number) for number in range(own.symbols)]
        return Kind(
            steps=10, items=4_000, least=1, symbols=own.symbols + 2, classes=names, answers=own.copied
        )
    if own.kind == "parity":
        return Kind(steps=24, items=4_000, least=2, symbols=2, classes=["even", "odd"], shortest=2)
    if own.kind == "dyck":
        names = [")", "]"] if own.ask == "closing" else ["broken", "well-formed"]
        return Kind(
            steps=24,
            items=4_000,
            least=2,
            symbols=len(BRACKETS),
            classes=names,
            shortest=4,
            even=own.ask == "whole",
        )
    return Kind(steps=PIXELS, items=0, least=PIXELS, numbers=1, classes=[str(digit) for digit in range(10)])


def letter(number: int) -> str:
    """Return the symbol's name: a letter, or its number where there are none left."""
    return "abcdefghijklmnopqrstuvwxyz"[number] if number < 26 else f"<{number}>"


def lengths_of(own: Options) -> Lengths:
    """Return the lengths that the options come to.

    Raises:
        UserError: for lengths that are no whole numbers, too many, too short, too long or odd where none are.
    """
    kind = kind_of(own)
    if own.kind == "pixels":
        return Lengths(shortest=PIXELS, steps=PIXELS, asked=(PIXELS,))
    steps = own.steps or kind.steps
    half = max(kind.least, steps // 2)
    half += half % 2 if kind.even else 0
    shortest = own.shortest or min(kind.shortest or half, steps)
    default = sorted({half, steps})
    asked = _read(own.lengths) if own.lengths else tuple(default)
    for name, value in (("steps", steps), ("shortest", shortest), *(("lengths", one) for one in asked)):
        if value < kind.least:
            raise UserError(
                f"{name} of kind={own.kind} must be at least {kind.least}; got {value}, give such as {kind.steps}"
            )
        if kind.even and value % 2:
            raise UserError(
                f"{name} of kind={own.kind} ask={own.ask} must be even, since every bracket is closed; got {value}, "
                f"give such as {value + 1}"
            )
    if shortest > steps:
        raise UserError(f"shortest={shortest} is more than steps={steps}; give one of at most {steps}")
    count, longest = own.items or kind.items, max(steps, *asked)
    if max(count, own.tests * len(asked)) * longest > MOST_NUMBERS:
        raise UserError(
            f"{max(count, own.tests * len(asked)):,} series of up to {longest:,} steps are more than "
            f"{MOST_NUMBERS:,} steps; use shorter ones, or fewer (items and tests)"
        )
    return Lengths(shortest=shortest, steps=steps, asked=asked)


def _read(text: str) -> tuple[int, ...]:
    wanted = f"give whole numbers from 1 to {LONGEST:,} with commas, such as lengths=10,20,40"
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) > MOST_LENGTHS:
        raise UserError(f"lengths has {len(pieces):,} numbers, more than {MOST_LENGTHS}; leave some out")
    for piece in pieces:
        if not (piece.isascii() and piece.isdigit() and len(piece) <= 6 and 1 <= int(piece) <= LONGEST):
            raise UserError(f"lengths has {piece[:20]!r}, which is no length; {wanted}")
    return tuple(sorted({int(piece) for piece in pieces}))


def draw_of(own: Options) -> Draw:
    """Return what draws series of the kind; digits are not drawn."""
    draws: Mapping[str, Any] = {
        "adding": adding,
        "copy": partial(copying, symbols=own.symbols, copied=own.copied),
        "parity": parity,
        "dyck": partial(closing if own.ask == "closing" else whole, depth=own.depth),
    }
    draw: Draw = draws[own.kind]
    return draw
