"""Runs that find no memory on their GPU. There is none here: torch's errors are raised where it would raise them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nas_rnn import plugins
from nas_rnn.engine.worker import Worker
from nas_rnn.training.files import LocalFiles
from nas_rnn.training.memory import explain_out_of_memory, release_memory
from nas_rnn.training.trainer import Trainer
from tests.engine.runs import spec

TORCHS = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 139.81 GiB of which 12.50 MiB is "
    "free. Including non-PyTorch memory, this process has 119.50 GiB memory in use. Of the allocated memory 118.00 GiB "
    "is allocated by PyTorch, and 1.00 GiB is reserved by PyTorch but unallocated."
)


def test_the_figures_are_told() -> None:
    told = explain_out_of_memory(torch.OutOfMemoryError(TORCHS))
    assert told is not None and "\n" not in told
    assert "20.00 GiB more were asked for, GPU 0 has 139.81 GiB, of which 12.50 MiB were free" in told
    assert "batch" in told and "--gpus-per-trial" in told


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("MPS backend out of memory"),
        RuntimeError("CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA`"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
    ],
)
def test_without_figures_it_is_told_all_the_same(error: Exception) -> None:
    told = explain_out_of_memory(error)
    assert told is not None and "out of memory; " in told and "\n" not in told


@pytest.mark.parametrize(
    "error", [MemoryError(), ValueError("CUDA out of memory"), RuntimeError("CUDA error: no kernel image")]
)
def test_other_errors_are_no_such(error: Exception) -> None:
    assert explain_out_of_memory(error) is None


def test_nothing_is_released_where_no_gpu_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append("emptied"))
    release_memory()
    assert calls == []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    release_memory()
    assert calls == ["emptied"]


def test_such_a_run_fails_by_itself_and_the_worker_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    released: list[list[Any]] = []
    task = plugins.registry().find("task", "char-lm").value()
    data = task.load(None)
    worker = Worker(lambda _: data, lambda run: LocalFiles(tmp_path / run), {})
    run_epoch = Trainer.run_epoch

    def fails_in_its_second(trainer: Trainer) -> Any:
        if trainer.spec.id == "large" and trainer.epoch == 1:
            raise torch.OutOfMemoryError(TORCHS)
        return run_epoch(trainer)

    monkeypatch.setattr(Trainer, "run_epoch", fails_in_its_second)
    monkeypatch.setattr("nas_rnn.engine.worker.release_memory", lambda: released.append([]))
    cell = plugins.load_cell("rnn")
    worker.begin({"spec": spec("large", cell, 3).to_dict(), "sign": 1})
    assert worker.step()["ending"] == ""
    ended = worker.step()
    assert ended["ending"] == "failed" and "20.00 GiB more were asked for" in ended["reason"]
    assert len(released) == 1
    assert "OutOfMemoryError" in (tmp_path / "large" / "traceback.txt").read_text()
    worker.begin({"spec": spec("small", cell, 1).to_dict(), "sign": 1})
    assert worker.step()["ending"] == "finished"
