"""`RNN` as a module: initial values, state_dict, copies, devices, layers, and what it says about mistakes."""

from __future__ import annotations

import copy
import math
import pickle
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.zoo.classic import gru, lstm, rnn
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN
from nas_rnn.execution.backends import BACKENDS
from tests.cells.disguise import disguised
from tests.random_cells import cells


def same_seed(cell: Cell, backend: str) -> RNN:
    torch.manual_seed(7)
    return RNN(cell, 4, 6, backend=backend, dtype=torch.float64)


@pytest.mark.parametrize("backend", ["eager", "reference"])
@settings(max_examples=60, deadline=None)
@given(tested=cells(), seed=st.integers(0, 1000))
def test_equal_digests_give_equal_outputs_at_one_seed(backend: str, tested: Cell, seed: int) -> None:
    """Bit for bit, however the cell is written and in whatever order its further state paths stand."""
    other = disguised(tested, seed, permute_states=True)
    ours, theirs = same_seed(tested, backend), same_seed(other, backend)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for first, second in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(first, second)
    x = torch.randn(3, 2, 4, dtype=torch.float64)
    assert torch.equal(ours(x)[0], theirs(x)[0]) or ours(x)[0].isnan().any()


def test_initial_values() -> None:
    tested = parse_cell(
        "@cell\ndef f(x, h):\n"
        "    a = sigmoid(linear(x, h, bias=1.5) + diagonal(h))\n"
        "    return layer_norm(tanh(linear(a, bias=-2)) * scalar(0.25)) + linear(x, heads=2, bias=None)\n"
    )
    model = RNN(tested, 40, 50)
    bound = 1 / math.sqrt(50)
    for name in ("weight_ih_l0", "weight_hh_l0", "diagonal_hh_l0", "weight_heads_0_l0"):
        values = getattr(model, name)
        assert values.abs().max() <= bound
        assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.25)
    assert set(model.bias_l0.tolist()) == {1.5, -2.0}
    assert model.scalar_l0.tolist() == [0.25]
    assert torch.equal(model.norm_gain_hh_l0, torch.ones(1, 50))
    assert torch.equal(model.norm_bias_hh_l0, torch.zeros(1, 50))


def test_reset_parameters_starts_anew() -> None:
    torch.manual_seed(1)
    model = RNN(lstm, 3, 4, num_layers=2, bidirectional=True)
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(1)
    model.reset_parameters()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    model.reset_parameters()
    assert not torch.equal(before["weight_hh_l1_reverse"], model.weight_hh_l1_reverse)


def test_names_of_parameters() -> None:
    names = set(dict(RNN(lstm, 3, 4, num_layers=2, bidirectional=True).named_parameters()))
    stems = ("weight_ih", "weight_hh", "bias")
    assert names == {f"{stem}_l{k}{end}" for stem in stems for k in (0, 1) for end in ("", "_reverse")}


