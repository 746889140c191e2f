"""A supernet that runs one cell computes what the `RNN` of that cell does on the same weights, to the last digits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from nas_rnn.cells import Cell
from nas_rnn.execution import RNN
from nas_rnn.oneshot.supernet import Architecture, Path, Supernet
from nas_rnn.oneshot.weights import Owned, owned
from nas_rnn.plugins import load_space
from nas_rnn.spaces import DecisionSpace
from nas_rnn.spaces.chain import chain_of, shared_cell
from tests.oneshot.chains import everything, leaves, two

STEPS, BATCH, INPUTS, HIDDEN = 5, 3, 4, 6
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def supernet(cell: Cell, architecture: Architecture, **options: object) -> Supernet:
    torch.manual_seed(0)
    return Supernet(cell, architecture, INPUTS, HIDDEN, dtype=torch.float64, **options)


def tensors_of(found: Owned) -> list[Tensor]:
    return [*found.matrices, *(t for t in (found.bias, found.row, found.shift) if t is not None)]


def owners_of(rnn: RNN, cell: Cell, *, gradients: bool = False) -> list[Tensor]:
    """Return all learned numbers of all layers by the equations of ``cell``, which share the packed ones' memory."""
    found = []
    for layer in range(rnn.num_layers):
        for reverse in (False, True) if rnn.bidirectional else (False,):
            layout, tensors = rnn.layer(layer, reverse)
            if gradients:
                tensors = {name: tensor.grad for name, tensor in tensors.items()}
            found += [tensor for one in owned(cell, layout, tensors) for tensor in tensors_of(one)]
    return found


def rnn_with_weights_of(net: Supernet, cell: Cell, **options: object) -> RNN:
    rnn = RNN(cell, INPUTS, HIDDEN, dtype=torch.float64, backend="reference", **options)
    with torch.no_grad():
        pairs = list(zip(owners_of(rnn, cell), owners_of(net, net.cell), strict=True))
        for mine, shared in pairs:
            mine.copy_(shared)
    assert sum(mine.numel() for mine, _ in pairs) == sum(p.numel() for p in rnn.parameters())
    return rnn


def inputs() -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((STEPS, BATCH, INPUTS))).requires_grad_()


def run_both(net: Supernet, rnn: RNN, restarts: Tensor | None = None) -> None:
    """Compare outputs, final states, and the gradients of inputs, starts and all weights."""
    found = []
    for one in (net, rnn):
        one.zero_grad()
        x = inputs()
        start = tuple(s.clone().requires_grad_() for s in one.start(BATCH))
        output, final = one(x, start, restarts)
        factors = torch.linspace(0.5, 2.0, output.numel(), dtype=output.dtype).view_as(output)
        ((output * factors).sum() + sum((s * s).sum() for s in final)).backward()
        found.append([output, *final, x.grad, *(s.grad for s in start)])
    found[0] += owners_of(net, net.cell, gradients=True)
    found[1] += owners_of(rnn, rnn.cell, gradients=True)
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, **CLOSE)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "space", [two, everything, leaves, load_space("darts"), load_space("enas")], ids=lambda space: space.name
)
def test_one_path_is_the_rnn_of_its_cell(space: DecisionSpace, seed: int) -> None:
    architecture = Architecture()
    net = supernet(shared_cell(space), architecture)
    cell = space.sample(seed).cell
    architecture.path = Path.of(cell)
    run_both(net, rnn_with_weights_of(net, cell))


def test_layers_directions_and_restarts_are_those_of_the_rnn() -> None:
    architecture, options = Architecture(), {"num_layers": 2, "bidirectional": True}
    net = supernet(shared_cell(two), architecture, **options)
    cell = two.sample(1).cell
    architecture.path = Path.of(cell)
    restarts = torch.zeros(STEPS, BATCH, dtype=torch.bool)
    restarts[2, 1] = restarts[0, 0] = True
    run_both(net, rnn_with_weights_of(net, cell, **options), restarts)


