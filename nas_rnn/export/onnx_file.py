"""A trained model in ONNX: its layers as Scans, and around them what torch's exporter makes of the task's model."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.execution import RNN
from nas_rnn.export.inputs import BATCH, TIME, Inputs, together
from nas_rnn.export.trained import ExportBundle, TaskModelBundle
from nas_rnn.tasks.batch import Tensors

if TYPE_CHECKING:
    import onnx
    import onnxruntime

TOLERANCE = 1e-5
"""The largest difference to torch, absolute for values below 1 and relative for others."""

DOMAIN, STAND_IN = "nas_rnn", "RNN"
_NEEDED = ("onnx", "onnxruntime", "onnxscript")


def onnx_bytes(trained: ExportBundle) -> bytes:
    """Return ``trained`` as the content of an .onnx file, checked against torch.

    Raises:
        UserError: where a library is missing.
        NasRnnError: where the task's model cannot be exported, or the file computes something else.
    """
    require_libraries()
    from nas_rnn.export.onnx_layers import layers_model

    bundle = trained.task_model
    model = layers_model(trained.rnn) if bundle is None else _whole(trained.rnn, bundle)
    _describe(model, trained)
    content = bytes(model.SerializeToString())
    _compare(content, trained)
    return content


def require_libraries() -> None:
    """Raise `UserError` unless all that the format needs is installed."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"the format onnx needs {', '.join(missing)}, not installed here; "
            "install what exports need with: pip install 'nas_rnn[export]'"
        )


class _StandIn(nn.Module):
    """Takes the layers' place while torch's exporter looks at the model: one node, to be replaced."""

    def __init__(self, rnn: RNN) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.num_layers = rnn.input_size, rnn.hidden_size, rnn.num_layers
        self.directions = 1 + rnn.bidirectional
        self.rows = rnn.num_layers * self.directions
        self.state_sizes = rnn.layer(0)[0].state_sizes

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        steps, batch, _ = x.shape
        shapes = [(steps, batch, self.directions * self.state_sizes[0])]
        shapes += [(self.rows, batch, size) for size in self.state_sizes]
        output, *states = torch.onnx.ops.symbolic_multi_out(
            f"{DOMAIN}::{STAND_IN}", (x, *(state or ())), dtypes=[x.dtype] * len(shapes), shapes=shapes
        )
        return output, tuple(states)


def _whole(rnn: RNN, bundle: TaskModelBundle) -> onnx.ModelProto:
    from nas_rnn.export.onnx_graph import OPSET
    from nas_rnn.export.onnx_layers import state_names

    obstacle = _obstacle(bundle)
    if obstacle is not None:
        raise NasRnnError(
            f"the model of the task {bundle.task.name!r} cannot be exported to ONNX, which needs {obstacle}; "
            "--format torch has all of it"
        )
    inputs = _inputs(bundle).grown()
    names, states = list(inputs.tensors), None
    if bundle.model.carries_state:
        names += state_names(rnn, "0")
        states = _starts(rnn, inputs.sizes()[BATCH])
    try:
        with _quiet():
            program = torch.onnx.export(
                _with_stand_in(bundle, rnn).eval(),
                # a mapping at the end would be taken for arguments by name
                (inputs.given, {} if states is None else states),
                dynamo=True,
                opset_version=OPSET,
                verbose=False,
                input_names=names,
                output_names=["outputs", *state_names(rnn, "n")],
                dynamic_shapes=_free_axes(inputs, states),
            )
    except Exception as error:  # the exporter raises whatever its parts do
        reason = str(error.__cause__ or error).strip().split("\n")[0]  # its own words are advice in colours
        raise NasRnnError(
            f"the model of the task {bundle.task.name!r} cannot be exported to ONNX: {reason}"
        ) from error
    assert program is not None
    calls = sum(node.domain == DOMAIN for node in program.model_proto.graph.node)
    if calls != 1:
        raise NasRnnError(
            f"the model of the task {bundle.task.name!r} cannot be exported to ONNX, which needs recurrent layers that "
            f"read a sequence in one call; here they are called {calls} times. --format torch has all of it"
        )
    return _with_layers(program.model_proto, rnn, bundle.model.carries_state)


def _inputs(bundle: TaskModelBundle) -> Inputs:
    assert bundle.example is not None
    return Inputs.of(bundle.task, bundle.example)


def _free_axes(inputs: Inputs, states: tuple[Tensor, ...] | None) -> tuple[Any, ...]:
    """Return what torch's exporter is to leave free of the inputs, and of the states if there are some."""
    free = {axis: torch.export.Dim(axis) for axis in inputs.sizes()}
    axes = {name: {place: free[axis] for place, axis in enumerate(own)} for name, own in inputs.axes.items()}
    shapes: tuple[Any, ...] = (together(axes),)
    return shapes if states is None else (*shapes, tuple({1: free[BATCH]} for _ in states))


def _with_stand_in(bundle: TaskModelBundle, rnn: RNN) -> nn.Module:
    """Return the model's net with a stand-in for its layers."""
    (path,) = bundle.nets()
    net = copy.copy(bundle.net)
    net._modules = {**bundle.net._modules, path: _StandIn(rnn)}
    return net


