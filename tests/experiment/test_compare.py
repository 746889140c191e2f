"""A comparison with tuning: equal budgets, one look at the test part, and the same table after a kill."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nas_rnn
from nas_rnn.cells import parse_cell
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.experiment.results import Result
from nas_rnn.training import TrainingOptions
from nas_rnn.training.options import TUNED_IF_ASKED
from tests.experiment_runs import TINY, search_process
from tests.finished import COMPARED, COMPARISON, TEXT, Finished
from tests.in_process import in_process

OPTIONS: dict[str, Any] = {**COMPARISON, "backend": "eager"}


@pytest.fixture(scope="module", autouse=True)
def _engine() -> Iterator[None]:
    with in_process():
        yield


@pytest.fixture(scope="module")
def place(finished_comparison: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this module's own with the finished comparison called ``whole``."""
    return finished_comparison.copied(tmp_path_factory.mktemp("comparisons"))


@pytest.fixture(scope="module")
def finished(finished_comparison: Finished) -> Result:
    return finished_comparison.result


def specs(folder: Path, stem: str) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in folder.glob(f"trials/{stem}*/spec.json")]
    return sorted(found, key=lambda spec: spec["id"])


def table(comparison: dict[str, Any]) -> list[dict[str, Any]]:
    return [comparison["baseline"], *comparison["contenders"]]


def test_everyone_gets_as_many_trials_over_the_same_settings(finished: Result, place: Path) -> None:
    by_cell = {name: specs(place / "runs/whole", f"tune-{name}-") for name in ("lstm", "gru", "rnn")}
    assert [len(found) for found in by_cell.values()] == [9, 9, 9]
    for number in range(9):
        runs = [found[number] for found in by_cell.values()]
        assert len({run["data_seed"] for run in runs}) == 1
        assert len({run["seed"] for run in runs}) == 3
        assert not any(run["read_test"] for run in runs)
    for number in range(8):  # of the Sobol sequence; later ones follow each cell's own results
        runs = [found[number]["training"] for found in by_cell.values()]
        names = ("learning_rate", "variational_dropout", "weight_decay")
        assert len({tuple(run[name] for name in names) for run in runs}) == 1
    for name in TUNED_IF_ASKED:  # and nobody asked
        given = {run["training"][name] for found in by_cell.values() for run in found}
        assert given == {OPTIONS.get(name, getattr(TrainingOptions(), name))}


def test_the_gate_bias_is_tuned_where_there_is_one(finished: Result, place: Path) -> None:
    lstm = {parse_cell(spec["cell"]).digest for spec in specs(place / "runs/whole", "tune-lstm-")}
    gru = {parse_cell(spec["cell"]).digest for spec in specs(place / "runs/whole", "tune-gru-")}
    assert len(lstm) == 9 and len(gru) == 1
    assert finished.comparison is not None
    assert "gate_bias" in finished.comparison.baseline.training
    assert "gate_bias" not in finished.comparison.contenders[0].standing.training


def test_the_two_best_settings_by_validation_go_into_the_final(finished: Result, place: Path) -> None:
    for name in ("lstm", "gru", "rnn"):
        tried = [
            (json.loads(path.read_text())["best_metric"], path.parent.name)
            for path in (place / "runs/whole/trials").glob(f"tune-{name}-*/result.json")
        ]
        best = [
            json.loads((place / "runs/whole/trials" / run / "spec.json").read_text())
            for _, run in sorted(tried)[:2]
        ]
        for number, final in enumerate(specs(place / "runs/whole", f"final-{name}-")):
            wanted = best[number % 2]
            assert (final["training"], final["cell"]) == (wanted["training"], wanted["cell"])
            assert final["read_test"]


def test_the_verdict_is_not_called_untuned(finished: Result) -> None:
    assert finished.comparison is not None and finished.verdict is not None
    assert all(row.standing.tuned for row in finished.comparison.contenders)
    assert finished.comparison.baseline.tuned and "untuned" not in finished.verdict


def test_json_has_baseline_and_contenders_at_its_top(finished: Result) -> None:
    values = json.loads(json.dumps(finished.to_dict()))
    assert values["baseline"]["name"] == "lstm"
    for row in values["contenders"]:
        assert {"name", "mean", "std", "difference", "ci95", "verdict", "tuned"} <= set(row)


def test_costs_count_every_run_and_character(finished: Result, place: Path) -> None:
    assert finished.comparison is not None
    costs = {cost.part: cost for cost in finished.comparison.costs}
    assert {part: cost.runs for part, cost in costs.items()} == {"tuning": 27, "final": 6}
    characters = (place / TEXT).stat().st_size
    assert 0.7 * characters * 27 < costs["tuning"].units < 0.9 * characters * 27
    assert all(cost.seconds > 0 for cost in costs.values())


def test_kill_9_in_tuning_and_final_leaves_the_table_as_it_would_have_been(
    finished: Result, place: Path
) -> None:
    code = """
import nas_rnn
from tests.in_process import in_process
def observe(event, progress):
    if type(event).__name__ == "RunEnded":
        print("RunEnded", event.id, flush=True)
with in_process():
    nas_rnn.compare({arguments}, runs='runs', observer=observe)
print("COMPLETE", flush=True)
"""
    begin = code.format(arguments=f"*{COMPARED!r}, data={TEXT!r}, name='killed', **{COMPARISON!r}")
    resume = code.format(arguments="resume='killed'")
    ended: list[str] = []
    for program, moment in (
        (begin, "RunEnded tune-gru-004"),
        (resume, "RunEnded final-"),
        (resume, "COMPLETE"),
    ):
        process = search_process(program, place)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("RunEnded"):
                ended.append(line)
            if line.startswith(moment):
                os.kill(process.pid, signal.SIGKILL)
                break
        process.wait(60)
    assert len(ended) == len(set(ended)), "a run was trained twice"
    assert 29 <= len(ended) <= 33, "a kill hides at most the two results that were just stored"
    assert finished.comparison is not None
    killed = json.loads((place / "runs/killed/comparison.json").read_text())
    assert table(killed) == table(json.loads(json.dumps(finished.comparison.to_dict())))


