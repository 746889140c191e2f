"""Which cells are measured, at which shapes, against whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

import nas_rnn
from nas_rnn.cells import Cell, parse_cell
from speed.rows import Shape

SHAPES = (
    Shape(35, 20, 128, 128),
    Shape(35, 20, 400, 400),
    Shape(64, 32, 64, 64),
    Shape(35, 64, 256, 256),
    Shape(784, 32, 1, 128),
)
LARGE, MIDDLE, SMALL = SHAPES[3], SHAPES[0], SHAPES[2]
LONG = Shape(256, 32, 128, 128)
TWINS: dict[str, type[nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
TORCHRECURRENT = {
    "cfn": "CFN",
    "fastgrnn": "FastGRNN",
    "janet": "JANET",
    "lstm_peephole": "PeepholeLSTM",
    "mgu": "MGU",
    "mut1": "MUT1",
    "nascell": "NAS",
    "ran": "RAN",
}
"""Cells of ours and layers of the package torchrecurrent."""
LINEAR = ("mingru", "minlstm", "sru", "qrnn")
RANDOM_CELLS = 30
ACTIVATIONS = ("tanh", "sigmoid", "relu", "relu", "identity", "tanh", "sigmoid", "tanh")
"""Those of the nodes of DARTS' second-order cell, in order."""
SETS = ("twins", "gated", "chains", "linear", "torchrecurrent")


@dataclass(frozen=True)
class Case:
    """One cell at one shape. ``twin`` is another's layer to compare with: of the same weights where it is torch's own
    of this cell (``is_same``), else only of the same size."""

    set: str
    cell: Cell
    shape: Shape
    twin: type[nn.Module] | None = None
    is_same: bool = False


def cases(name: str, random_cells: int = RANDOM_CELLS) -> Iterator[Case]:
    """Yield the cases of a set."""
    if name == "twins":
        for cell, twin in TWINS.items():
            for shape in SHAPES:
                yield Case(name, nas_rnn.load_cell(cell), shape, twin, is_same=True)
    elif name == "torchrecurrent":
        import torchrecurrent

        for shape in (MIDDLE, LARGE):
            for cell, layer in TORCHRECURRENT.items():
                yield Case(name, nas_rnn.load_cell(cell), shape, getattr(torchrecurrent, layer))
    elif name == "linear":
        for cell in LINEAR:
            yield Case(name, nas_rnn.load_cell(cell), LONG, nn.LSTM)
    else:
        cells = drawn(random_cells) if name == "gated" else [*chains(), nas_rnn.load_cell("darts_v2")]
        for shape in (LARGE, MIDDLE, SMALL):
            for each in cells:
                yield Case(name, each, shape)


def drawn(count: int) -> list[Cell]:
    """Return the first ``count`` different cells that seeds 0, 1, 2, ... draw from the space ``gated``."""
    space = nas_rnn.load_space("gated")
    found: dict[str, Cell] = {}
    seed = 0
    while len(found) < count:
        cell = space.sample(seed=seed).cell
        found.setdefault(cell.digest, cell)
        seed += 1
    return list(found.values())


def chains() -> list[Cell]:
    """Return cells of 8 dependent levels whose activations are those of DARTS' cell, in four orders."""
    return [chain(8, start) for start in (0, 2, 4, 6)]


def never_seen() -> list[Cell]:
    """Return what first steps are measured of: 1 to 4 and 8 dependent levels, and two cells of ``gated``."""
    return [*(chain(levels) for levels in (1, 2, 3, 4, 8)), *drawn(2)]


def chain(levels: int, start: int = 0) -> Cell:
    """Return a cell of highway nodes as DARTS has them, each reading the one before: so many levels.

    The output is the mean of the nodes; the activations are `ACTIVATIONS` from ``start`` on, round and round.
    """
    lines, names = [], [f"s{level}" for level in range(levels)]
    for level, name in enumerate(names):
        act, before = ACTIVATIONS[(start + level) % len(ACTIVATIONS)], f"s{level - 1}" if level else "h"
        read = "x, h" if level == 0 else before
        lines += [
            f"    g{level} = sigmoid(linear({read}, bias=None))",
            f"    {name} = blend(g{level}, {act}(linear({read}, bias=None)), {before})",
        ]
    head = f'@cell\ndef chain_{levels}_{start}(x, h):\n    """A chain of {levels} highway nodes."""\n'
    return parse_cell(head + "\n".join(lines) + f"\n    return ({' + '.join(names)}) / {levels}\n")
