"""What the parameters start at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from nas_rnn.cells.graph.nodes import LearnedVector, Linear, Scalar
from nas_rnn.errors import UserError, unknown
from nas_rnn.execution.layout import Layout, Matrix, Place

Init = Literal["uniform", "glorot", "orthogonal"]


def check_init(init: str, gate_bias: float | None) -> None:
    """Raise `UserError` unless weights can start like this."""
    if init not in get_args(Init):
        raise unknown("init", str(init), list(get_args(Init)))
    if gate_bias is not None and (
        isinstance(gate_bias, bool)
        or not isinstance(gate_bias, (int, float))
        or not 0 <= gate_bias < math.inf
    ):
        raise UserError(
            f"gate_bias is a number from 0 on, or None for what the cell states, not {gate_bias!r}"
        )


def rows(parameters: Mapping[str, Tensor], place: Place) -> Tensor:
    """Return the part of ``parameters`` that ``place`` names."""
    return parameters[place.tensor][place.start : place.stop]


@torch.no_grad()
def initialise(
    layout: Layout,
    parameters: Mapping[str, Tensor],
    init: Init = "uniform",
    gate_bias: float | None = None,
) -> None:
    """Fill the tensors of one layer and direction, drawing in the canonical order of the owners.

    Matrices start, each gate's by itself,

    - ``"uniform"``: within 1/sqrt(hidden_size), as torch's RNNs start;
    - ``"glorot"``: uniform within sqrt(6 / (columns + rows)) (Glorot & Bengio 2010, equation 16);
    - ``"orthogonal"``: those that states pass through as orthogonal matrices (Saxe, McClelland & Ganguli 2014), the
      others as Glorot's.

    Diagonals are uniform within 1/sqrt(hidden_size) always. Biases, learned numbers and vectors start at what the cell
    states, but biases that do not start at zero at ``gate_bias`` where one is given, with the sign that the cell gives
    them: the LSTM's forget gate (Jozefowicz, Zaremba & Sutskever 2015). A layer norm starts as the identity.
    """
    bound = 1 / math.sqrt(layout.hidden_size)
    matrices = {(m.owner, m.argument): m for m in layout.matrices}
    drawn = sorted(
        [(m.owner, m.argument, m.place) for m in layout.matrices]
        + [(d.owner, 0, d.place) for d in layout.diagonals]
    )
    for owner, argument, place in drawn:
        matrix = matrices.get((owner, argument))
        if init == "uniform" or matrix is None:
            rows(parameters, place).uniform_(-bound, bound)
        else:
            _fill(rows(parameters, place), layout, matrix, init)
    for vector in layout.biases:
        node = layout.canonical.nodes[vector.owner]
        assert isinstance(node, Linear) and node.bias is not None
        bias = node.bias if gate_bias is None or not node.bias else math.copysign(gate_bias, node.bias)
        rows(parameters, vector.place).fill_(bias)
    for vector in layout.scalars + layout.vectors:
        node = layout.canonical.nodes[vector.owner]
        assert isinstance(node, Scalar | LearnedVector)
        rows(parameters, vector.place).fill_(node.init)
    for gain in layout.gains:
        rows(parameters, gain.place).fill_(1.0)
    for shift in layout.shifts:
        rows(parameters, shift.place).zero_()


def _fill(weight: Tensor, layout: Layout, matrix: Matrix, init: Init) -> None:
    """Fill one matrix (rows, columns), or each block (heads, rows, columns) of a block-diagonal one."""
    recurrent = layout.levels[matrix.source] >= 0
    for block in weight if matrix.heads > 1 else weight[None]:
        if init == "orthogonal" and recurrent:
            whole = torch.empty(block.shape, dtype=torch.promote_types(block.dtype, torch.float32))
            block.copy_(nn.init.orthogonal_(whole))  # drawn on the CPU, in a dtype that it can be computed in
        else:
            nn.init.xavier_uniform_(block)
