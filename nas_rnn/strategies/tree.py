"""Which decisions of a space have been proposed: a tree of its questions that knows when everything was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nas_rnn.spaces import Candidate, Choice, Decisions, DecisionSpace, Label, Pick, Rejected, Rejections
from nas_rnn.strategies.base import Exhausted


@dataclass
class _Branch:
    """What is known below one answer: the next question, and whether everything below was proposed."""

    children: dict[Label, _Branch] = field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    spent: bool = False


class ProposedDecisions:
    """The decisions proposed so far, as a tree; draws new ones without replacement."""

    def __init__(self) -> None:
        self._root = _Branch()

    @property
    def exhausted(self) -> bool:
        """Whether every combination of decisions was proposed."""
        return self._root.spent

    def draw(self, space: DecisionSpace, rng: np.random.Generator) -> Candidate:
        """Return a candidate whose decisions are new, each answer drawn uniformly among the open ones.

        Decisions that break the space's constraints count as proposed, and others are drawn. Raises `Exhausted`.
        """
        rejections = Rejections()
        while not self.exhausted:
            try:
                candidate = space.build(self._new_answers(rng))
            except Rejected as rejected:
                candidate = rejected.candidate
                rejections.add(rejected)
                self.add(candidate.choices, candidate.decisions or {})
            else:
                self.add(candidate.choices, candidate.decisions or {})
                return candidate
        raise Exhausted(f"every candidate of the space {space.name!r} has been proposed")

    def _new_answers(self, rng: np.random.Generator) -> Pick:
        """Return what answers a space's questions in a way that is new."""
        here = self._root

        def pick(choice: Choice) -> Label:
            nonlocal here
            open_labels = [
                label
                for label in choice.labels
                if label not in here.children or not here.children[label].spent
            ]
            label = open_labels[int(rng.integers(len(open_labels)))]
            here.labels = choice.labels
            here = here.children.setdefault(label, _Branch())
            return label

        return pick

    def add(self, choices: Sequence[Choice], decisions: Decisions) -> None:
        """Mark one combination as proposed."""
        path = [self._root]
        for choice in choices:
            path[-1].labels = choice.labels
            path.append(path[-1].children.setdefault(decisions[choice.key], _Branch()))
        path[-1].spent = True
        for branch in reversed(path[:-1]):
            branch.spent = all(
                label in branch.children and branch.children[label].spent for label in branch.labels
            )
