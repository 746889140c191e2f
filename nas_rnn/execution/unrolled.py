"""An `RNN` run step by step with every state kept, so that gradients can be asked for at each of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas_rnn.errors import UserError
from nas_rnn.execution.reference import Interpreter
from nas_rnn.execution.rnn import RNN

State = tuple[Tensor, ...]


class Unrolled(nn.Module):
    """Stands in for ``rnn`` with its weights and values, by the reference interpreter and without dropout.

    After a call ``states[layer][t][path]`` (B, size) is the value of a state path after t steps, t = 0 .. T, as it
    stands in the graph of the output: the start values are leaves that require a gradient.

    Raises `UserError` for an RNN that reads in both directions: its states have no one order in time.
    """

    def __init__(self, rnn: RNN) -> None:
        super().__init__()
        if rnn.bidirectional:
            raise UserError("a bidirectional RNN has no lag: its states are read in both directions of time")
        self.rnn = rnn
        self.hidden_size = rnn.hidden_size
        self.states: list[list[State]] = []

    def forward(self, x_TBI: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run over ``x_TBI`` (B first where the RNN has batch_first), as the RNN itself does."""
        if self.rnn.batch_first:
            x_TBI = x_TBI.transpose(0, 1)
        starts = self.rnn.start_states(x_TBI, state)
        self.states = []
        for layer in range(self.rnn.num_layers):
            step = Interpreter(*self.rnn.layer(layer)).step
            kept = [tuple(start[layer].detach().clone().requires_grad_() for start in starts)]
            for x_BI in x_TBI:
                kept.append(step(x_BI, kept[-1]))
            self.states.append(kept)
            x_TBI = torch.stack([after[0] for after in kept[1:]])
        final = tuple(torch.stack(path) for path in zip(*(kept[-1] for kept in self.states), strict=True))
        return x_TBI.transpose(0, 1) if self.rnn.batch_first else x_TBI, final
