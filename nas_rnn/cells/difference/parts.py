"""What the nodes of a cell are there for: its gates, by what they let through, and its candidates.

A next state is read as a sum of products. A gate is an activation of a learned sum (a `linear`, or a sum with one)
that stands as a factor in such a product: a *forget gate* beside an old state, an *output gate* beside the new value of
another path in the output, an *input gate* (a sigmoid) beside a candidate. A factor of a state inside an activation's
argument is a *reset gate*. ``1 - gate`` as a factor couples two of them. A *candidate* is what of learned sums is added
and is no gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from nas_rnn.cells.canonical import Canonical
from nas_rnn.cells.graph import Apply, Constant, Diagonal, LayerNorm, LearnedVector, Linear, Project, State

Role = Literal["forget gate", "input gate", "output gate", "reset gate", "candidate"]

NO_ACTIVATION = frozenset({"neg", "identity"})
GATING = frozenset({"sigmoid", "exp"})
"""Activations that tell a gate from the candidate that it lets through."""


@dataclass(frozen=True)
class Gate:
    """A gate: its node and its role; ``coupled`` where ``1 - gate`` takes the place of the other gate."""

    node: int
    role: Role
    coupled: bool = False


class Parts:
    """The roles of a canonical form's nodes.

    ``gates`` are in canonical order; ``role[node]`` is there for gates and candidates, ``scope[node]`` also for what
    only one of them reads: the learned sum below an activation belongs to it.
    """

    def __init__(self, canonical: Canonical) -> None:
        self.canonical = canonical
        self.nodes = canonical.nodes
        self.outputs = canonical.outputs
        self.users: list[list[int]] = [[] for _ in self.nodes]
        for index, node in enumerate(self.nodes):
            for i in set(node.inputs):
                self.users[i].append(index)
        self._carried = frozenset(self.outputs[1:])
        self._learned: list[bool] = []
        for index in range(len(self.nodes)):
            self._learned.append(self._has_learned(index))
        self.role: dict[int, Role] = {}
        self.coupled: set[int] = set()
        for path, index in enumerate(self.outputs):
            terms = self.addends(index)
            for term in sorted(terms, key=self._has_complement):  # a gate is what it is without "1 -"
                self._read_term(path, term)
        self._find_resets()
        gates = sorted(index for index, role in self.role.items() if role != "candidate")
        self.gates = tuple(Gate(index, self.role[index], index in self.coupled) for index in gates)
        self.scope = self._scopes()

    def is_unary(self, index: int) -> bool:
        """Whether the node is an activation: an operation of one value that is no sign."""
        node = self.nodes[index]
        return isinstance(node, Apply) and len(node.arguments) == 1 and node.operation not in NO_ACTIVATION

    def is_learned(self, index: int) -> bool:
        """Whether the node is a `linear`, or a sum with one among its terms."""
        return self._learned[index]

    def _has_learned(self, index: int) -> bool:
        """Find out `is_learned` from what it is for earlier nodes."""
        if self._is_sum(index):
            return any(self._learned[i] for i in self.nodes[index].inputs)
        return isinstance(self.nodes[index], Linear | LayerNorm | Diagonal)

    def is_gatelike(self, index: int) -> bool:
        """Whether the node is an activation of a learned sum."""
        return self.is_unary(index) and self.is_learned(self.nodes[index].inputs[0])

    def complement_of(self, index: int) -> int | None:
        """Return the gate of ``1 - gate``; None for anything else."""
        node = self.nodes[index]
        if not (isinstance(node, Apply) and node.operation == "sub"):
            return None
        one, gate = node.arguments
        whole = self.nodes[one]
        return gate if isinstance(whole, Constant) and whole.value == 1.0 and self.is_unary(gate) else None

    def _is_sum(self, index: int) -> bool:
        node = self.nodes[index]
        sums = isinstance(node, Apply) and node.operation in ("add", "sub")
        return sums and self.complement_of(index) is None

    def _is_product(self, index: int) -> bool:
        node = self.nodes[index]
        return isinstance(node, Apply) and node.operation == "mul"

    def addends(self, index: int) -> list[int]:
        """Return the terms of a sum or difference, each once; the node itself where it is none."""
        return self._leaves(index, self._is_sum)

    def factors(self, index: int) -> list[int]:
        """Return the factors of a product, each once; the node itself where it is none."""
        return self._leaves(index, self._is_product)

    def _leaves(self, index: int, is_inner: Callable[[int], bool]) -> list[int]:
        """Return what is reached from a node through inner ones, from left to right; shared nodes are met once."""
        found: list[int] = []
        seen: set[int] = set()
        stack = [index]
        while stack:
            here = stack.pop()
            if here in seen:
                continue
            seen.add(here)
            if is_inner(here):
                stack += reversed(self.nodes[here].inputs)
            else:
                found.append(here)
        return found

    def below(self, index: int) -> Iterator[int]:
        """Yield the node and all that it depends on, each once."""
        seen, stack = {index}, [index]
        while stack:
            here = stack.pop()
            yield here
            for i in self.nodes[here].inputs:
                if i not in seen:
                    seen.add(i)
                    stack.append(i)

    def _give(self, index: int, role: Role) -> None:
        self.role.setdefault(index, role)

    def _read_term(self, path: int, term: int) -> None:
        """Give roles to the factors of one term of the next value of ``path``."""
        factors = self.factors(term)
        if not self._is_product(term):
            if self._is_candidate(term):
                self._give(term, "candidate")
            return
        shown = {i for i in factors if path == 0 and self._exposes(i)}
        gates = [i for i in factors if i not in shown and self._may_be_gate(i)]
        others = [i for i in factors if i in shown or not self._may_be_gate(i)]
        if any(isinstance(self.nodes[i], State) for i in others):
            self._gate_all(gates, "forget gate")
        elif shown:
            self._gate_all(gates, "output gate")
        else:
            self._read_gated(gates, others)

    def _has_complement(self, term: int) -> bool:
        return any(self.complement_of(i) is not None for i in self.factors(term))

    def _may_be_gate(self, index: int) -> bool:
        return self.is_gatelike(index) or self.complement_of(index) is not None

    def _exposes(self, index: int) -> bool:
        """Whether the value is the next value of a path after the first, perhaps normalised or activated."""
        while index not in self._carried:
            inputs = self.nodes[index].inputs
            if len(inputs) != 1 or isinstance(self.nodes[index], Linear):
                return False
            index = inputs[0]
        return not self.is_gatelike(index)

    def _read_gated(self, gates: list[int], others: list[int]) -> None:
        """Tell gate and candidate apart in a product of new values, by the activation."""
        true = [i for i in gates if self.complement_of(i) is not None or self._operation(i) in GATING]
        candidates = [i for i in [*gates, *others] if i not in true]
        if not candidates:
            return
        self._gate_all(true, "input gate")
        for i in candidates:
            if self._is_candidate(i):
                self._give(i, "candidate")

    def _is_candidate(self, index: int) -> bool:
        return self.is_gatelike(index) or isinstance(self.nodes[index], Linear | LayerNorm)

    def _gate_all(self, factors: list[int], role: Role) -> None:
        for i in factors:
            gate = self.complement_of(i)
            if gate is None:
                self._give(i, role)
            else:
                self.coupled.add(gate)
                self._give(gate, "input gate" if role == "forget gate" else "forget gate")

    def _operation(self, index: int) -> str:
        node = self.nodes[index]
        return node.operation if isinstance(node, Apply) else ""

    def _find_resets(self) -> None:
        """Find the gates of products with a state that an activation or a `linear` reads."""
        carried = set(self.outputs)
        for index in range(len(self.nodes)):
            if not self._is_product(index) or index in carried:
                continue
            factors = self.factors(index)
            of_state = any(self._is_of_state(i) for i in factors)
            for i in factors:
                if of_state and self.is_gatelike(i) and i not in self.role:
                    self._give(i, "reset gate")

    def _is_of_state(self, index: int) -> bool:
        node = self.nodes[index]
        return isinstance(node, State) or (
            isinstance(node, Linear | Diagonal) and any(isinstance(self.nodes[i], State) for i in node.inputs)
        )

    def _scopes(self) -> dict[int, int]:
        """Return for each node the gate or candidate that alone reads it, itself included."""
        scope: dict[int, int] = {index: index for index in self.role}
        carried = set(self.outputs)
        for index in reversed(range(len(self.nodes))):
            learned = isinstance(
                self.nodes[index], Linear | Diagonal | LayerNorm | LearnedVector | Project | Apply
            )
            owners = {scope.get(user, -1) for user in self.users[index]}
            if index not in scope and learned and index not in carried and len(owners) == 1:
                owner = owners.pop()
                if owner >= 0:
                    scope[index] = owner
        return scope

    def scope_role(self, index: int) -> Role | None:
        """Return the role of the gate or candidate that the node belongs to."""
        return self.role[self.scope[index]] if index in self.scope else None
