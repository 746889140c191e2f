"""What is put is what the store holds, once, whatever is put again and by whichever process."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pytest

from nas_rnn.errors import UserError
from nas_rnn.tracking import RunView, Tracker, run_link
from nas_rnn.tracking.writer import RunWriter

if TYPE_CHECKING:
    from conftest import Store, ViewMaker


def test_a_view_is_shown_whole(tracker: Tracker, store: Store, make_view: ViewMaker) -> None:
    note = "![cell](get-artifact?path=a.svg&run_uuid={run_id})"
    tracker.put(make_view(status="FINISHED", end_ms=1_700_000_060_000, note=note))
    assert tracker.flush(60)
    run = store.run()
    assert (run.info.run_name, run.info.status) == ("name of search", "FINISHED")
    assert (run.info.start_time, run.info.end_time) == (1_700_000_000_000, 1_700_000_060_000)
    assert run.data.params == {"hidden_size": "64"}
    assert run.data.metrics == {"gap_to_lstm": -0.25, "valid/loss": 2.25}
    assert run.data.tags["verdict"] == "undecided"
    assert run.data.tags["mlflow.note.content"] == note.replace("{run_id}", run.info.run_id)
    assert store.points("valid/loss") == [(1, 2.5), (2, 2.25)]
    assert store.content("cell/equations.md") == b"# h"
    assert store.content("cell/picture.png") == b"\x89PNG"


def test_mlflow_itself_reads_our_tables(
    tracker: Tracker, store: Store, make_view: ViewMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    tracker.put(make_view())
    assert tracker.flush(60)
    run = store.run()
    table = store.client.load_table(run.info.experiment_id, "ranking.json", run_ids=[run.info.run_id])
    assert list(table["rank"]) == [1, 2]
    assert table["gap"][0] == 0.5
    assert math.isnan(table["gap"][1])
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [{"path": "ranking.json", "type": "table"}]


def test_points_have_their_own_times(tracker: Tracker, store: Store, make_view: ViewMaker) -> None:
    """Of a sampled curve; a point without a time gets that of writing."""
    tracker.put(make_view(curves=(("system/cpu", 0, 5.0, 1_700_000_001_000), ("valid/loss", 1, 2.5))))
    assert tracker.flush(60)
    (sampled,) = store.client.get_metric_history(store.run().info.run_id, "system/cpu")
    assert (sampled.step, sampled.value, sampled.timestamp) == (0, 5.0, 1_700_000_001_000)
    (other,) = store.client.get_metric_history(store.run().info.run_id, "valid/loss")
    assert abs(other.timestamp / 1000 - time.time()) < 60


def test_the_data_is_an_input_of_the_run_once(
    store_uri: str, store_folder: Path, experiment: str, store: Store, make_view: ViewMaker
) -> None:
    """MLflow itself finds its source again; embedded data says where it is from."""
    view = make_view()
    embedded = make_view("other", dataset=replace(view.dataset, name="embedded", source=None))
    for _ in range(2):
        with Tracker(store_uri, experiment, store_folder / "artifacts") as tracker:
            tracker.put(view)
            tracker.put(embedded)
            assert tracker.flush(60)
    (used,) = store.run().inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("my-text.txt", "0123456789abcdef")
    assert mlflow.data.get_source(used).uri == "/data/my-text.txt"
    assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "training, validation"}
    assert json.loads(used.dataset.schema)["mlflow_colspec"][1] == {"name": "valid", "type": "uint8 100"}
    (other,) = store.run("other").inputs.dataset_inputs
    assert "comes with the task char-lm" in other.dataset.source


def test_the_note_of_the_experiment_links_to_runs_and_may_change(
    store_uri: str, store_folder: Path, experiment: str, store: Store, make_view: ViewMaker
) -> None:
    links = (run_link("search", "mine"), run_link("search", "report", "a/b.html"), run_link("gone", "lost"))

    def shown() -> str:
        found = store.client.get_experiment_by_name(experiment)
        assert found is not None
        return str(found.tags["mlflow.note.content"])

    with Tracker(store_uri, experiment, store_folder / "artifacts", note="at first") as tracker:
        tracker.put(make_view())
        assert tracker.flush(60)
        assert shown() == "at first"
        tracker.describe(", ".join(links))
        tracker.put(make_view(tags={"verdict": "better"}))
        assert tracker.flush(60)
    run = store.run().info
    place = f"#/experiments/{run.experiment_id}/runs/{run.run_id}"
    assert shown() == f"[mine]({place}), [report]({place}/artifacts/a/b.html), lost"


def test_children_stand_under_their_parent(tracker: Tracker, store: Store, make_view: ViewMaker) -> None:
    tracker.put(make_view())
    tracker.put(make_view("search/1", parent="search"))
    assert tracker.flush(60)
    parent = store.run().info.run_id
    assert store.run("search/1").data.tags["mlflow.parentRunId"] == parent


def test_a_child_before_its_parent_is_a_mistake(tracker: Tracker, make_view: ViewMaker) -> None:
    with pytest.raises(ValueError, match="must be put before"):
        tracker.put(make_view("search/1", parent="search"))


def test_a_resume_adds_only_what_is_new(
    store_uri: str, store_folder: Path, experiment: str, store: Store, make_view: ViewMaker
) -> None:
    views = [
        make_view(status="KILLED", end_ms=1_700_000_060_000),
        make_view(
            name="renamed",
            params={"hidden_size": "64", "layers": "1"},
            tags={"verdict": "better"},
            metrics={"gap_to_lstm": -0.5, "seconds": 3.0},
            curves=(("valid/loss", 1, 2.5), ("valid/loss", 2, 2.25), ("valid/loss", 3, 2.0)),
            artifacts={"cell/equations.md": "# i"},
        ),
    ]
    for view in views:
        with Tracker(store_uri, experiment, store_folder / "artifacts") as tracker:
            tracker.put(view)
            tracker.put(make_view("search/1", parent="search"))
            assert tracker.flush(60)
    assert len(store.runs()) == 2
    run = store.run()
    assert (run.info.run_name, run.info.status) == ("renamed", "RUNNING")
    assert run.data.params == {"hidden_size": "64", "layers": "1"}
    assert run.data.metrics == {"gap_to_lstm": -0.5, "seconds": 3.0, "valid/loss": 2.0}
    assert run.data.tags["verdict"] == "better"
    assert store.points("valid/loss") == [(1, 2.5), (2, 2.25), (3, 2.0)]
    assert store.points("valid/loss", "search/1") == [(1, 2.5), (2, 2.25)]
    assert store.content("cell/equations.md") == b"# i"


def test_what_is_there_is_not_sent_again(
    tracker: Tracker, store: Store, make_view: ViewMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.put(make_view())
    assert tracker.flush(60)
    assert tracker._writer is not None
    sent: list[str] = []
    client = tracker._writer.client
    for call in (
        "log_batch",
        "log_artifacts",
        "log_inputs",
        "update_run",
        "set_terminated",
        "create_run",
        "search_runs",
    ):
        monkeypatch.setattr(client, call, lambda *_, call=call, **__: sent.append(call))
    tracker.put(make_view())
    assert tracker.flush(60)
    assert sent == []
    tracker.put(make_view(artifacts={"cell/equations.md": "# new", "cell/picture.png": b"\x89PNG"}))
    assert tracker.flush(60)
    assert sent == ["log_artifacts"]


def test_a_run_deleted_in_the_pages_comes_back(
    tracker: Tracker, store: Store, make_view: ViewMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas_rnn.tracking.queueing.FIRST_PAUSE", 0.01)
    tracker.put(make_view())
    assert tracker.flush(60)
    deleted = store.run().info.run_id
    store.client.delete_run(deleted)
    tracker.put(make_view(tags={"verdict": "better"}))
    assert tracker.flush(60)
    assert store.run().info.run_id != deleted
    assert store.points("valid/loss") == [(1, 2.5), (2, 2.25)]


def test_a_late_creation_leaves_no_second_run(
    store_uri: str, store_folder: Path, experiment: str, store: Store, make_view: ViewMaker
) -> None:
    for _ in range(2):
        with Tracker(store_uri, experiment, store_folder / "artifacts") as tracker:
            tracker.put(make_view())
            assert tracker.flush(60)
        first = store.run()
        store.client.create_run(first.info.experiment_id, tags={"nas_rnn.key": "search"})
    with Tracker(store_uri, experiment, store_folder / "artifacts") as tracker:
        tracker.put(make_view())
        assert tracker.flush(60)
    assert store.run().data.params == {"hidden_size": "64"}


def test_a_changed_parameter_is_told(
    store_uri: str, store_folder: Path, experiment: str, make_view: ViewMaker
) -> None:
    tracker = Tracker(store_uri, experiment, store_folder / "artifacts")
    tracker.put(make_view())
    assert tracker.flush(60)
    tracker.put(make_view(params={"hidden_size": "65"}))
    (problem,) = tracker.close()
    assert "'hidden_size' of run 'search'" in problem


def test_numbers_that_are_not_finite_become_tags(
    tracker: Tracker, store: Store, make_view: ViewMaker
) -> None:
    curve = (("loss", 1, 2.0), ("loss", 2, math.nan), ("loss", 3, math.inf))
    tracker.put(make_view(metrics={"gap": math.nan, "worst": -math.inf, "n": 1.0}, curves=curve))
    assert tracker.flush(60)
    run = store.run()
    assert run.data.metrics == {"n": 1.0, "loss": 2.0}
    assert {name: value for name, value in run.data.tags.items() if name.startswith("nonfinite.")} == {
        "nonfinite.gap": "nan",
        "nonfinite.worst": "-inf",
        "nonfinite.loss": "nan at step 2",
    }
    tracker.put(make_view(metrics={"gap": 0.5, "worst": -math.inf, "n": 1.0}, curves=curve))
    assert tracker.flush(60)
    assert store.run().data.metrics["gap"] == 0.5
    assert "nonfinite.gap" not in store.run().data.tags


@pytest.mark.parametrize("key", ["bob's/1", 'say "1"', "ünï `1` % _ \\ {}", "a" * 1000])
def test_any_printable_key_finds_its_run_again(
    store_uri: str, store_folder: Path, experiment: str, store: Store, make_view: ViewMaker, key: str
) -> None:
    for _ in range(2):
        with Tracker(store_uri, experiment, store_folder / "artifacts") as tracker:
            tracker.put(make_view(key))
            tracker.put(make_view("another"))
            assert tracker.flush(60)
    assert sorted(run.data.tags["nas_rnn.key"] for run in store.runs()) == sorted([key, "another"])


def test_special_characters_and_lengths(tracker: Tracker, store: Store, make_view: ViewMaker) -> None:
    tracker.put(
        make_view(
            name="trial 7 – λ/[x] 'y'",
            params={"a[0]": "ü\n", "a(0)": "2", "long": "x" * 7000, "": "none"},
            tags={"weird [tag]: *": "✓", "long": "y" * 9000},
            metrics={"gap (lstm), %": 1.0, "../up": 2.0},
            curves=(("loss@valid", 1, 3.0),),
            artifacts={"ä b/100% #1?.md": "ü", "ä b/100% #1_.md": "v"},
            note="n" * 9000,
        )
    )
    assert tracker.flush(60)
    run = store.run()
    assert run.info.run_name == "trial 7 – λ/[x] 'y'"
    assert sorted(run.data.params.values(), key=len)[:3] == ["2", "ü\n", "none"]
    assert len(run.data.params["long"]) == 6000
    assert run.data.params["long"].endswith("(cut)")
    assert run.data.tags["weird _tag__ _"] == "✓"
    assert sorted(run.data.metrics.values()) == [1.0, 2.0, 3.0]
    assert store.points("loss_valid") == [(1, 3.0)]
    (given, other) = sorted(store.files("ä b"), key=len)
    assert given == "ä b/100_ _1_.md"
    assert {store.content(given), store.content(other)} == {"ü".encode(), b"v"}


def test_more_than_one_request_holds(tracker: Tracker, store: Store, make_view: ViewMaker) -> None:
    params = {f"p{number}": "ü" * 5000 for number in range(230)}
    tags = {f"t{number}": "v" for number in range(230)}
    curves = tuple(("loss", step, 1.0 / (step + 1)) for step in range(2500))
    tracker.put(make_view(params=params, tags=tags, curves=curves))
    assert tracker.flush(60)
    run = store.run()
    assert run.data.params == params
    assert run.data.tags.items() >= tags.items()
    assert len(store.points("loss")) == 2500


def test_the_newest_view_wins_when_writing_is_slow(
    tracker: Tracker, store: Store, make_view: ViewMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    written: list[str] = []
    started, go_on = threading.Event(), threading.Event()
    write = RunWriter.write

    def slow(self: RunWriter, view: RunView) -> None:
        written.append(view.tags["n"])
        started.set()
        assert go_on.wait(60)
        write(self, view)

    monkeypatch.setattr(RunWriter, "write", slow)
    tracker.put(make_view(tags={"n": "0"}))
    assert started.wait(60)
    for number in range(1, 1000):
        tracker.put(make_view(tags={"n": str(number)}))
    assert tracker.pending == ("search",)
    go_on.set()
    assert tracker.flush(60)
    assert written == ["0", "999"]
    assert store.run().data.tags["n"] == "999"


def test_a_view_that_cannot_be_written_holds_up_no_other(
    store_uri: str,
    store_folder: Path,
    experiment: str,
    store: Store,
    make_view: ViewMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = RunWriter.write

    def refuse_poison(self: RunWriter, view: RunView) -> None:
        if view.key == "poison":
            raise RuntimeError("no such thing\nwith details")
        write(self, view)

    monkeypatch.setattr(RunWriter, "write", refuse_poison)
    monkeypatch.setattr("nas_rnn.tracking.queueing.FIRST_PAUSE", 0.01)
    tracker = Tracker(store_uri, experiment, store_folder / "artifacts")
    for key in ("poison", "one", "two"):
        tracker.put(make_view(key))
    (problem,) = tracker.close()
    assert problem.startswith("MLflow at sqlite:")
    assert problem.endswith("could not write: no such thing; 1 run is not written yet")
    assert tracker.pending == ("poison",)
    assert {run.data.tags["nas_rnn.key"] for run in store.runs()} == {"one", "two"}


def test_a_deleted_experiment_is_restored_and_told(
    store_uri: str, store_folder: Path, experiment: str, store: Store, make_view: ViewMaker
) -> None:
    with Tracker(store_uri, experiment, store_folder / "artifacts") as tracker:
        tracker.put(make_view())
        assert tracker.flush(60)
    store.client.delete_experiment(store.run().info.experiment_id)
    with Tracker(store_uri, experiment, store_folder / "artifacts") as tracker:
        tracker.put(make_view())
        assert tracker.flush(60)
    assert experiment in tracker.notices[0]
    assert store.points("valid/loss") == [(1, 2.5), (2, 2.25)]


@pytest.mark.parametrize(
    "uri", ["", "mlruns", "file:///tmp/mlruns", "/tmp/runs", "sqllite:///x.db", "http:host"]
)
def test_an_address_without_a_store_is_the_users_mistake(uri: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"as in sqlite:////home/me/mlflow\.db"):
        Tracker(uri, "experiment", tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"key": ""},
        {"key": "a\nb"},
        {"key": "'\""},
        {"parent": "search"},
        {"status": "DONE"},
        {"curves": (("gap_to_lstm", 1, 0.0),)},
        {"artifacts": {"/etc/passwd": ""}},
        {"artifacts": {"a/../../b": ""}},
        {"artifacts": {"": ""}},
        {"artifacts": {"ranking.json": ""}},
        {"tables": {"table.csv": {}}},
        {"tables": {"table.json": {"a": [1], "b": []}}},
    ],
)
def test_a_view_that_cannot_be_shown_is_refused(changes: dict[str, Any], make_view: ViewMaker) -> None:
    with pytest.raises(ValueError):
        make_view(**changes)


def test_importing_the_package_imports_no_mlflow() -> None:
    code = "import sys, nas_rnn.tracking; sys.exit(bool({'mlflow', 'requests'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
