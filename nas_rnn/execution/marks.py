"""The mark that says of which cell the weights in a state dict are.

Names and shapes do not: cells pack their gates in different orders, and those of a cell without biases are named as
torch names an nn.LSTM's. So an `RNN` adds a tensor of bytes to its state dict, as its extra state, and takes no
weights without it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from nas_rnn.cells import Cell
from nas_rnn.errors import UserError

KEY = "_extra_state"
"""What torch calls what a module adds to its state dict."""
PACKING = 1
"""Part of every mark; to be raised whenever `nas_rnn.execution.layout` packs a cell in another way."""

_OF_TORCH = ("bias_ih_l0", "bias_hh_l0", "weight_hr_l0")
"""Names in the state dicts of torch's layers that no cell has here."""


class ForeignWeights(UserError, RuntimeError):
    """Weights of something else; a RuntimeError too, as torch raises for state dicts that do not fit."""


def mark_of(cell: Cell) -> Tensor:
    """Return the mark of ``cell``'s weights: bytes (uint8) of text."""
    text = f"nas_rnn {PACKING} {cell.digest} {cell.name}"
    return torch.tensor(list(text.encode()), dtype=torch.uint8, device="cpu")


def check_mark(cell: Cell, own: Collection[str], weights: Mapping[str, object], prefix: str) -> None:
    """Raise `ForeignWeights` where what ``weights`` hold under ``prefix`` are not weights of ``cell``.

    ``own`` are the names of the parameters. Where ``weights`` hold none of them, there is nothing to check.
    """
    here = f"at {prefix[:-1]!r} " if prefix else ""
    mark = weights.get(prefix + KEY)
    if mark is None:
        foreign = any(prefix + name in weights for name in _OF_TORCH)
        if foreign or any(prefix + name in weights for name in own):
            raise ForeignWeights(_unmarked(here, prefix, foreign))
        return
    if isinstance(mark, Tensor) and (mark.is_meta or mark.tolist() == mark_of(cell).tolist()):
        return
    packing, digest, name = _read(mark)
    if digest == cell.digest and packing == str(PACKING):
        return  # the same cell under another name
    if digest == cell.digest:
        raise ForeignWeights(
            f"the weights {here}are packed as another version of nas_rnn does (packing {packing}, not {PACKING}); "
            "load them with that version"
        )
    other = "another cell called" if name == cell.name else "the cell"
    raise ForeignWeights(
        f"the weights {here}are of {other} {name!r} ({digest}), not of {cell.name!r} ({cell.digest}); "
        "build the RNN from the cell that they were trained with"
    )


def _unmarked(here: str, prefix: str, foreign: bool) -> str:
    takes = "RNN.from_torch(module) gives an RNN with the weights of such a module"
    if foreign:
        return f"the weights {here}are those of an nn.LSTM, nn.GRU or nn.RNN; {takes}"
    return (
        f"the weights {here}do not say which cell they are of: there is no {prefix + KEY!r}. If they are those of an "
        f"nn.LSTM, nn.GRU or nn.RNN: {takes}. If an older version of nas_rnn saved them for this very cell: "
        "load_state_dict(nas_rnn.execution.mark_weights(model, weights))"
    )


def _read(mark: object) -> tuple[str, str, str]:
    """Return the packing, the digest and the cell's name that a mark tells."""
    try:
        content = bytes(map(int, mark.tolist())) if isinstance(mark, Tensor) else b""
        maker, packing, digest, name = content.decode().split(" ", 3)
        if maker != "nas_rnn":
            raise ValueError(maker)
    except (TypeError, ValueError) as error:
        raise ForeignWeights(
            f"what the weights say about their cell cannot be read; {KEY!r} is a tensor of bytes that an RNN writes"
        ) from error
    return packing, digest, name