def test_sequences_of_several_lengths_are_run_as_the_rnn_does() -> None:
    architecture = Architecture()
    net = supernet(shared_cell(two), architecture)
    cell = two.sample(2).cell
    architecture.path = Path.of(cell)
    rnn = rnn_with_weights_of(net, cell)
    packed = pack_padded_sequence(inputs(), torch.tensor([2, 5, 3]), enforce_sorted=False)
    (mine, my_state), (theirs, their_state) = net(packed), rnn(packed)
    torch.testing.assert_close(mine.data, theirs.data, **CLOSE)
    torch.testing.assert_close(my_state[0], their_state[0], **CLOSE)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("space", [two, everything, load_space("darts")], ids=lambda space: space.name)
def test_a_mixture_in_which_one_alternative_has_all_is_that_cell(space: DecisionSpace, seed: int) -> None:
    chain = chain_of(space)
    architecture = Architecture(chain.nodes)
    net = supernet(chain.cell, architecture)
    candidate = space.sample(seed)
    for node, logits in zip(chain.nodes, architecture.logits, strict=True):
        labels = [axis.choice.labels.index(candidate.decisions[axis.choice.key]) for axis in node.axes]
        logits[tuple(labels)] = 1e4
    run_both(net, rnn_with_weights_of(net, candidate.cell))


def test_a_mixture_of_one_node_is_the_weighted_sum_of_its_alternatives() -> None:
    chain = chain_of(two)
    architecture = Architecture(chain.nodes).double()
    net = supernet(chain.cell, architecture)
    generator = torch.Generator().manual_seed(3)
    first, second = architecture.logits
    first[0] = 1e4  # the first node is one cell's, the second mixes 2 x 4
    second.copy_(torch.randn(second.shape, generator=generator, dtype=torch.float64))
    x = inputs().detach()[:1]
    state = (torch.full((1, BATCH, HIDDEN), 0.3, dtype=torch.float64),)
    mixed, _ = net(x, state)
    total = torch.zeros_like(mixed)
    for place in np.ndindex(*second.shape):
        architecture.path = Path(chain.graph(chain.decisions([[0], list(place)])), chain.cell.outputs)
        total += architecture.probabilities()[1][place] * net(x, state)[0]
    architecture.path = None
    torch.testing.assert_close(mixed, total, **CLOSE)


def test_the_gradients_of_the_logits_are_those_of_differences() -> None:
    chain = chain_of(two)
    architecture = Architecture(chain.nodes).double()
    net = supernet(chain.cell, architecture)
    x = inputs().detach()
    for number, logits in enumerate(architecture.logits):
        logits.copy_(torch.linspace(-1, 1, logits.numel()).view_as(logits) * (number + 1))

    def loss() -> Tensor:
        return net(x)[0].square().sum()

    with architecture.differentiated() as logits:
        gradients = torch.autograd.grad(loss(), logits)
    for logits, gradient in zip(architecture.logits, gradients, strict=True):
        for place in np.ndindex(*logits.shape):
            values = []
            for step in (1e-6, -2e-6):
                logits[place] += step
                values.append(loss().item())
            logits[place] += 1e-6
            assert float(gradient[place]) == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-8)


def test_logits_learn_as_torchs_adam_does() -> None:
    architecture = Architecture(chain_of(two).nodes)
    generator = torch.Generator().manual_seed(0)
    theirs = [torch.zeros_like(logits, requires_grad=True) for logits in architecture.logits]
    adam = torch.optim.Adam(theirs, lr=3e-3, weight_decay=1e-3)
    for _ in range(5):
        gradients = [torch.randn(logits.shape, generator=generator) for logits in theirs]
        architecture.learn(gradients)
        for one, gradient in zip(theirs, gradients, strict=True):
            one.grad = gradient.clone()
        adam.step()
    for mine, one in zip(architecture.logits, theirs, strict=True):
        torch.testing.assert_close(mine, one.detach(), rtol=1e-5, atol=1e-7)
