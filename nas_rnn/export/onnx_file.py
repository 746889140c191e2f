"""A trained model in ONNX: its layers as Scans, and around them what torch's exporter makes of the task's model."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.execution import RNN
from nas_rnn.export.trained import ExportBundle, TaskModelBundle

if TYPE_CHECKING:
    import onnx

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
    for inputs, states in _trials(trained):
        _compare(content, trained, inputs, states)
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
    from nas_rnn.export.onnx_layers import BATCH, TIME, state_names

    obstacle = _obstacle(bundle)
    if obstacle is not None:
        raise NasRnnError(
            f"the model of the task {bundle.task.name!r} cannot be exported to ONNX, which needs {obstacle}; "
            "--format torch has all of it"
        )
    assert bundle.example is not None
    model = _with_stand_in(bundle, rnn)
    time, batch = torch.export.Dim(TIME), torch.export.Dim(BATCH)
    inputs = _grown(bundle.example)
    arguments: tuple[Any, ...] = (inputs,)
    shapes: tuple[Any, ...] = ({0: time, 1: batch},)
    names = ["inputs"]
    if bundle.model.carries_state:
        arguments += (_starts(rnn, inputs.shape[1]),)
        shapes += (tuple({1: batch} for _ in rnn.cell.states),)
        names += state_names(rnn, "0")
    try:
        with _quiet():
            program = torch.onnx.export(
                model.eval(),
                arguments,
                dynamo=True,
                opset_version=OPSET,
                verbose=False,
                input_names=names,
                output_names=["outputs", *state_names(rnn, "n")],
                dynamic_shapes=shapes,
            )
    except Exception as error:  # the exporter raises whatever its parts do
        reason = str(error).strip().split("\n")[0]
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
    return None if bundle.example is not None else "inputs that are one tensor, not several by name"


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


def _trials(trained: ExportBundle) -> Iterator[tuple[Tensor, tuple[Tensor, ...] | None]]:
    """Give inputs of different batches and lengths, with states to continue from where the model takes them."""
    rnn, bundle = trained.rnn, trained.task_model
    if bundle is not None:
        assert bundle.example is not None
        for inputs in (bundle.example, _grown(bundle.example), bundle.example[:1, :1]):
            yield inputs, _starts(rnn, inputs.shape[1]) if bundle.model.carries_state else None
        return
    generator = torch.Generator().manual_seed(0)
    like = next(iter(rnn.parameters()), torch.empty(0))
    for steps, batch in ((7, 3), (1, 1), (12, 2)):
        shape = (batch, steps) if rnn.batch_first else (steps, batch)
        yield (
            torch.randn(*shape, rnn.input_size, generator=generator, dtype=like.dtype),
            _starts(rnn, batch),
        )


def _starts(rnn: RNN, batch: int) -> tuple[Tensor, ...]:
    like = next(iter(rnn.parameters()), torch.empty(0))
    rows = rnn.num_layers * (1 + rnn.bidirectional)
    paths = zip(rnn.cell.states, rnn.layer(0)[0].state_sizes, strict=True)
    return tuple(torch.full((rows, batch, size), path.init, dtype=like.dtype) for path, size in paths)


def _grown(example: Tensor) -> Tensor:
    """Return more of the same: a batch and a length that no size of the model equals by chance."""
    longer = torch.cat([example, example.flip(0), example[:1]])
    return torch.cat([longer, longer.flip(1), longer[:, :1]], 1)


@torch.no_grad()
def _compare(
    content: bytes, trained: ExportBundle, inputs: Tensor, states: tuple[Tensor, ...] | None
) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    given = [inputs, *(states or ())]
    names = ["x" if trained.task_model is None else "inputs"]
    names += [f"{path.name}_0" for path in trained.rnn.cell.states]
    feeds = {name: tensor.cpu().numpy() for name, tensor in zip(names, given, strict=False)}
    found = session.run(None, feeds)
    model = trained.rnn if trained.task_model is None else trained.task_model.model
    output, last = model(inputs, states)
    for ours, theirs in zip(found, [output, *last], strict=True):
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
