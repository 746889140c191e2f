"""All ways to call an RNN run on the fused backend and give what the reference gives."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.zoo.classic import gru, lstm
from nas_rnn.cells.zoo.fast import mingru, qrnn
from nas_rnn.execution import RNN
from nas_rnn.execution.fused import compiled, kernels
from tests.execution.fused.parity import (
    DTYPES,
    LIMITS,
    Case,
    check,
    distances,
    fitted,
    make_problem,
    prepare_all,
    solve,
)

pytestmark = pytest.mark.usefixtures("no_eager")

CELLS: list[Cell] = [lstm, gru, mingru, qrnn]
"""With a product in the loop at one level, at two, at none, and with a path that the input alone decides."""

LENGTHS = (3, 7, 1, 7, 2, 5, 6)

CASES = {
    "plain": Case(inputs=3, hidden=17),
    "one step": Case(steps=1),
    "one sequence": Case(batch=1),
    "one step of one sequence": Case(steps=1, batch=1),
    "sizes of one": Case(inputs=1, hidden=1),
    "odd sizes": Case(inputs=17, hidden=3),
    "large sizes": Case(inputs=100, hidden=100, steps=3, batch=5),
    "start": Case(start=True),
    "batch first": Case(batch_first=True, start=True),
    "not contiguous": Case(strided=True, start=True),
    "not contiguous, batch first": Case(strided=True, start=True, batch_first=True, threads=2, batch=5),
    "mixed lengths": Case(lengths=LENGTHS, steps=7, batch=7, start=True),
    "mixed lengths, batch first": Case(lengths=LENGTHS, steps=7, batch=7, batch_first=True),
    "equal lengths": Case(lengths=(5, 5, 5)),
    "both directions": Case(bidirectional=True, start=True),
    "layers": Case(layers=3, start=True),
    "layers, both directions, mixed lengths": Case(
        layers=2, bidirectional=True, lengths=LENGTHS, steps=7, batch=7, start=True
    ),
    "layers of one size": Case(inputs=6, layers=2, start=True),
    "dropout": Case(layers=3, dropout=0.5),
    "dropout, mixed lengths": Case(layers=2, dropout=0.5, lengths=(2, 5, 1), bidirectional=True),
    "two threads": Case(batch=9, threads=2, start=True),
    "two threads, odd share": Case(batch=5, threads=2, steps=20, inputs=3, hidden=5),
    "two threads, mixed lengths": Case(lengths=LENGTHS, steps=7, batch=7, threads=2, start=True),
    "more threads than sequences": Case(batch=3, threads=4),
    "parameters without gradient": Case(frozen=True, start=True),
    "input without gradient": Case(x_needs=False),
    "nothing but starts needs a gradient": Case(frozen=True, x_needs=False, start=True),
    "no gradients": Case(frozen=True, x_needs=False),
    "loss of the output alone": Case(loss="output", start=True),
    "loss of the last state alone": Case(loss="state", start=True),
    "loss of the last state alone, mixed lengths": Case(
        loss="state", start=True, lengths=LENGTHS, steps=7, batch=7
    ),
    "many steps": Case(steps=80, batch=2),
    "some steps at a time": Case(steps=80, batch=2, rows=50, hidden=34),
    "a step at a time": Case(
        steps=6, batch=9, rows=4, threads=2, start=True, lengths=(6, 6, 5, 4, 4, 3, 2, 1, 1)
    ),
    "wide": Case(steps=3, batch=7, inputs=430, hidden=37),
    "many rows": Case(steps=20, batch=40, threads=2),
}


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_ways_to_call(dtype: torch.dtype) -> None:
    pairs = [(tested, fitted(tested, case)) for tested in CELLS for case in CASES.values()]
    prepare_all(pairs, dtype)
    for tested, case in pairs:
        assert check(tested, case, dtype) is not None, f"{tested.name}, {case}"


@pytest.mark.parametrize("threads", [1, 2])
def test_work_is_shared_out_and_nothing_depends_on_it(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs are the same bits with two threads; and with two, the work is cut in two."""
    parts: list[int] = []
    made = kernels.Scratch

    def watched(*arguments: int) -> kernels.Scratch:
        parts.append(arguments[0])
        return made(*arguments)

    problem = make_problem(lstm, Case(batch=8), torch.float64)
    alone = solve(problem, "fused")
    monkeypatch.setattr(compiled, "Scratch", watched)
    torch.set_num_threads(threads)
    found = solve(problem, "fused")
    assert parts[:1] == [threads]
    assert torch.equal(found["output"], alone["output"])
    for name, value in found.items():
        torch.testing.assert_close(value, alone[name], rtol=1e-12, atol=1e-13)


