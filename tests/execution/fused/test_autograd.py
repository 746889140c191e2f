"""The fused backend within torch's autograd: what is differentiated, how often, and under which transforms.

Whatever it can't do itself goes to the eager backend or is refused; no gradient is silently wrong.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.checkpoint import checkpoint

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.zoo.classic import gru, lstm
from nas_rnn.execution import RNN
from nas_rnn.execution.fused import operator
from nas_rnn.execution.fused.kernels import prepare
from nas_rnn.execution.layout import make_layout
from tests.execution.fused.parity import Case, finite, make_problem, solve
from tests.random_cells import random_cell

KINKS = {"relu", "leaky_relu", "maximum", "minimum"}
"""Operations that cannot be differentiated everywhere, nor numerically near those points."""


def smooth_cells(count: int) -> list[Cell]:
    """Return random cells that can be differentiated everywhere and stay finite."""
    found: list[Cell] = []
    seed = 1000
    while len(found) < count:
        seed += 1
        drawn = random_cell(np.random.default_rng(seed), max_nodes=6)
        if KINKS & {getattr(node, "operation", "") for node in drawn.nodes}:
            continue
        torch.manual_seed(0)
        results = solve(make_problem(drawn, Case(start=True), torch.float64), "reference")
        if finite(results) and max(float(t.abs().max()) for t in results.values()) < 100:
            found.append(drawn)
    return found


def function_of(rnn: RNN, x: Tensor, starts: tuple[Tensor, ...]) -> tuple[Callable, list[Tensor]]:  # type: ignore[type-arg]
    """Return the RNN as a function of input, starts and parameters, and these."""
    names = [name for name, _ in rnn.named_parameters()]
    inputs = [x, *starts, *rnn.parameters()]
    paths = len(starts)

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip(names, values[1 + paths :], strict=True))
        output, states = torch.func.functional_call(rnn, named, (values[0], values[1 : 1 + paths]))
        return (output, *states)

    return run, [tensor.detach().clone().requires_grad_() for tensor in inputs]


def small_problem(tested: Cell, case: Case) -> tuple[Callable, list[Tensor]]:  # type: ignore[type-arg]
    problem = make_problem(tested, case, torch.float64)
    problem.rnn.backend = "fused"
    return function_of(problem.rnn, problem.x, problem.starts)


@pytest.mark.usefixtures("no_eager")
def test_gradcheck() -> None:
    """Against numerical derivatives, which know nothing of the cell."""
    tested = smooth_cells(20)
    prepare([make_layout(drawn.canonical(), 2, 4) for drawn in tested], torch.float64)
    for drawn in tested:
        run, inputs = small_problem(drawn, Case(inputs=2, hidden=4, steps=3, batch=2, start=True))
        assert torch.autograd.gradcheck(run, inputs, fast_mode=True, atol=1e-6)


@pytest.mark.parametrize("tested", [lstm, gru], ids=lambda tested: tested.name)
def test_double_backward(tested: Cell) -> None:
    run, inputs = small_problem(tested, Case(inputs=2, hidden=3, steps=3, batch=2, start=True))
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True, atol=1e-6)


def test_double_backward_where_an_output_depends_on_nothing_that_needs_a_gradient() -> None:
    copies = parse_cell('@cell\ndef f(x, c, h=state(size="input")):\n    return tanh(linear(x, c)), x\n')
    gradients = {}
    for name in ("fused", "reference"):
        torch.manual_seed(2)
        rnn = RNN(copies, 3, 4, backend=name, dtype=torch.float64)
        x = torch.randn(5, 2, 3, dtype=torch.float64)
        output, (_, last) = rnn(x)
        (first,) = torch.autograd.grad((output**2).sum() + last.sum(), rnn.weight_hh_l0, create_graph=True)
        (first**2).sum().backward()
        gradients[name] = [parameter.grad for parameter in rnn.parameters()]
    for ours, expected in zip(*gradients.values(), strict=True):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("lengths", [None, (2, 5, 4)])
def test_gradient_penalty(lengths: tuple[int, ...] | None) -> None:
    """A loss of the first gradient, over two layers and mixed lengths."""
    gradients = {}
    for name in ("fused", "reference"):
        torch.manual_seed(2)
        rnn = RNN(lstm, 3, 4, 2, bidirectional=True, backend=name, dtype=torch.float64)
        x = torch.randn(5, 3, 3, dtype=torch.float64, requires_grad=True)
        given = x if lengths is None else pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
        output, states = rnn(given)
        value = ((output if lengths is None else output.data) ** 2).sum() + states[1].sum()
        (d_x,) = torch.autograd.grad(value, x, create_graph=True)
        (value + (d_x**2).sum()).backward()
        gradients[name] = [x.grad, *(parameter.grad for parameter in rnn.parameters())]
    for ours, expected in zip(*gradients.values(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("no_eager")
def test_a_second_backward_is_the_first() -> None:
    for tested in (lstm, gru):
        rnn = RNN(tested, 3, 4, dtype=torch.float64)
        x = torch.randn(6, 4, 3, dtype=torch.float64, requires_grad=True)
        output, states = rnn(x)
        wanted = [x, *rnn.parameters()]
        value = (output**2).sum() + states[-1].sum()
        first, second, third = (torch.autograd.grad(value, wanted, retain_graph=True) for _ in range(3))
        for one, two, three in zip(first, second, third, strict=True):
            assert torch.equal(one, two)
            assert torch.equal(one, three)


@pytest.mark.usefixtures("no_eager")
def test_two_losses_of_one_graph() -> None:
    rnn = RNN(lstm, 3, 4, dtype=torch.float64)
    output, (_, c) = rnn(torch.randn(6, 4, 3, dtype=torch.float64))
    wanted = list(rnn.parameters())
    both = torch.autograd.grad(output.sum() + c.sum(), wanted, retain_graph=True)
    parts = [torch.autograd.grad(value.sum(), wanted, retain_graph=True) for value in (output, c)]
    for whole, one, two in zip(both, *parts, strict=True):
        torch.testing.assert_close(one + two, whole)


def test_a_backward_after_one_that_frees_raises() -> None:
    output, _ = RNN(lstm, 3, 4)(torch.randn(5, 2, 3))
    output.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        output.sum().backward()


@pytest.mark.parametrize("what", ["output", "x", "weight_hh_l0", "bias_l0", "start"])
def test_changes_in_place_before_the_backward_are_noticed(what: str) -> None:
    rnn = RNN(lstm, 3, 4)
    x, starts = torch.randn(5, 2, 3), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))
    inner = tuple(start * 1.0 for start in starts)
    output, _ = rnn(x, inner)
    changed = {"output": output, "x": x, "start": inner[0]} | dict(rnn.named_parameters())
    with torch.no_grad():
        changed[what].add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_final_states_may_be_changed_in_place() -> None:
    """They are values of their own: truncated backpropagation may reset some of them."""
    rnn = RNN(lstm, 3, 4, dtype=torch.float64)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    output, (h, _) = rnn(x)
    expected = torch.autograd.grad((output**2).sum(), list(rnn.parameters()), retain_graph=True)
    with torch.no_grad():
        h.zero_()
    found = torch.autograd.grad((output**2).sum(), list(rnn.parameters()))
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


def gradients_of(rnn: RNN, x: Tensor, run: Callable[[Tensor], Tensor]) -> list[Tensor]:
    rnn.zero_grad()
    x = x.detach().clone().requires_grad_()
    (run(x) ** 2).sum().backward()
    return [x.grad, *(parameter.grad.clone() for parameter in rnn.parameters())]


@pytest.mark.usefixtures("no_eager")
@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing(reentrant: bool) -> None:
    rnn = RNN(lstm, 3, 4, num_layers=2, dtype=torch.float64)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    expected = gradients_of(rnn, x, lambda x: rnn(x)[0])
    found = gradients_of(rnn, x, lambda x: checkpoint(rnn, x, use_reentrant=reentrant)[0])
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.usefixtures("no_eager")
def test_saved_tensor_hooks() -> None:
    rnn = RNN(lstm, 3, 4, num_layers=2, dtype=torch.float64)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    expected = gradients_of(rnn, x, lambda x: rnn(x)[0])

    def offloaded(x: Tensor) -> Tensor:
        with torch.autograd.graph.save_on_cpu():
            return rnn(x)[0]

    for ours, theirs in zip(gradients_of(rnn, x, offloaded), expected, strict=True):
        assert torch.equal(ours, theirs)


def test_all_that_a_step_keeps_goes_through_the_hooks() -> None:
    """So that checkpointing and offloading do save the memory."""
    rnn = RNN(lstm, 3, 4)
    x = torch.randn(5, 2, 3)
    packed: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        packed.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output, _ = rnn(x)
    held = [value for value in vars(output.grad_fn).values() if isinstance(value, Tensor)]
    assert 5 * 2 * 4 * 4 in packed  # the gates
    assert not held


def test_copies_and_pickles() -> None:
    rnn = RNN(gru, 3, 4, num_layers=2)
    x = torch.randn(5, 2, 3)
    expected = gradients_of(rnn, x, lambda x: rnn(x)[0])
    for same in (copy.deepcopy(rnn), pickle.loads(pickle.dumps(rnn))):
        assert same.backend == "fused"
        for ours, theirs in zip(gradients_of(same, x, lambda x, s=same: s(x)[0]), expected, strict=True):
            assert torch.equal(ours, theirs)


# What the fused backend is not made for


@pytest.fixture
def no_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the fused backend ran")

    monkeypatch.setattr(operator._Sequence, "apply", refuse)


def pair() -> tuple[RNN, RNN, Tensor]:
    """Return an RNN, its twin on the reference backend, and an input."""
    rnn = RNN(lstm, 3, 4, dtype=torch.float64)
    reference = copy.deepcopy(rnn)
    reference.backend = "reference"
    return rnn, reference, torch.randn(5, 2, 3, dtype=torch.float64)


def squares(rnn: RNN) -> Callable[[Tensor], Tensor]:
    return lambda x: (rnn(x)[0] ** 2).sum()


@pytest.mark.usefixtures("no_fused")
@pytest.mark.parametrize("name", ["grad", "vmap", "jvp", "jacrev", "jacfwd", "hessian"])
def test_transforms_of_functions(name: str) -> None:
    rnn, reference, x = pair()

    def transformed(rnn: RNN) -> Tensor:
        match name:
            case "vmap":
                return torch.func.vmap(lambda x: rnn(x)[0])(torch.stack([x, 2 * x]))
            case "jvp":
                return torch.func.jvp(squares(rnn), (x,), (torch.ones_like(x),))[1]
        return getattr(torch.func, name)(squares(rnn))(x)

    torch.testing.assert_close(transformed(rnn), transformed(reference))


@pytest.mark.usefixtures("no_fused")
def test_forward_mode() -> None:
    rnn, reference, x = pair()
    tangents = []
    for each in (rnn, reference):
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
            tangents.append(torch.autograd.forward_ad.unpack_dual(each(dual)[0]).tangent)
    assert tangents[0] is not None
    torch.testing.assert_close(*tangents)


@pytest.mark.parametrize("name", ["jacobian", "vectorized jacobian", "hessian", "jvp", "vjp"])
def test_older_transforms(name: str) -> None:
    rnn, reference, x = pair()

    def transformed(rnn: RNN) -> object:
        functional = torch.autograd.functional
        match name:
            case "jacobian":
                return functional.jacobian(lambda x: rnn(x)[0], x)
            case "vectorized jacobian":
                return functional.jacobian(lambda x: rnn(x)[0], x, vectorize=True)
            case "jvp" | "vjp":
                return getattr(functional, name)(
                    squares(rnn), x, torch.ones_like(x if name == "jvp" else x.sum())
                )
        return functional.hessian(squares(rnn), x)

    torch.testing.assert_close(transformed(rnn), transformed(reference))


def test_gradients_of_several_directions_at_once() -> None:
    rnn, reference, x = pair()
    directions = torch.randn(3, 5, 2, 4, dtype=torch.float64)
    found = [
        torch.autograd.grad(each(x)[0], list(each.parameters()), directions, is_grads_batched=True)
        for each in (rnn, reference)
    ]
    for ours, expected in zip(*found, strict=True):
        torch.testing.assert_close(ours, expected)


def test_transforms_of_the_backward_alone() -> None:
    """The graph is made before the transform begins."""
    rnn, reference, x = pair()
    directions = torch.randn(3, 5, 2, 4, dtype=torch.float64)
    batches, tangents = [], []
    for each in (rnn, reference):
        output, wanted = each(x)[0], list(each.parameters())

        def pull(d: Tensor, output: Tensor = output, wanted: list[Tensor] = wanted) -> tuple[Tensor, ...]:
            return torch.autograd.grad(output, wanted, d, retain_graph=True)

        batches.append(torch.func.vmap(pull)(directions))
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(directions[0], directions[1])
            tangents.append([torch.autograd.forward_ad.unpack_dual(d).tangent for d in pull(dual)])
    for found in (batches, tangents):
        for ours, expected in zip(*found, strict=True):
            torch.testing.assert_close(ours, expected)


@pytest.mark.usefixtures("no_fused")
def test_tracing() -> None:
    rnn, _, x = pair()
    traced = torch.jit.trace(rnn, (x,), check_trace=False)
    other = torch.randn_like(x)
    rnn.backend = "reference"
    torch.testing.assert_close(traced(other)[0], rnn(other)[0])


def test_gradients_after_autocast_has_ended() -> None:
    """Autocast while backwards, not forwards: the compiled functions are not concerned."""
    rnn, _, x = pair()
    expected = torch.autograd.grad(squares(rnn)(x), list(rnn.parameters()))
    value = squares(rnn)(x)
    with torch.autocast("cpu", torch.bfloat16):
        found = torch.autograd.grad(value, list(rnn.parameters()))
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.usefixtures("no_fused")
def test_tensors_without_data() -> None:
    with FakeTensorMode():
        rnn = RNN(lstm, 3, 4)
        output, (h, _) = rnn(torch.randn(5, 2, 3))
        assert (output.shape, h.shape) == ((5, 2, 4), (1, 2, 4))
        output.sum().backward()
    meta = RNN(lstm, 3, 4, device="meta")
    assert meta.backend == "eager"
    assert meta(torch.randn(5, 2, 3, device="meta"))[0].shape == (5, 2, 4)


@pytest.mark.usefixtures("no_fused")
def test_real_parameters_among_tensors_without_data() -> None:
    rnn = RNN(lstm, 3, 4)
    with FakeTensorMode(allow_non_fake_inputs=True):
        output, _ = rnn(torch.randn(5, 2, 3))
        assert output.shape == (5, 2, 4)


def test_tensors_that_negate_lazily() -> None:
    """Torch marks the imaginary part of a conjugate instead of computing its sign."""
    rnn, reference, x = pair()
    lazy = torch.complex(torch.zeros_like(x), x).conj().imag
    assert lazy.is_neg()
    torch.testing.assert_close(rnn(lazy)[0], reference(-x)[0])


@pytest.mark.usefixtures("no_fused")
def test_subclasses_of_tensors() -> None:
    class Mine(Tensor):
        pass

    rnn, reference, x = pair()
    found = rnn(x.as_subclass(Mine))[0]
    assert isinstance(found, Mine)
    torch.testing.assert_close(found.as_subclass(Tensor), reference(x)[0])
