"""Recurrent layers in ONNX: a Scan for each layer and direction, of free batch and sequence length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import torch

from nas_rnn.execution import RNN
from nas_rnn.execution.reparametrise import matrices_of
from nas_rnn.export.inputs import BATCH, TIME
from nas_rnn.export.onnx_graph import IR_VERSION, OPSET, Nodes, Numbers
from nas_rnn.export.onnx_step import step_body


def numbers_for(rnn: RNN, prefix: str = "") -> Numbers:
    """Return the place for numbers of the layers' own type."""
    double = next(iter(rnn.parameters()), torch.empty(0)).dtype == torch.float64
    return Numbers(np.float64 if double else np.float32, prefix)


def add_layers(nodes: Nodes, rnn: RNN, x: str, states: Sequence[str] | None, outputs: Sequence[str]) -> None:
    """Add what computes ``outputs``, the output and the last states, from the input and the first states.

    Shapes are those of `RNN`; without ``states`` every path starts as the cell says.
    """
    if rnn.batch_first:
        x = nodes.add("Transpose", x, perm=[1, 0, 2])
    if states is None:
        states = [_start(nodes, rnn, x, path) for path in range(len(rnn.cell.states))]
    finals: list[list[str]] = []
    for layer in range(rnn.num_layers):
        ways = []
        for reverse in range(1 + rnn.bidirectional):
            place = nodes.numbers.index(len(finals))
            first = [nodes.add("Gather", state, place, axis=0) for state in states]
            *last, output = _scan(nodes, rnn, layer, bool(reverse), x, first)
            ways.append(output)
            finals.append(last)
        x = nodes.add("Concat", *ways, axis=-1) if rnn.bidirectional else ways[0]
    if rnn.batch_first:
        x = nodes.add("Transpose", x, perm=[1, 0, 2])
    nodes.add("Identity", x, outputs=outputs[:1])
    axis = nodes.numbers.whole(0)
    for path, name in zip(zip(*finals, strict=True), outputs[1:], strict=True):
        nodes.add("Concat", *(nodes.add("Unsqueeze", state, axis) for state in path), axis=0, outputs=[name])


def _start(nodes: Nodes, rnn: RNN, x: str, path: int) -> str:
    layout, _ = rnn.layer(0)
    whole = nodes.numbers.whole
    batch = nodes.add("Shape", x, start=1, end=2)
    rows = rnn.num_layers * (1 + rnn.bidirectional)
    shape = nodes.add("Concat", whole(rows), batch, whole(layout.state_sizes[path]), axis=0)
    return nodes.add("Expand", nodes.numbers.put(rnn.cell.states[path].init), shape)


def _scan(nodes: Nodes, rnn: RNN, layer: int, reverse: bool, x: str, states: Sequence[str]) -> list[str]:
    layout, tensors = rnn.layer(layer, reverse)
    names = [nodes.numbers.fresh() for _ in range(len(states) + 1)]
    nodes.add(
        "Scan",
        *states,
        x,
        outputs=names,
        body=step_body(layout, matrices_of(layout, tensors), nodes.numbers),
        num_scan_inputs=1,
        scan_input_directions=[int(reverse)],
        scan_output_directions=[int(reverse)],
    )
    return names


def state_shapes(rnn: RNN) -> list[tuple[int, str, int]]:
    """Return the shape of each state path: layers times directions, batch, size."""
    layout, _ = rnn.layer(0)
    rows = rnn.num_layers * (1 + rnn.bidirectional)
    return [(rows, BATCH, size) for size in layout.state_sizes]


def state_names(rnn: RNN, end: str) -> list[str]:
    """Return what the states are called in the model: ``h_0`` before the sequence, ``h_n`` behind it."""
    return [f"{path.name}_{end}" for path in rnn.cell.states]


def layers_model(rnn: RNN) -> onnx.ModelProto:
    """Return the layers as a model: (x, h_0, ...) to (output, h_n, ...)."""
    numbers = numbers_for(rnn, "rnn/")
    nodes = Nodes(numbers)
    firsts, lasts = state_names(rnn, "0"), state_names(rnn, "n")
    add_layers(nodes, rnn, "x", firsts, ["output", *lasts])
    steps = [BATCH, TIME] if rnn.batch_first else [TIME, BATCH]
    shapes = state_shapes(rnn)
    width = shapes[0][2] * (1 + rnn.bidirectional)

    def described(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
        return onnx.helper.make_tensor_value_info(name, numbers.element, shape)

    graph = onnx.helper.make_graph(
        nodes.protos,
        rnn.cell.name,
        [described("x", [*steps, rnn.input_size]), *map(described, firsts, shapes)],
        [described("output", [*steps, width]), *map(described, lasts, shapes)],
        numbers.protos,
    )
    imports = [onnx.helper.make_opsetid("", OPSET)]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)
