"""How equations are written down: in Unicode for terminals, in LaTeX for papers."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from nas_rnn.cells.graph.operations import Operation
from nas_rnn.cells.graph.text import number

GREEK = dict(
    zip(
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "zeta",
            "eta",
            "theta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "pi",
            "rho",
            "sigma",
            "tau",
            "phi",
            "chi",
            "psi",
            "omega",
            "Gamma",
            "Delta",
            "Theta",
            "Lambda",
            "Xi",
            "Pi",
            "Sigma",
            "Phi",
            "Psi",
            "Omega",
        ],
        "αβγδεζηθικλμνξπρστφχψωΓΔΘΛΞΠΣΦΨΩ",
        strict=True,
    )
)
"""English names of Greek letters; the letters keep their order, small ones first."""

_LATEX_GREEK = {letter: rf"\{name}" for name, letter in GREEK.items()}


class Notation(Protocol):
    """One way of writing equations down; every method returns text."""

    @property
    def odot(self) -> str:
        """The sign of the elementwise product."""

    @property
    def times(self) -> str:
        """The sign between two numbers."""

    def for_names(self, names: Sequence[str]) -> Notation:
        """This notation, kept from writing two of ``names`` alike."""

    def inline(self, symbol: str) -> str:
        """A symbol within a note."""

    def value(self, name: str, time: str) -> str:
        """A value at a ``time``: ``"t"`` or ``"t-1"``."""

    def start(self, name: str) -> str:
        """The value that a state path starts at."""

    def parameter(self, letter: str, owner: str, ordinal: int | None) -> str:
        """A parameter of the equation of ``owner``; ``ordinal`` where it has several of that letter."""

    def antisymmetric(self, symbol: str) -> str:
        """A matrix less its transpose."""

    def letter(self, name: str) -> str:
        """A learned number."""

    def number(self, value: float) -> str:
        """A number."""

    def fraction(self, over: str, under: str) -> str | None:
        """A fraction drawn with a bar; None where the notation has none."""

    def function(self, name: str, arguments: Sequence[str]) -> str:
        """A function that has no notation of its own."""

    def template(self, operation: Operation) -> str:
        """The operation's own template; empty where it has none."""


@dataclass(frozen=True)
class Plain:
    """Unicode text of one line: ``hₜ = oₜ ⊙ tanh(cₜ)``."""

    odot: str = "⊙"
    times: str = "·"
    verbatim: frozenset[str] = frozenset()

    def for_names(self, names: Sequence[str]) -> Plain:
        return Plain(verbatim=_alike(names, self.letter))

    def inline(self, symbol: str) -> str:
        return symbol

    def value(self, name: str, time: str) -> str:
        return self.letter(name) + {"t": "ₜ", "t-1": "ₜ₋₁"}[time]

    def start(self, name: str) -> str:
        return self.letter(name) + "₀"

    def parameter(self, letter: str, owner: str, ordinal: int | None) -> str:
        # a digit right after a name that ends in one would read as one number
        comma = "," if ordinal is not None and owner[-1:].isdigit() else ""
        return f"{letter}_{self.letter(owner)}{comma}{'' if ordinal is None else ordinal}"

    def antisymmetric(self, symbol: str) -> str:
        return f"({symbol} - {symbol}ᵀ)"

    def letter(self, name: str) -> str:
        return name if name in self.verbatim else GREEK.get(name, name)

    def number(self, value: float) -> str:
        return number(value)

    def fraction(self, over: str, under: str) -> str | None:
        return None

    def function(self, name: str, arguments: Sequence[str]) -> str:
        return f"{name}({', '.join(arguments)})"

    def template(self, operation: Operation) -> str:
        return operation.plain


