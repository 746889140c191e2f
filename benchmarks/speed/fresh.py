"""What must be measured in a process of its own: the first step of a cell, and the memory of a step."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.execution import RNN
from nas_rnn.execution.fused.kernels import products
from speed.cases import MIDDLE, SHAPES
from speed.rows import Row, Shape, make_row
from speed.timing import training_step

LATER_STEPS = 7
SEEN = {
    "cold": "nothing compiled yet on this machine",
    "new": "the shared products compiled before, the cell never seen",
    "cached": "the same cell in another process",
}
"""What lies in the cache folder when the step is taken."""


def first_step_rows(cells: Iterable[Cell], threads: int, repeats: int) -> list[Row]:
    """Return the time of each cell's first step beside a later one, for each of `SEEN`.

    ``ours`` is the time from the cell to the end of its first training step, in seconds, ``theirs`` that of a
    later step: the wait is the difference. Torch itself has been used by then.
    """
    rows: list[Row] = []
    for cell in cells:
        taken: dict[str, list[dict[str, float]]] = {name: [] for name in SEEN}
        for _ in range(repeats):
            with tempfile.TemporaryDirectory(prefix="first-step-") as folder:
                taken["cold"].append(_first_step(cell, threads, Path(folder, "cold")))
                _in_fresh_process("products", {}, threads, Path(folder, "warm"))
                taken["new"].append(_first_step(cell, threads, Path(folder, "warm")))
                taken["cached"].append(_first_step(cell, threads, Path(folder, "warm")))
        for name, found in taken.items():
            first, later = ([each[key] for each in found] for key in ("first", "later"))
            about = {"set": "first-step", "cell": cell.name, "shape": MIDDLE, "threads": threads}
            wait = statistics.median(each["first"] - each["later"] for each in found)
            rows.append(make_row(first, later, peer=name, unit="s", wait_seconds=wait, **about))
    return rows


def memory_rows(threads: int, repeats: int) -> list[Row]:
    """Return the rise of the process's peak memory, in MB, over a training step: ours against nn.LSTM."""
    found: dict[str, list[float]] = {"fused": [], "nn.LSTM": []}
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        for _ in range(repeats):
            for name, values in found.items():
                values.append(_in_fresh_process("memory", {"who": name}, threads, Path(folder))["rise"])
    about = {"set": "memory", "cell": "lstm", "shape": SHAPES[4], "threads": threads, "peer": "nn.LSTM"}
    return [make_row(found["fused"], found["nn.LSTM"], unit="MB", **about)]


def _first_step(cell: Cell, threads: int, cache: Path) -> dict[str, float]:
    return _in_fresh_process("first-step", {"cell": cell.to_text()}, threads, cache)


def _in_fresh_process(what: str, given: Mapping[str, Any], threads: int, cache: Path) -> dict[str, float]:
    cache.mkdir(parents=True, exist_ok=True)
    code = f"from speed.fresh import work; work({what!r}, {dict(given)!r}, {threads})"
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"the process for {what} failed: {done.stderr.strip()[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


# What runs in the process


def work(what: str, given: Mapping[str, Any], threads: int) -> None:
    """Measure one thing, and print it as JSON."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if what == "products":
        products(torch.float32)
        print("{}")
    elif what == "first-step":
        print(json.dumps(_time_first_step(parse_cell(given["cell"]), MIDDLE)))
    else:
        print(json.dumps({"rise": _memory_of_a_step(given["who"], SHAPES[4])}))


def _data(shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
    return (
        torch.randn(shape.steps, shape.batch, shape.input_size),
        torch.randn(shape.steps, shape.batch, shape.hidden_size),
    )


def _time_first_step(cell: Cell, shape: Shape) -> dict[str, float]:
    x, d_output = _data(shape)
    training_step(nn.LSTM(shape.input_size, shape.hidden_size), x, d_output)()
    start = time.perf_counter()
    rnn = RNN(cell, shape.input_size, shape.hidden_size)
    step = training_step(rnn, x, d_output)
    step()
    first = time.perf_counter() - start
    assert rnn.backend == "fused", f"{cell.name} fell back: {rnn.fallback}"
    return {"first": first, "later": statistics.median(_times(step, LATER_STEPS))}


def _times(step: Any, count: int) -> Sequence[float]:
    found = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        found.append(time.perf_counter() - start)
    return found


def _memory_of_a_step(who: str, shape: Shape) -> float:
    """Return by how many MB one training step raises the most memory that the process ever held."""
    sizes = shape.input_size, shape.hidden_size
    module = RNN("lstm", *sizes) if who == "fused" else nn.LSTM(*sizes)
    small = _data(shape._replace(steps=2))
    training_step(module, *small)()  # what libraries, compilation and threads take is no part of a step
    module.zero_grad(set_to_none=True)
    step = training_step(module, *_data(shape))
    forget_peak()
    before = peak_memory()
    step()
    return peak_memory() - before


def forget_peak() -> None:
    """Make the memory held now the peak, where the system can (Linux): imports left a higher one."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> float:
    """Return the most memory that this process held, in MB.

    On Linux it is read from /proc: getrusage's figure there starts with that of the process that called this
    one, which may be larger than anything a step takes.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    except (OSError, StopIteration):
        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return size / (1024 * 1024 if sys.platform == "darwin" else 1024)
