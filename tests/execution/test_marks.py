"""A state dict is taken only where it is of this cell: no gate is ever read as another."""

from __future__ import annotations

import copy
import io
import pickle
import re
from collections.abc import Callable

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.cells.zoo.classic import gru, lstm, rnn
from nas_rnn.errors import UserError
from nas_rnn.execution import RNN, mark_weights
from nas_rnn.execution.marks import KEY

BARE_LSTM = parse_cell(
    "@cell\ndef bare_lstm(x, h, c):\n"
    "    i = sigmoid(linear(x, h, bias=None))\n"
    "    f = sigmoid(linear(x, h, bias=None))\n"
    "    o = sigmoid(linear(x, h, bias=None))\n"
    "    g = tanh(linear(x, h, bias=None))\n"
    "    c = f * c + i * g\n"
    "    return o * tanh(c), c\n"
)
BARE_GRU = parse_cell(
    "@cell\ndef bare_gru(x, h):\n"
    "    r = sigmoid(linear(x, h, bias=None))\n"
    "    z = sigmoid(linear(x, h, bias=None))\n"
    "    n = tanh(linear(x, bias=None) + r * linear(h, bias=None))\n"
    "    return blend(z, h, n)\n"
)
BARE_RNN = parse_cell("@cell\ndef bare_rnn(x, h):\n    return tanh(linear(x, h, bias=None))\n")
MODULES = {"lstm": (nn.LSTM, BARE_LSTM), "gru": (nn.GRU, BARE_GRU), "rnn": (nn.RNN, BARE_RNN)}
OTHER_LSTM = parse_cell(
    BARE_LSTM.to_text().replace("bare_lstm", "other").replace("o * tanh(c), c", "o * c, c")
)
OTHER_LSTM_OF_THAT_NAME = parse_cell(OTHER_LSTM.to_text().replace("other", "bare_lstm"))