def _obstacle(bundle: TaskModelBundle) -> str | None:
    """Return what the format needs and the model is not; None where it can be exported."""
    paths = list(bundle.nets())
    if not bundle.has_net:
        return "a model that is one net; this one has no attribute `net`"
    if len(paths) != 1 or "." in paths[0]:
        return f"one net with one recurrent net right in it, not {', '.join(paths) or 'none'}"
    sizes = {} if bundle.example is None else _inputs(bundle).sizes()
    if not sizes or (bundle.model.carries_state and BATCH not in sizes):
        return f"inputs with the axes ({TIME}, {BATCH}, ...), or with those that the task's `input_axes` says"
    return None


def _with_layers(model: onnx.ModelProto, rnn: RNN, with_states: bool) -> onnx.ModelProto:
    """Put the layers where the stand-in is."""
    from nas_rnn.export.onnx_graph import Nodes
    from nas_rnn.export.onnx_layers import add_layers, numbers_for

    nodes = Nodes(numbers_for(rnn, "rnn/"))
    before = list(model.graph.node)
    (place,) = [i for i, node in enumerate(before) if node.domain == DOMAIN]
    x, *states = before[place].input
    add_layers(nodes, rnn, x, states if with_states else None, list(before[place].output))
    del model.graph.node[:]
    model.graph.node.extend([*before[:place], *nodes.protos, *before[place + 1 :]])
    model.graph.initializer.extend(nodes.numbers.protos)
    kept = [entry for entry in model.opset_import if entry.domain != DOMAIN]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model


def _describe(model: onnx.ModelProto, trained: ExportBundle) -> None:
    import onnx

    starts = {f"{path.name}_0": path.init for path in trained.rnn.cell.states}
    facts = {"cell": trained.rnn.cell.to_text(), "states": ", ".join(f"{n}={v:g}" for n, v in starts.items())}
    onnx.helper.set_model_props(model, facts)
    model.producer_name = DOMAIN
    onnx.checker.check_model(model)


def _trials(trained: ExportBundle) -> Iterator[tuple[dict[str, Tensor], Tensors, int]]:
    """Give inputs of different batches and lengths: by name, as the model takes them, and for how many columns."""
    rnn, bundle = trained.rnn, trained.task_model
    if bundle is not None:
        example = _inputs(bundle)
        for inputs in (example, example.grown(), example.cut(1, 1)):
            yield inputs.tensors, inputs.given, inputs.sizes().get(BATCH, 0)
        return
    generator = torch.Generator().manual_seed(0)
    like = next(iter(rnn.parameters()), torch.empty(0))
    for steps, batch in ((7, 3), (1, 1), (12, 2)):
        shape = (batch, steps) if rnn.batch_first else (steps, batch)
        x = torch.randn(*shape, rnn.input_size, generator=generator, dtype=like.dtype)
        yield {"x": x}, x, batch


def _starts(rnn: RNN, batch: int) -> tuple[Tensor, ...]:
    like = next(iter(rnn.parameters()), torch.empty(0))
    rows = rnn.num_layers * (1 + rnn.bidirectional)
    paths = zip(rnn.cell.states, rnn.layer(0)[0].state_sizes, strict=True)
    return tuple(torch.full((rows, batch, size), path.init, dtype=like.dtype) for path, size in paths)


@torch.no_grad()
def _compare(content: bytes, trained: ExportBundle) -> None:
    """Compare with torch, from the start and, where the model takes states, on from where it came to."""
    import onnxruntime

    from nas_rnn.export.onnx_layers import state_names

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    rnn, bundle = trained.rnn, trained.task_model
    model = rnn if bundle is None else bundle.model
    for tensors, given, batch in _trials(trained):
        if bundle is not None and not bundle.model.carries_state:
            _require_equal(session, tensors, model(given, None))
            continue
        states = _starts(rnn, batch)
        for _ in range(2):
            named = dict(zip(state_names(rnn, "0"), states, strict=True))
            outputs, last = model(given, states)
            _require_equal(session, {**tensors, **named}, (outputs, last))
            states = last


def _require_equal(
    session: onnxruntime.InferenceSession, feeds: Mapping[str, Tensor], expected: tuple[Tensor, Any]
) -> None:
    try:
        found = session.run(None, {name: tensor.cpu().numpy() for name, tensor in feeds.items()})
    except Exception as error:  # onnxruntime raises what it likes, such as where an axis is not free
        reason = " ".join(str(error).split())
        raise NasRnnError(
            f"the ONNX model cannot compute what torch does; nothing was written: {reason}"
        ) from error
    outputs, last = expected
    for ours, theirs in zip(found, [outputs, *(last or ())], strict=True):
        _check_equal(torch.from_numpy(ours), theirs)


def _check_equal(ours: Tensor, theirs: Tensor) -> None:
    if ours.shape == theirs.shape:
        error = (ours - theirs).abs() / theirs.abs().clamp(min=1.0)
        both = ~(ours.isnan() & theirs.isnan()) & (ours != theirs)
        worst = float(error[both].max()) if bool(both.any()) else 0.0
        if worst <= TOLERANCE:
            return
        reason = f"by {worst:.2g}, more than {TOLERANCE:g}"
    else:
        reason = f"in shape, {tuple(ours.shape)} against {tuple(theirs.shape)}"
    raise NasRnnError(f"the ONNX model differs from torch {reason}; nothing was written")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what torch's exporter prints and warns of."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
