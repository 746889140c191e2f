"""The engine: runs go side by side, a dead worker costs a retry, and nothing listens beyond this machine."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from nas_rnn.cells.zoo.classic import gru, lstm, rnn
from nas_rnn.engine import Engine, Next, RunList
from nas_rnn.engine.schedulers import first_rung
from nas_rnn.engine.searcher import SourceSearcher
from nas_rnn.engine.trainable import WorkerSetup
from nas_rnn.plugins import registry
from nas_rnn.training import CannotStore, RunSpec, RunStore, TrainingOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from experiment_runs import write_text


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    task = registry().find("task", "char-lm").value()
    return task.load(write_text(tmp_path_factory.mktemp("text") / "text.txt"))


def spec(id, cell, epochs=3, role="candidate", **training):
    options = TrainingOptions(epochs=epochs, batch=8, length=16, **training)
    return RunSpec(
        id=id,
        role=role,
        name=cell.name,
        cell=cell.to_text(),
        hidden_size=12,
        task="char-lm",
        training=options,
        seed=1,
        data_seed=2,
    )


def workers() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "RunTrainable" in line and os.getpid() in {parent.pid for parent in process.parents()}:
            found.append(process)
    return found


@pytest.fixture(scope="module")
def engine(data, tmp_path_factory):
    with Engine(
        workers=2, threads=1, folder=tmp_path_factory.mktemp("trials"), data=data, sources=()
    ) as opened:
        yield opened


def test_a_worker_that_dies_costs_a_retry_from_its_checkpoint_and_nothing_else(engine):
    epochs: list[tuple[str, int]] = []
    killed: list[int] = []

    def on_epoch(spec, record):
        epochs.append((spec.id, record.epoch))
        if not killed and record.epoch == 2:
            for worker in workers():
                os.kill(worker.pid, signal.SIGKILL)
                killed.append(worker.pid)

    runs = RunList([spec("a", rnn, 8), spec("b", gru, 8)], on_epoch=on_epoch)
    assert engine.run(runs) == "complete"
    assert killed
    assert {id: result.status for id, result in runs.results.items()} == {"a": "finished", "b": "finished"}
    for id in ("a", "b"):
        assert [epoch for run, epoch in epochs if run == id] == list(range(1, 9))


def test_a_worker_that_dies_between_two_runs_costs_the_next_one_nothing(engine):
    told: list[str] = []

    def on_done(spec, result):
        if spec.id == "first":
            for worker in workers():
                os.kill(worker.pid, signal.SIGKILL)

    engine._tell = told.append
    runs = RunList([spec("first", rnn, 1), spec("second", gru, 2), spec("third", gru, 2)], on_done=on_done)
    assert engine.run(runs) == "complete"
    assert {id: result.status for id, result in runs.results.items()} == dict.fromkeys(
        ("first", "second", "third"), "finished"
    )
    assert told and all("died; the run goes on" in line for line in told)


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
    assert runs.results["bad"].status == "failed" and "died again and again" in runs.results["bad"].reason
    assert searcher.suggest("4") == SourceSearcher.FINISHED


def test_a_run_that_raises_fails_alone_with_its_reason(engine):
    broken = spec("broken", rnn)
    broken = RunSpec.from_dict({**broken.to_dict(), "task_options": {"nonsense": 1}})
    runs = RunList([broken, spec("sound", lstm)])
    engine.run(runs)
    assert runs.results["sound"].status == "finished"
    assert runs.results["broken"].status == "failed"
    assert "nonsense" in runs.results["broken"].reason


def test_a_worker_that_cannot_keep_anything_ends_all_and_its_run_has_no_result(engine, capfd):
    """The disk is full, or a folder is in the way: no fault of the run, which is to go on later."""
    (engine._folder / "blocked").write_text("a file where the run's folder would be")
    runs = RunList([spec("blocked", rnn)])
    with pytest.raises(CannotStore, match=r"cannot write .*blocked/\S+: "):
        engine.run(runs)
    assert runs.results == {}
    assert "Traceback" not in capfd.readouterr().err


def test_an_exception_of_the_source_ends_the_run_and_is_raised(engine):
    class Broken:
        def next(self):
            raise ValueError("no more sense")

    with pytest.raises(ValueError, match="no more sense"):
        engine.run(Broken())


def test_asked_to_stop_it_leaves_running_runs_at_their_checkpoint(engine, tmp_path):
    seen: list[int] = []
    runs = RunList([spec("long", rnn, 400)], on_epoch=lambda spec, record: seen.append(record.epoch))
    assert engine.run(runs, should_stop=lambda: len(seen) >= 2) == "interrupted"
    assert runs.results == {}
    kept = RunStore(engine._folder / "long")
    assert len(kept.read_records()) >= 2 and kept.read_checkpoint() is not None


def test_asha_stops_candidates_that_are_behind_and_never_the_baseline(engine):
    good = [spec(f"good{i}", lstm, 9, learning_rate=0.01) for i in range(3)]
    bad = [spec(f"bad{i}", lstm, 9, learning_rate=1e-7) for i in range(3)]
    baseline = spec("base", lstm, 9, role="baseline", learning_rate=1e-7)
    runs = RunList([*good, *bad, baseline])
    engine.run(runs, scheduler="asha", epochs=9)
    assert runs.results["base"].status == "finished" and len(runs.results["base"].epochs) == 9
    stopped = [result for id, result in runs.results.items() if id.startswith("bad")]
    assert any(result.status == "stopped" and len(result.epochs) < 9 for result in stopped)
    for result in stopped:
        assert result.best_metric is not None and result.parameters > 0
        assert result.backend == "fused" and result.fallback is None


@pytest.mark.parametrize(("epochs", "rung"), [(1, 1), (4, 1), (16, 1), (17, 2), (50, 3), (100, 6)])
def test_the_first_rung_is_at_six_per_cent_of_the_budget(epochs, rung):
    assert first_rung(epochs) == rung


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


def test_a_source_may_ask_to_wait(engine):
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
    engine.run(runs)
    assert set(runs.results) == {"first", "second"}


def test_ray_listens_on_the_loopback_interface_only(engine):
    family = {process.pid for process in psutil.Process().children(recursive=True)} | {os.getpid()}
    listening = [
        c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN and c.pid in family
    ]
    assert listening
    assert {c.laddr.ip for c in listening} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
