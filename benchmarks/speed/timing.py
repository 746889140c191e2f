"""Times a case: ours and all its peers take turns, in one process."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas_rnn.execution import RNN
from speed.bound import make_bound
from speed.cases import Case
from speed.naive import NaiveRNN
from speed.rows import Row, make_row

OURS, PRODUCTS = "fused", "products"
WARM_UP = 3
FEWEST = 5
"""So many rounds are measured whatever they take."""

Step = Callable[[], None]


@dataclass(frozen=True)
class Effort:
    """At most ``rounds``, and none begins after ``seconds``."""

    rounds: int = 15
    seconds: float = 20.0


def interleaved(steps: Mapping[str, Step], effort: Effort) -> dict[str, list[float]]:
    """Return the milliseconds of each step, round by round; who comes first changes with the round."""
    for _ in range(WARM_UP):
        for step in steps.values():
            step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        for number in range(effort.rounds):
            if number >= FEWEST and time.perf_counter() - began > effort.seconds:
                break
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                start = time.perf_counter()
                steps[name]()
                times[name].append((time.perf_counter() - start) * 1e3)
    finally:
        gc.enable()
    return times


def training_step(module: nn.Module, x: Tensor, d_output: Tensor) -> Step:
    """Return a function that runs ``module`` forwards and backwards, to the input and every weight."""
    x = x.clone().requires_grad_()

    def step() -> None:
        module.zero_grad(set_to_none=True)
        x.grad = None
        output = module(x)
        (output if isinstance(output, Tensor) else output[0]).backward(d_output)

    return step


def measure(case: Case, threads: int, effort: Effort, compiled: bool = False) -> list[Row]:
    """Return a row for each peer of ``case``. ``compiled``: torch.compile of the naive module among them.

    Raises `AssertionError` where our output or the naive module's is not the reference's.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    shape = case.shape
    x = torch.randn(shape.steps, shape.batch, shape.input_size)
    d_output = torch.randn(shape.steps, shape.batch, shape.hidden_size)
    modules = make_modules(case)
    steps = {name: training_step(module, x, d_output) for name, module in modules.items()}
    ours = modules[OURS]
    assert isinstance(ours, RNN)
    assert ours.backend == OURS, f"{case.cell.name} fell back to {ours.backend}: {ours.fallback}"
    steps[PRODUCTS] = make_bound(modules["naive"].layout, shape.steps, shape.batch)  # type: ignore[arg-type]
    first: dict[str, float] = {}
    if compiled:
        torch._dynamo.reset()
        steps["compile"] = training_step(torch.compile(modules["naive"]), x, d_output)  # type: ignore[arg-type]
        start = time.perf_counter()
        steps["compile"]()
        first["compile"] = time.perf_counter() - start
    times = interleaved(steps, effort)
    about = {"set": case.set, "cell": case.cell.name, "shape": shape, "threads": threads}
    return [
        make_row(times[OURS], times[peer], peer=peer, first_seconds=first.get(peer), **about)
        for peer in steps
        if peer != OURS
    ]


def make_modules(case: Case) -> dict[str, nn.Module]:
    """Return ours and the peers that are modules, with the same weights where the cell is the same."""
    cell, sizes = case.cell, (case.shape.input_size, case.shape.hidden_size)
    modules: dict[str, nn.Module] = {}
    twin = case.twin(*sizes) if case.twin is not None else None
    ours = RNN.from_torch(twin) if isinstance(twin, nn.RNNBase) and case.is_same else RNN(cell, *sizes)
    eager = RNN(cell, *sizes, backend="eager")
    eager.load_state_dict(ours.state_dict())
    modules[OURS] = ours
    if case.twin is not None and twin is not None:
        is_torchs = case.twin.__module__.startswith("torch.")
        modules[f"nn.{case.twin.__name__}" if is_torchs else "torchrecurrent"] = twin
    naive = NaiveRNN(cell, *sizes).copy_from(ours)
    check_parity(ours, naive, twin if case.is_same else None)
    return {**modules, "eager": eager, "naive": naive}


@torch.no_grad()
def check_parity(ours: RNN, naive: NaiveRNN, twin: nn.Module | None) -> None:
    """Check, on a short sequence, that all give what the reference does."""
    x = torch.randn(4, 3, ours.input_size)
    reference = RNN(ours.cell, ours.input_size, ours.hidden_size, backend="reference")
    reference.load_state_dict(ours.state_dict())
    expected = reference(x)[0]
    assert isinstance(expected, Tensor)
    scale = float(expected.abs().max())
    others = [ours(x)[0], naive(x), *([twin(x)[0]] if twin is not None else [])]
    for output in others:
        difference = float((output - expected).abs().max())
        assert difference <= 1e-4 * scale, f"{ours.cell.name}: outputs differ by {difference} of {scale}"
