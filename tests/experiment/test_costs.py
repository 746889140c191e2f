"""The cost of a part counts the runs of cells that a search which was extended no longer chooses."""

from __future__ import annotations

from pathlib import Path

from nas_rnn.comparison import Entry, TaskChoice, tuning_spec
from nas_rnn.experiment.stages.costs import Costs
from nas_rnn.experiment.stages.lstm_control import NAME, RUNS
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.training import RunResult, RunSpec, TrainingOptions


def keep(folder: RunFolder, run: str, seconds: float) -> RunResult:
    store = folder.store(run)
    spec = RunSpec(
        id=run, role="selection", name="one", cell="@cell\ndef one(x, h):\n    return tanh(linear(x, h))\n",
        hidden_size=2, task="char-lm", training=TrainingOptions(), seed=0, data_seed=0,
    )  # fmt: skip
    result = RunResult(
        id=run, status="finished", reason=None, epochs=[], best_epoch=1, best_metric=1.0, parameters=10,
        test_statistics=None, seconds=seconds,
    )  # fmt: skip
    store.write_spec(spec)
    store.write_result(result)
    return result


def test_runs_of_cells_that_are_no_longer_chosen_count(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "mine")
    seconds = {
        "select-old-s0": 1.0,
        f"{RUNS}000": 2.0,
        "tune-old-000": 4.0,
        "t0000": 8.0,
        "select-new-s0": 16.0,
    }
    for run, took in seconds.items():
        last = keep(folder, run, took)
    costs = Costs(folder)
    costs.add("selection", [last])
    costs.add_unchosen("selection", "select-")
    costs.add_unchosen("tuning", "tune-", but=RUNS)
    assert {cost.part: (cost.runs, cost.seconds) for cost in costs.parts()} == {
        "selection": (2, 17.0),
        "tuning": (1, 4.0),
    }


def test_the_runs_of_the_lstm_that_is_tuned_with_all_begin_as_they_are_left_out() -> None:
    """They are no tuning of the cells, whose cost says how many of them there are."""
    cell = "@cell\ndef lstm(x, h):\n    return tanh(linear(x, h))\n"
    entry = Entry(name=NAME, cell=cell, digest="", hidden_size=1, parameters=1, training=TrainingOptions())
    spec = tuning_spec([entry], 0, 0, {"learning_rate": 0.1}, task=TaskChoice("char-lm", {}), seed=0)
    assert spec.id.startswith(RUNS) and not spec.id.startswith("tune-lstm-")
