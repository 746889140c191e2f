"""Trained weights of torch's recurrent layers, as those of the same cells here."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.graph import Apply, Linear
from nas_rnn.cells.zoo.classic import gru, lstm, rnn
from nas_rnn.errors import UserError
from nas_rnn.execution.initialise import rows
from nas_rnn.execution.layout import Layout

RNN_RELU = parse_cell(
    '@cell\ndef rnn_relu(x, h):\n    """Simple recurrent network."""\n    return relu(linear(x, h))\n'
)


def cell_of(module: nn.Module) -> Cell:
    """Return the cell that a torch module runs; `UserError` for what no cell here does."""
    if isinstance(module, nn.LSTM | nn.GRU | nn.RNN):
        _check_own_forward(module)
    if isinstance(module, nn.LSTM) and not module.proj_size:
        return lstm
    if isinstance(module, nn.GRU):
        return gru
    if isinstance(module, nn.RNN):
        return rnn if module.nonlinearity == "tanh" else RNN_RELU
    if isinstance(module, nn.LSTM):
        raise UserError(
            f"an nn.LSTM with proj_size={module.proj_size} is not supported: its states differ in size; "
            "give one with proj_size=0"
        )
    if isinstance(module, Mapping):
        raise UserError(
            "weights are taken over from an nn.LSTM, nn.GRU or nn.RNN, not from a state dict, which does not say of "
            "which it is; load it into such a module first: module.load_state_dict(weights)"
        )
    raise UserError(
        f"weights are taken over from nn.LSTM, nn.GRU or nn.RNN, not from {type(module).__name__}"
    )


def _check_own_forward(module: nn.RNNBase) -> None:
    """Raise `UserError` where a subclass, or somebody's patch, computes something else than torch does."""
    kind = next(kind for kind in (nn.LSTM, nn.GRU, nn.RNN) if isinstance(module, kind))
    inherited = kind.__dict__.get("forward", nn.RNNBase.forward)
    if type(module).forward is not inherited or "forward" in vars(module):
        raise UserError(
            f"{type(module).__name__} has a forward of its own, so that its weights do not say what it computes; "
            f"give an nn.{kind.__name__} itself"
        )


@torch.no_grad()
def copy_weights(
    module: nn.RNNBase, suffix: str, layout: Layout, cell: Cell, parameters: Mapping[str, Tensor]
) -> None:
    """Copy the weights of one layer and direction of ``module`` into ``parameters``."""
    gates = _gates(cell)
    weights = {
        side: getattr(module, f"weight_{side}{suffix}").chunk(len(GATES[cell.name])) for side in ("ih", "hh")
    }
    for matrix in layout.matrices:
        gate, _ = gates[_origin(layout, matrix.owner)]
        side = "ih" if layout.sizes[matrix.source] == "input" else "hh"
        rows(parameters, matrix.place).copy_(weights[side][gate])
    for vector in layout.biases:
        rows(parameters, vector.place).zero_()
        if module.bias:
            gate, sides = gates[_origin(layout, vector.owner)]
            for side in sides:
                bias = getattr(module, f"bias_{side}{suffix}").chunk(len(GATES[cell.name]))[gate]
                rows(parameters, vector.place).add_(bias)


GATES: Mapping[str, tuple[str, ...]] = {
    "lstm": ("i", "f", "g", "o"),
    "gru": ("r", "z", "n"),
    "rnn": ("",),
    "rnn_relu": ("",),
}
"""The order in which torch stacks the gates."""


def _origin(layout: Layout, owner: int) -> int:
    origin = layout.canonical.original[owner]
    assert origin is not None, "simplification makes no owner of parameters"
    return origin


def _gates(cell: Cell) -> dict[int, tuple[int, tuple[str, ...]]]:
    """Return, for each `linear` of the cell, its gate's place in torch's order and which of torch's biases
    it has.

    A gate is known by the name of what is applied to its `linear`; the two parts of the GRU's ``n`` stand
    apart.
    """
    found: dict[int, tuple[int, tuple[str, ...]]] = {}
    for index, node in enumerate(cell.nodes):
        if not isinstance(node, Linear):
            continue
        if len(node.arguments) == 1:
            found[index] = (GATES[cell.name].index("n"), ("ih",) if node.arguments == (0,) else ("hh",))
            continue
        reader = next(n for n in cell.nodes if isinstance(n, Apply) and n.arguments == (index,))
        found[index] = (GATES[cell.name].index(reader.name or ""), ("ih", "hh"))
    return found
