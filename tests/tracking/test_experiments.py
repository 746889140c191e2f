"""In which experiment runs stand: one for each identity, under a name that people can read."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlparse

import pytest

from nas_rnn.publishing.experiments import LONGEST_NAME, experiment_for
from nas_rnn.tracking import ExperimentView, Tracker, experiment_url, run_link
from tests.tracking.conftest import Store, ViewMaker


def facts(digest: str, name: str = "input.txt", source: str | None = "/a/input.txt") -> dict[str, object]:
    return {"name": name, "digest": digest, "source": source}


def test_names_say_task_and_data() -> None:
    found = experiment_for("char-lm", "key", facts("1a2b3c4d5e6f7a8b"))
    assert found.names == (
        "char-lm · input.txt",
        "char-lm · input.txt (1a2b3c)",
        "char-lm · input.txt (char-lm:1a2b3c4d5e6f7a8b)",
    )
    assert experiment_for("char-lm", "key", facts("1", source=None)).name == "char-lm · embedded"
    assert experiment_for("char-lm", "key", None).names == ("char-lm",), "a folder of an earlier version"


@pytest.mark.parametrize(
    "name", ["a\nb\x00.txt", "\udcff.txt", "x" * 255, "'\"`%#?/[](){}", "é‮txt", "\u2028"]
)
def test_a_file_may_be_called_anything(
    name: str, store_uri: str, store_folder: Path, experiment: str, store: Store, make_view: ViewMaker
) -> None:
    view = experiment_for(experiment, "search", facts("1" * 16, name))
    assert len(view.name) <= len(experiment) + 3 + LONGEST_NAME
    with Tracker(store_uri, view, store_folder / "artifacts") as tracker:
        tracker.put(make_view())
        assert tracker.flush(30)
    found = store.client.get_experiment_by_name(view.name)
    assert found is not None and found.name.isprintable()
    assert found.experiment_id in experiment_url("http://localhost:5000", view, store_uri)


def test_data_of_one_name_and_other_content_have_an_experiment_of_their_own(
    store_uri: str, store_folder: Path, experiment: str, store: Store, make_view: ViewMaker
) -> None:
    views = [experiment_for(experiment, digest, facts(digest * 8)) for digest in ("1a", "2b")]
    for key, view in enumerate((*views, *views)):  # whoever comes again finds its own
        with Tracker(store_uri, view, store_folder / "artifacts") as tracker:
            tracker.put(make_view(f"run {key}"))
            assert tracker.flush(30)
    named = [f"{experiment} · input.txt", f"{experiment} · input.txt (2b2b2b)"]
    for number, (name, view) in enumerate(zip(named, views, strict=True)):
        found = store.client.get_experiment_by_name(name)
        assert found is not None
        runs = store.client.search_runs([found.experiment_id])
        assert {run.data.tags["nas_rnn.key"] for run in runs} == {f"run {number}", f"run {number + 2}"}
        page = urlparse(experiment_url("http://localhost:5000", view, store_uri)).fragment
        assert page.startswith(f"/experiments/{found.experiment_id}/runs")


def test_a_renamed_experiment_is_found_and_a_deleted_one_comes_back(
    store_uri: str, store_folder: Path, experiment: str, store: Store, make_view: ViewMaker
) -> None:
    view = ExperimentView(name=experiment, identity=f"{experiment}:1", mark="1")
    with Tracker(store_uri, view, store_folder / "artifacts") as tracker:
        tracker.put(make_view())
    known = store.run().info.experiment_id
    store.client.rename_experiment(known, f"mine of {experiment}")
    store.client.delete_experiment(known)
    with Tracker(store_uri, view, store_folder / "artifacts") as tracker:
        tracker.put(make_view("another"))
        assert tracker.flush(30)
    assert f"'mine of {experiment}' had been deleted" in tracker.notices[0]
    assert len(store.client.search_runs([known])) == 2


def test_a_search_of_an_earlier_version_stays_where_it_is_and_is_linked_from_its_data(
    store_uri: str, store_folder: Path, experiment: str, store: Store, make_view: ViewMaker
) -> None:
    """There was one experiment for each task; new searches stand in that of their data."""
    with Tracker(store_uri, experiment, store_folder / "artifacts") as tracker:
        tracker.put(make_view("old"))
    old = experiment_for(experiment, "old", facts("1" * 16))
    new = experiment_for(experiment, "new", facts("1" * 16))
    note = f"{run_link('old', 'old')} and {run_link('new', 'new')}"
    for view in (old, new):
        with Tracker(store_uri, view, store_folder / "artifacts", note=note) as tracker:
            tracker.put(make_view(view.key))
            assert tracker.flush(30)
    former, present = map(store.client.get_experiment_by_name, (experiment, f"{experiment} · input.txt"))
    assert former is not None and present is not None
    (run,) = store.client.search_runs([former.experiment_id])
    assert run.data.tags["nas_rnn.key"] == "old"
    (run,) = store.client.search_runs([present.experiment_id])
    assert run.data.tags["nas_rnn.key"] == "new"
    for view, found in ((old, former), (new, present)):
        assert f"/experiments/{found.experiment_id}/" in experiment_url("http://localhost", view, store_uri)
    shown = store.client.get_experiment(present.experiment_id).tags["mlflow.note.content"]
    assert f"[old](#/experiments/{former.experiment_id}/runs/" in shown
    assert f"[new](#/experiments/{present.experiment_id}/runs/{run.info.run_id})" in shown
