"""The words `vector` and `layer_norm` of several values, from the text form to the backends."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm as torch_layer_norm

from nas_rnn.cells import Cell, CellError, parse_cell, vector
from nas_rnn.cells.graph.costs import costs
from nas_rnn.cells.views.diagram.sketch import sketch
from nas_rnn.execution import RNN
from tests.cells.disguise import disguised
from tests.zoo.named_weights import Weights, named_places, read

INPUTS, HIDDEN, BATCH = 4, 6, 3


def written(*lines: str, parameters: str = "x, h") -> Cell:
    body = "".join(f"    {line}\n" for line in lines)
    return parse_cell(f"@cell\ndef f({parameters}):\n{body}")


def weights_of(rnn: RNN) -> Weights:
    layout = rnn._layouts[0]
    tensors = dict(zip(dict(layout.shapes), rnn.parameters(), strict=True))
    return Weights({name: read(place, tensors) for name, place in named_places(rnn.cell, layout).items()})


def moved(cell: Cell, backend: str) -> RNN:
    """Return an RNN at parameters away from where they start."""
    rnn = RNN(cell, INPUTS, HIDDEN, backend=backend, dtype=torch.float64)
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return rnn


def normalised(gain: Tensor, shift: Tensor, value: Tensor, *among: Tensor) -> Tensor:
    """Normalise all values as one vector, and return the part of the first."""
    together = torch.cat([value.expand(BATCH, -1), *(other.expand(BATCH, -1) for other in among)], -1)
    part = torch_layer_norm(together, together.shape[-1:])[:, : value.shape[-1]]
    return part * gain + shift


@pytest.mark.parametrize("backend", ["eager", "reference"])
def test_a_joint_norm_is_that_of_the_values_side_by_side(backend: str) -> None:
    rnn = moved(
        written("a = linear(x)", "y = layer_norm(a, x, h)", "return tanh(y) + layer_norm(h, a, x)"), backend
    )
    w, x = weights_of(rnn), torch.randn(4, BATCH, INPUTS, dtype=torch.float64)
    h = torch.zeros(BATCH, HIDDEN, dtype=torch.float64)
    for x_t, ours in zip(x, rnn(x)[0], strict=True):
        a = w.affine("a", x=x_t)
        y = normalised(w["y/gain"], w["y/shift"], a, x_t, h)
        h = torch.tanh(y) + normalised(w["h/gain"], w["h/shift"], h, a, x_t)
        torch.testing.assert_close(ours, h)


@pytest.mark.parametrize("backend", ["eager", "reference"])
def test_a_vector_may_stand_wherever_a_value_may(backend: str) -> None:
    rnn = moved(
        written(
            "a = vector(0.5)",
            "b = linear(x, a)",
            "return tanh(b * a + layer_norm(linear(a, h), a, b)), sigmoid(a), a",
            parameters="x, h, c, d",
        ),
        backend,
    )
    w, x = weights_of(rnn), torch.randn(4, BATCH, INPUTS, dtype=torch.float64)
    output, (_, c, d) = rnn(x)
    h = torch.zeros(BATCH, HIDDEN, dtype=torch.float64)
    a = w["a/v"]
    for x_t, ours in zip(x, output, strict=True):
        b = w.affine("b", x=x_t, a=a)
        h = torch.tanh(b * a + normalised(w["h/gain"], w["h/shift"], w.affine("h", a=a, h=h), a, b))
        torch.testing.assert_close(ours, h)
    torch.testing.assert_close(c[0], torch.sigmoid(a).expand(BATCH, -1))
    torch.testing.assert_close(d[0], a.expand(BATCH, -1))
    output.sum().backward()
    assert rnn.vector_l0.grad is not None and rnn.vector_l0.grad.abs().min() > 0


@pytest.mark.parametrize("backend", ["eager", "reference"])
def test_a_vector_as_the_output_has_a_batch(backend: str) -> None:
    rnn = RNN(written("return vector(2)"), INPUTS, HIDDEN, backend=backend)
    output, (h,) = rnn(torch.randn(5, BATCH, INPUTS))
    assert torch.equal(output, torch.full((5, BATCH, HIDDEN), 2.0))
    assert torch.equal(h[0], output[-1])


def test_where_a_vector_starts_and_what_it_costs() -> None:
    made = written("a = vector(-1.5)", "return linear(x, bias=None) + vector() + a * h")
    rnn = RNN(made, INPUTS, HIDDEN)
    assert sorted(set(rnn.vector_l0.flatten().tolist())) == [-1.5, 0.0]
    assert costs(made, INPUTS, HIDDEN).parameters == HIDDEN * INPUTS + 2 * HIDDEN
    assert sum(p.numel() for p in rnn.parameters()) == HIDDEN * INPUTS + 2 * HIDDEN


def test_norms_by_the_same_values_reduce_once() -> None:
    made = written("a = linear(x)", "return layer_norm(a, h) + layer_norm(h, a) + layer_norm(h)")
    assert costs(made, INPUTS, HIDDEN).reductions == 2


TEXTS = (
    "@cell\ndef f(x, h):\n    return layer_norm(h, x, linear(x)) + vector()\n",
    "@cell\ndef f(x, h):\n    v = vector(-0.5)\n    return v * h + v\n",
)


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_reads_back(text: str) -> None:
    assert parse_cell(text).to_text() == text
    for seed in range(20):
        assert disguised(parse_cell(text), seed).digest == parse_cell(text).digest


def test_the_identity_of_a_joint_norm() -> None:
    """What is normalised matters, the order of the others does not."""
    a, b = "a = linear(x)", "b = linear(x, h)"
    first = written(a, b, "return layer_norm(h, a, b)").digest
    assert written(a, b, "return layer_norm(h, b, a)").digest == first
    others = ["layer_norm(a, h, b)", "layer_norm(h, a)", "layer_norm(h)", "layer_norm(h, a, b, b)"]
    digests = [written(a, b, f"return {other} + 0 * a + 0 * b").digest for other in others]
    assert len({first, *digests}) == 1 + len(others)


def test_the_identity_of_a_vector() -> None:
    digests = {
        written(line).digest
        for line in (
            "return vector() * h",
            "return vector(1) * h",
            "return scalar(0) * h",
            "return diagonal(h)",
        )
    }
    digests.add(written("v = vector()", "return v * h + v").digest)
    digests.add(written("return vector() * h + vector()").digest)
    assert len(digests) == 6


def test_equations_and_pictures_show_them() -> None:
    made = written(
        "mu = vector(0.5)", "n = layer_norm(h, x, mu)", "return tanh(linear(n, bias=None) + vector(1)) * mu"
    )
    assert str(made).splitlines() == [
        "nₜ = LN(hₜ₋₁ | xₜ, μ)          (μ starts at 0.5)",
        "hₜ = tanh(U_h nₜ + b_h) ⊙ μ    (b_h starts at 1)",
    ]
    assert r"\mathrm{LN}(h_{t-1} | x_{t}, \mu)" in made.latex()
    labels = [part.label for part in sketch(made).parts]
    assert labels.count("LN") == 1 and labels.count("b") == 1
    assert made.diagram()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("return layer_norm() + h", "layer_norm(...) takes at least one value"),
        ("return layer_norm(h, scalar(1))", "takes a value with units, not a single number"),
        ("return vector(h) * h", "only numbers stand here"),
        ("return vector(1, 2) * h", "vector(init) takes one number"),
        ("return vector('a') * h", "vector(init) takes a number, not 'a'"),
        ("return vector(1e999) * h", "numbers must be finite, not inf"),
        ("return vector(init=1) * h", "vector(init) takes one number"),
        ("return x + vector()", "mixes values of input_size and hidden_size"),
    ],
)
def test_what_is_refused(line: str, message: str) -> None:
    with pytest.raises(CellError) as error:
        written(line)
    assert message in str(error.value)


def test_outside_a_cell_it_is_no_word() -> None:
    with pytest.raises(CellError, match=r"vector.* is a word of the cell language: use it inside"):
        vector(1.0)
