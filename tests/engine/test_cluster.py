"""Clusters: shares of GPUs, workers that see nothing of the driver's disk, nodes that die, versions that differ."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from ray import util
from ray._private import services

from nas_rnn.cells.zoo.classic import gru, rnn
from nas_rnn.engine import Engine, RunList
from nas_rnn.engine.cluster_ray import cluster_ray
from nas_rnn.engine.local_ray import local_ray
from nas_rnn.engine.preflight import check_request, check_resources, places
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.plugins import registry
from nas_rnn.training import RunStore
from nas_rnn.training.storage import open_storage
from tests.engine.runs import spec
from tests.experiment_runs import write_text

ray_cluster = pytest.importorskip("ray.cluster_utils")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    task = registry().find("task", "char-lm").value()
    return task.load(write_text(tmp_path_factory.mktemp("text") / "text.txt"))


@pytest.fixture
def cluster():
    started = ray_cluster.Cluster()
    yield started
    started.shutdown()


def test_half_a_gpu_each_places_eight_runs_on_four_gpus_at_once(cluster, data, tmp_path):
    cluster.add_node(num_cpus=8, num_gpus=4)
    trained: set[str] = set()
    end = time.monotonic() + 400  # only where something hangs
    # Runs that would take hours: that all eight have trained, and none has ended, shows that they go side by side.
    runs = RunList([spec(f"r{i}", rnn, 100_000) for i in range(8)], on_epoch=lambda s, r: trained.add(s.id))
    with Engine(
        workers=None,
        threads=1,
        folder=tmp_path,
        data=data,
        sources=(),
        gpus_per_run=0.5,
        address=cluster.address,
    ) as engine:
        assert engine.workers == 8
        engine.run(runs, should_stop=lambda: len(trained) == 8 or time.monotonic() > end)
    assert len(trained) == 8 and runs.results == {}
    seen = [where for i in range(8) for where in RunStore(tmp_path / f"r{i}").read_workers()]
    assert Counter(where["cuda_visible_devices"] for where in seen) == {"0": 2, "1": 2, "2": 2, "3": 2}
    assert len({where["pid"] for where in seen}) == 8


def test_a_node_that_dies_costs_its_runs_a_retry_and_nothing_else(cluster, data, tmp_path):
    cluster.add_node(num_cpus=1)
    other = cluster.add_node(num_cpus=1)
    epochs: list[tuple[str, int]] = []
    killed: list[bool] = []

    def on_epoch(spec, record):
        epochs.append((spec.id, record.epoch))
        if not killed and len(epochs) >= 4:
            killed.append(True)
            cluster.remove_node(other, allow_graceful=False)

    runs = RunList([spec("a", rnn, 30), spec("b", gru, 30)], on_epoch=on_epoch)
    with Engine(
        workers=2, threads=1, folder=tmp_path, data=data, sources=(), address=cluster.address
    ) as engine:
        engine.run(runs)
    assert killed
    assert {id: result.status for id, result in runs.results.items()} == {"a": "finished", "b": "finished"}
    assert sorted(epochs) == sorted((id, epoch) for id in ("a", "b") for epoch in range(1, 31))


@pytest.mark.parametrize("share", [-1.0, 1.5, 2.25])
def test_a_share_that_ray_cannot_give_is_refused(share):
    with pytest.raises(UserError, match="part of one GPU"):
        check_request(share)


@pytest.mark.parametrize(
    ("nodes", "threads", "gpus", "count"),
    [
        ([{"CPU": 8.0, "GPU": 4.0}], 1, 0.5, 8),
        ([{"CPU": 64.0, "GPU": 3.0}], 1, 0.25, 12),
        ([{"CPU": 64.0, "GPU": 4.0}], 1, 0.4, 8),  # the 0.2 left of each GPU are no place
        ([{"CPU": 64.0, "GPU": 3.0}], 1, 2.0, 1),
        ([{"CPU": 5.0}], 2, 0.0, 2),
        ([{"CPU": 3.0}, {"CPU": 3.0}], 2, 0.0, 2),  # not 3: a run is on one node
        ([{"CPU": 4.0}, {"CPU": 1.0, "GPU": 2.0}], 1, 0.5, 1),
        ([{"CPU": 1.0}, {}], 1, 0.0, 1),
    ],
)
def test_a_place_is_all_that_a_run_asks_for_on_one_node(nodes, threads, gpus, count):
    assert places(nodes, threads, gpus) == count
    check_resources(nodes, threads, gpus)


@pytest.mark.parametrize(
    ("nodes", "threads", "gpus", "message"),
    [
        ([{"CPU": 2.0}], 4, 0.0, "asks for 4 CPU cores, and Ray has 2; give --threads 2 or fewer"),
        ([{"CPU": 2.0}] * 3, 4, 0.0, "none of the 3 nodes has more than 2; give --threads 2 or fewer"),
        ([{}], 1, 0.0, "and Ray has 0; start nodes with --num-cpus"),
        ([{"CPU": 8.0}] * 2, 1, 0.5, "there is no GPU where Ray looked; leave --gpus-per-trial out"),
        ([{"CPU": 8.0, "GPU": 1.0}] * 2, 1, 2.0, "none of the 2 nodes has more than 1; .* 1 or less"),
        ([{"CPU": 4.0}, {"CPU": 1.0, "GPU": 1.0}], 2, 1.0, "no node has both; give fewer --threads"),
    ],
)
def test_what_no_node_has_is_said(nodes, threads, gpus, message):
    with pytest.raises(UserError, match=message):
        check_resources(nodes, threads, gpus)


def test_a_cluster_that_does_not_answer_is_said(data, tmp_path):
    with (
        pytest.raises(UserError, match=r"no Ray cluster answers at '127\.0\.0\.1:1'"),
        Engine(workers=1, threads=1, folder=tmp_path, data=data, sources=(), address="127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "ray://127.0.0.1:10001", "host:", "host:port", "host:99999", ""]
)
def test_an_address_is_a_host_and_a_port(address):
    with pytest.raises(UserError, match=r"--address \(or RAY_ADDRESS\) is HOST:PORT"), cluster_ray(address):
        pass


def test_a_ray_that_does_not_start_is_told_in_one_line(monkeypatch):
    def init(**given):
        raise Exception("The current node timed out during startup.\nThis could happen because ...")

    monkeypatch.setattr("ray.init", init)
    with pytest.raises(NasRnnError) as caught, local_ray(1, None, 0):
        pass
    assert "did not start (The current node timed out during startup. This could happen" in str(caught.value)
    assert "\n" not in str(caught.value) and "wait until the machine is less busy" in str(caught.value)


def test_a_local_ray_leaves_rays_own_search_for_the_address_as_it_was(monkeypatch):
    monkeypatch.setattr(
        "nas_rnn.engine.local_ray._init", lambda *given: None
    )  # what listens where: test_engine.py
    own = services.get_node_ip_address
    with local_ray(1, None, 0):
        assert services.get_node_ip_address() == "127.0.0.1"
    assert services.get_node_ip_address is own and util.get_node_ip_address is own


def test_a_storage_that_is_no_uri_is_refused():
    with pytest.raises(UserError, match=r"--storage takes a URI such as s3://bucket/folder"):
        open_storage("nowhere at all")
