"""How far back the loss reaches: the norm of its gradient with respect to every state path, by lag.

A recurrent network learns what lies ``k`` steps back only through the gradient that arrives there; where it falls or
grows by a factor a step, it vanishes or explodes (Hochreiter 1991; Bengio, Simard & Frasconi 1994; Pascanu, Mikolov &
Bengio 2013, "On the difficulty of training recurrent neural networks", whose ``dE_t / dx_k`` this is).

**What is measured.** One batch of B sequences of T steps runs through the model, from the cell's start values and
without dropout, step by step through the reference interpreter. The loss is that of the *last step alone*, as the
task's model gives it (`TaskModel.probe`): where there is a target for every input (a language model), only the last
counts; where there is one answer a sequence (a classifier), that answer. A model with several recurrent nets has a flow
for each. The gradient of this loss, a mean over the B sequences, is taken to
the value of every state path of every layer after each step; lag 0 is after the last step, lag T the start value. Its
norm is over all B sequences and all units together, so sequences are averaged over by the root of the mean square.
It is the whole gradient of that value: all ways from it to the loss count, also those within its own step (in the
LSTM's ``h = o * tanh(c)``, ``c`` of lag 0 has one).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nas_rnn.cells import Cell
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.execution.unrolled import Unrolled
from nas_rnn.tasks import Batching, Task, TaskData
from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.model import Probe, TaskModel
from nas_rnn.training.flow import GradientFlow, PathFlow, Weights
from nas_rnn.training.model import build_model, recurrent_nets
from nas_rnn.training.spec import EpochRecord, RunSpec

STEPS = 64
"""How far back is looked, at least, where the data has sequences that long."""
PROBE_STEPS, PROBE_BATCH = 100, 32


def model_flows(
    model: TaskModel,
    batch: Batch,
    *,
    weights: Weights,
    clip: float = 0.0,
    clipped: Sequence[float] = (),
) -> list[GradientFlow]:
    """Measure every recurrent net of a task's ``model`` on one batch, by the model's own probe (see the module).

    The model is left as it was. Raises UserError where it has no recurrent net that reads in one direction, a probe
    names a net that is not there, or a loss does not depend on the net.
    """
    nets = {path: rnn for path, rnn in recurrent_nets(model).items() if not rnn.bidirectional}
    if not nets:
        raise UserError(
            "gradient flow needs a model with an nas_rnn.RNN in it that reads in one direction; there is none"
        )
    unrolled = {path: Unrolled(rnn) for path, rnn in nets.items()}
    was_training = model.training
    model.eval()
    try:
        for path, stand_in in unrolled.items():
            _put(model, path, stand_in)
        with torch.enable_grad():
            probes = model.probe(batch.to(next(model.parameters()).device))
            found = {path: _probe_of(path, probes, nets) for path in nets if path in probes or "" in probes}
            paths = {path: _paths(probe.loss, unrolled[path], probe.lengths) for path, probe in found.items()}
    finally:
        for path, rnn in nets.items():
            _put(model, path, rnn)
        model.train(was_training)
    return [
        GradientFlow(
            cell=nets[path].cell.name,
            net=path if len(nets) > 1 else "",
            weights=weights,
            steps=max(len(own.norms) for own in paths[path]) - 1,
            batch=len(unrolled[path].states[0][0][0]),
            paths=paths[path],
            clip=clip,
            clipped=list(clipped),
        )
        for path in found
    ]


def _probe_of(path: str, probes: Mapping[str, Probe], nets: Mapping[str, RNN]) -> Probe:
    for name in probes:
        if name and name not in nets:
            raise UserError(
                f"probe names {name!r}, which is no recurrent net of the model that reads in one direction; "
                f"there are {', '.join(nets)}"
            )
    return probes.get(path) or probes[""]


def _put(model: nn.Module, path: str, module: nn.Module) -> None:
    """Make ``module`` what stands at ``path`` in the model."""
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)


def rnn_flow(rnn: RNN, *, seed: int = 0) -> GradientFlow:
    """Measure recurrent layers without a task: normal noise as input, a fixed random direction of the output as loss.

    T is `PROBE_STEPS`, B `PROBE_BATCH`; all is drawn from ``seed``.
    """
    generator = torch.Generator().manual_seed(seed)
    like = next(rnn.parameters(), torch.zeros(0))
    x_TBI = torch.randn(PROBE_STEPS, PROBE_BATCH, rnn.input_size, generator=generator).to(like)
    unrolled = Unrolled(rnn)
    with torch.enable_grad():
        output_TBH, _ = unrolled(x_TBI.transpose(0, 1) if rnn.batch_first else x_TBI)
        last_BH = output_TBH[:, -1] if rnn.batch_first else output_TBH[-1]
        direction_BH = torch.randn(last_BH.shape, generator=generator).to(like)
        paths = _paths((last_BH * direction_BH).sum(-1).mean(), unrolled)
    return GradientFlow(
        cell=rnn.cell.name, weights="fresh", steps=PROBE_STEPS, batch=PROBE_BATCH, paths=paths
    )


def fresh_flow(cell: Cell, input_size: int, hidden_size: int, *, seed: int = 0) -> GradientFlow:
    """Measure one layer of ``cell`` with the weights that it starts from (see `rnn_flow`)."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        rnn = RNN(cell, input_size, hidden_size, backend="reference")
    return rnn_flow(rnn, seed=seed)


