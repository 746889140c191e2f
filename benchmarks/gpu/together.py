"""Several candidates on one GPU, each a process as a worker is one, against one after the other.

A process says that it is ready after its first steps, so that neither starting nor compiling counts.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from speed.rows import Shape
from torch import nn

import nas_rnn
from gpu.contenders import Ours
from nas_rnn.execution import RNN

CELLS = ("lstm", "gru", "nascell", "fastgrnn")
"""What the processes train, in turn."""


def work(name: str, shape: Shape, steps: int, device: torch.device) -> None:
    """Train a layer of the cell ``name``: say "ready", wait for a line, train ``steps`` and say "done"."""
    torch.manual_seed(0)
    layer = Ours(RNN(nas_rnn.load_cell(name), shape.input_size, shape.hidden_size), "auto", "float32")
    model = nn.ModuleList([layer, nn.Linear(shape.hidden_size, 1)]).to(device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    x = torch.randn(shape.steps, shape.batch, shape.input_size, device=device)

    def train(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            model[1](model[0](x)).square().mean().backward()
            optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    train(min(3, steps))
    print("ready", flush=True)
    sys.stdin.readline()
    train(steps)
    print("done", flush=True)


def seconds_of(script: Path, options: list[str], cells: list[str], patience: float) -> float:
    """Return how long processes that train these cells take side by side. Raises `RuntimeError` where one fails."""
    begun = time.monotonic()
    command = [sys.executable, str(script), *options]
    processes = [
        subprocess.Popen(
            [*command, "--work", cell],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for cell in cells
    ]
    try:
        for process in processes:
            _expect(process, "ready")
        start = time.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            _expect(process, "done")
        took = time.perf_counter() - start
        for process in processes:
            process.communicate(timeout=max(1.0, patience - (time.monotonic() - begun)))
        return took
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def _expect(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None and process.stderr is not None
    for line in process.stdout:
        if line.strip() == word:
            return
    told = process.stderr.read().strip().splitlines()
    raise RuntimeError(told[-1] if told else f"a process ended before it was {word}")


def compared(
    script: Path, options: list[str], count: int, alone: dict[str, float], patience: float
) -> dict[str, Any]:
    """Return a row: ``count`` at once, against the sum of what each takes ``alone`` (which is filled)."""
    cells = [CELLS[number % len(CELLS)] for number in range(count)]
    row: dict[str, Any] = {
        "count": count,
        "cells": cells,
        "seconds": None,
        "after_each_other": None,
        "ratio": None,
    }
    try:
        for cell in cells:
            if cell not in alone:
                alone[cell] = seconds_of(script, options, [cell], patience)
        row["after_each_other"] = sum(alone[cell] for cell in cells)
        row["seconds"] = alone[cells[0]] if count == 1 else seconds_of(script, options, cells, patience)
        row["ratio"] = row["seconds"] / row["after_each_other"]
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return {**row, "problem": str(error)}
    return {**row, "problem": None}
