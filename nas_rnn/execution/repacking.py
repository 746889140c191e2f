"""The same weights in the packing of the same cell with other starts.

Where parameters start is part of a cell's canonical form, which gives the order in which they are packed: an LSTM
whose forget gates start at 0.7 may have its input and output gates in another order than one whose start at 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from nas_rnn.cells import Canonical
from nas_rnn.cells.graph import is_commutative
from nas_rnn.execution.layout import Layout, Place
from nas_rnn.execution.rnn import RNN, suffix


def repacked(weights: Mapping[str, Tensor], model: nn.Module, other: nn.Module) -> dict[str, Tensor]:
    """Return ``weights``, a state dict of ``model``, as one of ``other``, with which that computes the same.

    The two are one model but for where parameters of cells start (`nas_rnn.cells.with_gate_bias`).
    """
    result = dict(weights)
    for name, rnn in model.named_modules():
        twin = other.get_submodule(name)
        if isinstance(rnn, RNN) and isinstance(twin, RNN):
            prefix = f"{name}." if name else ""
            for layer in range(rnn.num_layers):
                for reverse in (False, True)[: 1 + rnn.bidirectional]:
                    layouts = rnn.layer(layer, reverse)[0], twin.layer(layer, reverse)[0]
                    _repack(result, weights, prefix, suffix(layer, reverse), *layouts)
    return result


def _repack(
    result: dict[str, Tensor],
    weights: Mapping[str, Tensor],
    prefix: str,
    end: str,
    layout: Layout,
    other: Layout,
) -> None:
    """Put the tensors of one layer and direction into ``result``, packed as ``other`` says."""
    names = {name: f"{prefix}{name}{end}" for name, _ in layout.shapes}
    for name in names.values():
        result[name] = weights[name].clone()
    old = _places(layout)
    for owner, new in _places(other).items():
        here = old[owner]
        result[names[new.tensor]][new.start : new.stop] = weights[names[here.tensor]][here.start : here.stop]


def _places(layout: Layout) -> dict[tuple[str, str, str, int], Place]:
    """Return each place by its kind, its owner, what it multiplies, and its number where that is the same."""
    names = _names(layout.canonical)
    found: dict[tuple[str, str, str, int], Place] = {}
    for matrix in layout.matrices:
        what = (matrix.owner, matrix.source)
        number = sum((m.owner, m.source) == what and m.argument < matrix.argument for m in layout.matrices)
        found["matrices", names[matrix.owner], names[matrix.source], number] = matrix.place
    for kind in ("biases", "diagonals", "gains", "shifts", "scalars", "vectors"):
        found |= {(kind, names[vector.owner], "", 0): vector.place for vector in getattr(layout, kind)}
    return found


def _names(canonical: Canonical) -> list[str]:
    """Return what each node is in the cell as it is written, whatever its place in the canonical form.

    Nodes that simplification adds own nothing, and are told by what they compute: equal ones were made one.
    """
    names: list[str] = []
    for node, origin in zip(canonical.nodes, canonical.original, strict=True):
        inputs = [names[i] for i in node.inputs]
        what = getattr(node, "operation", getattr(node, "value", None))
        made = repr((what, sorted(inputs) if is_commutative(node) else inputs))
        names.append(made if origin is None else str(origin))
    return names
