"""What MLflow holds of a finished search, beside what lies in the search's folder; no browser is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from nas_rnn.experiment.dashboard import rebuild_runs
from nas_rnn.experiment.results import Result
from nas_rnn.tracking import default_uri
from nas_rnn.training import RunStore

SYSTEM = "system/process_memory_usage_megabytes"


class CellDescription:
    """The runs of the search in one store, by the id of what was trained; the search itself is "search"."""

    def __init__(self, uri: str) -> None:
        self.client = MlflowClient(uri)
        self.experiment = self.client.get_experiment_by_name("char-lm · my-text.txt")
        found = self.client.search_runs([self.experiment.experiment_id], max_results=1000)
        self.runs: dict[str, Run] = {run.data.tags.get("trial", "search"): run for run in found}

    def curve(self, run: str, metric: str) -> list[tuple[int, int, float]]:
        points = self.client.get_metric_history(self.runs[run].info.run_id, metric)
        return sorted((point.step, point.timestamp, point.value) for point in points)

    def table(self, path: str) -> dict[str, Any]:
        place = self.client.download_artifacts(self.runs["search"].info.run_id, path)
        found: dict[str, Any] = json.loads(Path(place).read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="module")
def shown(searched: tuple[Path, Result]) -> CellDescription:
    return CellDescription(default_uri(searched[0]))


@pytest.fixture(scope="module")
def folder(searched: tuple[Path, Result]) -> Path:
    return searched[0] / "mine"


def test_every_run_has_the_samples_of_its_worker(shown: CellDescription, folder: Path) -> None:
    """At the times at which they were taken, within the time of the run."""
    trained = sorted(place.name for place in (folder / "trials").iterdir())
    assert trained == sorted(set(shown.runs) - {"search"})
    for run in trained:
        samples = RunStore(folder / "trials" / run).read_samples()
        assert samples
        assert shown.curve(run, SYSTEM) == [
            (number, sample["at_ms"], sample[SYSTEM.removeprefix("system/")])
            for number, sample in samples.items()
        ]
        info = shown.runs[run].info
        assert info.start_time <= samples[0]["at_ms"] <= info.end_time


def test_epochs_stand_at_the_times_at_which_they_ended(shown: CellDescription, folder: Path) -> None:
    info = shown.runs["baseline"].info
    times = [at for _, at, _ in shown.curve("baseline", "valid/bits_per_char")]
    assert len(times) == 2 and info.start_time < times[0] < times[1] <= info.end_time + 1000


def test_every_run_says_on_which_data_it_was_and_only_finals_read_the_test_part(
    shown: CellDescription, folder: Path
) -> None:
    facts = json.loads((folder / "data.json").read_text())
    text = folder.parents[1] / "my-text.txt"
    for name, run in shown.runs.items():
        (used,) = run.inputs.dataset_inputs
        assert (used.dataset.name, used.dataset.digest) == ("my-text.txt", facts["digest"])
        assert mlflow.data.get_source(used).uri == str(text)
        context = {tag.key: tag.value for tag in used.tags}["mlflow.data.context"]
        tested = run.data.tags["role"] in ("final", "search")
        assert context == ("training, validation, testing" if tested else "training, validation"), name


def test_the_table_of_trials_ranks_them_as_the_runs_are_sorted(shown: CellDescription) -> None:
    table = shown.table("trials/table.json")
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    runs = [run for run in shown.runs.values() if run.data.tags["role"] == "candidate"]
    ranked = sorted(
        (run for run in runs if "gap_to_lstm" in run.data.metrics),
        key=lambda run: run.data.metrics["gap_to_lstm"],
    )
    assert len(ranked) >= 2 and len(rows) == len(runs)
    assert [row["gap to the LSTM"] for row in rows[: len(ranked)]] == [
        run.data.metrics["gap_to_lstm"] for run in ranked
    ]
    assert [row["rank"] for row in rows[: len(ranked)]] == list(range(1, len(ranked) + 1))
    for row in rows:
        assert shown.runs[row["trial"]].data.tags["cell"] == row["cell"]
        assert " = " in row["equations"] and "  " not in row["equations"]


def test_the_answer_stands_above_all_runs_and_leads_to_the_search(
    shown: CellDescription, searched: tuple[Path, Result]
) -> None:
    note = shown.experiment.tags["mlflow.note.content"]
    place = f"#/experiments/{shown.experiment.experiment_id}/runs/{shown.runs['search'].info.run_id}"
    links = f"**[mine]({place})** ([report]({place}/artifacts/report.html))"
    assert note.startswith(f"{links}: {searched[1].verdict}")


def test_the_winner_is_a_model_of_the_search_measured_on_its_data(
    shown: CellDescription, folder: Path
) -> None:
    version = shown.client.get_model_version_by_alias("mine", "champion")
    search = shown.runs["search"]
    (output,) = search.outputs.model_outputs
    model = shown.client.get_logged_model(output.model_id)
    assert version.run_id == model.source_run_id == search.info.run_id
    assert version.source == model.artifact_location and str(model.status) == "READY"
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "mine", "version": "1"}]
    final = shown.runs[model.tags["trained_in"]]
    measured = {metric.key: metric for metric in model.metrics}
    assert measured["test_bits_per_char"].value == final.data.metrics["test_bits_per_char"]
    digest = json.loads((folder / "data.json").read_text())["digest"]
    assert {metric.dataset_digest for metric in model.metrics} == {digest}


def test_all_of_it_comes_from_the_folder_alone(
    shown: CellDescription, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{tmp_path}/again.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    rebuild_runs(folder.parent, "mine")
    again = CellDescription(uri)
    assert set(again.runs) == set(shown.runs)
    for name, run in again.runs.items():
        before = shown.runs[name]
        assert run.data.metrics == before.data.metrics and run.data.params == before.data.params
        assert run.inputs.dataset_inputs[0].dataset == before.inputs.dataset_inputs[0].dataset
        if "gap_to_lstm" in run.data.metrics:  # written first, it is what MLflow's page compares by
            assert next(iter(run.data.metrics)) == "gap_to_lstm"
        for metric in (SYSTEM, "valid/bits_per_char"):
            assert again.curve(name, metric) == shown.curve(name, metric)
    assert again.table("trials/table.json") == shown.table("trials/table.json")
    assert len(again.runs["search"].outputs.model_outputs) == 1
