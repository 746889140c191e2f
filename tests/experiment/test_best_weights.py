"""The model in ``best/``: the found cell computes what the run's cell, with the biases that tuning moved, computed."""

from dataclasses import replace

import pytest
import torch

import nas_rnn
from nas_rnn.cells import parse_cell, with_gate_bias
from nas_rnn.experiment.stages.keeping import _keep_weights
from nas_rnn.plugins import load_cell
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.checkpoint import Checkpoint
from nas_rnn.training.model import build_model
from tests.experiment_runs import write_text


@pytest.mark.parametrize("size", [0.0, 0.7])
def test_a_winner_whose_biases_were_tuned(tmp_path, size):
    task = CharLM()
    data = task.load(write_text(tmp_path / "text.txt"))
    lstm = load_cell("lstm")
    found = RunSpec(
        id="f0",
        role="candidate",
        name="lstm",
        cell=lstm.to_text(),
        hidden_size=8,
        task="char-lm",
        training=TrainingOptions(batch=4, length=16, epochs=1, device="cpu"),
        seed=1,
        data_seed=2,
    )
    run = replace(found, cell=with_gate_bias(lstm, size).to_text())
    trained = build_model(run, task, data.meta).eval()
    folder = RunFolder.create(tmp_path / "runs", "mine", "search")
    weights = trained.state_dict()
    checkpoint = Checkpoint(spec=run, records=[], weights=weights, best=weights, optimizer={})
    folder.store(run.id).write_checkpoint(checkpoint)
    _keep_weights(task, data, folder, run, found.cell)
    kept = nas_rnn.load_model(folder.best)
    assert kept.net.rnn.cell == parse_cell(found.cell)
    symbols = torch.arange(12).reshape(6, 2) % 5
    with torch.no_grad():
        torch.testing.assert_close(kept.net(symbols, None)[0], trained.net(symbols, None)[0])
