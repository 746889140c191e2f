"""Sequences of one length or several, read in either direction.

Steps after a sequence's end repeat its last input, so that nothing which would not occur in the sequence
itself (a division by a padding's zero) is ever computed there; their results are masked out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


@dataclass(frozen=True)
class Order:
    """How to read a batch of sequences that end at different steps; None where all have T steps."""

    mask_TB1: Tensor | None = None
    forward_TB: Tensor | None = None
    backward_TB: Tensor | None = None

    def arrange(self, x_TBI: Tensor, reverse: bool) -> Tensor:
        """Return each sequence from its first or, reversed, from its last step on."""
        index_TB = self.backward_TB if reverse else self.forward_TB
        if index_TB is None:
            return x_TBI.flip(0) if reverse else x_TBI
        return x_TBI.gather(0, index_TB[:, :, None].expand_as(x_TBI))

    def arrange_restarts(self, restarts_TB: Tensor | None, reverse: bool) -> Tensor | None:
        """Return before which steps a direction begins anew, (T, B, 1) in the order in which it reads them.

        Read backwards, a sequence begins anew where the part that follows has been read.
        """
        if restarts_TB is None:
            return None
        if reverse:
            restarts_TB = nn.functional.pad(restarts_TB, (0, 0, 0, 1))[1:]
        return self.arrange(restarts_TB[:, :, None], reverse)


def unpack(packed: PackedSequence) -> tuple[Tensor, Tensor, Order]:
    """Return the padded input (T, B, I) in the packed (sorted) order, the lengths, and how to read it."""
    x_TBI, lengths_B = pad_packed_sequence(PackedSequence(packed.data, packed.batch_sizes))
    if int(lengths_B.min()) == x_TBI.shape[0]:
        return x_TBI, lengths_B, Order()
    last_B = lengths_B.to(x_TBI.device) - 1
    steps_T1 = torch.arange(x_TBI.shape[0], device=x_TBI.device)[:, None]
    return (
        x_TBI,
        lengths_B,
        Order(
            (steps_T1 <= last_B)[:, :, None],
            torch.minimum(steps_T1, last_B),
            (last_B - steps_T1).clamp(min=0),
        ),
    )


def unpack_restarts(restarts: PackedSequence) -> Tensor:
    """Return restarts (T, B) in the packed order, False after a sequence's end."""
    return pad_packed_sequence(PackedSequence(restarts.data, restarts.batch_sizes))[0]


def pack_like(output_TBH: Tensor, lengths_B: Tensor, packed: PackedSequence) -> PackedSequence:
    """Return padded outputs as a packed sequence with the lengths and the order of ``packed``."""
    data = pack_padded_sequence(output_TBH, lengths_B).data
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