class Model(nn.Module):
    """Something bigger, whose layers do not come first."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(5, 3), layers


def as_it_is(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return weights


def by_torch(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    file = io.BytesIO()
    torch.save(weights, file)
    file.seek(0)
    loaded: dict[str, Tensor] = torch.load(file, weights_only=True)
    return loaded


def by_safetensors(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return safetensors.torch.load(safetensors.torch.save(weights))


WAYS = [as_it_is, by_torch, by_safetensors]
HOW = [{}, {"strict": False}, {"assign": True}, {"strict": False, "assign": True}]


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", MODULES)
def test_weights_of_torchs_layers_are_refused(
    kind: str, way: Callable[[dict[str, Tensor]], dict[str, Tensor]], how: dict[str, bool]
) -> None:
    """Those without biases have our names and shapes."""
    module, cell = MODULES[kind]
    theirs = module(3, 4, num_layers=2, bias=False, bidirectional=True)
    ours = RNN(cell, 3, 4, num_layers=2, bidirectional=True)
    assert set(dict(ours.named_parameters())) == set(theirs.state_dict())
    before = copy.deepcopy(list(ours.parameters()))
    with pytest.raises(
        UserError, match=r"do not say which cell .* nn\.LSTM, nn\.GRU or nn\.RNN: RNN\.from_torch"
    ):
        ours.load_state_dict(way(theirs.state_dict()), **how)
    assert all(map(torch.equal, ours.parameters(), before))


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize(("module", "cell"), [(nn.LSTM, lstm), (nn.GRU, gru), (nn.RNN, rnn)])
def test_those_with_biases_are_known_for_what_they_are(
    module: type[nn.RNNBase], cell: Cell, how: dict[str, bool]
) -> None:
    with pytest.raises(
        UserError, match=r"^the weights are those of an nn.LSTM, nn.GRU or nn.RNN; RNN.from_torch"
    ):
        RNN(cell, 3, 4).load_state_dict(module(3, 4).state_dict(), **how)
    with pytest.raises(RuntimeError, match="from_torch"):  # torch's kind of error, too
        RNN(lstm, 3, 4).load_state_dict(nn.LSTM(3, 4, proj_size=2, bias=False).state_dict())


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize(
    ("other", "message"),
    [
        (OTHER_LSTM, f"are of the cell 'other' ({OTHER_LSTM.digest}), not of 'bare_lstm'"),
        (OTHER_LSTM_OF_THAT_NAME, f"are of another cell called 'bare_lstm' ({OTHER_LSTM.digest})"),
    ],
)
def test_weights_of_another_cell_are_refused(other: Cell, message: str, how: dict[str, bool]) -> None:
    ours, theirs = RNN(BARE_LSTM, 3, 4), RNN(other, 3, 4)
    shapes = [[(name, p.shape) for name, p in model.named_parameters()] for model in (ours, theirs)]
    assert shapes[0] == shapes[1]
    with pytest.raises(UserError, match=re.escape(message)):
        ours.load_state_dict(theirs.state_dict(), **how)


@pytest.mark.parametrize("how", HOW, ids=str)
def test_layers_within_a_model(how: dict[str, bool]) -> None:
    ours = Model(RNN(BARE_LSTM, 3, 4))
    with pytest.raises(UserError, match=r"the weights at 'rnn' do not say .* no 'rnn\._extra_state'"):
        ours.load_state_dict(Model(nn.LSTM(3, 4, bias=False)).state_dict(), **how)
    with pytest.raises(UserError, match="the weights at 'rnn' are of the cell 'other'"):
        ours.load_state_dict(Model(RNN(OTHER_LSTM, 3, 4)).state_dict(), **how)
    with pytest.raises(UserError, match=r"the weights at '0\.rnn' are those of an nn\.LSTM"):
        nn.Sequential(ours).load_state_dict(nn.Sequential(Model(nn.LSTM(3, 4))).state_dict(), **how)


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_weights_of_the_cell_come_back(
    way: Callable[[dict[str, Tensor]], dict[str, Tensor]], how: dict[str, bool]
) -> None:
    """Under whatever name, and in a model."""
    renamed = parse_cell(BARE_LSTM.to_text().replace("bare_lstm", "long_short"))
    ours, theirs = Model(RNN(BARE_LSTM, 3, 4, num_layers=2)), Model(RNN(renamed, 3, 4, num_layers=2))
    result = ours.load_state_dict(way(theirs.state_dict()), **how)
    assert not result.missing_keys and not result.unexpected_keys
    x = torch.randn(5, 2, 3)
    assert torch.equal(ours.rnn(x)[0], theirs.rnn(x)[0])


def test_parts_of_a_model_can_be_loaded() -> None:
    """Where nothing of the layers is given, nothing is asked of it; half of them is not enough to know."""
    ours, theirs = Model(RNN(lstm, 3, 4)), Model(nn.LSTM(3, 4))
    weights = {k: v for k, v in theirs.state_dict().items() if k.startswith("embedding")}
    assert "rnn._extra_state" in ours.load_state_dict(weights, strict=False).missing_keys
    assert torch.equal(ours.embedding.weight, theirs.embedding.weight)
    with pytest.raises(RuntimeError, match="Missing key"):
        ours.load_state_dict(weights)
    with pytest.raises(UserError, match="do not say which cell"):
        ours.rnn.load_state_dict({"weight_hh_l0": torch.zeros(16, 4)}, strict=False)


def test_ours_are_not_torchs_either() -> None:
    with pytest.raises(RuntimeError, match=KEY):
        nn.LSTM(3, 4, bias=False).load_state_dict(RNN(BARE_LSTM, 3, 4).state_dict())


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (torch.tensor([1, 2, 3], dtype=torch.uint8), "cannot be read"),
        (torch.zeros(2, 2), "cannot be read"),
        ({"digest": 1}, "cannot be read"),
        (list(b"nas_rnn 1 " + lstm.digest.encode() + b" lstm"), "cannot be read"),
        (torch.tensor(list(f"nas_rnn 999 {lstm.digest} lstm".encode())), "packing 999, not 1"),
    ],
)
def test_marks_that_tell_nothing(mark: object, message: str) -> None:
    model = RNN(lstm, 3, 4)
    with pytest.raises(UserError, match=message):
        model.load_state_dict({**model.state_dict(), KEY: mark}, strict=False)


def test_the_mark_is_no_parameter_and_no_buffer() -> None:
    model = RNN(lstm, 3, 4, dtype=torch.float64)
    assert model.state_dict()[KEY].dtype == torch.uint8
    assert [name for name, _ in model.named_parameters()] == ["weight_ih_l0", "weight_hh_l0", "bias_l0"]
    assert not list(model.named_buffers())
    half = {name: tensor.half() for name, tensor in model.state_dict().items()}
    model.load_state_dict(half)
    with torch.device("meta"):
        assert RNN(lstm, 3, 4).state_dict()[KEY].device.type == "cpu"
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for other in copies:
        other.load_state_dict(model.state_dict())
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    own = model.state_dict()
    assert torch.equal(torch.func.functional_call(model, own, (x,))[0], model(x)[0])
    assert list(model.state_dict()) == list(own)
    parameters, buffers = torch.func.stack_module_state([model, *copies])  # type: ignore[arg-type]
    assert parameters["bias_l0"].shape == (3, 16) and not buffers


def test_files_from_before_there_were_marks() -> None:
    """Loaded on somebody's word that they are of this model; what is marked is checked all the same."""
    theirs = Model(RNN(BARE_LSTM, 3, 4))
    old = {name: tensor for name, tensor in theirs.state_dict().items() if not name.endswith(KEY)}
    ours = Model(RNN(BARE_LSTM, 3, 4))
    ours.load_state_dict(mark_weights(ours, old))
    x = torch.randn(5, 2, 3)
    assert torch.equal(ours.rnn(x)[0], theirs.rnn(x)[0])
    ours.rnn.load_state_dict(
        mark_weights(ours.rnn, {k[4:]: v for k, v in old.items() if k.startswith("rnn.")})
    )
    other = Model(RNN(OTHER_LSTM, 3, 4))
    with pytest.raises(UserError, match="of the cell 'other'"):
        ours.load_state_dict(mark_weights(ours, other.state_dict()))


