"""What MLflow shows of a training run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.errors import UserError
from nas_rnn.publishing.views import COLUMNS, About, cell_artifacts, parent_view, run_view
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.tasks import Mean, Measures
from nas_rnn.tracking import RunView
from nas_rnn.training import EpochRecord, RunResult, RunSpec

BITS = Mean("bits_per_char", "bits", "minimize", 0.01, "relative", of="bits", per="characters")
CELL = "def one(x, h):\n    return tanh(linear(x, h))\n"


def view(runs: Path) -> RunView:
    """Return the view of a candidate that has ended."""
    about = About(
        id="1",
        folder=RunFolder(runs, "first"),
        measures=Measures((BITS,), BITS),
        unit="characters",
        settings={},
        began_ms=0,
        data=None,
    )
    spec = RunSpec(
        id="t0", role="candidate", name="one", cell=CELL, hidden_size=2, task="char-lm", seed=0, data_seed=0
    )
    result = RunResult(
        id="t0",
        status="finished",
        reason=None,
        epochs=[],
        best_epoch=None,
        best_metric=None,
        parameters=10,
        test_statistics=None,
        seconds=1.0,
    )
    return run_view(about, spec, [], {}, result, None, None, 0, 1)


def test_the_note_links_to_a_picture_where_one_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(cell: Cell, format: str = "svg") -> bytes:
        raise UserError("a diagram has at most 400 boxes and circles")

    cell_artifacts.cache_clear()
    monkeypatch.setattr(Cell, "diagram", lambda self, format: b"picture")
    drawn = view(tmp_path)
    assert drawn.artifacts["cell/diagram.svg"] == b"picture"
    assert "get-artifact?path=cell/diagram.svg" in drawn.note

    cell_artifacts.cache_clear()
    monkeypatch.setattr(Cell, "diagram", refuse)
    large = view(tmp_path)
    cell_artifacts.cache_clear()  # others draw this cell in earnest
    assert "cell/diagram.svg" not in large.artifacts and "cell/diagram.txt" in large.artifacts
    assert large.note.endswith("No diagram: the cell is too large for one.")
    assert "get-artifact" not in large.note
    assert str(parse_cell(CELL)) in large.note


def test_the_budget_stands_in_the_table_of_runs(tmp_path: Path) -> None:
    """Both what a run was allowed and what it used: parameters, epochs, targets."""
    about = About(
        id="1",
        folder=RunFolder(tmp_path, "first"),
        measures=Measures((BITS,), BITS),
        unit="characters",
        settings={"params": 60_000, "epochs": "auto", "most_epochs": 100},
        began_ms=0,
        data=None,
    )
    spec = RunSpec(
        id="t0", role="candidate", name="one", cell=CELL, hidden_size=2, task="char-lm", seed=0, data_seed=0
    )
    records = [
        EpochRecord(
            epoch=number,
            train_loss=1.0,
            valid_loss=1.0,
            metric=2.0,
            seconds=1.0,
            units_per_second=1.0,
            gradient_norm=1.0,
            clipped=0.0,
            targets=500,
        )
        for number in (1, 2, 3)
    ]
    running = run_view(about, spec, records, {}, None, None, None, 0, 1)
    assert (running.metrics["epochs"], running.metrics["targets"]) == (3, 1500)
    assert running.tags["budget"] == "60,000 parameters, up to 100 epochs"
    whole = parent_view(
        replace(about, settings={**about.settings, "epochs": 4}), "running", None, {}, (), None
    )
    assert whole.tags["budget"] == "60,000 parameters, 4 epochs"
    assert {"metrics.parameters", "metrics.epochs", "metrics.targets", "tags.budget"} <= set(COLUMNS)
