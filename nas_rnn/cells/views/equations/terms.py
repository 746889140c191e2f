"""Formulas as text that knows how tightly it binds, put together without needless brackets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas_rnn.cells.graph.operations import Operation
from nas_rnn.cells.views.equations.notation import Notation, loosest_operator, template_fields

SUM, PRODUCT, MATRIX, ATOM = 1, 2, 3, 4
"""How tightly a formula binds: ``a + b``, ``a ⊙ b``, ``W x``, and what never needs brackets."""


@dataclass(frozen=True)
class Term:
    """A formula: its ``body``, and ``biases`` that go to the end of the sum it becomes part of."""

    body: str
    level: int = ATOM
    is_number: bool = False
    biases: tuple[str, ...] = ()
    factors: tuple[Term, ...] = ()

    @property
    def text(self) -> str:
        """The whole formula."""
        return " + ".join([self.body, *self.biases])

    def within(self, level: int) -> str:
        """Return the formula, in brackets unless it binds at least as tightly as ``level``."""
        loose = self.level < level or self.biases or self.body.startswith("-")
        return f"({self.text})" if loose else self.text


def add(left: Term, right: Term) -> Term:
    """Return ``left + right``; biases move to the end."""
    signed = f"- {right.body[1:]}" if right.body.startswith("-") else f"+ {right.body}"
    return Term(f"{left.body} {signed}", SUM, left.is_number and right.is_number, left.biases + right.biases)


def subtract(left: Term, right: Term) -> Term:
    """Return ``left - right``."""
    body = f"{left.body} - {right.within(PRODUCT)}"
    return Term(body, SUM, left.is_number and right.is_number, left.biases)


def negate(term: Term) -> Term:
    """Return ``-term``."""
    return Term(f"-{term.within(PRODUCT)}", SUM, term.is_number)


def matrix(symbol: str, argument: Term) -> Term:
    """Return a matrix times a vector."""
    return Term(f"{symbol} {argument.within(ATOM)}", MATRIX)


def multiply(terms: Sequence[Term], notation: Notation) -> Term:
    """Return the elementwise product: numbers first and without a sign, then the vectors joined by ⊙."""
    factors = tuple(factor for term in terms for factor in (term.factors or (term,)))
    numbers = [factor for factor in factors if factor.is_number]
    vectors = [factor for factor in factors if not factor.is_number]
    inner = MATRIX if len(vectors) == 1 else ATOM
    parts = [vector.within(inner) for vector in vectors]
    scale = f" {notation.times} ".join(
        n.body if place == 0 and n.level == ATOM else n.within(ATOM) for place, n in enumerate(numbers)
    )
    body = " ".join(part for part in (scale, f" {notation.odot} ".join(parts)) if part)
    return Term(body, PRODUCT, is_number=not vectors, factors=factors)


def divide(left: Term, right: Term, notation: Notation) -> Term:
    """Return ``left / right``, as a fraction where the notation has those."""
    is_number = left.is_number and right.is_number
    fraction = notation.fraction(left.text, right.text)
    if fraction is not None:
        return Term(fraction, is_number=is_number)
    return Term(f"{left.within(ATOM)} / {right.within(ATOM)}", PRODUCT, is_number)


def call(operation: Operation, terms: Sequence[Term], notation: Notation) -> Term:
    """Return ``operation`` applied to ``terms``, by its own template where it has one."""
    is_number = all(term.is_number for term in terms)
    template = notation.template(operation)
    if not template:
        return Term(notation.function(operation.name, [term.text for term in terms]), is_number=is_number)
    enclosed = dict(template_fields(template))
    values = {
        name: term.text if enclosed.get(name) else term.within(ATOM)
        for name, term in zip(operation.variables, terms, strict=True)
    }
    level = {"+": SUM, "*": PRODUCT, "": ATOM}[loosest_operator(template)]
    return Term(template.format(**values), level, is_number)
