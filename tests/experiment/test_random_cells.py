"""Random cells beside the winner: another one in every run, however many there come to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nas_rnn.cells import Cell
from nas_rnn.comparison import Entry, TaskChoice, final_specs
from nas_rnn.experiment.stages.random_cells import mean_of_random
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.training import TrainingOptions

BASE = Entry(
    name="lstm", cell="", digest="lstm", hidden_size=4, parameters=100, training=TrainingOptions()
)  # fmt: skip


def entry_of(cell: Cell) -> Entry:
    return replace(BASE, name=cell.name, cell=cell.to_text(), digest=cell.digest)


@pytest.mark.parametrize(
    ("options", "runs", "name"),
    [
        ({"seeds": 3}, 3, "mean of 3 random cells"),
        ({"seeds": 1}, 1, "1 random cell"),
        ({"seeds": "auto", "most_seeds": 16}, 4, "mean of random cells"),  # its first look
        ({"seeds": "auto", "most_seeds": 16}, 16, "mean of random cells"),
    ],
)
def test_every_run_trains_another_cell(options: dict[str, Any], runs: int, name: str) -> None:
    random = mean_of_random(SearchConfig(**options), BASE, entry_of)
    assert random.name == name
    plan = final_specs(BASE, [random], task=TaskChoice("char-lm", {}), seed=0, seeds=runs)
    assert len({spec.name for spec in plan.contenders[0].specs}) == runs
