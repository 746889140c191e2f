"""A search on three nodes of which two see nothing of the driver's disk, and of which one is killed meanwhile."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from nas_rnn.run_folder.reader import STUDY
from nas_rnn.strategies import Study
from nas_rnn.training import RunStore
from tests.engine.nodes import Nodes, unshare
from tests.experiment_runs import write_text

pytestmark = pytest.mark.skipif(
    unshare() is None, reason="mount namespaces are not permitted here (`unshare -m mount` fails)"
)

EPOCHS, TRIALS = 8, 4
HANGS = 400.0
"""Seconds after which something hangs, also on a machine that is busy."""
SPACE = '''
from nas_rnn import linear, relu, search_space, sigmoid, tanh


@search_space
def only_here(choose, x, h):
    """Known from the driver's disk alone."""
    new = choose("candidate", [tanh, relu, sigmoid])(linear(x, h))
    gate = sigmoid(linear(x))
    for _ in range(choose("depth", range(1, 20))):
        gate = gate * sigmoid(linear(x))
    return gate * h + (1 - gate) * new
'''


@pytest.fixture
def nodes():
    started = Nodes()
    try:
        started.start_head(1)
        started.install()
        started.wait(1)
        for name in ("a", "b"):
            started.start_worker(name, 1)
        started.wait(3)
        yield started
    finally:
        started.close()


def start_search(nodes: Nodes, more: str = "") -> subprocess.Popen[str]:
    write_text(nodes.driver / "text.txt")
    (nodes.driver / "spaces").mkdir(exist_ok=True)
    (nodes.driver / "spaces" / "mine.py").write_text(SPACE)
    options = (
        f"--address {nodes.address} --plugins spaces --space only_here --data text.txt --name s --scheduler none "
        f"--trials {TRIALS} --epochs {EPOCHS} --params 2500 --seeds 1 --batch 8 --length 16 "
        f"--tune 0 --controls none {more}"
    )
    return subprocess.Popen(
        [sys.executable, "-c", "from nas_rnn.cli import main; main()", "search", *options.split()],
        cwd=nodes.driver,
        # Ray would look for the cluster at this machine's outer address otherwise.
        env={**nodes.environment(nodes.driver), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stores(nodes: Nodes) -> dict[str, RunStore]:
    return {path.name: RunStore(path) for path in (nodes.driver / "runs" / "s" / "trials").glob("*")}


def run_under_way(nodes: Nodes, name: str) -> str | None:
    """Return the run that the node ``name`` is in the middle of."""
    pids = {process.pid for process in nodes.processes(name)}
    for run, store in stores(nodes).items():
        places = store.read_workers()
        is_there = bool(places) and places[-1]["pid"] in pids
        if is_there and 2 <= len(store.read_records()) < EPOCHS - 1 and store.read_result() is None:
            return run
    return None


def wait_and_kill(nodes: Nodes, name: str, search: subprocess.Popen[str]) -> tuple[str, set[str]]:
    """Kill a node in the middle of a run, once all nodes have trained; return that run and the nodes' ids."""
    end = time.monotonic() + HANGS
    while time.monotonic() < end and search.poll() is None:
        used = {place["node"] for store in stores(nodes).values() for place in store.read_workers()}
        run = run_under_way(nodes, name) if len(used) == 3 else None
        if run is not None:
            nodes.kill(name)
            return run, used
        time.sleep(0.02)
    search.kill()
    raise AssertionError(f"node {name} was never in the middle of a run\n{search.communicate()[0]}")


def test_a_search_uses_nodes_that_see_nothing_of_its_disk_and_outlives_one(nodes):
    assert nodes.listening() <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    refused = start_search(nodes, f"--storage {(nodes.driver / 'own').as_uri()}")
    output, _ = refused.communicate(timeout=HANGS)
    assert refused.returncode == 2 and output.count("does not see what the driver writes there") == 2, output

    search = start_search(nodes)
    killed_run, used = wait_and_kill(nodes, "b", search)
    output, _ = search.communicate(timeout=HANGS)
    assert search.returncode == 0, output
    assert "Note: the cluster has 3 nodes with 3 CPU cores, room for 3 runs" in output
    assert "died; the run resumes from its last checkpoint" in output
    assert "has left; the cluster has 2 nodes" in output
    assert "Traceback" not in output and "raylet" not in output.lower(), output

    trials = Study.open(nodes.driver / "runs" / "s" / "study.journal", STUDY).trials()
    assert [trial.ending for trial in trials] == ["finished"] * TRIALS, output
    places = {run: store.read_workers() for run, store in stores(nodes).items()}
    first, second = places.pop(killed_run)
    assert first["node"] != second["node"] and second["epochs_before"] >= 2
    assert {run: len(entries) for run, entries in places.items()} == dict.fromkeys(places, 1)
    for run, store in stores(nodes).items():
        assert [record.epoch for record in store.read_records()] == list(range(1, EPOCHS + 1)), run
        assert store.read_result().status == "finished"
        assert store.read_samples(), run
    assert len(used) == 3
