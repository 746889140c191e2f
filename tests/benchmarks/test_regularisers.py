"""The measurement of regularisers at toy size: what it trains, what it goes on from, and its table."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import regularisers

from tests.experiment_runs import write_text


def test_it_goes_on_from_its_file_and_prints_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_text(tmp_path / "text.txt", words=600)
    out, trained = tmp_path / "runs.jsonl", []
    monkeypatch.setattr(regularisers, "RATES", {"variational_dropout": (0.5,), "weight_drop": (0.3,)})
    train = regularisers.measured
    monkeypatch.setattr(regularisers, "measured", lambda *given: trained.append(given[0]) or train(*given))
    call = ["--out", str(out), "--data", str(tmp_path / "text.txt"), "--params", "800", "--epochs", "1"]
    call += ["--batch", "4", "--seeds", "2", "--cell", "lstm", "--cell", "gru"]
    monkeypatch.setattr(sys, "argv", ["regularisers.py", *call])
    regularisers.main()
    first = capsys.readouterr().out
    assert len(trained) == 12
    options = {(spec.training.variational_dropout, spec.training.weight_drop) for spec in trained}
    assert options == {(0.0, 0.0), (0.5, 0.0), (0.0, 0.3)}
    assert {(spec.seed, spec.data_seed) for spec in trained} == {(0, 0), (1, 1)}
    rows = [line for line in first.splitlines() if line.startswith("| lstm") or line.startswith("| gru")]
    assert len(rows) == 6 and all(" ± " in row for row in rows)

    lines = [line for line in out.read_text().splitlines() if line]
    assert len({json.loads(line)["value"] for line in lines}) == 12
    out.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:40])  # as a kill may leave it
    regularisers.main()
    assert capsys.readouterr().out == first
    assert len(trained) == 13


def test_runs_that_diverged_are_told() -> None:
    key = {"cell": "lstm", "what": "none", "rate": 0.0}
    rows = [{"key": key, "value": None}, {"key": key, "value": 1.5, "train_loss": 1.4, "epochs": 3}]
    assert list(regularisers.table(rows))[-1] == "| lstm | none | 0 | 2 | 1.5000 (1 diverged) | 1.4000 | 3 |"
    assert list(regularisers.table(rows[:1]))[-1] == "| lstm | none | 0 | 1 | diverged | | |"