def test_a_finished_comparison_is_told_again_and_reads_nothing(finished: Result, place: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (place / "runs/whole/trials").rglob("*")}
    again = nas_rnn.compare(resume="whole", runs=place / "runs")
    assert again.comparison == finished.comparison
    assert {path: path.stat().st_mtime_ns for path in (place / "runs/whole/trials").rglob("*")} == before


def test_a_resumed_comparison_keeps_its_configuration(finished: Result, place: Path) -> None:
    with pytest.raises(UserError, match="keeps its own configuration; seeds cannot be changed"):
        nas_rnn.compare(resume="whole", runs=place / "runs", seeds=9)
    with pytest.raises(UserError, match="has its cells and configuration already"):
        nas_rnn.compare("gru", resume="whole", runs=place / "runs")


def test_after_a_look_at_the_test_part_no_setting_changes(finished: Result, place: Path) -> None:
    """Whoever edits the folder between two starts gets an error and not a second look."""
    folder = place / "runs" / "whole"
    kept = (folder / "comparison.json").read_text()
    (folder / "comparison.json").unlink()
    final = json.loads((folder / "final.json").read_text())
    changed = json.loads(json.dumps(final))
    changed["entries"][1]["training"]["learning_rate"] *= 2
    try:
        (folder / "final.json").write_text(json.dumps(changed))
        with pytest.raises(NasRnnError, match="began with other cells or settings"):
            nas_rnn.compare(resume="whole", runs=place / "runs")
    finally:
        (folder / "final.json").write_text(json.dumps(final))
        (folder / "comparison.json").write_text(kept)


def test_a_second_comparison_on_the_same_test_part_is_told_of_the_first(
    finished: Result, place: Path
) -> None:
    options = {**OPTIONS, "tune": 0, "seeds": 1}
    result = nas_rnn.compare("rnn", **options, data=place / TEXT, name="second", runs=place / "runs")
    (notice,) = [notice for notice in result.notices if "was read before" in notice]
    assert "whole" in notice
    assert result.verdict is not None and result.verdict.startswith("The test part is read for the ")
    kept = json.loads((place / "runs/second/comparison.json").read_text())
    assert "whole" in kept["read_before"] and kept["sentence"] == result.verdict


def test_seeds_auto_adds_seeds_until_it_is_settled(place: Path) -> None:
    """A cell that learns nothing is worse at the first look, and gets no more seeds than that."""
    (place / "none.cell").write_text("@cell\ndef none(x, h):\n    return tanh(linear(x) - 30)\n")
    options = {**OPTIONS, "tune": 0, "seeds": "auto", "most_seeds": 8, "name": "auto", "runs": place / "runs"}
    result = nas_rnn.compare(str(place / "none.cell"), "gru", **options, data=place / TEXT)
    assert result.comparison is not None
    none, _ = result.comparison.contenders
    assert (none.verdict, none.pairs) == ("worse", 4)
    assert none.level > 0.95, "one look of several has but a share of the 5 %"
    assert len(specs(place / "runs/auto", "final-none-")) == 4
    assert len(specs(place / "runs/auto", "final-lstm-")) in (4, 8)


def test_equal_hidden_size_and_equal_time(place: Path) -> None:
    options = {
        **OPTIONS,
        "tune": 0,
        "seeds": 1,
        "params": 20_000,
        "data": place / TEXT,
        "runs": place / "runs",
    }
    same = nas_rnn.compare("rnn", **options, match="hidden", name="hidden").comparison
    assert same is not None
    assert same.contenders[0].standing.hidden_size == same.baseline.hidden_size
    assert same.contenders[0].standing.mismatch < -0.5
    timed = nas_rnn.compare("rnn", **options, match="time", name="time").comparison
    assert timed is not None
    assert timed.contenders[0].standing.hidden_size > same.baseline.hidden_size
    kept = json.loads((place / "runs/time/sizes.json").read_text())
    assert kept[f"{timed.contenders[0].standing.digest} {timed.baseline.digest}"] == (
        timed.contenders[0].standing.hidden_size
    )


def test_the_top_cells_of_a_search_and_its_controls(place: Path) -> None:
    options = {
        **TINY,
        "epochs": 1,
        "trials": 4,
        "scheduler": "none",
        "controls": "all",
        "strategy": "evolution",
        "backend": "eager",
    }
    searched = nas_rnn.search(**options, data=place / TEXT, name="found", runs=place / "runs")
    assert searched.comparison is not None
    random, mean = searched.comparison.controls
    assert random.standing.name.startswith("random search: ")
    assert mean.standing.name == "mean of 2 random cells"
    assert {cost.part: cost.runs for cost in searched.comparison.costs}["control"] == 4
    members = specs(place / "runs/found", "final-mean-of-2-random-cells-")
    assert len({parse_cell(spec["cell"]).digest for spec in members}) == 2
    with pytest.raises(UserError, match="final of 'found' has begun"):
        nas_rnn.search(resume="found", trials=9, runs=place / "runs")
    options = {**OPTIONS, "tune": 0, "seeds": 1, "data": place / TEXT, "runs": place / "runs"}
    top = nas_rnn.compare("found", **options, top=2, name="top")
    assert top.comparison is not None
    assert len({row.standing.digest for row in top.comparison.contenders}) == 2
    with pytest.raises(UserError, match="is no search"):
        nas_rnn.compare("top", **options, top=2)