def test_state_dict_round_trip_copy_and_pickle() -> None:
    model = RNN(gru, 3, 4, num_layers=2)
    x = torch.randn(5, 2, 3)
    other = RNN(gru, 3, 4, num_layers=2)
    assert not torch.equal(other(x)[0], model(x)[0])
    other.load_state_dict(model.state_dict())
    for same in (other, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(same(x)[0], model(x)[0])
    copied = copy.deepcopy(model)
    copied.weight_hh_l0.data.zero_()
    assert not torch.equal(copied(x)[0], model(x)[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_meta_device_and_types(backend: str) -> None:
    with torch.device("meta"):
        model = RNN(lstm, 3, 4, num_layers=2, backend=backend)
        output, (h, c) = model(torch.randn(5, 2, 3))
    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert (output.shape, h.shape, c.shape) == ((5, 2, 4), (2, 2, 4), (2, 2, 4))
    double = RNN(lstm, 3, 4, backend=backend).to(torch.float64)
    assert double(torch.randn(5, 2, 3, dtype=torch.float64))[0].dtype == torch.float64


def test_printed() -> None:
    assert repr(RNN(lstm, 3, 4)) == "RNN(lstm, 3, 4, backend=fused)"
    text = repr(RNN(gru, 3, 4, 2, True, 0.5, True, "reference"))
    expected = "gru, 3, 4, num_layers=2, batch_first=True, dropout=0.5, bidirectional=True, backend=reference"
    assert text == f"RNN({expected})"


def test_backends_are_chosen_by_name() -> None:
    model = RNN(lstm, 3, 4)
    assert model.backend == next(iter(BACKENDS))
    model.backend = "reference"
    assert model.backend == "reference"
    with pytest.raises(UserError, match="unknown backend 'eagr'; did you mean 'eager'"):
        RNN(lstm, 3, 4, backend="eagr")


def test_dropout_is_between_layers_and_in_training_only() -> None:
    model = RNN(lstm, 3, 40, num_layers=2, dropout=0.5)
    x = torch.randn(5, 2, 3)
    first, second = model(x)[0], model(x)[0]
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    first = model(x)[0]
    torch.manual_seed(3)
    assert torch.equal(model(x)[0], first)
    model.eval()
    assert torch.equal(model(x)[0], model(x)[0])
    everything = RNN(rnn, 3, 4, num_layers=2, dropout=1.0)
    torch.nn.init.ones_(everything.bias_l1)  # or the output would be zero, as if dropped out itself
    torch.testing.assert_close(everything(x)[0][0], torch.tanh(everything.bias_l1).expand(2, 4))
    with pytest.warns(UserWarning, match="no effect"):
        RNN(lstm, 3, 4, dropout=0.5)


def test_the_state_can_be_carried_on() -> None:
    model = RNN(lstm, 3, 4, num_layers=2)
    x = torch.randn(6, 2, 3)
    whole, final = model(x)
    first, state = model(x[:2])
    second, carried = model(x[2:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    for path, carried_path in zip(final, carried, strict=True):
        torch.testing.assert_close(path, carried_path)


def test_without_gradients() -> None:
    model = RNN(lstm, 3, 4)
    x = torch.randn(5, 2, 3)
    expected = model(x)[0].detach()
    with torch.no_grad():
        assert torch.equal(model(x)[0], expected)
    with torch.inference_mode():
        assert torch.equal(model(x)[0], expected)
    model(x)[0].sum().backward()


def test_cells_by_name() -> None:
    assert RNN("lstm", 3, 4).cell == lstm
    with pytest.raises(UserError, match=r"lstn.*did you mean 'lstm'"):
        RNN("lstn", 3, 4)
    with pytest.raises(UserError, match="a Cell or the name of one, not from a type"):
        RNN(torch.nn.LSTM, 3, 4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": 0}, "input_size is a whole number from 1 on, not 0"),
        ({"hidden_size": 2.5}, "hidden_size is a whole number from 1 on, not 2.5"),
        ({"num_layers": True}, "num_layers is a whole number from 1 on, not True"),
        ({"dropout": 1.5}, "from 0 to 1, not 1.5"),
        ({"init": None}, "unknown init 'None'"),
        ({"dtype": torch.int32}, "dtype is torch.float32, .* or torch.bfloat16, not torch.int32"),
        ({"dtype": torch.complex64}, "not torch.complex64"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        RNN(lstm, **{"input_size": 3, "hidden_size": 4, **arguments})  # type: ignore[arg-type]


X = torch.zeros(5, 2, 3)
H = torch.zeros(1, 2, 4)


@pytest.mark.parametrize(
    ("x", "state", "message"),
    [
        (torch.zeros(5, 2, 3, 1), None, "3 dimensions (time, batch, input_size), or 2 (time, input_size)"),
        (torch.zeros(3), None, "not 1: (3,)"),
        (
            torch.zeros(5, 2, 4),
            None,
            "the last dimension of the input is input_size=3; its shape is (5, 2, 4)",
        ),
        (torch.zeros(0, 2, 3), None, "at least one time step"),
        (X.double(), None, "the input is torch.float64 and the weights are torch.float32"),
        ([[1.0]], None, "not a list"),
        (X, H, "the state is a tuple (h, c), one tensor a state path, not a Tensor"),
        (X, (H,), "the state of the cell 'lstm' is (h, c): 2 tensor(s), not 1"),
        (X, (H, None), "the state 'c' is a tensor, not a NoneType"),
        (X, (H, torch.zeros(2, 4)), "(num_layers * directions, batch, size) = (1, 2, 4), not (2, 4)"),
        (X[:, 0], (H, H), "(num_layers * directions, size) = (1, 4), not (1, 2, 4)"),
        (X, (H, H.to("meta")), "the state 'c' is on meta and the input on cpu; they must agree"),
        (X.to("meta"), None, "the input is on meta and weight_ih_l0 of this RNN on cpu; use x.to('cpu')"),
        (X.to_sparse(), None, "the input is a dense tensor, not one of the layout torch.sparse_coo"),
        (X.long(), None, "the weights are torch.float32; use x.to(torch.float32)"),
        (pack_padded_sequence(X[..., 0], torch.tensor([2, 1])), None, "not 1: (3,)"),
        (X, (H, H.double()), "the state 'c' is torch.float64 and the input torch.float32"),
        (
            pack_padded_sequence(torch.zeros(5, 2, 4), torch.tensor([5, 2])),
            None,
            "input_size=3; its shape is (7, 4)",
        ),
        (pack_padded_sequence(X, torch.tensor([5, 2])), (H, H[:, :1]), "= (1, 2, 4), not (1, 1, 4)"),
    ],
)
def test_inputs_that_do_not_fit(x: Tensor, state: tuple[Tensor, ...] | None, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        RNN(lstm, 3, 4)(x, state)


def test_the_tuple_of_one_path() -> None:
    with pytest.raises(UserError, match=re.escape("is a tuple (h,)")):
        RNN(gru, 3, 4)(X, H)
    _, state = RNN(gru, 3, 4)(X, (H,))
    assert isinstance(state, tuple)
    assert len(state) == 1
