"""Gradient flow: against autograd on an LSTM written by hand, and what must be seen of RNN and LSTM."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from nas_rnn import RNN, load_cell
from nas_rnn.errors import UserError
from nas_rnn.execution.unrolled import Unrolled
from nas_rnn.tasks import Batch, TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.char_lm.model import CharModel
from nas_rnn.tasks.char_lm.net import LanguageModel
from nas_rnn.tasks.glimpses.model import GlimpseClassifier
from nas_rnn.tasks.glimpses.net import GlimpseModel
from nas_rnn.training import RunSpec, RunStore
from nas_rnn.training.flow import GradientFlow, PathFlow
from nas_rnn.training.flow_chart import draw_flow
from nas_rnn.training.gradient_flow import (
    flows_of_run,
    fresh_flow,
    model_flows,
    rnn_flow,
)
from nas_rnn.training.trainer import Trainer


def by_hand(module: nn.LSTM, x_TBI: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return h and c of nn.LSTM's equations after 0 .. T steps."""
    h = [torch.zeros(x_TBI.shape[1], module.hidden_size, dtype=x_TBI.dtype, requires_grad=True)]
    c = [torch.zeros_like(h[0]).requires_grad_()]
    for x_BI in x_TBI:
        gates = x_BI @ module.weight_ih_l0.T + module.bias_ih_l0 + h[-1] @ module.weight_hh_l0.T
        i, f, g, o = (gates + module.bias_hh_l0).chunk(4, -1)
        c.append(torch.sigmoid(f) * c[-1] + torch.sigmoid(i) * torch.tanh(g))
        h.append(torch.sigmoid(o) * torch.tanh(c[-1]))
    return h, c


def test_it_is_autograds_gradient_of_the_last_steps_loss() -> None:
    torch.manual_seed(0)
    module = nn.LSTM(5, 7).double()
    net = LanguageModel(lambda size: RNN.from_torch(module), symbols=6, embedding=5, dropout=0.3).double()
    model = CharModel(net)
    symbols_TB, targets_TB = torch.randint(6, (11, 3)), torch.randint(6, (11, 3))
    (flow,) = model_flows(model, Batch(inputs=symbols_TB, targets=targets_TB), weights="trained")
    assert model.training and net.training and isinstance(net.rnn, RNN)
    with torch.no_grad():
        embedded_TBI = net.input[0](symbols_TB)  # type: ignore[index]
    h, c = by_hand(module, embedded_TBI)
    loss = nn.functional.cross_entropy(net.output(h[-1]), targets_TB[-1])
    gradients = torch.autograd.grad(loss, [*h, *c])
    expected = [[float(g.norm()) for g in reversed(part)] for part in (gradients[:12], gradients[12:])]
    assert [path.path for path in flow.paths] == ["h", "c"] and flow.steps == 11 and flow.batch == 3
    for path, norms in zip(flow.paths, expected, strict=True):
        assert path.norms == pytest.approx(norms, rel=1e-10)
        assert path.factors[4] == pytest.approx(norms[5] / norms[4], rel=1e-10)


def test_of_one_answer_a_sequence_it_is_the_answers_loss() -> None:
    torch.manual_seed(0)
    module = nn.LSTM(4, 5).double()
    net = GlimpseModel(lambda size: RNN.from_torch(module), pixels=4, classes=3, mean=True).double()
    looks, labels = torch.randn(6, 6, 4).double(), torch.randint(3, (6,))  # as many pictures as looks
    (flow,) = model_flows(GlimpseClassifier(net), Batch(inputs=looks, targets=labels), weights="fresh")
    h, c = by_hand(module, looks)
    loss = nn.functional.cross_entropy(net.output(torch.stack(h[1:]).mean(0)), labels)
    expected = [float(g.norm()) for g in reversed(torch.autograd.grad(loss, c))]
    assert flow.paths[1].norms == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("batch_first", [False, True])
def test_unrolled_gives_the_rnns_values(batch_first: bool) -> None:
    torch.manual_seed(0)
    rnn = RNN(load_cell("lstm_peephole"), 3, 4, num_layers=2, batch_first=batch_first).double()
    x, start = (
        torch.randn(5, 2, 3).double(),
        tuple(torch.randn(2, 5 if batch_first else 2, 4).double() for _ in "hc"),
    )
    for state in (None, start):
        unrolled = Unrolled(rnn)
        for mine, its in zip((a := unrolled(x, state))[1], (b := rnn(x, state))[1], strict=True):
            torch.testing.assert_close(mine, its)
        torch.testing.assert_close(a[0], b[0])
        assert [len(layer) for layer in unrolled.states] == [1 + x.shape[1 if batch_first else 0]] * 2


