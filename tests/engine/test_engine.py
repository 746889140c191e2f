"""The engine: runs go side by side, a dead worker costs a retry, and nothing listens beyond this machine.

What any engine must do is asked of the one in process too, which stands in for it elsewhere.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from dataclasses import replace

import numpy as np
import psutil
import pytest

from nas_rnn.cells.zoo.classic import gru, lstm, rnn
from nas_rnn.engine import Engine, Next, RunList, Sequential
from nas_rnn.engine.searcher import SourceSearcher
from nas_rnn.engine.trainable import WorkerSetup
from nas_rnn.engine.worker import Worker
from nas_rnn.errors import UserError
from nas_rnn.plugins import registry
from nas_rnn.training import CannotStore, RunSpec, RunStore
from nas_rnn.training.files import LocalFiles
from tests.engine.runs import spec
from tests.experiment_runs import write_text
from tests.in_process import InProcessEngine


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    task = registry().find("task", "char-lm").value()
    return task.load(write_text(tmp_path_factory.mktemp("text") / "text.txt"))


def workers(title: str = "RunTrainable") -> list[psutil.Process]:
    """Return the workers that do nothing just now; with ``title`` "Trainable" all of them."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if title in line and os.getpid() in {parent.pid for parent in process.parents()}:
            found.append(process)
    return found


@pytest.fixture(scope="module")
def engine(data, tmp_path_factory):
    with Engine(
        workers=2,
        threads=1,
        folder=tmp_path_factory.mktemp("trials"),
        data=data,
        sources=(),
        report_every=0.0,
    ) as opened:
        yield opened


@pytest.fixture(params=["ray", "in process"])
def any_engine(request, data, tmp_path):
    """The engine of all tests here, or one of the kind that runs in this process."""
    if request.param == "ray":
        return request.getfixturevalue("engine")
    return InProcessEngine(workers=2, threads=1, folder=tmp_path, data=data, sources=())


def test_a_worker_that_dies_costs_a_retry_from_its_checkpoint_and_nothing_else(engine):
    epochs: list[tuple[str, int]] = []
    killed: list[int] = []

    def on_epoch(spec, record):
        epochs.append((spec.id, record.epoch))
        if not killed and record.epoch == 2:
            for worker in workers():
                os.kill(worker.pid, signal.SIGKILL)
                killed.append(worker.pid)

    told: list[str] = []
    engine._notify = told.append
    runs = RunList([spec("a", rnn, 8), spec("b", gru, 8)], on_epoch=on_epoch)
    assert engine.run(runs) == "complete"
    assert killed and any("died; the run resumes from its last checkpoint" in line for line in told)
    assert {id: result.status for id, result in runs.results.items()} == {"a": "finished", "b": "finished"}
    for id in ("a", "b"):
        assert [epoch for run, epoch in epochs if run == id] == list(range(1, 9))


def test_a_worker_that_dies_between_two_runs_costs_the_next_one_nothing(engine):
    """Whether a run was on the worker by then is Tune's affair; if so, its death is told."""
    told: list[str] = []
    killed: list[int] = []
    epochs: list[tuple[str, int]] = []

    def on_done(spec, result):
        if spec.id == "first":
            for worker in workers():
                os.kill(worker.pid, signal.SIGKILL)
                killed.append(worker.pid)

    engine._notify = told.append
    runs = RunList(
        [spec("first", rnn, 1), spec("second", gru, 2), spec("third", gru, 2)],
        on_epoch=lambda spec, record: epochs.append((spec.id, record.epoch)),
        on_done=on_done,
    )
    assert engine.run(runs) == "complete"
    assert {id: result.status for id, result in runs.results.items()} == dict.fromkeys(
        ("first", "second", "third"), "finished"
    )
    assert killed and all("died; the run resumes" in line for line in told)
    assert sorted(epochs) == [("first", 1), ("second", 1), ("second", 2), ("third", 1), ("third", 2)]


STAGES = (("one", "two"), ("alone",), ("three", "four"))
"""Five runs in three stages: in the second one a worker has nothing to do."""


def in_stages(prefix: str, on_epoch=lambda spec, record: None) -> Sequential:
    return Sequential(
        [RunList([spec(prefix + id, rnn, 4) for id in stage], on_epoch=on_epoch) for stage in STAGES]
    )


