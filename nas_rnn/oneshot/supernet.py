"""The supernet: an `RNN` whose weights all cells of a chain space share, which runs one of them, or a mixture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nas_rnn.cells import Cell
from nas_rnn.cells.graph.nodes import Node
from nas_rnn.execution.layout import Layout
from nas_rnn.execution.reference import restarted
from nas_rnn.execution.rnn import RNN, State
from nas_rnn.oneshot.program import Program
from nas_rnn.oneshot.weights import owned
from nas_rnn.spaces.chain import ChoiceNode

RATE, BETAS, EPSILON, DECAY = 3e-3, (0.9, 0.999), 1e-8, 1e-3
"""How logits learn: Adam with weight decay, as for the recurrent cells of DARTS (Liu, Simonyan & Yang 2019, A.1.2)."""


@dataclass(frozen=True)
class Path:
    """One cell of the space: its nodes in the order of its equations, and which of them are the next states."""

    nodes: Sequence[Node]
    outputs: Sequence[int]

    @classmethod
    def of(cls, cell: Cell) -> Path:
        """Return the path that ``cell``, a candidate of the space, is."""
        return cls(cell.nodes, cell.outputs)


class Architecture(nn.Module):
    """What all supernets of one model run: ``path``, if that is set, else the mixture that the logits say.

    Each of ``nodes`` has logits, one axis a choice, whose softmax over all alternatives are their probabilities; they
    begin at zero, as equals. Logits, and the moments of the Adam that learns them, are buffers: the optimiser of the
    weights does not know them, and a checkpoint has them.
    """

    def __init__(self, nodes: Sequence[ChoiceNode] = ()) -> None:
        super().__init__()
        self.nodes = tuple(nodes)
        self.path: Path | None = None
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        for number, node in enumerate(self.nodes):
            for name in ("logits", "mean", "square"):
                self.register_buffer(f"{name}_{number}", torch.zeros(node.shape))
        self._learning: list[Tensor] = []

    def _all(self, name: str) -> list[Tensor]:
        return [self.get_buffer(f"{name}_{number}") for number in range(len(self.nodes))]

    @property
    def logits(self) -> list[Tensor]:
        """The logits of each node."""
        return self._learning or self._all("logits")

    def probabilities(self) -> list[Tensor]:
        """Return the probabilities of each node's alternatives, one axis a choice."""
        return [logits.flatten().softmax(0).view(logits.shape) for logits in self.logits]

    @contextmanager
    def differentiated(self) -> Iterator[list[Tensor]]:
        """Give logits that require gradients, from which the mixture is made for the time of the block."""
        self._learning = [logits.detach().clone().requires_grad_() for logits in self._all("logits")]
        try:
            yield self._learning
        finally:
            self._learning = []

    @torch.no_grad()
    def learn(self, gradients: Sequence[Tensor]) -> None:
        """Take one step of Adam (Kingma & Ba 2015, algorithm 1) against the ``gradients`` of the logits."""
        steps = self.get_buffer("steps")
        steps += 1
        first, second = BETAS
        count = int(steps)
        moments = zip(self._all("logits"), self._all("mean"), self._all("square"), gradients, strict=True)
        for logits, mean, square, gradient in moments:
            gradient = gradient + DECAY * logits
            mean.lerp_(gradient, 1 - first)
            square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
            spread = (square / (1 - second**count)).sqrt() + EPSILON
            logits -= RATE / (1 - first**count) * mean / spread


class Supernet(RNN):
    """Layers of what ``architecture`` says, on the weights of ``cell``: one candidate stands for all of the space.

    It is called as an `RNN`, and computes what the RNN of the path's cell computes on the same weights, step by step
    with torch's own functions. Cells of one space share weights by their equations: owner number k of each is the same.
    """

    def __init__(
        self, cell: Cell, architecture: Architecture, input_size: int, hidden_size: int, **options: Any
    ) -> None:
        super().__init__(cell, input_size, hidden_size, backend="eager", **options)
        self._held = (architecture,)  # no part of it: several nets may have the same one

    @property
    def shared(self) -> Architecture:
        """What it runs, together with the other supernets of its model."""
        return self._held[0]

    def program(self, layout: Layout, tensors: dict[str, Tensor]) -> Program:
        """Return what computes a step with the weights ``tensors`` that ``layout`` packs."""
        weights, path = owned(self.cell, layout, tensors), self.shared.path
        if path is not None:
            return Program(path.nodes, path.outputs, weights)
        probabilities = [p.to(next(iter(tensors.values())).dtype) for p in self.shared.probabilities()]
        return Program(self.cell.nodes, self.cell.outputs, weights, self.shared.nodes, probabilities)

    def _run_layer(
        self,
        layout: Layout,
        end: str,
        tensors: dict[str, Tensor],
        x_TBI: Tensor,
        start: State,
        mask_TB1: Tensor | None,
        restarts_TB1: Tensor | None,
    ) -> tuple[Tensor, State]:
        program, states, outputs = self.program(layout, tensors), start, []
        for t, x_BI in enumerate(x_TBI):
            before = states if restarts_TB1 is None else restarted(layout, states, restarts_TB1[t])
            new = program.step(x_BI, before)
            if mask_TB1 is not None:
                new = tuple(torch.where(mask_TB1[t], n, old) for n, old in zip(new, states, strict=True))
            states = new
            outputs.append(states[0])
        return torch.stack(outputs), states
