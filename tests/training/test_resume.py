"""A run that was killed goes on as if it had not been."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas_rnn.errors import UserError
from nas_rnn.execution.marks import KEY
from nas_rnn.plugins import load_cell
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.training import EpochRecord, RunSpec, RunStore
from nas_rnn.training.model import RnnOfSpec, cell_rnn
from nas_rnn.training.trainer import Trainer

MakeTrainer = Callable[..., Trainer]
Comparable = Callable[[list[EpochRecord]], list[EpochRecord]]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(tensor, b[name]) for name, tensor in a.items())


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("done", [1, 2])
def test_curve_weights_and_optimiser_are_bit_for_bit_those_of_an_unstopped_run(
    tmp_path: Path,
    make_trainer: MakeTrainer,
    spec_with: Callable[..., RunSpec],
    comparable: Comparable,
    dropout: float,
    done: int,
) -> None:
    spec = replace(spec_with(dropout=dropout, layers=2), role="final", read_test=True)
    whole, parts = RunStore(tmp_path / "whole"), RunStore(tmp_path / "parts")
    unstopped = make_trainer(spec, whole)
    stopped = make_trainer(spec, parts)
    for _ in range(done):
        stopped.run_epoch()
    resumed = make_trainer(spec, parts)
    assert resumed.epoch == done
    for trainer in (unstopped, resumed):
        while not trainer.finished:
            trainer.run_epoch()
    assert comparable(resumed.records) == comparable(unstopped.records)
    assert comparable(parts.read_records()) == comparable(whole.read_records())
    one, two = whole.read_checkpoint(), parts.read_checkpoint()
    assert one is not None
    assert two is not None
    for group in ("weights", "best", "average", "optimizer", "random"):
        assert same(getattr(one, group), getattr(two, group))
    assert resumed.result().test_statistics == unstopped.result().test_statistics


def test_best_weights_of_an_earlier_epoch_come_back(
    tmp_path: Path, make_ramp: Callable[..., Trainer]
) -> None:
    store = RunStore(tmp_path)
    first = make_ramp(store)
    for _ in range(3):
        first.run_epoch()
    resumed = make_ramp(store)
    resumed.run_epoch()
    assert resumed.result().best_epoch == 2
    assert float(resumed.best_weights["weight"]) == pytest.approx(1.2, abs=1e-4)


def test_the_curve_is_cut_to_the_checkpoint(tmp_path: Path, make_trainer: MakeTrainer, spec: RunSpec) -> None:
    store = RunStore(tmp_path)
    record = make_trainer(spec, store).run_epoch()
    store.append_record(replace(record, epoch=2))
    with store.files.folder.joinpath("metrics.jsonl").open("ab") as file:
        file.write(b'{"epoch": 3, "tr')
    make_trainer(spec, store)
    assert store.read_records() == [record]
    assert store.files.folder.joinpath("metrics.jsonl").read_bytes().count(b"\n") == 1


def test_a_death_between_checkpoint_and_curve_loses_nothing(
    tmp_path: Path, make_trainer: MakeTrainer, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "append_record", die)
        with pytest.raises(KeyboardInterrupt):
            make_trainer(spec, store).run_epoch()
    resumed = make_trainer(spec, store)
    assert resumed.epoch == 1
    assert store.read_records() == resumed.records


def test_a_curve_without_a_checkpoint_starts_again(
    tmp_path: Path, make_trainer: MakeTrainer, spec: RunSpec
) -> None:
    store = RunStore(tmp_path)
    make_trainer(spec, store).run_epoch()
    store.drop_checkpoint()
    assert make_trainer(spec, store).epoch == 0
    assert store.read_records() == []


def test_another_run_s_folder_is_refused(
    tmp_path: Path, make_trainer: MakeTrainer, spec: RunSpec, spec_with: Callable[..., RunSpec]
) -> None:
    store = RunStore(tmp_path)
    make_trainer(spec, store).run_epoch()
    other = replace(spec_with(learning_rate=0.5), seed=4)
    with pytest.raises(UserError, match=r"differs in seed, training\.learning_rate; give this run a folder"):
        make_trainer(other, store)
    with pytest.raises(UserError, match=r"differs in training\.backend; give this run a folder"):
        make_trainer(spec_with(backend="eager"), store)
    renamed = replace(spec_with(threads=2, device="auto"), id="r9", role="final", name="n", read_test=True)
    assert make_trainer(renamed, store).epoch == 1
    assert store.read_spec() == renamed


def test_a_run_that_was_stopped_goes_on_as_one_that_never_was(
    tmp_path: Path, make_trainer: MakeTrainer, spec_with: Callable[..., RunSpec], comparable: Comparable
) -> None:
    """What a run does in an epoch does not depend on how many there are to be."""
    short, long = spec_with(epochs=2, dropout=0.3), spec_with(epochs=5, dropout=0.3)
    store = RunStore(tmp_path)
    stopped = make_trainer(short, store)
    while not stopped.finished:
        stopped.run_epoch()
    promoted, unstopped = make_trainer(long, store), make_trainer(long)
    assert promoted.epoch == 2
    for trainer in (promoted, unstopped):
        while not trainer.finished:
            trainer.run_epoch()
    assert comparable(promoted.records) == comparable(unstopped.records)
    assert same(promoted.best_weights, unstopped.best_weights)
    with pytest.raises(UserError, match=r"differs in training\.decay, training\.epochs;"):
        make_trainer(spec_with(epochs=6, decay="linear", dropout=0.3), store)


KILLED = """
import sys
from pathlib import Path
import json
from torch import nn
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.training import RunSpec, RunStore
from nas_rnn.training.trainer import Trainer
folder = Path(sys.argv[1])
spec = RunSpec.from_dict(json.loads(sys.argv[2]))
data = CharLM().load(folder / "text.txt")
lstm = lambda spec, size: nn.LSTM(size, spec.hidden_size)
trainer = Trainer(spec, CharLM(), data, RunStore(folder / "run"), make_rnn=lstm)
while not trainer.finished:
    trainer.run_epoch()
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a process as POSIX does")
def test_a_process_that_was_killed_is_continued_by_another(
    tmp_path: Path, spec_with: Callable[..., RunSpec], comparable: Comparable, torch_lstm: RnnOfSpec
) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat. " * 20)
    spec, store = spec_with(epochs=80, dropout=0.2), RunStore(tmp_path / "run")
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), json.dumps(spec.to_dict())])
    while process.poll() is None and len(store.read_records()) < 3:
        time.sleep(0.003)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    data = CharLM().load(tmp_path / "text.txt")
    resumed = Trainer(spec, CharLM(), data, store, make_rnn=torch_lstm)
    unstopped = Trainer(spec, CharLM(), data, make_rnn=torch_lstm)
    assert 3 <= resumed.epoch < 80
    for trainer in (resumed, unstopped):
        while not trainer.finished:
            trainer.run_epoch()
    assert comparable(resumed.records) == comparable(unstopped.records)
    assert store.read_records() == resumed.records
    assert same(resumed.best_weights, unstopped.best_weights)


def test_checkpoints_from_before_state_dicts_told_their_cell(
    tmp_path: Path, make_trainer: MakeTrainer, spec: RunSpec
) -> None:
    """They are of the run's own model, and are gone on from."""
    spec = replace(spec, cell=load_cell("lstm").to_text())
    store, old = RunStore(tmp_path / "new"), RunStore(tmp_path / "old")
    make_trainer(spec, store, cell_rnn).run_epoch()
    checkpoint = store.read_checkpoint()
    assert checkpoint is not None
    bare = [
        {name: tensor for name, tensor in tensors.items() if not name.endswith(KEY)}
        for tensors in (checkpoint.weights, checkpoint.best)
    ]
    assert len(bare[0]) < len(checkpoint.weights)
    old.write_checkpoint(replace(checkpoint, weights=bare[0], best=bare[1]))
    one, two = (make_trainer(spec, place, cell_rnn) for place in (store, old))
    assert same(one.best_weights, two.best_weights)
    assert same(one.best_model().state_dict(), two.best_model().state_dict())