def worker_of(engine: Engine, id: str) -> int:
    return RunStore(engine._folder / id).read_workers()[-1]["pid"]


def test_workers_stay_from_stage_to_stage(engine):
    """A new one takes seconds to start."""
    assert engine.run(in_stages("stay-")) == "complete"
    first, _, last = ({worker_of(engine, f"stay-{id}") for id in stage} for stage in STAGES)
    assert len(first) == 2 and last == first


def test_a_worker_that_dies_while_it_has_no_run_costs_nothing(engine):
    killed: list[int] = []

    def on_epoch(spec, record):
        if spec.id == "die-alone" and not killed:
            for worker in workers("Trainable"):
                if worker.pid != worker_of(engine, spec.id):
                    os.kill(worker.pid, signal.SIGKILL)
                    killed.append(worker.pid)

    told: list[str] = []
    engine._notify = told.append
    assert engine.run(in_stages("die-", on_epoch)) == "complete"
    assert killed and not told
    for id in itertools.chain(*STAGES):
        kept = RunStore(engine._folder / f"die-{id}")
        assert len(kept.read_workers()) == 1 and len(kept.read_records()) == 4


def test_a_source_that_ends_or_fails_ends_the_rest_of_idle_workers():
    class Waits(RunList):
        found: RunSpec | Next | Exception = Next.WAIT

        def next(self):
            if self._waiting:
                return super().next()
            if isinstance(self.found, Exception):
                raise self.found
            return self.found

    source = Waits([spec("a", rnn), spec("b", rnn)])
    searcher = SourceSearcher(source, keep_workers=True)
    for trial in ("1", "2"):
        assert "spec" in searcher.suggest(trial)
        searcher.on_placed(trial)
    assert searcher.suggest("3") is None  # no more rest than there have been runs at once
    searcher.on_trial_complete("1", error=True)
    assert searcher.suggest("3")["spec"]["id"] == "a"
    assert searcher.suggest("4") is None  # none rests while a run has no worker
    searcher.on_placed("3")
    searcher.on_trial_complete("3", {"ending": "diverged", "reason": "", "result": "null", **TOLD_LAST})
    assert searcher.suggest("4") == {"rest": True} and not searcher.ends_rest("4")
    assert not searcher.ends_rest("2")
    source.found = Next.END
    assert not searcher.ends_rest("4")  # the other run may have to be handed out again
    searcher.on_trial_complete("2", {"ending": "diverged", "reason": "", "result": "null", **TOLD_LAST})
    assert searcher.ends_rest("4") and searcher.suggest("5") == SourceSearcher.FINISHED
    source.found = ValueError("no more sense")
    assert not searcher.ends_rest("4") and searcher.error is source.found


TOLD_LAST = {"parameters": 1, "backend": "fused", "fallback": None}


def test_no_run_waits_for_workers_that_rest(monkeypatch):
    """A cluster may have fewer places than workers were asked for, or lose some."""
    now = 100.0
    monkeypatch.setattr("nas_rnn.engine.searcher.time.monotonic", lambda: now)
    source = Sequential([RunList([spec("a", rnn), spec("b", rnn)]), RunList([spec("c", rnn)])])
    searcher = SourceSearcher(source, keep_workers=True)
    for trial in ("1", "2"):
        assert "spec" in searcher.suggest(trial)
        searcher.on_placed(trial)
    searcher.on_trial_complete("1", {"ending": "diverged", "reason": "", "result": "null", **TOLD_LAST})
    assert searcher.suggest("3") == {"rest": True}
    searcher.on_trial_complete("2", {"ending": "diverged", "reason": "", "result": "null", **TOLD_LAST})
    assert searcher.suggest("4")["spec"]["id"] == "c"
    assert not searcher.ends_rest("3")  # Tune may be about to hand it over
    now += 6.0
    assert searcher.ends_rest("3")
    searcher.on_placed("4")
    assert not searcher.ends_rest("3")
    now += 60.0
    searcher.on_worker_died("4")  # and with it its place
    assert not searcher.ends_rest("3")
    now += 6.0
    assert searcher.ends_rest("3")