def test_unrolled_goes_on_with_its_own_states_and_refuses_a_second_sequence() -> None:
    torch.manual_seed(0)
    rnn = RNN(load_cell("lstm"), 3, 4, num_layers=2).double()
    x = torch.randn(5, 2, 3).double()
    unrolled = Unrolled(rnn)
    first, state = unrolled(x[:2])
    second, final = unrolled(x[2:], state)
    whole, end = rnn(x)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    for mine, its in zip(final, end, strict=True):
        torch.testing.assert_close(mine, its)
    assert [len(layer) for layer in unrolled.states] == [6, 6]
    for other in (None, tuple(part.clone() for part in final)):
        with pytest.raises(UserError, match="reads several sequences for one loss"):
            unrolled(x, other)


@pytest.mark.parametrize("batch_first", [False, True])
def test_unrolled_begins_anew_where_the_rnn_does(batch_first: bool) -> None:
    torch.manual_seed(0)
    rnn = RNN(load_cell("mgu"), 3, 4, num_layers=2, batch_first=batch_first).double()
    x, restarts = torch.randn(5, 6, 3).double(), torch.rand(5, 6) < 0.4
    torch.testing.assert_close(Unrolled(rnn)(x, None, restarts), rnn(x, None, restarts))
    if not batch_first:
        packed, cut = (pack_padded_sequence(t, [5, 4, 4, 3, 2, 1]) for t in (x, restarts))
        (ours, final), (output, state) = Unrolled(rnn)(packed, None, cut), rnn(packed, None, cut)
        torch.testing.assert_close((ours.data, final), (output.data, state))
    unrolled = Unrolled(rnn)
    begun, _ = unrolled(x, None, torch.ones(5, 6, dtype=torch.bool))
    (flow,) = torch.autograd.grad(begun.sum(), unrolled.states[0][0][0])
    assert not flow.any()


def test_unrolled_keeps_single_steps_too() -> None:
    """A loop of steps has the states and the gradients of a call on the whole sequence."""
    torch.manual_seed(0)
    rnn = RNN(load_cell("lstm"), 3, 4, num_layers=2).double()
    x, unrolled, whole = torch.randn(5, 2, 3).double(), Unrolled(rnn), Unrolled(rnn)
    expected, final = whole(x)
    state, outputs = unrolled.start(2), []
    for x_BI in x:
        output, (h, c) = unrolled.step(x_BI, state)
        state = (h, c)
        outputs.append(output)
    torch.testing.assert_close((torch.stack(outputs), state), (expected, final))
    assert [len(layer) for layer in unrolled.states] == [6, 6]
    losses = ((outputs[-1].sum(), unrolled), (expected[-1].sum(), whole))
    ours, theirs = (torch.autograd.grad(loss, [after[1] for after in run.states[0]]) for loss, run in losses)
    torch.testing.assert_close(ours, theirs)
    with pytest.raises(UserError, match="several sequences"):
        unrolled.step(x[0], rnn.start(2))


def rnn_with(recurrent: Tensor) -> RNN:
    """Return a vanilla RNN that reads no input, so that its tanh stays at 0, where it is the identity."""
    rnn = RNN(load_cell("rnn"), 3, len(recurrent)).double()
    with torch.no_grad():
        rnn.weight_ih_l0.zero_()
        rnn.weight_hh_l0.copy_(recurrent)
    return rnn


@pytest.mark.parametrize(("size", "horizon"), [(0.5, 7), (0.9, 44), (1.5, None)])
def test_the_vanilla_rnn_vanishes_with_small_weights_and_explodes_with_large(
    size: float, horizon: int | None
) -> None:
    """By exactly the size of its recurrent matrix a step (Pascanu et al. 2013)."""
    rotation, _ = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1)).double())
    (path,) = rnn_flow(rnn_with(size * rotation)).paths
    assert path.growth == pytest.approx(size, rel=1e-9)
    assert path.norms[50] == pytest.approx(size**50 * (path.norms[0] or 0.0), rel=1e-9)
    assert path.horizon == horizon


def test_the_lstms_cell_state_is_an_uninterrupted_path_where_the_forget_gate_is_open() -> None:
    paths = {}
    for bias in (0.0, 12.0):
        torch.manual_seed(0)
        module = nn.LSTM(3, 16).double()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(0.5)
            module.bias_ih_l0[16:32] = bias
        paths[bias] = {path.path: path for path in rnn_flow(RNN.from_torch(module)).paths}
    forgetting, remembering = paths[0.0]["c"], paths[12.0]["c"]
    assert forgetting.horizon is not None and forgetting.horizon < 15
    assert remembering.horizon is None and remembering.growth == pytest.approx(1.0, abs=0.02)
    vanilla = {path.path: path for path in fresh_flow(load_cell("rnn"), 3, 16).paths}["h"]
    assert vanilla.horizon is not None and vanilla.horizon < 20


