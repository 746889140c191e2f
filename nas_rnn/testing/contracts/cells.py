"""The contract of a cell: rules, text, equations, and that all backends compute and train the same."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.graph.verify import violations
from nas_rnn.execution import RNN
from nas_rnn.execution.backends import BACKENDS
from nas_rnn.training.optimizer import AdamW

STEPS, BATCH, LENGTH = 3, 2, 5
CLOSE = 1e-9
LARGEST = 512
"""Hidden size above which a cell (of very many heads) is not run."""


def check_cell(cell: Cell, *, finite: bool = True) -> list[str]:
    """Return what is wrong with ``cell``, in sentences; unless ``finite``, its values may be infinite or NaN."""
    broken = [" ".join(text.split()) for text in violations(cell)]
    if broken:
        return broken
    problems: list[str] = []
    checks = {"its text": _text, "its equations": _equations, "its backends": _backends}
    if finite:
        checks |= {"its values": _finite, "training": train_briefly}
    for what, check in checks.items():
        try:
            problems += check(cell)
        except Exception as error:
            problems.append(f"{what}: {type(error).__name__}: {error}")
    return problems


def _text(cell: Cell) -> list[str]:
    read = parse_cell(cell.to_text())
    if read.digest != cell.digest:
        return ["its text form reads back as another cell"]
    return []


def _equations(cell: Cell) -> list[str]:
    return [] if str(cell).strip() and cell.latex().strip() else ["its equations are empty"]


def _backends(cell: Cell) -> list[str]:
    results = {name: _run(cell, name) for name in BACKENDS} if _small(cell) else {}
    return [
        f"the {name} backend differs from the reference in the {what}"
        for name, values in results.items()
        for what, value in values.items()
        if not torch.allclose(value, results["reference"][what], CLOSE, CLOSE, equal_nan=True)
    ]


def _finite(cell: Cell) -> list[str]:
    values = _run(cell, "reference").values() if _small(cell) else ()
    if all(bool(value.isfinite().all()) for value in values):
        return []
    return ["its values or gradients are not finite on random numbers"]


def _run(cell: Cell, backend: str) -> dict[str, Tensor]:
    """Return outputs and gradients of a small layer in float64, the same weights and inputs each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        rnn = _layer(cell, backend).double()
        x_TBI = torch.randn(LENGTH, BATCH, rnn.input_size, dtype=torch.float64, requires_grad=True)
        output, state = rnn(x_TBI)
        weights = torch.randn_like(output)
    ((output * weights).sum() + sum(part.sum() for part in state)).backward()
    found = {"output": output.detach()}
    tensors = {"input": x_TBI, **dict(rnn.named_parameters())}
    return found | {f"gradient of {n}": t.grad for n, t in tensors.items() if t.grad is not None}


def train_briefly(cell: Cell) -> list[str]:
    """Return whether some steps of training on random numbers leave ``cell`` with a loss that is no number."""
    if not _small(cell):
        return []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        rnn = _layer(cell, "auto")
        x_TBI = torch.randn(LENGTH, BATCH, rnn.input_size)
        target = torch.randn_like(rnn(x_TBI)[0])
    parameters = list(rnn.parameters())
    optimizer = AdamW(parameters, lr=0.01, weight_decay=0.0) if parameters else None
    for number in range(STEPS):
        loss = (rnn(x_TBI)[0] - target).square().mean()
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if not math.isfinite(loss.item()):
            return [f"its loss became {loss.item()} at step {number + 1} of training on random numbers"]
    return []


def _small(cell: Cell) -> bool:
    return _hidden(cell) <= LARGEST


def _hidden(cell: Cell) -> int:
    heads = math.lcm(*(getattr(node, "heads", 1) for node in cell.nodes))
    return heads * math.ceil(4 / heads)


def _layer(cell: Cell, backend: str) -> RNN:
    hidden = _hidden(cell)
    return RNN(cell, 2 * hidden, hidden, backend=backend)
