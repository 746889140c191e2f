"""An `RNN` run step by step with every state kept, so that gradients can be asked for at each of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from nas_rnn.errors import UserError
from nas_rnn.execution.checks import check_packed_restarts, check_restarts
from nas_rnn.execution.reference import Interpreter, restarted
from nas_rnn.execution.reparametrise import matrices_of
from nas_rnn.execution.rnn import RNN

State = tuple[Tensor, ...]


class Unrolled(nn.Module):
    """Stands in for ``rnn`` with its weights and values, by the reference interpreter and without dropout.

    After it has read a sequence, ``states[layer][t][path]`` (B, size) is the value of a state path after t steps, t = 0
    .. T, as it stands in the graph of the output: start values that nothing computed are leaves that require a
    gradient. ``lengths`` (B,) are the real steps of each column of a PackedSequence, behind which its states rest; None
    where all are equally long. A call or a `step` with states that an earlier one returned continues with the same
    sequence.

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

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """As `RNN.state_sizes`."""
        return self.rnn.state_sizes

    def start(self, batch: int | None = None, **where: Any) -> State:
        """As `RNN.start`."""
        return self.rnn.start(batch, **where)

    def step(self, x_BI: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run one step on ``x_BI`` (B, input_size), as the RNN itself does."""
        output_TBH, final = self._run(x_BI[None], state, None)
        return output_TBH[0], final

    def forward(
        self,
        x: Tensor | PackedSequence,
        state: State | None = None,
        restarts: Tensor | PackedSequence | None = None,
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run over x (T, B, I) (B first where the RNN has batch_first) or a PackedSequence, as the RNN itself does."""
        if isinstance(x, PackedSequence):
            x_TBI, lengths = pad_packed_sequence(x)  # in the order in which they were given
            self.lengths = lengths.to(x_TBI.device)
            restarts_TB = (
                None if restarts is None else pad_packed_sequence(check_packed_restarts(restarts, x))[0]
            )
            output_TBH, final = self._run(x_TBI, state, restarts_TB)
            return pack_padded_sequence(output_TBH, lengths, enforce_sorted=x.sorted_indices is None), final
        restarts_TB = None if restarts is None else check_restarts(restarts, x, self.rnn.batch_first)
        if self.rnn.batch_first:
            output_TBH, final = self._run(x.transpose(0, 1), state, restarts_TB)
            return output_TBH.transpose(0, 1), final
        return self._run(x, state, restarts_TB)

    def _run(self, x_TBI: Tensor, state: State | None, restarts_TB: Tensor | None) -> tuple[Tensor, State]:
        goes_on = state is not None and self._final is not None and _same(state, self._final)
        if self.states and not goes_on:
            raise UserError(
                "the recurrent net reads several sequences for one loss, so there is no one order in time"
            )
        starts = self.rnn.start_states(x_TBI, state)
        for layer in range(self.rnn.num_layers):
            layout, tensors = self.rnn.layer(layer)
            step = Interpreter(layout, matrices_of(layout, tensors)).step
            if not goes_on:
                self.states.append([tuple(_start(path[layer]) for path in starts)])
            kept = self.states[layer]
            first = len(kept)
            for t, x_BI in enumerate(x_TBI):
                before = kept[-1]
                if restarts_TB is not None:
                    before = restarted(layout, before, restarts_TB[t, :, None])
                kept.append(self._resting(t, step(x_BI, before), kept[-1]))
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


def _same(state: State, other: State) -> bool:
    return len(state) == len(other) and all(a is b for a, b in zip(state, other, strict=True))


def _start(value: Tensor) -> Tensor:
    """Return a start value as it was computed, or as a leaf where nothing computed it."""
    return value if value.requires_grad else value.detach().clone().requires_grad_()