@dataclass(frozen=True)
class Latex:
    """LaTeX in mathematical mode, of commands that MathJax, KaTeX and plain LaTeX know."""

    odot: str = r"\odot"
    times: str = r"\cdot"
    verbatim: frozenset[str] = frozenset()

    def for_names(self, names: Sequence[str]) -> Latex:
        return Latex(verbatim=_alike(names, self.letter))

    def inline(self, symbol: str) -> str:
        return f"${symbol}$"

    def split(self, name: str) -> tuple[str, str]:
        return (rf"\mathrm{{{_escape(name)}}}", "") if name in self.verbatim else _split_digits(name)

    def value(self, name: str, time: str) -> str:
        base, digits = self.split(name)
        return f"{base}_{{{digits + ',' if digits else ''}{time}}}"

    def start(self, name: str) -> str:
        base, digits = self.split(name)
        return f"{base}_{{{digits + ',' if digits else ''}0}}"

    def parameter(self, letter: str, owner: str, ordinal: int | None) -> str:
        base, digits = self.split(owner)
        ending = ("" if not digits else f"_{{{digits}}}") + ("" if ordinal is None else f",{ordinal}")
        return f"{_LATEX_GREEK.get(letter, letter)}_{{{base}{ending}}}"

    def antisymmetric(self, symbol: str) -> str:
        return rf"({symbol} - {symbol}^\top)"

    def letter(self, name: str) -> str:
        base, digits = self.split(name)
        return f"{base}_{{{digits}}}" if digits else base

    def number(self, value: float) -> str:
        mantissa, _, exponent = number(value).partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def fraction(self, over: str, under: str) -> str | None:
        return rf"\frac{{{over}}}{{{under}}}"

    def function(self, name: str, arguments: Sequence[str]) -> str:
        return rf"\mathrm{{{_escape(name)}}}({', '.join(arguments)})"

    def template(self, operation: Operation) -> str:
        return operation.latex


def _alike(names: Sequence[str], letter: Callable[[str], str]) -> frozenset[str]:
    """Return the names that ``letter`` writes like another one."""
    written = Counter(letter(name) for name in set(names))
    return frozenset(name for name in names if written[letter(name)] > 1)


def _split_digits(name: str) -> tuple[str, str]:
    """Return ``name`` in LaTeX without the digits it ends in, and those: ``z_2`` gives ``z`` and ``2``."""
    match = re.fullmatch(r"(.*?[^\d_])_?(\d+)", name)
    base, digits = (match[1], match[2]) if match else (name, "")
    base = GREEK.get(base, base)
    if base in _LATEX_GREEK:
        return _LATEX_GREEK[base], digits
    return (base if len(base) == 1 and base != "_" else rf"\mathrm{{{_escape(base)}}}"), digits


def _escape(name: str) -> str:
    return name.replace("_", r"\_")


_OPENING, _CLOSING = "([{|⌊⌈", ")]}|⌋⌉,"


def template_fields(template: str) -> list[tuple[str, bool]]:
    """Return each field of a template and whether brackets or commas already set it apart."""
    found: list[tuple[str, bool]] = []
    parts = list(string.Formatter().parse(template))
    for place, (before, field, _, _) in enumerate(parts):
        if field is None:
            continue
        after = parts[place + 1][0] if place + 1 < len(parts) else ""
        left, right = before.rstrip()[-1:], after.lstrip()[:1]
        found.append((field, left != "" and right != "" and left in _OPENING + "," and right in _CLOSING))
    return found


def loosest_operator(template: str) -> str:
    """Return ``"+"`` for a template that is a sum outside brackets, ``"*"`` for a product, else ``""``."""
    depth, outside = 0, ""
    for literal, field, _, _ in string.Formatter().parse(template):
        for character in literal:
            depth += (character in "([{") - (character in ")]}")
            outside += character if depth == 0 else ""
        outside += "#" if field is not None and depth == 0 else ""
    if re.search(r"[+\-−]", outside):
        return "+"
    return "*" if re.search(r"[*/·⊙^]|\\odot|\\cdot|#\s*#", outside) else ""
