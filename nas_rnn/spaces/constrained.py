"""A space of which only the candidates that keep to `Constraints` remain."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from nas_rnn.cells import Cell
from nas_rnn.spaces.choices import Decisions, Pick, SpaceError
from nas_rnn.spaces.constraints import Constraints
from nas_rnn.spaces.space import Candidate, DecisionSpace, Space

MAX_REJECTED = 1000
"""How many candidates in a row may break constraints until a space is taken to have too few that keep them."""

REDRAWN_AFTER = 100
"""After how many repairs of decisions all of them are drawn anew."""


@runtime_checkable
class MutableSpace(Space, Protocol):
    """A space that works on cells and can change one, as evolution needs it."""

    def mutate(self, cell: Cell, rng: np.random.Generator) -> Cell:
        """Return a neighbour of ``cell`` in the space; `UserError` for a cell that the space cannot read."""
        ...


class Rejected(SpaceError):
    """Decisions that give a candidate which breaks constraints; both are told."""

    def __init__(self, space: str, candidate: Candidate, broken: Sequence[str]) -> None:
        super().__init__(f"the candidate {candidate.cell.name!r} of {space!r} breaks {', '.join(broken)}")
        self.space = space
        self.candidate = candidate
        self.broken = tuple(broken)


class Infeasible(SpaceError):
    """No candidate was found that keeps the constraints, in `MAX_REJECTED` draws."""


class Rejections:
    """Counts the rejected candidates of one draw; after `MAX_REJECTED` it says which constraint leaves none."""

    def __init__(self) -> None:
        self._total = 0
        self._broken: Counter[str] = Counter()

    def add(self, rejected: Rejected) -> None:
        """Count one; raises `Infeasible` naming the constraints when there were too many."""
        self._total += 1
        self._broken.update(rejected.broken)
        if self._total >= MAX_REJECTED:
            told = ", ".join(f"{name} ({times:,} times)" for name, times in self._broken.most_common())
            raise Infeasible(
                f"{self._total:,} candidates in a row of the space {rejected.space!r} break constraints: {told}; "
                f"loosen {self._broken.most_common(1)[0][0]} or choose another space"
            )


def constrained(space: Space, constraints: Constraints) -> Space:
    """Return ``space`` without the candidates that break ``constraints``; the space itself if there are none.

    A `DecisionSpace` stays one.
    """
    if not constraints:
        return space
    if isinstance(space, DecisionSpace):
        return ConstrainedDecisionSpace(space, constraints)
    if isinstance(space, MutableSpace):
        return ConstrainedMutableSpace(space, constraints)
    return ConstrainedCellSpace(space, constraints)


class ConstrainedDecisionSpace(DecisionSpace):
    """A `DecisionSpace` with constraints.

    `build`, and `replay` without a generator, raise `Rejected` for decisions whose candidate breaks a constraint; it
    holds that candidate, so that a strategy can note its decisions as done with and pick others.
    """

    def __init__(self, space: DecisionSpace, constraints: Constraints) -> None:
        super().__init__(space._function)
        self.name, self.doc = space.name, space.doc
        self.constraints = constraints
        self._space = space

    def build(self, pick: Pick) -> Candidate:
        """Return the candidate that ``pick``'s answers give; `Rejected` where it breaks a constraint."""
        candidate = self._space.build(pick)
        broken = self.constraints.broken(candidate.cell)
        if broken:
            raise Rejected(self.name, candidate, broken)
        return candidate

    def sample(self, seed: int | np.random.Generator) -> Candidate:
        """Return a random candidate that keeps the constraints: drawn uniformly, and again while it breaks one."""
        return self.replay({}, np.random.default_rng(seed))

    def replay(self, decisions: Decisions, rng: np.random.Generator | None = None) -> Candidate:
        """Return the candidate of ``decisions``, as `DecisionSpace.replay` does.

        With ``rng``, decisions whose candidate breaks a constraint are repaired: ever more of them are drawn anew until
        a candidate keeps all constraints. Without it they are `Rejected`.
        """
        if rng is None:
            return super().replay(decisions)
        rejections = Rejections()
        kept = decisions
        for attempt in itertools.count(1):
            try:
                return super().replay(kept, rng)
            except Rejected as rejected:
                rejections.add(rejected)
            redrawn = min(len(decisions), 1 + attempt * len(decisions) // REDRAWN_AFTER)
            forgotten = (
                set(rng.choice(list(decisions), redrawn, replace=False).tolist()) if decisions else set()
            )
            kept = {key: label for key, label in decisions.items() if key not in forgotten}
        raise AssertionError("the rejections end this loop")


class ConstrainedCellSpace:
    """A space that works on cells, with constraints."""

    plugin_kind: ClassVar[str] = "space"

    def __init__(self, space: Space, constraints: Constraints) -> None:
        self.name, self.doc = space.name, space.doc
        self.constraints = constraints
        self._space = space

    def __repr__(self) -> str:
        return f"<search space {self.name}, {self.constraints}>"

    def sample(self, seed: int | np.random.Generator) -> Candidate:
        """Return a random candidate that keeps the constraints; equal seeds give equal candidates."""
        rng = np.random.default_rng(seed)
        rejections = Rejections()
        while True:
            candidate = self._space.sample(rng)
            broken = self.constraints.broken(candidate.cell)
            if not broken:
                return candidate
            rejections.add(Rejected(self.name, candidate, broken))


class ConstrainedMutableSpace(ConstrainedCellSpace):
    """A space that works on cells and changes them, with constraints."""

    def __init__(self, space: MutableSpace, constraints: Constraints) -> None:
        super().__init__(space, constraints)
        self._mutable = space

    def mutate(self, cell: Cell, rng: np.random.Generator) -> Cell:
        """Return a changed cell that keeps the constraints: drawn as the space does, and again while it breaks one."""
        rejections = Rejections()
        while True:
            changed = self._mutable.mutate(cell, rng)
            broken = self.constraints.broken(changed)
            if not broken:
                return changed
            rejections.add(Rejected(self.name, Candidate(changed), broken))
