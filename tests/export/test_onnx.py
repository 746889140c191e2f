"""The ONNX model computes what the layers do, for any length and batch; what differs is not written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from onnx import numpy_helper

from nas_rnn.cells import Cell, operations, parse_cell
from nas_rnn.cells.graph.operations import Operation, register_operation, restore_operations
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.execution import RNN
from nas_rnn.export import ExportBundle, onnx_file
from nas_rnn.export.onnx_file import onnx_bytes
from nas_rnn.export.onnx_layers import layers_model
from tests.execution.zoo import zoo_cells
from tests.export.cases import moved
from tests.random_cells import cells

ZOO = zoo_cells()
SIZES = ((5, 3), (1, 1), (9, 2))


def session_of(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def check(rnn: RNN, tolerance: float, sizes: Sequence[tuple[int, int]] = SIZES) -> None:
    """Compare at several lengths and batches, going on from states that are no starts."""
    model = layers_model(rnn)
    onnx.checker.check_model(model, full_check=True)
    session = session_of(model.SerializeToString())
    dtype = next((parameter.dtype for parameter in rnn.parameters()), torch.float32)
    tolerance = max(tolerance, 1e-5 if dtype == torch.float32 else 0.0)  # without parameters all is single
    layout, _ = rnn.layer(0)
    rows = rnn.num_layers * (1 + rnn.bidirectional)
    for steps, batch in sizes:
        x = torch.randn(steps, batch, rnn.input_size, dtype=dtype)
        state = tuple(torch.rand(rows, batch, size, dtype=dtype) for size in layout.state_sizes)
        with torch.no_grad():
            output, last = rnn(x.transpose(0, 1) if rnn.batch_first else x, state)
        feeds = {"x": (x.transpose(0, 1) if rnn.batch_first else x).numpy()}
        feeds |= {f"{p.name}_0": s.numpy() for p, s in zip(rnn.cell.states, state, strict=True)}
        expected = [output, *last]
        if not all(value.isfinite().all() for value in expected):
            continue  # one that overflows may do so at another place when sums are ordered otherwise
        for ours, theirs in zip(session.run(None, feeds), expected, strict=True):
            torch.testing.assert_close(torch.from_numpy(ours), theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", sorted(ZOO))
def test_published_cells(name: str) -> None:
    check(moved(ZOO[name]), 1e-5)
    check(moved(ZOO[name], bidirectional=True, dtype=torch.float64), 1e-9)


@given(cell=cells())
@settings(max_examples=60, deadline=None)
def test_random_cells(cell: Cell) -> None:
    check(moved(cell, dtype=torch.float64), 1e-9, SIZES[:1])


@pytest.mark.parametrize("batch_first", [False, True])
def test_stacked_both_ways(batch_first: bool) -> None:
    rnn = moved(ZOO["lstm"], num_layers=3, bidirectional=True, batch_first=batch_first)
    check(rnn, 1e-5)


EXPRESSIONS = (
    ("exp(a) - log(abs(a) + 2) / sqrt(abs(a) + 1)", 1),
    ("sign(a) * sin(a) + cos(a) * erf(a)", 1),
    ("log1p(exp(-abs(a)))", 1),
    ("expm1(a) + 1 / (1 + a * a)", 1),
    ("maximum(a, 0.25) + minimum(-b, a) / 3", 2),
    ("where(a < 0, a, b) + where(a <= 0, a, b) + where(a > 0, 2, b) + where(a >= 0, 1, b)", 2),
    ("where(a == b, a, -b) + tanh(c) * sigmoid(d)", 4),
    ("b", 2),
    ("0.5", 1),
)


@pytest.mark.parametrize(("value", "arity"), EXPRESSIONS)
def test_every_word_of_expressions(value: str, arity: int) -> None:
    dtype = torch.float32 if "erf" in value else torch.float64  # onnxruntime has no erf of doubles
    before = operations()
    try:
        register_operation(Operation(name="tried", value=value, derivative=("1",) * arity))
        arguments = ("linear(x, h)", "h", "linear(x)", "scalar(0.5)")[:arity]
        for call in (f"tried({', '.join(arguments)})", f"linear(tried({', '.join(arguments)}))"):
            rnn = moved(parse_cell(f"@cell\ndef c(x, h):\n    return {call} + linear(x)\n"), dtype=dtype)
            check(rnn, 1e-9)
    finally:
        restore_operations(before)


@pytest.mark.parametrize("word", ["log1p", "expm1"])
def test_small_values_keep_their_digits(word: str) -> None:
    """ONNX has neither; 1 + a and exp(a) - 1 would lose half of the digits or all."""
    before = operations()
    try:
        register_operation(Operation(name="tried", value=f"{word}(a)", derivative=("1",)))
        rnn = RNN(parse_cell("@cell\ndef c(x, h):\n    return tried(h)\n"), 1, 4)
        model = session_of(layers_model(rnn).SerializeToString())
        small = np.array([[[1e-12, -3e-8, 2e-4, 0.3]]], np.float32)
        unused = {"x": np.zeros((1, 1, 1), np.float32), "h_0": small}
        found = model.run(None, {i.name: unused[i.name] for i in model.get_inputs()})[0]
        np.testing.assert_allclose(found, getattr(np, word)(small.astype(np.float64)), rtol=1e-6)
    finally:
        restore_operations(before)


def test_starts_of_states_stand_in_the_model() -> None:
    cell = parse_cell(
        "@cell\ndef c(x, h, m=state(init=-10)):\n    m = maximum(m, linear(x))\n    return tanh(m + h), m\n"
    )
    model = onnx.load_from_string(onnx_bytes(ExportBundle(name="c", rnn=moved(cell))))
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata == {"cell": cell.to_text(), "states": "h_0=0, m_0=-10"}
    shapes = [[d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input]
    assert shapes == [["time", "batch", 4], [1, "batch", 8], [1, "batch", 8]]


def test_a_model_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is wrong by little, or has nothing where torch has something."""
    trained = ExportBundle(name="lstm", rnn=moved(ZOO["lstm"]))
    assert onnx_bytes(trained)
    for change in (lambda a: a + 1e-3, lambda a: a * np.float32(np.nan)):

        def changed(rnn: RNN, change: object = change) -> onnx.ModelProto:
            model = layers_model(rnn)
            weight = next(t for t in model.graph.initializer if numpy_helper.to_array(t).shape == (8, 8))
            weight.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(weight)), weight.name))
            return model

        monkeypatch.setattr("nas_rnn.export.onnx_layers.layers_model", changed)
        with pytest.raises(NasRnnError, match="the ONNX model differs from torch by"):
            onnx_bytes(trained)


def test_a_missing_library_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        onnx_file.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else object()
    )
    with pytest.raises(UserError, match=r"needs onnxruntime, .*pip install 'nas_rnn\[export\]'") as raised:
        onnx_bytes(ExportBundle(name="lstm", rnn=moved(ZOO["lstm"])))
    assert raised.value.exit_code == 2


def test_nodes_have_names_of_their_own() -> None:
    model = layers_model(moved(ZOO["lstm_ln"], num_layers=2, bidirectional=True))
    bodies = [a.g for node in model.graph.node for a in node.attribute if a.name == "body"]
    names = [name for graph in (model.graph, *bodies) for node in graph.node for name in node.output]
    assert len(bodies) == 4 and len(set(names)) == len(names)
    assert not set(names) & {tensor.name for tensor in model.graph.initializer}


def test_the_operators_are_as_old_as_the_file_says() -> None:
    used = {node.op_type for node in layers_model(moved(ZOO["lstm_ln"])).graph.node}
    assert used <= {"Scan", "Gather", "Identity", "Concat", "Unsqueeze", "Transpose"}
