"""Open choices: what a search-space function asks, and the plain decisions that answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas_rnn.errors import UserError

Label = str | int
"""What stands for an option in plain data: a name, or the number itself for a range."""

NEIGHBOUR = 0.7
"""How often a changed number of a range becomes the next smaller or larger one; else any other of the range."""


class SpaceError(UserError):
    """A search space that breaks a rule, or decisions that do not fit it."""


@dataclass(frozen=True)
class Choice:
    """One question a space asks: its key and the labels on offer; ``ordered`` for a range of numbers."""

    key: str
    labels: tuple[Label, ...]
    ordered: bool = False

    def other(self, label: Label, rng: np.random.Generator) -> Label:
        """Return another label than ``label``, drawn with ``rng``; of an ordered choice mostly a neighbour.

        A choice with one label alone gives that back.
        """
        others = [known for known in self.labels if known != label]
        if self.ordered and label in self.labels and rng.random() < NEIGHBOUR:
            here = self.labels.index(label)
            others = [*self.labels[max(here - 1, 0) : here], *self.labels[here + 1 : here + 2]]
        return others[int(rng.integers(len(others)))] if others else label


Decisions = dict[str, Label]
Pick = Callable[[Choice], Label]
"""Answers a `Choice` with one of its labels."""


class Choose:
    """What a search-space function gets as ``choose``: asks ``pick`` and remembers questions and answers."""

    def __init__(self, space: str, pick: Pick) -> None:
        self._space = space
        self._pick = pick
        self.choices: list[Choice] = []
        self.decisions: Decisions = {}

    def __call__(self, name: str, options: Iterable[Any], given: str = "") -> Any:
        """Return one of ``options``.

        ``given`` names the condition under which these options are on offer; a name that meets different options
        under different conditions needs it, and is stored as ``name|given``.
        """
        choice, by_label = self._read(name, options, given)
        if choice.key in self.decisions:
            if choice not in self.choices:
                raise SpaceError(
                    f"the space {self._space!r} asks {choice.key!r} twice with different options; use another name "
                    "or given=... to tell the two apart"
                )
            return by_label[self.decisions[choice.key]]
        label = self._pick(choice)
        if label not in by_label:
            offered = ", ".join(str(known) for known in by_label)
            raise SpaceError(
                f"the decision {choice.key!r} of {self._space!r} is {label!r}; on offer are {offered}"
            )
        self.choices.append(choice)
        self.decisions[choice.key] = label
        return by_label[label]

    def _read(self, name: str, options: Iterable[Any], given: str) -> tuple[Choice, dict[Label, Any]]:
        ordered = isinstance(options, range)
        if isinstance(options, (str, Mapping)) or not isinstance(options, Iterable):
            raise SpaceError(
                f"choose({name!r}, ...) in {self._space!r} takes a list or range of options, not {options!r}"
            )
        values = list(options)
        labels: list[Label] = [value if ordered else option_label(value) for value in values]
        if not values:
            raise SpaceError(f"choose({name!r}, ...) in the space {self._space!r} has no options")
        twice = sorted({str(label) for label in labels if labels.count(label) > 1})
        if twice:
            raise SpaceError(
                f"choose({name!r}, ...) in the space {self._space!r} has several options labelled {', '.join(twice)}; "
                "options need different names"
            )
        if not isinstance(name, str) or not name or "|" in name:
            raise SpaceError(f"the name of a choice in {self._space!r} is a text without '|', not {name!r}")
        key = f"{name}|{given}" if given else name
        return Choice(key, tuple(labels), ordered), dict(zip(labels, values, strict=True))


def option_label(option: Any) -> str:
    """Return the label of an option: its ``__name__`` where it has one, else its text."""
    return str(getattr(option, "__name__", option))