def test_gradients_of_many_weights_are_computed_after_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each thread's own would take too much memory."""
    for tested in CELLS:
        case = fitted(tested, Case(lengths=LENGTHS, steps=7, batch=7, threads=2, start=True))
        expected = solve(problem := make_problem(tested, case, torch.float64), "reference")
        monkeypatch.setattr(compiled, "MOST_APART", 0)
        torch.set_num_threads(2)
        found = solve(problem, "fused")
        assert max(distances(found, expected).values()) < LIMITS[torch.float64]


def test_without_gradient_modes() -> None:
    rnn = RNN(lstm, 3, 4, dtype=torch.float64)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    rnn.backend = "reference"
    expected = rnn(x)[0].detach()
    rnn.backend = "fused"
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            output, _ = rnn(x)
            torch.testing.assert_close(output, expected)
        assert not output.requires_grad
    frozen = rnn.requires_grad_(False)(x)[0]
    assert frozen.grad_fn is None


def test_some_parameters_without_gradient() -> None:
    """Only one kind of parameter learns: the others get none, and its own is the same."""
    problem = make_problem(lstm, Case(), torch.float64)
    everything = solve(problem, "reference")
    for learns, _ in problem.rnn.named_parameters():
        problem.rnn.zero_grad()
        problem.rnn.backend = "fused"
        for name, parameter in problem.rnn.named_parameters():
            parameter.requires_grad_(name == learns)
        output, states = problem.rnn(problem.x)
        sum((t * w).sum() for t, w in zip((output, *states), problem.weights, strict=True)).backward()
        for name, parameter in problem.rnn.named_parameters():
            if name == learns:
                torch.testing.assert_close(parameter.grad, everything[f"gradient of {name}"])
            else:
                assert parameter.grad is None


MORE = {
    "negated products": "def f(x, h):\n    return tanh(-linear(x, h) + h)",
    "negated products read twice": "def f(x, h):\n    a = -linear(x)\n    return h * a + tanh(a)",
    "a state that stays": 'def f(x, h, s=state(size="input")):\n    return tanh(linear(x * s, h)), s',
    "a state nobody reads": "def f(x, h, s):\n    return tanh(linear(x, h)), linear(x)",
    "a state that is the input": 'def f(x, h, s=state(size="input")):\n    return tanh(linear(s, h)), x',
    "a number as state": "def f(x, h, s):\n    return tanh(linear(x, h) * s), vector(0.5)",
    "no parameters": 'def f(x, h=state(size="input")):\n    return tanh(x + h)',
    "a bare product": "def f(x, h):\n    return linear(x, h)",
    "the other state": "def f(x, h, c):\n    return c, tanh(linear(x, h))",
    "swapped states": "def f(x, h, c, d):\n    return c, d, h + tanh(linear(x))",
    "one value twice": "def f(x, h, c):\n    a = tanh(linear(x, h))\n    return a, a",
    "delayed twice": 'def f(x, h, p=state(size="input"), q=state(size="input")):\n'
    "    return tanh(linear(q) + 0.5 * h), x, p",
    "products of what the input decides": "def f(x, h):\n"
    "    return tanh(linear(sigmoid(linear(tanh(linear(x))))) + 0.5 * h)",
    "products of learned numbers": "def f(x, h):\n    return tanh(linear(vector(0.3), x, h))",
    "norms": "def f(x, h):\n    return tanh(layer_norm(linear(h), x, linear(x)) * layer_norm(linear(x)))",
    "a norm of norms": "def f(x, h):\n    return layer_norm(layer_norm(h) * tanh(linear(x)), h)",
    "scalars": "def f(x, h):\n    return tanh(scalar(0.5) * linear(x) + (scalar(2) * scalar(0.1)) * h)",
    "diagonals": "def f(x, h):\n    return tanh(diagonal(h) + linear(diagonal(x)) + diagonal(diagonal(h)))",
}


@pytest.mark.parametrize("dtype", DTYPES)
def test_unusual_cells(dtype: torch.dtype) -> None:
    cells = {name: parse_cell(f"@cell\n{text}\n") for name, text in MORE.items()}
    cases = [
        Case(start=True),
        Case(start=True, lengths=(2, 5, 3), loss="output"),
        Case(start=True, lengths=(2, 5, 3), loss="state", batch=3),
    ]
    cases += [replace(case, x_needs=False, start=False) for case in cases]
    pairs = [(tested, case) for tested in cells.values() for case in cases]
    prepare_all(pairs, dtype)
    for name, tested in cells.items():
        for case in cases:
            assert check(tested, case, dtype) is not None, name