@pytest.mark.parametrize(("seconds", "reports"), [(0.0, 4), (60.0, 1)])
def test_short_epochs_are_told_of_together(data, tmp_path, seconds, reports):
    worker = Worker(lambda spec: data, lambda run: LocalFiles(tmp_path / run), {}, seconds)
    worker.begin({"spec": spec("a", rnn, 4).to_dict(), "sign": 1})
    told = [worker.step()]
    while not told[-1]["done"]:
        told.append(worker.step())
    assert len(told) == reports
    assert [record["epoch"] for one in told for record in one["records"]] == [1, 2, 3, 4]


def test_a_run_whose_worker_dies_every_time_fails_in_the_end():
    runs = RunList([spec("bad", rnn)])
    searcher = SourceSearcher(runs)
    for trial in ("1", "2"):
        assert searcher.suggest(trial)["spec"]["id"] == "bad"
        searcher.on_trial_complete(trial, error=True)
        assert not runs.results
    assert searcher.suggest("3")["spec"]["id"] == "bad"
    assert searcher.suggest("4") is None  # not the end: the run may have to be handed out again
    searcher.on_trial_complete("3", error=True)
    assert runs.results["bad"].status == "failed" and "died repeatedly" in runs.results["bad"].reason
    assert searcher.suggest("4") == SourceSearcher.FINISHED


def test_a_run_that_raises_fails_alone_with_its_reason(any_engine):
    broken = spec("broken", rnn)
    broken = RunSpec.from_dict({**broken.to_dict(), "task_options": {"nonsense": 1}})
    runs = RunList([broken, spec("sound", lstm)])
    any_engine.run(runs)
    assert runs.results["sound"].status == "finished"
    assert runs.results["broken"].status == "failed"
    assert "nonsense" in runs.results["broken"].reason


def test_a_worker_that_cannot_keep_anything_ends_all_and_its_run_has_no_result(any_engine, capfd):
    """The disk is full, or a folder is in the way: no fault of the run, which is to go on later."""
    (any_engine._folder / "blocked").write_text("a file where the run's folder would be")
    runs = RunList([spec("blocked", rnn)])
    with pytest.raises(CannotStore, match=r"cannot write .*blocked/\S+: "):
        any_engine.run(runs)
    assert runs.results == {}
    assert "Traceback" not in capfd.readouterr().err


def test_an_exception_of_the_source_ends_the_run_and_is_raised(any_engine):
    class Broken:
        def next(self):
            raise ValueError("no more sense")

    with pytest.raises(ValueError, match="no more sense"):
        any_engine.run(Broken())


def test_asked_to_stop_it_leaves_running_runs_at_their_checkpoint(any_engine):
    seen: list[int] = []
    runs = RunList([spec("long", rnn, 400)], on_epoch=lambda spec, record: seen.append(record.epoch))
    assert any_engine.run(runs, should_stop=lambda: len(seen) >= 2) == "interrupted"
    assert runs.results == {}
    kept = RunStore(any_engine._folder / "long")
    assert len(kept.read_records()) >= 2 and kept.read_checkpoint() is not None


def test_the_test_part_reaches_a_worker_only_with_a_run_that_reads_it(engine, data, monkeypatch):
    sent: list[WorkerSetup] = []

    def noted(*given) -> WorkerSetup:
        sent.append(WorkerSetup(*given))
        return sent[-1]

    monkeypatch.setattr("nas_rnn.engine.trainable.WorkerSetup", noted)
    tried, final = spec("tried", rnn), replace(spec("final", rnn, role="final"), read_test=True)
    runs = RunList([tried, final])
    assert engine.run(runs) == "complete"
    (setup,) = sent
    assert set(setup.data.parts) == {"train", "valid"}
    assert setup.data_for(tried) is setup.data
    with pytest.raises(LookupError, match="only final runs have it"):
        setup.data_for(tried).part("test")
    assert np.array_equal(setup.data_for(final).part("test")["codes"], data.part("test")["codes"])
    assert runs.results["tried"].test_statistics is None
    read = runs.results["final"].test_statistics
    assert read is not None and sum(read["characters"]) == len(data.part("test")["codes"]) - 1


