"""The trainer with real cells: from a cell's text to a result."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas_rnn.errors import UserError
from nas_rnn.execution.fused.toolchain import CompileError
from nas_rnn.tasks import TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.training import EpochRecord, RunSpec, RunStore
from nas_rnn.training.model import count_parameters, recurrent_nets
from nas_rnn.training.options import Backend
from nas_rnn.training.trainer import Trainer

LSTM = """
@cell
def lstm(x, h, c):
    i = sigmoid(linear(x, h))
    f = sigmoid(linear(x, h, bias=1.0))
    o = sigmoid(linear(x, h))
    g = tanh(linear(x, h))
    c = f * c + i * g
    return o * tanh(c), c
"""

PLAIN = """
@cell
def plain(x, h):
    return tanh(linear(x, h))
"""

DELAYED = """
@cell
def delayed(x, last=state(size="input"), h=state()):
    return x, tanh(linear(last, h))
"""


@pytest.fixture
def lstm_spec(spec: RunSpec) -> RunSpec:
    return replace(spec, cell=LSTM)


@pytest.mark.parametrize("text", [LSTM, PLAIN])
def test_a_cell_learns_and_resumes_exactly(
    tmp_path: Path,
    data: TaskData,
    lstm_spec: RunSpec,
    text: str,
    comparable: Callable[[list[EpochRecord]], list[EpochRecord]],
) -> None:
    training = replace(lstm_spec.training, layers=2, dropout=0.2, variational_dropout=0.1, weight_drop=0.1)
    spec = replace(lstm_spec, cell=text, training=training)
    unstopped = Trainer(spec, CharLM(), data)
    first = Trainer(spec, CharLM(), data, RunStore(tmp_path))
    first.run_epoch()
    resumed = Trainer(spec, CharLM(), data, RunStore(tmp_path))
    for trainer in (unstopped, resumed):
        while not trainer.finished:
            trainer.run_epoch()
    assert comparable(resumed.records) == comparable(unstopped.records)
    assert all(torch.equal(w, resumed.best_weights[name]) for name, w in unstopped.best_weights.items())
    assert resumed.records[-1].metric < resumed.records[0].metric
    assert count_parameters(spec, CharLM(), data.meta) == resumed.parameters


@pytest.mark.parametrize("backend", ["fused", "eager", "reference"])
def test_the_backend_is_the_one_asked_for(data: TaskData, lstm_spec: RunSpec, backend: Backend) -> None:
    training = replace(lstm_spec.training, backend=backend, epochs=1)
    trainer = Trainer(replace(lstm_spec, training=training), CharLM(), data)
    trainer.run_epoch()
    result = trainer.result()
    assert (result.backend, result.fallback) == (backend, None)


def test_a_cell_that_cannot_be_compiled_runs_eagerly_and_the_result_says_why(
    data: TaskData, lstm_spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise CompileError("c++ failed: out of paper")

    monkeypatch.setattr("nas_rnn.execution.fused.backend.make_kernels", fails)
    spec = replace(lstm_spec, training=replace(lstm_spec.training, epochs=1))
    trainer = Trainer(spec, CharLM(), data)
    trainer.run_epoch()
    result = trainer.result()
    assert (result.backend, result.fallback) == ("eager", "c++ failed: out of paper")
    with pytest.raises(UserError, match=r"cannot run 'lstm': c\+\+ failed: out of paper"):
        fused = replace(spec, training=replace(spec.training, backend="fused"))
        Trainer(fused, CharLM(), data).run_epoch()


def test_the_lstm_s_size_is_that_of_its_equations(data: TaskData, lstm_spec: RunSpec) -> None:
    symbols, hidden = len(data.meta["vocabulary"]), lstm_spec.hidden_size
    expected = 4 * hidden * (symbols + hidden + 1) + symbols * (hidden + 1)
    assert count_parameters(lstm_spec, CharLM(), data.meta) == expected


@pytest.mark.parametrize("option", ["variational_dropout", "weight_drop"])
def test_masks_reach_the_recurrent_layers_and_no_validation(
    data: TaskData, lstm_spec: RunSpec, option: str
) -> None:
    """At a rate of nearly 1 hardly anything gets through in training, and all of it in validation."""
    losses = {}
    for rate in (0.0, 0.999):
        training = replace(lstm_spec.training, learning_rate=1e-9, epochs=1, **{option: rate})
        trainer = Trainer(replace(lstm_spec, training=training), CharLM(), data)
        losses[rate] = trainer.run_epoch()
        (rnn,) = recurrent_nets(trainer.best_model()).values()
        assert getattr(rnn, option) == rate
    assert losses[0.999].train_loss != losses[0.0].train_loss
    assert losses[0.999].valid_loss == pytest.approx(losses[0.0].valid_loss, rel=1e-6)


def test_dropout_of_a_single_layer_warns_nobody(data: TaskData, lstm_spec: RunSpec) -> None:
    spec = replace(lstm_spec, training=replace(lstm_spec.training, dropout=0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Trainer(spec, CharLM(), data).parameters == count_parameters(spec, CharLM(), data.meta)


def test_an_output_of_another_size_is_refused(data: TaskData, lstm_spec: RunSpec) -> None:
    with pytest.raises(UserError, match="first state path, 'last', which has input_size"):
        Trainer(replace(lstm_spec, cell=DELAYED), CharLM(), data)
