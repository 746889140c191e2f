"""From a spec to its model: the one place where training meets cells and how they run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from nas_rnn.cells import parse_cell
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.tasks import Regularisation, Task
from nas_rnn.tasks.model import TaskModel
from nas_rnn.training.spec import RunSpec


class RnnOfSpec(Protocol):
    """Gives the recurrent layers of a spec for an input size."""

    def __call__(self, spec: RunSpec, input_size: int, *, bidirectional: bool = False) -> nn.Module: ...


def cell_rnn(spec: RunSpec, input_size: int, *, bidirectional: bool = False) -> nn.Module:
    """Return ``spec.training.layers`` layers of the spec's cell.

    Raises:
        UserError: when the cell's text cannot be read, its output has input_size instead of hidden_size, or the
            fused backend is asked for where nothing can be compiled.
    """
    cell = parse_cell(spec.cell)
    output = cell.states[0]
    if output.size != "hidden":
        raise UserError(
            f"the output of cell {spec.name!r} is its first state path, {output.name!r}, which has "
            f"{output.size}_size; tasks read outputs of hidden_size: put another state path first"
        )
    layers = spec.training.layers
    dropout = spec.training.dropout if layers > 1 else 0.0  # what lies between layers; tasks add their own
    return RNN(
        cell,
        input_size,
        spec.hidden_size,
        num_layers=layers,
        dropout=dropout,
        bidirectional=bidirectional,
        backend=spec.training.backend,
        variational_dropout=spec.training.variational_dropout,
        weight_drop=spec.training.weight_drop,
        init=spec.training.init,
    )


def build_model(
    spec: RunSpec, task: Task, meta: Mapping[str, Any], make_rnn: RnnOfSpec = cell_rnn
) -> TaskModel:
    """Return the task's model around the spec's recurrent layers, initialised from ``spec.seed`` alone.

    It is built on the CPU, so that the initial weights are the same wherever it runs; torch's own random
    state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(spec.seed)
        return _built(spec, task, meta, make_rnn)


def _built(spec: RunSpec, task: Task, meta: Mapping[str, Any], make_rnn: RnnOfSpec) -> TaskModel:
    return task.build(meta, partial(make_rnn, spec), Regularisation(dropout=spec.training.dropout))


def recurrent_nets(model: nn.Module) -> dict[str, RNN]:
    """Return the recurrent nets of a model by their paths in it ("net.rnn"), in the order of their making."""
    return {path: module for path, module in model.named_modules() if isinstance(module, RNN)}


def backend_of(model: nn.Module) -> tuple[str | None, str | None]:
    """Return which backend runs the cells of ``model``, and why it is not the fused one where that was wanted.

    None and None for a model without cells; several names, with commas, where its cells differ.
    """
    cells = recurrent_nets(model).values()
    names = dict.fromkeys(rnn.backend for rnn in cells)
    reasons = dict.fromkeys(rnn.fallback for rnn in cells if rnn.fallback is not None)
    return ", ".join(names) or None, "; ".join(reasons) or None


def input_sizes(spec: RunSpec, task: Task, meta: Mapping[str, Any]) -> list[int]:
    """Return the input sizes of the model's recurrent nets, each once, without allocating the model."""
    with torch.device("meta"):
        model = _built(spec, task, meta, cell_rnn)
    return sorted({rnn.input_size for rnn in recurrent_nets(model).values()})


def count_parameters(
    spec: RunSpec, task: Task, meta: Mapping[str, Any], make_rnn: RnnOfSpec = cell_rnn
) -> int:
    """Return how many learned numbers the whole model has, without allocating them."""
    with torch.device("meta"):
        model = _built(spec, task, meta, make_rnn)
    return sum(parameter.numel() for parameter in model.parameters())
