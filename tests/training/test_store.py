"""A run's folder is readable after a crash at any moment."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas_rnn.errors import NasRnnError
from nas_rnn.training import EpochRecord, RunSpec, RunStore
from nas_rnn.training.checkpoint import Checkpoint

RECORD = EpochRecord(
    epoch=1,
    train_loss=2.0,
    valid_loss=1.5,
    metric=2.1,
    seconds=3.0,
    units_per_second=1e5,
    gradient_norm=0.3,
    clipped=0.0,
)
SECOND = replace(RECORD, epoch=2, metric=1.9)


class Killed(BaseException):
    """Stands for the process's death: nothing in the code under test may catch it."""


def checkpoint(spec: RunSpec, value: float) -> Checkpoint:
    tensors = {"a.b": torch.full((3, 2), value), "c": torch.tensor(value, dtype=torch.float64)}
    return Checkpoint(
        spec=spec,
        records=[RECORD],
        weights=tensors,
        best={"a.b": torch.zeros(1)},
        optimizer={"0.step": torch.tensor(7.0)},
        random={"cpu": torch.get_rng_state()},
    )


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "r1")
    assert store.read_spec() is None
    assert store.read_result() is None
    assert store.read_checkpoint() is None
    assert store.read_records() == []


def test_checkpoint_round_trip_is_exact(tmp_path: Path, spec: RunSpec) -> None:
    store = RunStore(tmp_path / "r1")
    written = checkpoint(spec, 0.1)
    store.write_checkpoint(written)
    read = store.read_checkpoint()
    assert read is not None
    assert (read.spec, read.records) == (spec, [RECORD])
    for group in ("weights", "best", "optimizer", "random"):
        before, after = getattr(written, group), getattr(read, group)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert all(before[name].dtype == after[name].dtype for name in before)


def test_weights_that_share_memory_can_be_written(tmp_path: Path, spec: RunSpec) -> None:
    tied = torch.ones(2, 2)
    store = RunStore(tmp_path)
    store.write_checkpoint(replace(checkpoint(spec, 1.0), weights={"a": tied, "b": tied, "c": tied.T}))
    read = store.read_checkpoint()
    assert read is not None
    assert set(read.weights) == {"a", "b", "c"}


@pytest.mark.parametrize("moment", ["fsync", "replace", "after"])
def test_a_writer_that_dies_leaves_the_old_or_the_new_checkpoint(
    tmp_path: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    store = RunStore(tmp_path / "r1")
    store.write_checkpoint(checkpoint(spec, 1.0))

    def die(*_: object) -> None:
        raise Killed

    target = {"fsync": (os, "fsync"), "replace": (Path, "replace"), "after": (os, "close")}[moment]
    with monkeypatch.context() as patch:
        patch.setattr(*target, die)
        with pytest.raises(Killed):
            store.write_checkpoint(checkpoint(spec, 2.0))
    read = store.read_checkpoint()
    assert read is not None
    assert float(read.weights["c"]) == (2.0 if moment == "after" else 1.0)
    store.clear_leftovers()
    assert [path.name for path in store.files.folder.iterdir()] == ["checkpoint.safetensors"]


def test_a_full_disk_is_an_error_that_leaves_the_old_file(
    tmp_path: Path, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path)
    store.write_checkpoint(checkpoint(spec, 1.0))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(NasRnnError, match=r"cannot write .*checkpoint.*: No space left on device"):
            store.write_checkpoint(checkpoint(spec, 2.0))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    read = store.read_checkpoint()
    assert read is not None
    assert float(read.weights["c"]) == 1.0


@pytest.mark.parametrize("damage", [lambda b: b[:-5], lambda b: b[:20], lambda _: b"", lambda _: b"x" * 99])
def test_a_damaged_checkpoint_is_said_to_be_one(
    tmp_path: Path, spec: RunSpec, damage: Callable[[bytes], bytes]
) -> None:
    store = RunStore(tmp_path)
    store.write_checkpoint(checkpoint(spec, 1.0))
    store.files.folder.joinpath("checkpoint.safetensors").write_bytes(
        damage(store.files.folder.joinpath("checkpoint.safetensors").read_bytes())
    )
    with pytest.raises(NasRnnError, match="no readable checkpoint"):
        store.read_checkpoint()
    store.drop_checkpoint()
    assert store.read_checkpoint() is None


@pytest.mark.parametrize("torn", [b'{"epoch": 2, "tra', b'{"epoch": 2}', b"\xff"])
def test_a_torn_last_line_of_the_curve_is_passed_over(tmp_path: Path, torn: bytes) -> None:
    store = RunStore(tmp_path / "r1")
    store.append_record(RECORD)
    with store.files.folder.joinpath("metrics.jsonl").open("ab") as file:
        file.write(torn)
    assert store.read_records() == [RECORD]
    store.replace_records([RECORD])
    store.append_record(SECOND)
    assert store.read_records() == [RECORD, SECOND]


def test_an_unreadable_line_inside_the_curve_is_named(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.append_record(RECORD)
    store.files.folder.joinpath("metrics.jsonl").write_bytes(
        b"{]\n" + store.files.folder.joinpath("metrics.jsonl").read_bytes()
    )
    with pytest.raises(NasRnnError, match="line 1 of "):
        store.read_records()


def test_samples_keep_their_numbers_past_a_torn_line(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "r1")
    assert store.read_samples() == {}
    store.append_samples([{"at_ms": 1, "cpu": 2.0}, {"at_ms": 2, "cpu": 3.0}])
    path = tmp_path / "r1" / "system.jsonl"
    path.write_bytes(path.read_bytes() + b'{"at_ms": 3, "c')
    assert list(store.read_samples()) == [0, 1]
    store.append_samples([{"at_ms": 4, "cpu": 5.0}, {"at_ms": 5, "cpu": 6.0}])
    assert store.read_samples() == {
        0: {"at_ms": 1, "cpu": 2.0},
        1: {"at_ms": 2, "cpu": 3.0},
        3: {"at_ms": 5, "cpu": 6.0},
    }
