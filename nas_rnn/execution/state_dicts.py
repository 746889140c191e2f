"""State dicts of models with RNNs: from before there were marks, and for the same cells with other starts.

Where parameters start is part of a cell's canonical form, which gives the order in which they are packed: an LSTM
whose forget gates start at 0.7 may have its input and output gates in another order than one whose start at 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from nas_rnn.cells import Canonical
from nas_rnn.cells.graph.nodes import is_commutative
from nas_rnn.execution.layout import Layout, Place
from nas_rnn.execution.marks import KEY, mark_of
from nas_rnn.execution.module import suffix
from nas_rnn.execution.rnn import RNN


def mark_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict ``weights`` with a mark for each RNN of ``model`` that has none in it.

    It is for files from before there were marks, which are known to be of this very model. Weights of torch's
    layers do not become this model's by it: `RNN.from_torch` takes those.
    """
    cells = {prefix: rnn.cell for prefix, rnn in _rnns(model)}
    return {**{prefix + KEY: mark_of(cell) for prefix, cell in cells.items()}, **weights}


def repacked(model: nn.Module, other: nn.Module) -> dict[str, Tensor]:
    """Return the state dict with which ``other`` computes what ``model`` does.

    The two are one model but for where parameters of cells start (`nas_rnn.cells.with_gate_bias`).
    """
    weights = model.state_dict()
    result = dict(weights)
    twins = dict(_rnns(other))
    for prefix, rnn in _rnns(model):
        twin = twins[prefix]
        result[prefix + KEY] = mark_of(twin.cell)
        for layer in range(rnn.num_layers):
            for reverse in (False, True)[: 1 + rnn.bidirectional]:
                layouts = rnn.layer(layer, reverse)[0], twin.layer(layer, reverse)[0]
                _repack(result, weights, prefix, suffix(layer, reverse), *layouts)
    return result


def _rnns(model: nn.Module) -> Iterator[tuple[str, RNN]]:
    """Yield every RNN of ``model``, as often as it stands in the state dict, with what its names begin with there."""
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, RNN):
            yield (f"{name}." if name else ""), module


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
