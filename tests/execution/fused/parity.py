"""The fused backend against the reference: ways to call an RNN, and how far the results are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from nas_rnn.cells import Cell
from nas_rnn.execution import RNN
from nas_rnn.execution.fused import compiled
from nas_rnn.execution.fused.kernels import prepare
from nas_rnn.execution.layout import layer_layouts

LIMITS = {torch.float64: 1e-9, torch.float32: 1e-4}
"""How far results may be from the float64 reference, as a share of the tensor's largest value."""
DTYPES = list(LIMITS)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to call an RNN. ``lengths``: as a packed batch; ``start``: with initial states; ``strided``: no
    tensor given is contiguous; ``frozen``: parameters need no gradient; ``loss``: what it is computed from; ``rows``:
    so many are multiplied at a time over several steps."""

    inputs: int = 4
    hidden: int = 6
    steps: int = 5
    batch: int = 3
    lengths: tuple[int, ...] | None = None
    layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    start: bool = False
    batch_first: bool = False
    strided: bool = False
    frozen: bool = False
    x_needs: bool = True
    loss: str = "both"
    threads: int = 1
    rows: int = compiled.ROWS_AT_A_TIME


@dataclass(frozen=True)
class Problem:
    """An RNN with what it is called on and what the loss weighs its results by."""

    rnn: RNN
    case: Case
    x: Tensor
    starts: tuple[Tensor, ...]
    weights: Sequence[Tensor]

    def to(self, dtype: torch.dtype) -> Problem:
        rnn = make_rnn(self.rnn.cell, self.case, dtype)
        rnn.load_state_dict(self.rnn.state_dict())
        return replace(
            self,
            rnn=rnn,
            x=self.x.to(dtype),
            starts=tuple(start.to(dtype) for start in self.starts),
            weights=[weight.to(dtype) for weight in self.weights],
        )


def make_rnn(tested: Cell, case: Case, dtype: torch.dtype) -> RNN:
    return RNN(
        tested,
        case.inputs,
        case.hidden,
        case.layers,
        case.batch_first,
        case.dropout,
        case.bidirectional,
        dtype=dtype,
    )


def fitted(tested: Cell, case: Case) -> Case:
    """Return ``case``, with as many layers and directions as the cell's states allow."""
    if any(path.size == "input" for path in tested.states):
        return replace(case, layers=1, dropout=0.0)
    return case


def layouts_of(tested: Cell, case: Case) -> set[object]:
    return set(layer_layouts(tested, case.inputs, case.hidden, case.layers, case.bidirectional))


def prepare_all(pairs: Sequence[tuple[Cell, Case]], dtype: torch.dtype) -> None:
    """Compile all that ``pairs`` need at once."""
    prepare(list(dict.fromkeys(layout for pair in pairs for layout in layouts_of(*pair))), dtype)


def strided(tensor: Tensor) -> Tensor:
    """Return the same numbers, neither contiguous nor from the start of their storage."""
    wide = torch.full((*tensor.shape, 2), float("nan"), dtype=tensor.dtype)
    wide[..., 1] = tensor
    return wide[..., 1]


def make_problem(tested: Cell, case: Case, dtype: torch.dtype) -> Problem:
    """Return a problem at parameters moved away from where they start, so that biases and gains count."""
    rnn = make_rnn(tested, case, dtype)
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    shape = (case.batch, case.steps) if case.batch_first else (case.steps, case.batch)
    x = torch.randn(*shape, case.inputs, dtype=dtype)
    starts = tuple(0.5 * torch.randn_like(state) for state in results_of(rnn, case, x, ())[1])
    rnn.backend = "reference"
    with torch.no_grad():
        output, states = results_of(rnn, case, x, starts if case.start else ())
    return Problem(
        rnn, case, x, starts if case.start else (), [torch.randn_like(t) for t in (output, *states)]
    )


