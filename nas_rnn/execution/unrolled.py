"""An `RNN` run step by step with every state kept, so that gradients can be asked for at each of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from nas_rnn.errors import UserError
from nas_rnn.execution.reference import Interpreter
from nas_rnn.execution.rnn import RNN

State = tuple[Tensor, ...]


class Unrolled(nn.Module):
    """Stands in for ``rnn`` with its weights and values, by the reference interpreter and without dropout.

    After it has read a sequence, ``states[layer][t][path]`` (B, size) is the value of a state path after t steps, t = 0
    .. T, as it stands in the graph of the output: start values that nothing computed are leaves that require a
    gradient. ``lengths`` (B,) are the real steps of each column of a PackedSequence, behind which its states rest; None
    where all are equally long. A call with states that an earlier call returned goes on with the same sequence.

    Raises `UserError` for an RNN that reads in both directions, whose states have no one order in time, and for one
    that is given a second sequence.
    """

    def __init__(self, rnn: RNN) -> None:
        super().__init__()
        if rnn.bidirectional:
            raise UserError("a bidirectional RNN has no lag: its states are read in both directions of time")
        self.rnn = rnn
        self.hidden_size = rnn.hidden_size
        self.states: list[list[State]] = []
        self.lengths: Tensor | None = None
        self._final: State | None = None

    def forward(
        self, x: Tensor | PackedSequence, state: State | None = None
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run over x (T, B, I) (B first where the RNN has batch_first) or a PackedSequence, as the RNN itself does."""
        if isinstance(x, PackedSequence):
            x_TBI, lengths = pad_packed_sequence(x)  # in the order in which they were given
            self.lengths = lengths.to(x_TBI.device)
            output_TBH, final = self._run(x_TBI, state)
            return pack_padded_sequence(output_TBH, lengths, enforce_sorted=x.sorted_indices is None), final
        if self.rnn.batch_first:
            output_TBH, final = self._run(x.transpose(0, 1), state)
            return output_TBH.transpose(0, 1), final
        return self._run(x, state)

    def _run(self, x_TBI: Tensor, state: State | None) -> tuple[Tensor, State]:
        goes_on = state is not None and state is self._final
        if self.states and not goes_on:
            raise UserError(
                "the recurrent net reads several sequences for one loss, so there is no one order in time"
            )
        starts = self.rnn.start_states(x_TBI, state)
        for layer in range(self.rnn.num_layers):
            step = Interpreter(*self.rnn.layer(layer)).step
            if not goes_on:
                self.states.append([tuple(_start(path[layer]) for path in starts)])
            kept = self.states[layer]
            first = len(kept)
            for t, x_BI in enumerate(x_TBI):
                kept.append(self._resting(t, step(x_BI, kept[-1]), kept[-1]))
            x_TBI = torch.stack([after[0] for after in kept[first:]])
        final = tuple(torch.stack(path) for path in zip(*(kept[-1] for kept in self.states), strict=True))
        self._final = final
        return x_TBI, final

    def _resting(self, t: int, new: State, old: State) -> State:
        """Return ``new``, but ``old`` for the columns that have ended before step ``t``."""
        if self.lengths is None:
            return new
        runs_B1 = (t < self.lengths).unsqueeze(-1)
        return tuple(torch.where(runs_B1, after, before) for after, before in zip(new, old, strict=True))


def _start(value: Tensor) -> Tensor:
    """Return a start value as it was computed, or as a leaf where nothing computed it."""
    return value if value.requires_grad else value.detach().clone().requires_grad_()
