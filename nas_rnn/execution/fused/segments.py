"""Sequences that begin anew within a batch, as more and shorter sequences: compiled code knows no restarts.

Each part of a sequence, from one restart to the next, becomes a column of its own, the longest first, and its results
go back to where it stood. So parts of one sequence run side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nas_rnn.execution.layout import Layout

MOST_PADDING = 4
"""Parts are run side by side as long as they take at most so many times the sequences' own room."""


@dataclass(frozen=True)
class Segments:
    """The parts (S of them, of at most T' steps) of sequences (T, B). Indices count steps and columns together."""

    taken_R: Tensor
    """Where each of the T' * S steps comes from in (T * B)."""
    given_R: Tensor
    """Where each of the T * B steps is found in (T' * S)."""
    column_S: Tensor
    """Which sequence a part is of."""
    goes_on_S1: Tensor
    """Whether a part begins with the state that the sequence was given."""
    last_B: Tensor
    """Which part is a sequence's last."""
    mask_TS1: Tensor | None

    def cut(self, x_TBI: Tensor) -> Tensor:
        """Return the parts (T', S, I)."""
        return x_TBI.flatten(0, 1).index_select(0, self.taken_R).view(-1, len(self.column_S), x_TBI.shape[-1])

    def joined(self, output_TSH: Tensor, batch: int) -> Tensor:
        """Return the sequences (T, B, H) that parts come to."""
        flat_RH = output_TSH.flatten(0, 1).index_select(0, self.given_R)
        return flat_RH.view(-1, batch, output_TSH.shape[-1])

    def starts(self, layout: Layout, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return what each part starts at, (S, size) a path."""
        paths = layout.canonical.states
        return tuple(
            state.index_select(0, self.column_S).masked_fill(~self.goes_on_S1, path.init)
            for path, state in zip(paths, states, strict=True)
        )


def segments(restarts_TB: Tensor, mask_TB: Tensor | None) -> Segments | None:
    """Return the parts of sequences; None where side by side they would take too much room."""
    device = restarts_TB.device
    begins_TB = restarts_TB.cpu().numpy().copy()
    steps, batch = begins_TB.shape
    lengths_B = np.full(batch, steps) if mask_TB is None else mask_TB.sum(0).cpu().numpy()
    anew_B = begins_TB[0].copy()
    begins_TB[0] = True
    begins_TB &= np.arange(steps)[:, None] < lengths_B
    column_S, first_S = np.nonzero(begins_TB.T)
    is_last_S = np.append(column_S[1:] != column_S[:-1], True)
    end_S = np.where(is_last_S, lengths_B[column_S], np.append(first_S[1:], 0))
    length_S = end_S - first_S
    longest = int(length_S.max())
    if longest * len(column_S) > MOST_PADDING * steps * batch:
        return None
    order_S = np.argsort(-length_S, kind="stable")
    column_S, first_S, length_S, is_last_S = (a[order_S] for a in (column_S, first_S, length_S, is_last_S))
    step_TS = np.arange(longest)[:, None]
    real_TS = step_TS < length_S
    taken_TS = (first_S + np.minimum(step_TS, length_S - 1)) * batch + column_S
    given_R = np.zeros(steps * batch, np.int64)  # what follows a sequence's end does not matter
    given_R[taken_TS[real_TS]] = np.flatnonzero(real_TS)
    last_B = np.empty(batch, np.int64)
    last_B[column_S[is_last_S]] = np.flatnonzero(is_last_S)

    def tensor(array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Segments(
        taken_R=tensor(taken_TS.ravel()),
        given_R=tensor(given_R),
        column_S=tensor(column_S),
        goes_on_S1=tensor(((first_S == 0) & ~anew_B[column_S])[:, None]),
        last_B=tensor(last_B),
        mask_TS1=None if real_TS.all() else tensor(real_TS[..., None]),
    )
