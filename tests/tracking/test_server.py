"""The server, and a search that goes on while the server does not."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nas_rnn.errors import UserError
from nas_rnn.tracking import Tracker, experiment_url, serve
from nas_rnn.tracking.quiet import connect

if TYPE_CHECKING:
    from conftest import Server, Store, ViewMaker


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas_rnn.tracking.queueing.FIRST_PAUSE", 0.05)
    monkeypatch.setattr("nas_rnn.tracking.queueing.LONGEST_PAUSE", 0.2)


def test_an_outage_costs_nothing_and_is_made_up_for(
    store_folder: Path,
    experiment: str,
    store: Store,
    store_uri: str,
    make_view: ViewMaker,
    closed_port: int,
    start_server: Callable[[int], Server],
) -> None:
    """Nobody answers, then a server does, then it goes for good; pages, artifacts, Ctrl-C on the way."""
    port = closed_port
    tracker = Tracker(f"http://127.0.0.1:{port}", experiment, store_folder / "artifacts")
    tracker.put(make_view())
    tracker.put(make_view("search/1", parent="search", curves=(("loss", 1, 2.0),)))
    assert not tracker.flush(1.0)
    assert tracker.failures >= 2
    assert tracker.problems == [
        f"MLflow at http://127.0.0.1:{port} did not answer; 2 runs are not written yet"
    ]

    server = start_server(port)
    assert tracker.flush(60)
    assert tracker.problems == []
    url = experiment_url(server.url, experiment, store_uri)
    assert url.startswith(f"{server.url}/#/experiments/")
    assert url.endswith(
        "/runs?workflowType=machine_learning&orderByKey=metrics.%60gap_to_lstm%60&orderByAsc=true"
    )
    parent = store.run().info.run_id
    page = f"{server.url}/get-artifact?path=cell/equations.md&run_uuid={parent}"
    assert urllib.request.urlopen(page, timeout=30).read() == b"# h"
    assert server.stop() == "ended\n"
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 5)

    last = make_view(
        "search/1",
        parent="search",
        curves=(("loss", 1, 2.0), ("loss", 2, 1.5)),
        artifacts={"late.md": "# late"},
    )
    tracker.put(last)
    assert not tracker.flush(1.0)
    assert tracker.pending == ("search/1",)
    assert "1 run is not written yet" in tracker.close()[0]
    with Tracker(store_uri, experiment, store_folder / "artifacts") as later:
        later.put(make_view())
        later.put(last)
    assert later.problems == []
    late = store.run("search/1").info.artifact_uri.removeprefix("mlflow-artifacts:/") + "/late.md"
    assert (store_folder / "artifacts" / late).read_bytes() == b"# late"
    assert store.points("loss", "search/1") == [(1, 2.0), (2, 1.5)]
    assert len(store.runs()) == 2


def test_close_gives_up_on_a_server_that_is_gone(
    store_folder: Path, make_view: ViewMaker, closed_port: int
) -> None:
    tracker = Tracker(f"http://me:secret@127.0.0.1:{closed_port}", "experiment", store_folder)
    for number in range(50):
        tracker.put(make_view(str(number)))
    (problem,) = tracker.close(60)
    assert "did not answer; 50 runs are not written yet" in problem
    assert "secret" not in problem
    assert len(tracker.pending) == 50
    assert tracker.failures < 50
    with pytest.raises(ValueError, match="after the tracker was closed"):
        tracker.put(make_view())


@pytest.fixture
def mute_server() -> Iterator[str]:
    """A server that takes every connection and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_close_returns_in_time_from_a_server_that_hangs(
    mute_server: str, store_folder: Path, make_view: ViewMaker
) -> None:
    tracker = Tracker(mute_server, "experiment", store_folder)
    tracker.put(make_view())
    started = time.monotonic()
    (problem,) = tracker.close(0.5)
    assert time.monotonic() - started < 5
    assert problem == f"MLflow at {mute_server} did not finish in time; 1 run is not written yet"


def test_a_taken_port_is_named(store_uri: str, store_folder: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} on 127.0.0.1 is taken .* --port"):
            serve(store_uri, artifact_root=store_folder, port=port)


def test_there_is_nothing_to_serve_where_a_server_is(store_folder: Path) -> None:
    with pytest.raises(UserError, match=r"runs at http://127\.0\.0\.1:5000 already"):
        serve("http://127.0.0.1:5000", artifact_root=store_folder)


def test_the_table_opens_with_the_columns_asked_for(
    store_uri: str, store_folder: Path, experiment: str, make_view: ViewMaker
) -> None:
    columns = ("metrics.gap_to_lstm", "tags.verdict")
    with Tracker(store_uri, experiment, store_folder / "artifacts", note="# N", columns=columns) as tracker:
        tracker.put(make_view())
        assert tracker.flush(60)
    url = experiment_url("http://localhost:5000/", experiment, store_uri)
    assert url.startswith("http://localhost:5000/#/experiments/")
    assert url.endswith("/runs?workflowType=machine_learning&viewStateShareKey=nas-rnn")
    found = connect(store_uri).get_experiment_by_name(experiment)
    assert found is not None
    assert found.tags["mlflow.note.content"] == "# N"
    assert "metrics.`gap_to_lstm`" in found.tags["mlflow.sharedViewState.nas-rnn"]


def test_an_unknown_experiment_has_no_address(store_uri: str, experiment: str) -> None:
    with pytest.raises(UserError, match=f"no experiment '{experiment}'"):
        experiment_url("http://localhost:5000", experiment, store_uri)


def test_many_threads_may_put(tracker: Tracker, store: Store, make_view: ViewMaker) -> None:
    def put(thread: int) -> None:
        for number in range(20):
            tracker.put(make_view(f"{thread}/{number % 3}", artifacts={}, tables={}))

    threads = [threading.Thread(target=put, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tracker.flush(60)
    assert len(store.runs()) == 12
