"""Our rnn, lstm and gru against torch's, outputs, states and every gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from nas_rnn.errors import UserError
from nas_rnn.execution import RNN

MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
SHAPES = {
    "one layer": {},
    "two layers": {"num_layers": 2},
    "bidirectional": {"bidirectional": True},
    "two bidirectional layers": {"num_layers": 2, "bidirectional": True},
    "batch first": {"batch_first": True, "num_layers": 2},
    "without bias": {"bias": False, "bidirectional": True},
}
BACKENDS = ("eager", "reference")
T, B, I, H = 5, 4, 3, 6  # noqa: E741


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def as_tuple(state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def data(output: Tensor | PackedSequence) -> Tensor:
    return output.data if isinstance(output, PackedSequence) else output


def loss(output: Tensor | PackedSequence, state: tuple[Tensor, ...]) -> Tensor:
    """Return a number to which every output and state contributes differently."""
    flat = torch.cat([data(output).flatten(), *(s.flatten() for s in state)])
    return (flat * torch.linspace(-1, 1, flat.numel(), dtype=flat.dtype)).sum() + (flat * flat).sum()


def compare(
    module: nn.RNNBase, x: Tensor | PackedSequence, state: tuple[Tensor, ...] | None, backend: str
) -> None:
    """Run both and compare outputs, final states, and gradients of inputs, starts and weights."""
    ours = RNN.from_torch(module, backend=backend)
    leaves = [*(state or ()), *([] if isinstance(x, PackedSequence) else [x])]
    for leaf in leaves:
        leaf.requires_grad_()
    theirs = state if state is None or isinstance(module, nn.LSTM) else state[0]
    output, final = module(x, theirs)
    loss(output, as_tuple(final)).backward()
    expected = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = None
    our_output, our_final = ours(x, state)
    loss(our_output, our_final).backward()
    assert type(our_output) is type(output)
    close(data(our_output), data(output))
    assert len(our_final) == len(as_tuple(final))
    for our_state, their_state in zip(our_final, as_tuple(final), strict=True):
        close(our_state, their_state)
    for leaf, gradient in zip(leaves, expected, strict=True):
        close(leaf.grad, gradient)
    compare_weight_gradients(ours, module)


def compare_weight_gradients(ours: RNN, module: nn.RNNBase) -> None:
    """Pack torch's gradients as its weights are packed, and compare."""
    gradients = type(module)(
        module.input_size,
        module.hidden_size,
        module.num_layers,
        bias=module.bias,
        bidirectional=module.bidirectional,
        dtype=torch.float64,
    )
    for name, parameter in module.named_parameters():
        shared = name.startswith("bias_hh") and not isinstance(module, nn.GRU)
        kept = torch.zeros_like(parameter) if shared else parameter.grad.clone()
        if name.startswith("bias_hh") and isinstance(module, nn.GRU):
            kept[: 2 * module.hidden_size] = 0
        getattr(gradients, name).data = kept
    packed = RNN.from_torch(gradients)
    for name, expected in packed.named_parameters():
        if name.startswith("bias") and not module.bias:
            continue
        close(dict(ours.named_parameters())[name].grad, expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", MODULES)
def test_outputs_states_and_gradients(kind: str, shape: str, backend: str) -> None:
    module = MODULES[kind](I, H, **SHAPES[shape], dtype=torch.float64)
    x = torch.randn(T, B, I, dtype=torch.float64)
    compare(module, x.transpose(0, 1).contiguous() if module.batch_first else x, None, backend)


def starts(module: nn.RNNBase, *batch: int) -> tuple[Tensor, ...]:
    rows = module.num_layers * (1 + module.bidirectional)
    count = 2 if isinstance(module, nn.LSTM) else 1
    return tuple(torch.randn(rows, *batch, H, dtype=torch.float64) for _ in range(count))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", MODULES)
def test_given_starts_have_gradients(kind: str, backend: str) -> None:
    module = MODULES[kind](I, H, num_layers=2, bidirectional=True, dtype=torch.float64)
    compare(module, torch.randn(T, B, I, dtype=torch.float64), starts(module, B), backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("kind", MODULES)
def test_unbatched(kind: str, given: bool, backend: str) -> None:
    module = MODULES[kind](I, H, num_layers=2, batch_first=True, dtype=torch.float64)
    compare(module, torch.randn(T, I, dtype=torch.float64), starts(module) if given else None, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lengths", [(5, 3, 2, 1), (2, 5, 1, 5), (4, 4, 4, 4)])
@pytest.mark.parametrize("kind", MODULES)
def test_packed(kind: str, lengths: tuple[int, ...], backend: str) -> None:
    module = MODULES[kind](I, H, num_layers=2, bidirectional=True, dtype=torch.float64)
    ordered = list(lengths) == sorted(lengths, reverse=True)
    x = torch.randn(T, B, I, dtype=torch.float64)
    packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=ordered)
    compare(module, packed, None, backend)
    module.zero_grad()
    compare(module, packed, starts(module, B), backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_packed_input_has_gradients(backend: str) -> None:
    module = nn.LSTM(I, H, bidirectional=True, dtype=torch.float64)
    gradients = []
    for rnn in (module, RNN.from_torch(module, backend=backend)):
        torch.manual_seed(1)
        x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
        output, _ = rnn(pack_padded_sequence(x, torch.tensor([2, 5, 1, 4]), enforce_sorted=False))
        output.data.square().sum().backward()
        gradients.append(x.grad)
    close(gradients[1], gradients[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_relu(backend: str) -> None:
    module = nn.RNN(I, H, nonlinearity="relu", dtype=torch.float64)
    compare(module, torch.randn(T, B, I, dtype=torch.float64), None, backend)


@pytest.mark.parametrize(
    ("steps", "batch", "inputs", "hidden"), [(1, 1, 1, 1), (1, 3, 17, 3), (3, 1, 3, 17), (2, 17, 1, 3)]
)
@pytest.mark.parametrize("kind", MODULES)
def test_odd_sizes(kind: str, steps: int, batch: int, inputs: int, hidden: int) -> None:
    module = MODULES[kind](inputs, hidden, dtype=torch.float64)
    for backend in BACKENDS:
        module.zero_grad()
        compare(module, torch.randn(steps, batch, inputs, dtype=torch.float64), None, backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_input_that_is_not_contiguous(backend: str) -> None:
    module = nn.LSTM(I, H, dtype=torch.float64)
    x = torch.randn(B, 2 * I, T, dtype=torch.float64).permute(2, 0, 1)[:, :, ::2]
    assert not x.is_contiguous()
    compare(module, x.detach(), None, backend)


def test_settings_are_taken_over() -> None:
    module = nn.GRU(I, H, num_layers=2, dropout=0.25, batch_first=True).eval()
    ours = RNN.from_torch(module)
    assert (ours.dropout, ours.batch_first, ours.num_layers, ours.training) == (0.25, True, 2, False)
    assert ours.weight_hh_l1.dtype == torch.float32


def test_weights_are_copies() -> None:
    module = nn.RNN(I, H)
    ours = RNN.from_torch(module)
    before = ours.weight_hh_l0.detach().clone()
    module.weight_hh_l0.data.zero_()
    assert torch.equal(ours.weight_hh_l0, before)


def test_what_cannot_be_taken_over() -> None:
    with pytest.raises(UserError, match="proj_size=2"):
        RNN.from_torch(nn.LSTM(I, H, proj_size=2))
    with pytest.raises(UserError, match="not from Linear"):
        RNN.from_torch(nn.Linear(I, H))
