"""The final of a study that is driven from outside: the test part is read once, unless somebody asks for more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nas_rnn.errors import UserError
from nas_rnn.experiment.evaluate import OutsideStudy
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import RunReader
from tests.experiment.outside import cell_text, open_study, simulated
from tests.in_process import in_process

LSTM = [2.30, 2.32, 2.28, 2.30]
FINAL = {"tune": 0, "seeds": 2, "reference": "none", "workers": 1}


def test_nothing_is_promoted_before_something_is_better(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no cell of the study 's' was called better than lstm yet"):
        open_study(tmp_path).promote()


def test_the_final_is_run_once_and_counts_as_a_read(
    tmp_path: Path, with_store: Callable[[Path], Path]
) -> None:
    with_store(tmp_path / "runs")
    study = open_study(tmp_path)
    values = {"lstm": LSTM, "good": [v - 0.2 for v in LSTM], "best": [v - 0.4 for v in LSTM]}
    with simulated(values):
        study.evaluate(cell_text("good"))
    assert not (study.folder / "final.json").exists()
    with in_process():
        found = study.promote(**FINAL)  # type: ignore[arg-type]
    assert (found.name, found.status) == ("s-final", "complete")
    assert found.comparison is not None and found.verdict is not None
    assert [row.standing.name for row in found.comparison.contenders] == ["good"]
    # By the study's own options, and on seeds that it never used.
    settings = RunReader(RunFolder(tmp_path / "runs", "s-final")).settings()
    assert (settings["params"], settings["epochs"], settings["batch"]) == (2500, 2, 8)
    used = {json.loads(path.read_text())["seed"] for path in (tmp_path / "runs/s-final").rglob("spec.json")}
    assert len(used) == 4

    # The same incumbent: its answer, without a run.
    again = OutsideStudy.existing("s", runs=tmp_path / "runs").promote()
    assert (again.name, again.verdict) == (found.name, found.verdict)

    # Another one would read the same test part.
    with simulated(values):
        assert study.evaluate(cell_text("best", 1)).verdict == "better"
    with pytest.raises(UserError, match=r"read already, in the final 's-final'.*--again"):
        study.promote(**FINAL)  # type: ignore[arg-type]
    with in_process():
        second = study.promote(again=True, **FINAL)  # type: ignore[arg-type]
    assert second.name == "s-final-2" and second.comparison is not None
    assert second.comparison.read_before == ("s-final",)
    assert second.verdict is not None and second.verdict.startswith("The test part is read for the 2nd time")


def test_a_first_incumbent_of_a_file_goes_to_the_final_as_it_was(tmp_path: Path) -> None:
    own = tmp_path / "own.cell"
    own.write_text(cell_text("own"))
    study = open_study(tmp_path, baseline=str(own))
    own.unlink()
    with simulated({"own": LSTM, "good": [v - 0.2 for v in LSTM]}):
        assert study.evaluate(cell_text("good", 1)).verdict == "better"
    given = {}

    def compare(*cells: object, **options: object) -> None:
        given.update(options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas_rnn.experiment.promote.compare", compare)
        study.promote(seeds=3)
    assert Path(str(given["baseline"])).read_text() == cell_text("own")
    assert given["seeds"] == 3 and "most_epochs" not in given