def results_of(
    rnn: RNN, case: Case, x: Tensor, starts: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    given: Tensor | PackedSequence = x
    if case.lengths is not None:
        given = pack_padded_sequence(x, torch.tensor(case.lengths), case.batch_first, enforce_sorted=False)
    output, states = rnn(given, starts or None)
    return output.data if isinstance(output, PackedSequence) else output, states


def solve(problem: Problem, backend: str) -> dict[str, Tensor]:
    """Return outputs, final states and all gradients, by name."""
    rnn, case = problem.rnn, problem.case
    rnn.backend = backend
    rnn.zero_grad()
    rnn.requires_grad_(not case.frozen)
    x = problem.x.clone().requires_grad_(case.x_needs)
    starts = tuple(start.clone().requires_grad_() for start in problem.starts)
    given = [strided(t) if case.strided else t for t in (x, *starts)]
    torch.manual_seed(5)
    output, states = results_of(rnn, case, given[0], tuple(given[1:]))
    results = [output, *states]
    chosen = {"both": results, "output": results[:1], "state": results[-1:]}[case.loss]
    weights = {"both": problem.weights, "output": problem.weights[:1], "state": problem.weights[-1:]}
    pairs = zip(chosen, weights[case.loss], strict=True)
    value = sum(((t * w).sum() for t, w in pairs), torch.zeros((), dtype=output.dtype))
    if value.requires_grad:
        value.backward()
    found = {"output": output} | {f"state {path}": state for path, state in enumerate(states)}
    named = {"x": x} | {f"start {path}": start for path, start in enumerate(starts)}
    for name, leaf in (named | dict(rnn.named_parameters())).items():
        if leaf.requires_grad:
            found[f"gradient of {name}"] = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        else:
            assert leaf.grad is None
    return {name: tensor.detach() for name, tensor in found.items()}


def distances(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, float]:
    """Return how far each tensor is from the expected one, as a share of the largest value expected.

    Gradients that cancel out, as of a bias before a layer norm, have no size of their own: no gradient's
    largest value counts as less than a hundredth of that of all.
    """
    assert found.keys() == expected.keys()
    gradients = [float(t.abs().max()) for name, t in expected.items() if "gradient" in name and t.numel()]
    floor = max(gradients, default=0.0) / 100
    result = {}
    for name, tensor in expected.items():
        largest = max(float(tensor.abs().max()), floor if "gradient" in name else 0.0)
        apart = float((found[name].double() - tensor.double()).abs().max())
        result[name] = apart / largest if largest > 0 else apart
    return result


def finite(results: Mapping[str, Tensor]) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in results.values())


def check(tested: Cell, case: Case, dtype: torch.dtype) -> float | None:
    """Compare fused results with the float64 reference; return the worst distance.

    Returns None for a random cell that overflows, and for one on which float32 arithmetic itself, in torch's
    own operations, is a tenth of the limit or more away from float64's: there ten times that is the limit.
    """
    threads, rows = torch.get_num_threads(), compiled.ROWS_AT_A_TIME
    torch.set_num_threads(case.threads)
    compiled.ROWS_AT_A_TIME = case.rows
    try:
        problem = make_problem(tested, case, dtype)
        expected = solve(problem.to(torch.float64), "reference")
        by_torch = expected if dtype == torch.float64 else solve(problem, "reference")
        if not finite(expected) or not finite(by_torch):
            return None
        own = max(distances(by_torch, expected).values())
        limit = max(LIMITS[dtype], 10 * own)
        found = solve(problem, "fused")
        assert problem.rnn.backend == "fused"
    finally:
        torch.set_num_threads(threads)
        compiled.ROWS_AT_A_TIME = rows
    apart = distances(found, expected)
    too_far = {name: distance for name, distance in apart.items() if not distance <= limit}
    assert not too_far, f"{case}: {too_far}; torch's own operations: {own}"
    return max(apart.values()) if limit == LIMITS[dtype] else None