def test_the_horizon_is_where_it_stays_below_one_per_cent() -> None:
    def horizon(*norms: float | None) -> int | None:
        return PathFlow(path="h", layer=0, norms=list(norms)).horizon

    assert horizon(2.0, 1.0, 0.02, 0.001) == 2
    assert horizon(1.0, 0.001, 0.5, 0.01, 0.0) == 3
    assert horizon(0.0, 1.0, 0.5, 0.001) == 3  # of what no gradient reaches within the last step
    assert horizon(1.0, 0.001, 0.5) is None and horizon(1.0, None, 0.0) == 2
    assert horizon(0.0, 0.0) == 0
    assert PathFlow(path="h", layer=0, norms=[0.0, 0.0]).growth is None
    assert PathFlow(path="h", layer=0, norms=[4.0, 2.0, 1.0]).growth == pytest.approx(0.5)


def test_what_overflows_is_none_and_all_of_it_is_json() -> None:
    (path,) = (flow := rnn_flow(rnn_with(torch.eye(4) * 1e20).float())).paths
    assert path.norms[0] is not None and path.norms[-1] is None and path.horizon is None
    again = GradientFlow.from_dict(json.loads(json.dumps(flow.to_dict(), allow_nan=False)))
    assert again == flow
    assert json.loads(json.dumps(path.to_dict()))["growth"] == path.growth


def test_a_final_run_keeps_it_with_how_often_it_clipped(
    spec: RunSpec, data: TaskData, tmp_path: Path
) -> None:
    training = replace(spec.training, clip=0.05)
    final = replace(spec, role="final", cell=load_cell("lstm").to_text(), training=training)
    trainer = Trainer(final, CharLM(), data, store := RunStore(tmp_path))
    while not trainer.finished:
        trainer.run_epoch()
    trainer.result()
    kept = store.read_flow()
    assert kept is not None and kept["problem"] is None
    fresh, trained = (GradientFlow.from_dict(flow) for flow in kept["flows"])
    assert (fresh.weights, fresh.clipped, trained.weights) == ("fresh", [], "trained")
    assert trained.clipped == [record.clipped for record in trainer.records] and trained.clipped_share
    assert trained.clip == 0.05 and fresh.steps == trained.steps == 64 and fresh.batch == 4
    assert fresh.paths != trained.paths
    again = flows_of_run(final, CharLM(), data, trainer.best_model(), trainer.records)
    assert again == [fresh, trained]


def test_short_data_gives_shorter_lags(spec: RunSpec, data: TaskData) -> None:
    short = TaskData({**data.parts, "train": {"codes": data.part("train")["codes"][:100]}}, data.meta)
    (flow,) = flows_of_run(replace(spec, cell=load_cell("rnn").to_text()), CharLM(), short, None)
    assert flow.steps == spec.training.length


def test_a_run_whose_flow_cannot_be_followed_is_none_the_worse(
    make_trainer: Callable[..., Trainer], spec: RunSpec, tmp_path: Path
) -> None:
    final = replace(spec, role="final", cell=load_cell("lstm").to_text())
    trainer = make_trainer(final, store := RunStore(tmp_path))  # with torch's LSTM as its recurrent layers
    trainer.run_epoch()
    assert trainer.result().best_metric is not None
    kept = store.read_flow()
    assert kept is not None and kept["flows"] == [] and "an nas_rnn.RNN in it" in kept["problem"]


def test_a_bidirectional_rnn_is_refused() -> None:
    with pytest.raises(UserError, match="bidirectional"):
        rnn_flow(RNN(load_cell("rnn"), 3, 4, bidirectional=True))


def test_the_picture_shows_fall_rise_and_names() -> None:
    """Names that look like formulas are written as they are; the same flow gives the same bytes."""
    norms: list[float | None] = [10.0 ** (-k / 4) for k in range(41)]
    paths = [
        PathFlow(path="h", layer=0, norms=norms),
        PathFlow(path="c", layer=0, norms=[1.2**k for k in range(41)]),
        PathFlow(path="m", layer=0, norms=[0.0] * 41),
    ]
    flow = GradientFlow(cell="a", weights="fresh", steps=40, batch=2, paths=paths)
    drawn = draw_flow([("$a_b$", [flow, replace(flow, weights="trained", clipped=[0.5])])], "svg")
    assert drawn == draw_flow([("$a_b$", [flow, replace(flow, weights="trained", clipped=[0.5])])], "svg")
    for text in (
        b"$a_b$",
        b"1 % at lag 8",
        b"above 1 % at lag 40",
        b"no gradient",
        b"solid, full marks: trained",
    ):
        assert text in drawn
    assert math.isclose(paths[0].growth or 0.0, 10**-0.25)
