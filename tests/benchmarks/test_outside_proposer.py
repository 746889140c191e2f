"""The benchmark of a script that proposes cells through `evaluate`, on a small made-up pool."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import outside_proposer
from outside_proposer import Pool

from nas_rnn.plugins import load_space
from nas_rnn.spaces import recipe_from_cell


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty cells with three losses each, the more states the better; one in six diverged."""
    path = tmp_path_factory.mktemp("pool") / "pool.jsonl"
    space = load_space("nas_bench_nlp")
    drawn = {cell.digest: cell for cell in (space.sample(seed).cell for seed in range(80))}
    lines = []
    for seed, cell in enumerate(list(drawn.values())[:30]):
        loss = 5.0 - 0.2 * len(cell.states)
        losses: list[float | None] = [loss, loss + 0.001 * seed, loss - 0.001]
        if seed % 6 == 0:
            losses = [None, None, None]
        lines.append(json.dumps({"dag": str(seed), "recipe": recipe_from_cell(cell), "test_loss": losses}))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_each_cell_counts_once_and_has_the_results_of_the_file(pool: Path, tmp_path: Path) -> None:
    known = Pool.read(pool)
    searches, trained = known.outside(12, 0, tmp_path)
    met = searches.found[0]
    assert len(met) == 12 and set(met) <= set(known.problem.truth.values())
    assert 12 <= trained <= 3 * 12
    (tmp_path / "again").mkdir()
    again, _ = known.outside(12, 0, tmp_path / "again")
    assert again.found.tolist() == searches.found.tolist()


def test_the_figures_of_both_are_written(pool, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out.json"
    options = ["--pool", pool, "--evaluations", 15, "--seeds", 2, "--json", out]
    monkeypatch.setattr(sys, "argv", ["outside_proposer.py", *map(str, options)])
    assert outside_proposer.main() == 0
    told = json.loads(out.read_text())
    best = math.exp(min(sum(losses) / 3 for losses in Pool.read(pool).losses.values() if None not in losses))
    for one in told["strategies"].values():
        assert one["seeds"] == 2 and one["best_at"]["15"]["median"] >= 0.99 * best
    assert "2 searches; the proposer's took" in " ".join(capsys.readouterr().out.split())


def test_a_file_without_results_is_told(tmp_path, monkeypatch, capsys):
    file = tmp_path / "pool.jsonl"
    file.write_text('{"recipe": {"h_new_0": {"op": "linear", "input": ["x", "h_prev_0"]}}}', encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["outside_proposer.py", "--pool", str(file)])
    assert outside_proposer.main() == 2
    assert "has no test_loss" in capsys.readouterr().err
