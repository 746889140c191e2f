"""From a spec to its model: the one place where training meets cells and how they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from nas_rnn.cells import parse_cell
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.tasks import Task
from nas_rnn.training.spec import RunSpec

MakeRnn = Callable[[RunSpec, int], nn.Module]
"""Gives the recurrent layers of a spec for an input size."""


def cell_rnn(spec: RunSpec, input_size: int) -> nn.Module:
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
        backend=spec.training.backend,
    )


def build_model(
    spec: RunSpec, task: Task, meta: Mapping[str, Any], make_rnn: MakeRnn = cell_rnn
) -> nn.Module:
    """Return the task's model around the spec's recurrent layers, initialised from ``spec.seed`` alone.

    It is built on the CPU, so that the initial weights are the same wherever it runs; torch's own random
    state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(spec.seed)
        return task.model(meta, lambda size: make_rnn(spec, size), dropout=spec.training.dropout)


def backend_of(model: nn.Module) -> tuple[str | None, str | None]:
    """Return which backend runs the cells of ``model``, and why it is not the fused one where that was wanted.

    None and None for a model without cells; several names, with commas, where its cells differ.
    """
    cells = [module for module in model.modules() if isinstance(module, RNN)]
    names = dict.fromkeys(rnn.backend for rnn in cells)
    reasons = dict.fromkeys(rnn.fallback for rnn in cells if rnn.fallback is not None)
    return ", ".join(names) or None, "; ".join(reasons) or None


def count_parameters(spec: RunSpec, task: Task, meta: Mapping[str, Any], make_rnn: MakeRnn = cell_rnn) -> int:
    """Return how many learned numbers the whole model has, without allocating them."""
    with torch.device("meta"):
        model = task.model(meta, lambda size: make_rnn(spec, size), dropout=spec.training.dropout)
    return sum(parameter.numel() for parameter in model.parameters())