def flows_of_run(
    spec: RunSpec, task: Task, data: TaskData, trained: TaskModel | None, records: Sequence[EpochRecord] = ()
) -> list[GradientFlow]:
    """Return the flow of the run's model before training and, given the ``trained`` one, after it.

    The batch is the first of the training part, as long as `STEPS` where the data allows it.
    """
    batch = _batch(spec, task, data)
    flows = model_flows(build_model(spec, task, data.meta), batch, weights="fresh")
    if trained is not None:
        clipped = [record.clipped for record in records]
        flows += model_flows(trained, batch, weights="trained", clip=spec.training.clip, clipped=clipped)
    return flows


def _batch(spec: RunSpec, task: Task, data: TaskData) -> Batch:
    """Return a batch of long sequences, or of those that training uses where there is no room for long ones."""
    options = spec.training
    try:
        long = Batching(batch=options.batch, length=max(STEPS, options.length))
        return next(iter(task.batches(data, "train", long)))
    except UserError:
        own = Batching(batch=options.batch, length=options.length)
        return next(iter(task.batches(data, "train", own)))


def _paths(loss: Tensor, unrolled: Unrolled, lengths: Tensor | None = None) -> list[PathFlow]:
    """Return the flow of every state path of every layer; see the module. ``lengths`` (B,) are the real steps."""
    values = [value for layer in unrolled.states for after in layer for value in after]
    learned = [value for value in values if value.requires_grad]
    if not loss.requires_grad:
        raise UserError("the loss does not depend on the recurrent layers, so there is no gradient to follow")
    # Gradients are taken with respect to values, not to their names: paths that are one value share its gradient.
    found = torch.autograd.grad(loss, learned, allow_unused=True, retain_graph=True)
    gradients = {id(value): gradient for value, gradient in zip(learned, found, strict=True)}
    lengths = unrolled.lengths if lengths is None else lengths
    return [
        PathFlow(
            path=path.name,
            layer=layer,
            norms=_norms([gradients.get(id(after[number])) for after in kept], kept[0][number], lengths),
        )
        for layer, kept in enumerate(unrolled.states)
        for number, path in enumerate(unrolled.rnn.cell.states)
    ]


def _norms(gradients: list[Tensor | None], like: Tensor, lengths_B: Tensor | None) -> list[float | None]:
    """Return the norms by lag of gradients (B, size) after 0 .. T steps; lag 0 is each column's last real step."""
    if lengths_B is None:
        return [_norm(gradient) for gradient in reversed(gradients)]
    kept_SBH = torch.stack([torch.zeros_like(like) if g is None else g for g in gradients])
    columns = torch.arange(len(lengths_B), device=lengths_B.device)
    norms = list[float | None]()
    for lag in range(int(lengths_B.max()) + 1):
        reached = lengths_B >= lag
        norms.append(_norm(kept_SBH[(lengths_B - lag)[reached], columns[reached]]))
    return norms


def _norm(gradient: Tensor | None) -> float | None:
    """Return the norm over everything, None where it is not finite; in double, so that squares do not vanish."""
    if gradient is None:
        return 0.0
    norm = float(gradient.double().norm())
    return norm if math.isfinite(norm) else None
