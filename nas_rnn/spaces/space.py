"""Search spaces: a cell's equations with choices left open, define-by-run."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from nas_rnn.cells import Cell, trace_cell
from nas_rnn.spaces.choices import Choice, Choose, Decisions, Label, Pick, SpaceError

MAX_MUTATIONS = 50
"""How many changes of one decision are tried until one gives another cell."""


@dataclass(frozen=True)
class Candidate:
    """A cell proposed for training, with the decisions that give it (None: the space works on cells themselves)."""

    cell: Cell
    decisions: Decisions | None = None
    choices: tuple[Choice, ...] = field(default=(), compare=False, repr=False)

    @property
    def digest(self) -> str:
        return self.cell.digest

    def __repr__(self) -> str:
        """One line: the cell's name, and as many decisions as there is room for."""
        told = [f"{key}={label}" for key, label in (self.decisions or {}).items()]
        whole = ", ".join([repr(self.cell.name), *told])
        return f"Candidate({textwrap.shorten(whole, 100, placeholder=' ...')})"


@runtime_checkable
class Space(Protocol):
    """What every search space offers, whether it works by decisions or on cells.

    A space that works on cells may also offer ``mutate(cell, rng)``, which returns a neighbouring cell or candidate;
    the strategy ``evolution`` needs it. A `DecisionSpace` mutates its candidates by their decisions.
    """

    plugin_kind: ClassVar[str]
    name: str
    doc: str

    def sample(self, seed: int | np.random.Generator) -> Candidate:
        """Return a random candidate; equal seeds give equal candidates."""
        ...


class DecisionSpace:
    """A search space made by `search_space`: its function asks ``choose`` and returns the next states."""

    plugin_kind: ClassVar[str] = "space"

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(function).parameters)
        self.name = function.__name__
        self.doc = inspect.cleandoc(function.__doc__ or "")
        if len(parameters) < 3:
            raise SpaceError(
                f"a search space takes choose, the input and at least one state path: def {self.name}(choose, x, h)"
            )
        self._function = function
        self._known: dict[str, Choice] = {}

    def __repr__(self) -> str:
        return f"<search space {self.name}>"

    def build(self, pick: Pick) -> Candidate:
        """Return the candidate that ``pick``'s answers give; `UserError` where the space breaks a rule."""
        choose = Choose(self.name, pick)
        cell = trace_cell(self._function, self.name, choose, optional_states=True, doc="")
        for choice in choose.choices:
            known = self._known.setdefault(choice.key, choice)
            if known != choice:
                raise SpaceError(
                    f"the choice {choice.key!r} of the space {self.name!r} offers {_labels(choice)} here and "
                    f"{_labels(known)} elsewhere; say under which condition with given=..."
                )
        told = ", ".join(f"{key}={label}" for key, label in choose.decisions.items())
        named = replace(
            cell, name=f"{self.name}_{cell.digest.rpartition('-')[2][:6]}", doc=f"{self.name}: {told}"
        )
        return Candidate(named, dict(choose.decisions), tuple(choose.choices))

    def sample(self, seed: int | np.random.Generator) -> Candidate:
        """Return a candidate with every choice drawn uniformly; equal seeds give equal candidates."""
        rng = np.random.default_rng(seed)
        return self.build(lambda choice: choice.labels[int(rng.integers(len(choice.labels)))])

    def replay(self, decisions: Decisions, rng: np.random.Generator | None = None) -> Candidate:
        """Return the candidate of ``decisions``.

        Decisions that no longer occur are dropped. New questions, and answers no longer on offer, are drawn with
        ``rng``; without it they are a `SpaceError`.
        """

        def pick(choice: Choice) -> Label:
            label = decisions.get(choice.key)
            if label in choice.labels or (label is not None and rng is None):
                return label
            if rng is None:
                raise SpaceError(
                    f"the decisions for {self.name!r} lack {choice.key!r}; on offer are {_labels(choice)}"
                )
            return choice.labels[int(rng.integers(len(choice.labels)))]

        return self.build(pick)

    def mutate(self, candidate: Candidate, rng: np.random.Generator) -> Candidate:
        """Return a candidate that differs from ``candidate`` in one decision and in what follows from it.

        Decisions that only now occur are drawn with ``rng``. A change that gives the same cell is tried again, at most
        `MAX_MUTATIONS` times: then, or where every choice has a single option, the cell is the same still.
        """
        here = candidate if candidate.choices else self.replay(candidate.decisions or {}, rng)
        decisions = here.decisions or {}
        open_choices = [choice for choice in here.choices if len(choice.labels) > 1]
        if not open_choices:
            return here
        changed = here
        for _ in range(MAX_MUTATIONS):
            choice = open_choices[int(rng.integers(len(open_choices)))]
            label = choice.other(decisions[choice.key], rng)
            changed = self.replay({**decisions, choice.key: label}, rng)
            if changed.digest != here.digest:
                break
        return changed

    def crossover(self, a: Candidate, b: Candidate, rng: np.random.Generator) -> Candidate:
        """Return a candidate that has each decision from ``a`` or ``b``, whoever has it; equally often from both.

        What neither of them decided is drawn with ``rng``.
        """
        mixed: Decisions = {}
        for key in dict.fromkeys([*(a.decisions or {}), *(b.decisions or {})]):
            known = [
                parent.decisions[key] for parent in (a, b) if parent.decisions and key in parent.decisions
            ]
            mixed[key] = known[int(rng.integers(len(known)))]
        return self.replay(mixed, rng)


def _labels(choice: Choice) -> str:
    return "{" + ", ".join(str(label) for label in choice.labels) + "}"


def search_space(function: Callable[..., Any]) -> DecisionSpace:
    """Make ``function(choose, x, h, ...)`` a search space that bears its name.

    ``choose(name, options)`` returns one of the options; the rest is written like a cell. For a state path
    that a candidate does not use it returns None.
    """
    return DecisionSpace(function)
