"""One SQLite store for all tests, an experiment for each."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nas_rnn.tracking import DatasetView, Point, RunView, Tracker, default_uri
from nas_rnn.tracking.quiet import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ViewMaker = Callable[..., RunView]
NUMBERS = itertools.count()
DATASET = DatasetView(
    name="my-text.txt",
    digest="0123456789abcdef",
    source="/data/my-text.txt",
    origin="comes with the task char-lm",
    context="training, validation",
    columns={"train": "uint8 1000", "valid": "uint8 100"},
)


@pytest.fixture(scope="session")
def store_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name needs quoting in addresses."""
    return tmp_path_factory.mktemp("runs of ä user")


@pytest.fixture(scope="session")
def store_uri(store_folder: Path, with_store: Callable[[Path], Path]) -> str:
    """The address of a store that exists."""
    return default_uri(with_store(store_folder))


@pytest.fixture
def experiment() -> str:
    """The name of an experiment that no other test uses."""
    return f"experiment {next(NUMBERS)}"


@pytest.fixture
def tracker(store_uri: str, store_folder: Path, experiment: str) -> Iterator[Tracker]:
    """A tracker that must end without problems."""
    tracker = Tracker(store_uri, experiment, store_folder / "artifacts")
    yield tracker
    assert tracker.close() == []


@pytest.fixture
def store(store_uri: str, experiment: str) -> Store:
    """What the store holds of this test's experiment."""
    return Store(connect(store_uri), experiment)


@pytest.fixture(scope="session")
def read_store() -> Callable[[str, str], Store]:
    """Reads an experiment of any store."""
    return lambda uri, experiment: Store(connect(uri), experiment)


@pytest.fixture(scope="session")
def start_server(store_uri: str, store_folder: Path) -> Callable[[int], Server]:
    """Starts a server of the common store on a port; the test stops it."""
    return lambda port: Server(store_uri, store_folder / "artifacts", port)


@pytest.fixture
def closed_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def make_view() -> ViewMaker:
    """Make a view with everything in it; keywords replace parts."""

    def make(key: str = "search", **changes: Any) -> RunView:
        values: dict[str, Any] = {
            "key": key,
            "name": f"name of {key}",
            "params": {"hidden_size": "64"},
            "tags": {"verdict": "undecided"},
            "metrics": {"gap_to_lstm": -0.25},
            "curves": (("valid/loss", 1, 2.5), ("valid/loss", 2, 2.25)),
            "artifacts": {"cell/equations.md": "# h", "cell/picture.png": b"\x89PNG"},
            "tables": {"ranking.json": {"rank": [1, 2], "gap": [0.5, float("nan")]}},
            "note": "a *note*",
            "dataset": DATASET,
            "start_ms": 1_700_000_000_000,
        }
        values |= changes
        return RunView(**{**values, "curves": tuple(Point(*point) for point in values["curves"])})

    return make


class Store:
    """Reads one experiment with a client of its own, as a second program would."""

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        self.client = client
        self.experiment = experiment

    def runs(self) -> list[Run]:
        """All runs of the experiment, the oldest first."""
        found = self.client.get_experiment_by_name(self.experiment)
        assert found is not None
        return list(self.client.search_runs([found.experiment_id], order_by=["attributes.start_time ASC"]))

    def run(self, key: str = "search") -> Run:
        """The one run with ``key``."""
        (run,) = [run for run in self.runs() if run.data.tags["nas_rnn.key"] == key]
        return run

    def points(self, metric: str, key: str = "search") -> list[tuple[int, float]]:
        """All points of a curve, as stored: a point logged twice is here twice."""
        history = self.client.get_metric_history(self.run(key).info.run_id, metric)
        return sorted((point.step, point.value) for point in history)

    def content(self, path: str, key: str = "search") -> bytes:
        """The content of an artifact."""
        return Path(self.client.download_artifacts(self.run(key).info.run_id, path)).read_bytes()

    def files(self, folder: str, key: str = "search") -> list[str]:
        """The paths of the artifacts in ``folder``."""
        found = self.client.list_artifacts(self.run(key).info.run_id, folder)
        return [file.path for file in found]


class Server:
    """A server of MLflow's in a process of its own, as the command line runs it; ``stop`` is Ctrl-C."""

    CODE = """if True:
        import sys
        from pathlib import Path
        from nas_rnn.tracking import serve
        serve(sys.argv[1], artifact_root=Path(sys.argv[2]), port=int(sys.argv[3]),
              on_ready=lambda url: print(url, flush=True))
        print("ended", flush=True)
    """

    def __init__(self, uri: str, artifact_root: Path, port: int = 0) -> None:
        command = [sys.executable, "-c", self.CODE, uri, str(artifact_root), str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.url + self.process.stdout.read()

    def stop(self) -> str:
        """End it and return what it printed after its address."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=60)[0]