def test_layers_that_stand_twice_in_a_model() -> None:
    def model() -> nn.ModuleDict:
        shared = RNN(BARE_LSTM, 3, 4)
        return nn.ModuleDict({"first": shared, "second": shared})

    old = {name: tensor for name, tensor in model().state_dict().items() if not name.endswith(KEY)}
    ours = model()
    ours.load_state_dict(mark_weights(ours, old))


class Backwards(nn.LSTM):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        output: Tensor = super().forward(x.flip(0))[0]
        return output


def patched() -> nn.GRU:
    module = nn.GRU(3, 4)
    module.forward = lambda x: x  # type: ignore[assignment,method-assign]
    return module


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Backwards(3, 4), "Backwards has a forward of its own.*give an nn.LSTM itself"),
        (patched(), "GRU has a forward of its own.*give an nn.GRU itself"),
        (nn.LSTM(3, 4).state_dict(), "not from a state dict.*load it into such a module first"),
        (nn.LSTMCell(3, 4), "not from LSTMCell"),
        (RNN(lstm, 3, 4), "not from RNN"),
    ],
)
def test_from_torch_refuses_what_it_cannot_convert(module: nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message):
        RNN.from_torch(module)


def test_from_torch_takes_subclasses_that_compute_the_same() -> None:
    class Named(nn.LSTM):
        pass

    scaled = nn.LSTM(3, 4)
    torch.nn.utils.parametrizations.weight_norm(scaled, "weight_hh_l0")
    x = torch.randn(5, 2, 3)
    for module in (Named(3, 4), scaled):
        torch.testing.assert_close(RNN.from_torch(module)(x)[0], module(x)[0])
