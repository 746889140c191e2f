"""How long a training step takes on the device, and how much memory it adds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from speed.rows import Shape, quartiles
from torch import Tensor

from gpu.contenders import Contender
from nas_rnn.execution.fused.triton.graphs import GRAPHS
from nas_rnn.training.memory import explain_out_of_memory, release_memory

FEWEST, MOST = 5, 50
"""How many steps are timed."""


def measured(
    name: str, shape: Shape, contender: Contender, device: torch.device, seconds: float
) -> dict[str, Any]:
    """Return a row; ``problem`` says why there are no figures. Steps are timed for about ``seconds``."""
    row: dict[str, Any] = {
        "case": f"{name} {tuple(shape)}",
        "cell": name,
        "shape": list(shape),
        "peer": contender.name,
        "against": contender.against,
        "exact": contender.exact,
        **dict.fromkeys(("ms", "low", "high", "megabytes", "first_seconds", "problem")),
    }
    before = torch.backends.fp32_precision
    torch.backends.fp32_precision = "ieee" if contender.exact else "tf32"
    try:
        row |= _figures(shape, contender, device, seconds)
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else ""
        row["problem"] = explain_out_of_memory(error) or f"{type(error).__name__}: {first}"
    finally:
        torch.backends.fp32_precision = before
        GRAPHS.clear()
        release_memory()
    return row


def _figures(shape: Shape, contender: Contender, device: torch.device, seconds: float) -> dict[str, Any]:
    torch.manual_seed(0)
    module = contender.make().to(device)
    x = torch.randn(shape.steps, shape.batch, shape.input_size, device=device, dtype=contender.dtype)
    step = _step(module, x.requires_grad_())
    begun = time.perf_counter()
    step()
    _wait(device)
    first = time.perf_counter() - begun
    for _ in range(2):  # a graph is recorded at the second
        step()
    megabytes = _memory(step, device)
    begun, times = time.perf_counter(), []
    while len(times) < MOST and (len(times) < FEWEST or time.perf_counter() - begun < seconds):
        times.append(_milliseconds(step, device))
    low, _, high = quartiles(times)
    found = {"ms": statistics.median(times), "low": low, "high": high, "steps": len(times)}
    return {**found, "megabytes": megabytes, "first_seconds": first}


def _step(module: torch.nn.Module, x: Tensor) -> Callable[[], None]:
    """Return a function that runs forwards and backwards, to the input and every weight."""
    d_output: list[Tensor] = []

    def step() -> None:
        module.zero_grad(set_to_none=True)
        x.grad = None
        output = module(x)
        output = output if isinstance(output, Tensor) else output[0]
        if not d_output:
            d_output.append(torch.randn_like(output))
        output.backward(d_output[0])

    return step


def _milliseconds(step: Callable[[], None], device: torch.device) -> float:
    if device.type != "cuda":
        begun = time.perf_counter()
        step()
        return (time.perf_counter() - begun) * 1e3
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize(device)
    start.record()
    step()
    end.record()
    torch.cuda.synchronize(device)
    return float(start.elapsed_time(end))


def _memory(step: Callable[[], None], device: torch.device) -> float | None:
    """Return the megabytes by which a step raises what is allocated, at its peak."""
    if device.type != "cuda":
        return None
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    step()
    torch.cuda.synchronize(device)
    return (torch.cuda.max_memory_allocated(device) - before) / 1e6


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