def test_a_source_may_ask_to_wait(any_engine):
    class Waits(RunList):
        def next(self):
            return Next.WAIT if self._waiting and not self.results and self.begun else super().next()

        begun = False

        def on_done(self, spec, result):
            super().on_done(spec, result)

    runs = Waits([spec("second", rnn), spec("first", rnn)])
    runs._waiting.reverse()
    first = runs.next()
    assert first.id == "first" or first.id == "second"
    runs._waiting.append(first)
    any_engine.run(runs)
    assert set(runs.results) == {"first", "second"}


def test_ray_listens_on_the_loopback_interface_only(engine):
    family = {process.pid for process in psutil.Process().children(recursive=True)} | {os.getpid()}
    listening = [
        c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN and c.pid in family
    ]
    assert listening
    assert {c.laddr.ip for c in listening} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_the_engine_in_process_calls_the_source_as_the_real_one_does(engine, data, tmp_path):
    """One run at a time: the same calls in the same order, with the same figures."""
    broken = replace(spec("broken", rnn), task_options={"nonsense": 1})
    diverging = spec("diverging", rnn, 9, learning_rate=1e30, clip=0.0)
    good = [spec(f"good{i}", lstm, 9, learning_rate=0.01) for i in range(3)]
    bad = [spec(f"bad{i}", lstm, 9, learning_rate=1e-7) for i in range(2)]
    baseline = spec("base", lstm, 9, role="baseline", learning_rate=1e-7)
    specs = [replace(run, id=f"same-{run.id}") for run in (*good, broken, *bad, diverging, baseline)]

    def calls(on):
        heard = []
        source = RunList(
            specs,
            on_start=lambda spec: heard.append(spec.id),
            on_epoch=lambda spec, record: heard.append((spec.id, record.epoch, record.metric)),
            on_done=lambda spec, result: heard.append(
                replace(result, seconds=0.0, epochs=[record.metric for record in result.epochs])
            ),
        )
        assert on.run(source) == "complete"
        return heard

    side_by_side, engine.workers = engine.workers, 1
    try:
        expected = calls(engine)
    finally:
        engine.workers = side_by_side
    endings = {ended.id: ended.status for ended in expected if hasattr(ended, "status")}
    assert set(endings.values()) == {"finished", "diverged", "failed"}
    assert calls(InProcessEngine(workers=1, threads=1, folder=tmp_path, data=data, sources=())) == expected


@pytest.fixture
def same_ray(engine, monkeypatch):
    """Have further engines use the Ray that is there: to start one takes seconds."""
    monkeypatch.setattr("nas_rnn.engine.engine.local_ray", lambda *given: contextlib.nullcontext())


def test_checkpoints_lie_at_the_storage_uri_and_runs_go_on_from_there(same_ray, data, tmp_path):
    folder, uri = tmp_path / "runs", (tmp_path / "shared").as_uri()
    with Engine(
        workers=1, threads=1, folder=folder, data=data, sources=(), storage=uri, report_every=0.0
    ) as engine:
        seen: list[int] = []
        first = RunList([spec("a", rnn, 40)], on_epoch=lambda spec, record: seen.append(record.epoch))
        engine.run(first, should_stop=lambda: len(seen) >= 2)
        assert (tmp_path / "shared" / "a" / "checkpoint.safetensors").is_file()
        assert not (folder / "a" / "checkpoint.safetensors").exists()
        before = len((folder / "a" / "metrics.jsonl").read_text().splitlines())
        again = RunList([spec("a", rnn, 40)])
        engine.run(again)
    result = again.results["a"]
    assert [record.epoch for record in result.epochs] == list(range(1, 41)) and before >= 2


def test_a_gpu_asked_for_where_there_is_none_is_said(same_ray, data, tmp_path):
    with (
        pytest.raises(UserError, match=r"asks for 1 GPU, and there is no GPU .* --gpus-per-trial"),
        Engine(workers=1, threads=1, folder=tmp_path, data=data, sources=(), gpus_per_run=1.0),
    ):
        pass


def test_a_storage_that_cannot_be_written_is_said_before_anything_is_trained(same_ray, data, tmp_path):
    (tmp_path / "file").touch()
    uri = (tmp_path / "file" / "folder").as_uri()
    engine = Engine(workers=1, threads=1, folder=tmp_path / "t", data=data, sources=(), storage=uri)
    with pytest.raises(UserError, match=r"--storage: cannot write at 'file://.*/file/folder'"), engine:
        pass
