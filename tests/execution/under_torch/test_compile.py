"""`torch.compile` sees a layer as one node: the same values and gradients, no graph breaks, no recompilation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from nas_rnn.cells import parse_cell
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.execution.fused import backend

FIXED = parse_cell(
    "@cell\ndef fixed(x, h):\n    a = sigmoid(vector())\n    return tanh(linear(x, a) + linear(h) * a)\n"
)
"""With values that depend on learned numbers alone, whose gradients are computed apart."""


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Counting:
    """A compiler that runs graphs as they are, forwards and backwards, and keeps them."""

    def __init__(self) -> None:
        self.graphs: list[torch.fx.GraphModule] = []

    def __call__(self, graph: torch.fx.GraphModule, inputs: Any) -> Callable[..., Any]:
        self.graphs.append(graph)
        return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)  # type: ignore[no-any-return]

    def calls(self) -> list[int]:
        """Return how often each graph calls the operator."""
        operator = torch.ops.nas_rnn.sequence.default
        return [sum(node.target is operator for node in graph.graph.nodes) for graph in self.graphs]


def results(run: Callable[..., Any], rnn: RNN, x: Tensor, *more: Any) -> list[Tensor]:
    """Return output, final states, and the gradients of input and parameters."""
    x = x.detach().clone().requires_grad_()
    rnn.zero_grad()
    output, states = run(x, *more)
    loss = output.sin().sum() + sum((k + 2) * s.sum() for k, s in enumerate(states))
    loss.backward()
    gradients = [p.grad.clone() for p in rnn.parameters() if p.grad is not None]
    assert x.grad is not None
    return [output.detach(), *(s.detach() for s in states), x.grad, *gradients]


CALLS: list[tuple[Any, dict[str, Any]]] = [
    ("lstm", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    (FIXED, {"dtype": torch.float64}),
    ("mingru", {}),
    ("slstm", {"dtype": torch.float64, "num_layers": 2}),
]


@pytest.mark.parametrize(("cell", "options"), CALLS, ids=["lstm", "fixed", "mingru", "slstm"])
def test_values_and_gradients(cell: Any, options: dict[str, Any]) -> None:
    compiler = Counting()
    rnn = RNN(cell, 3, 4, **options)
    compiled = torch.compile(rnn, backend=compiler, fullgraph=True)
    layers = rnn.num_layers * (1 + rnn.bidirectional)
    for shape in ((5, 2, 3), (7, 6, 3)):
        x = torch.randn(shape, dtype=options.get("dtype"))
        state = rnn.start(shape[0] if rnn.batch_first else shape[1])
        for given in ((), (tuple(torch.randn_like(s) for s in state),)):
            expected = results(rnn, rnn, x, *given)
            for ours, theirs in zip(results(compiled, rnn, x, *given), expected, strict=True):
                torch.testing.assert_close(ours, theirs)
    assert set(compiler.calls()) == {layers}


def test_with_torchs_own_code_generator() -> None:
    rnn = RNN("gru", 3, 4, 2)
    x = torch.randn(5, 2, 3)
    compiled = torch.compile(rnn, fullgraph=True)
    for ours, theirs in zip(results(compiled, rnn, x), results(rnn, rnn, x), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("dynamic", [True, None])
def test_lengths_and_batches_are_compiled_once(dynamic: bool | None) -> None:
    """Unless torch is told before, it makes a graph for any length at the second one that it sees."""
    compiler = Counting()
    rnn = RNN("lstm", 3, 4)
    compiled = torch.compile(rnn, backend=compiler, dynamic=dynamic)
    known: list[int] = []
    for steps in (5, 6, 7, 30, 100, 6):
        x = torch.randn(steps, 2, 3)
        torch.testing.assert_close(compiled(x)[0], rnn(x)[0])
        known.append(len(compiler.graphs))
    assert len(set(known if dynamic else known[1:])) == 1
    for batch in (3, 5, 9):
        compiled(torch.randn(7, batch, 3))
        known.append(len(compiler.graphs))
    assert len(set(known if dynamic else known[-3:])) == 1


def test_a_second_backward_pass_over_a_compiled_graph() -> None:
    """It finds gradients where activations were, and computes these anew."""
    rnn = RNN("lstm", 3, 4, 2, dtype=torch.float64)
    compiled = torch.compile(rnn, backend="aot_eager", fullgraph=True)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    output, _ = compiled(x)
    wanted = list(rnn.parameters())
    found = [torch.autograd.grad(output.sin().sum(), wanted, retain_graph=True) for _ in range(3)]
    expected = torch.autograd.grad(rnn(x)[0].sin().sum(), wanted)
    for gradients in found:
        for ours, theirs in zip(gradients, expected, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_a_whole_model_with_dropout_and_a_loss() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(11, 6)
            self.rnn = RNN("lstm", 6, 8, 2, dropout=0.3, variational_dropout=0.2, weight_drop=0.2)
            self.output = torch.nn.Linear(8, 11)

        def forward(self, symbols: Tensor) -> Tensor:
            logits: Tensor = self.output(self.rnn(self.embedding(symbols))[0])
            return torch.nn.functional.cross_entropy(logits.flatten(0, 1), symbols.flatten())

    model = Model()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    symbols = torch.arange(40).view(10, 4) % 11
    losses = []
    for _ in range(120):
        optimizer.zero_grad()
        loss = compiled(symbols)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    model.eval()
    torch.testing.assert_close(compiled(symbols), model(symbols))


@pytest.mark.parametrize("lengths", [(5, 3, 4), (5, 5, 5)])
def test_packed_sequences(lengths: tuple[int, ...]) -> None:
    """Their lengths are data, so they run outside of the graph, on the same compiled code."""
    rnn = RNN("lstm", 3, 4, 2, bidirectional=True)
    compiled = torch.compile(rnn, backend="aot_eager")
    packed = pack_padded_sequence(torch.randn(5, 3, 3), torch.tensor(lengths), enforce_sorted=False)
    found = []
    for run in (rnn, compiled):
        rnn.zero_grad()
        output, states = run(packed)
        (output.data.sin().sum() + states[1].sum()).backward()
        found.append(
            [output.data, *states, *(p.grad.clone() for p in rnn.parameters() if p.grad is not None)]
        )
    for ours, theirs in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(ours, theirs)


def test_restarts() -> None:
    rnn = RNN("gru", 3, 4, bidirectional=True)
    compiled = torch.compile(rnn, backend="aot_eager", fullgraph=True)
    restarts = torch.zeros(5, 2, dtype=torch.bool)
    restarts[3, 1] = True
    x = torch.randn(5, 2, 3)
    expected = results(rnn, rnn, x, None, restarts)
    for ours, theirs in zip(results(compiled, rnn, x, None, restarts), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_steps() -> None:
    rnn = RNN("lstm", 3, 4)
    step = torch.compile(rnn.step, backend="aot_eager", fullgraph=True)
    x = torch.randn(2, 3)
    state = rnn.start(2)
    for _ in range(3):
        ours, theirs = step(x, state), rnn.step(x, state)
        torch.testing.assert_close(ours, theirs)
        state = theirs[1]


def test_where_a_cell_cannot_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C++ is asked for before torch traces the call: ``auto`` unrolls the loop, ``fused`` refuses."""

    def fails(*_: object) -> None:
        raise backend.CompileError("no such luck")

    rnn = RNN("rnn", 3, 4)
    x = torch.randn(3, 2, 3)
    expected = rnn(x)[0]
    monkeypatch.setattr(backend, "make_kernels", fails)
    torch.testing.assert_close(torch.compile(rnn, backend="eager")(x)[0], expected)
    torch._dynamo.reset()
    rnn._asked = "fused"
    with pytest.raises((UserError, torch._dynamo.exc.TorchDynamoException), match="no such luck"):
        torch.compile(rnn, backend="eager", fullgraph=True)(x)


def test_a_user_s_mistake_is_told_as_without_a_compiler() -> None:
    rnn = RNN("rnn", 3, 4)
    with pytest.raises(UserError, match="input_size=3"):
        torch.compile(rnn, backend="eager")(torch.randn(3, 2, 5))
