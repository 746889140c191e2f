"""The printed equations: golden text for published cells, and LaTeX that a second reader can parse."""

import re

import numpy as np
import pytest
from hypothesis import given
from matplotlib.mathtext import MathTextParser

from nas_rnn.cells import Operation, cell, diagonal, layer_norm, linear, project, scalar, state
from nas_rnn.cells.cell import Cell
from nas_rnn.cells.graph.nodes import Apply, Input, Linear, State, StatePath
from nas_rnn.cells.graph.operations import (
    _TABLE,
    blend,
    exp,
    maximum,
    register_operation,
    sigmoid,
    softplus,
    tanh,
)
from nas_rnn.cells.views.equations import latex_equations, plain_equations
from nas_rnn.cells.zoo.classic import gru, lstm, rnn
from nas_rnn.cells.zoo.lstm_ablations import lstm_fgr
from tests.random_cells import cells, random_cell

GOLDEN = {
    "rnn": "hₜ = tanh(W_h xₜ + U_h hₜ₋₁ + b_h)",
    "lstm": """\
iₜ = σ(W_i xₜ + U_i hₜ₋₁ + b_i)
fₜ = σ(W_f xₜ + U_f hₜ₋₁ + b_f)       (b_f starts at 1)
oₜ = σ(W_o xₜ + U_o hₜ₋₁ + b_o)
gₜ = tanh(W_g xₜ + U_g hₜ₋₁ + b_g)
cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
hₜ = oₜ ⊙ tanh(cₜ)""",
    "gru": """\
rₜ = σ(W_r xₜ + U_r hₜ₋₁ + b_r)
zₜ = σ(W_z xₜ + U_z hₜ₋₁ + b_z)
nₜ = tanh(W_n xₜ + b_n1 + rₜ ⊙ (U_n hₜ₋₁ + b_n2))
hₜ = zₜ ⊙ hₜ₋₁ + (1 - zₜ) ⊙ nₜ""",
    "lstm_fgr": """\
iₜ = σ(W_i xₜ + U_i hₜ₋₁ + V_i1 iₜ₋₁ + V_i2 fₜ₋₁ + V_i3 oₜ₋₁ + p_i ⊙ cₜ₋₁ + b_i)
fₜ = σ(W_f xₜ + U_f hₜ₋₁ + V_f1 iₜ₋₁ + V_f2 fₜ₋₁ + V_f3 oₜ₋₁ + p_f ⊙ cₜ₋₁ + b_f)    (b_f starts at 1)
gₜ = tanh(W_g xₜ + U_g hₜ₋₁ + b_g)
cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
oₜ = σ(W_o xₜ + U_o hₜ₋₁ + V_o1 iₜ₋₁ + V_o2 fₜ₋₁ + V_o3 oₜ₋₁ + p_o ⊙ cₜ + b_o)
hₜ = oₜ ⊙ tanh(cₜ)""",
}


def without_margin(text: str) -> str:
    return re.sub(r" {4,}\(", "    (", text)


@pytest.mark.parametrize("published", [rnn, lstm, gru, lstm_fgr], ids=lambda published: published.name)
def test_published_cells_print_as_papers_have_them(published: Cell) -> None:
    assert str(published) == GOLDEN[published.name]


def test_latex_of_the_lstm() -> None:
    assert (
        lstm.latex()
        == r"""\begin{aligned}
i_{t} &= \sigma(W_{i} x_{t} + U_{i} h_{t-1} + b_{i}) \\
f_{t} &= \sigma(W_{f} x_{t} + U_{f} h_{t-1} + b_{f}) && \text{($b_{f}$ starts at $1$)} \\
o_{t} &= \sigma(W_{o} x_{t} + U_{o} h_{t-1} + b_{o}) \\
g_{t} &= \tanh(W_{g} x_{t} + U_{g} h_{t-1} + b_{g}) \\
c_{t} &= f_{t} \odot c_{t-1} + i_{t} \odot g_{t} \\
h_{t} &= o_{t} \odot \tanh(c_{t})
\end{aligned}"""
    )


def test_every_word_of_the_language_and_what_the_margin_says() -> None:
    @cell
    def everything(x, h, m=state(init=-10.0), last=state(size="input")):  # noqa: B008
        zeta = scalar(1.0)
        key = linear(x, h, heads=4, bias=None)
        gate = sigmoid(layer_norm(linear(x, h, bias=None)) * scalar(0.5) + diagonal(h) * 2 - 0.25)
        v = project(x) / (1 + softplus(key)) - (h - key)
        m = maximum(exp(gate), -m)
        return zeta * v + (1 - zeta) * gate, m, x

    assert (
        without_margin(str(everything))
        == """\
 keyₜ = W_key xₜ + U_key hₜ₋₁    (W_key, U_key with 4 heads)
gateₜ = σ(α LN(W_gate xₜ + U_gate hₜ₋₁) + 2 p_gate ⊙ hₜ₋₁ - 0.25)    (α starts at 0.5)
   vₜ = (P_v xₜ) / (1 + softplus(keyₜ)) - (hₜ₋₁ - keyₜ)
   mₜ = max(exp(gateₜ), -mₜ₋₁)    (m₀ is -10)
   hₜ = ζ vₜ + (1 - ζ) gateₜ    (ζ starts at 1)
lastₜ = xₜ    (of the size of xₜ)"""
    )
    latex = everything.latex()
    assert (
        r"\frac{P_{v} x_{t}}{1 + \mathrm{softplus}(\mathrm{key}_{t})} - (h_{t-1} - \mathrm{key}_{t})" in latex
    )
    assert r"\text{($W_{\mathrm{key}}$, $U_{\mathrm{key}}$ with 4 heads)}" in latex
    assert r"\text{($m_{0}$ is $-10$)}" in latex


def test_notes_stand_in_one_column() -> None:
    columns = {line.index("    (") for line in str(lstm_fgr).splitlines() if "    (" in line}
    assert columns == {max(len(line.split("    (")[0].rstrip()) for line in str(lstm_fgr).splitlines())}


def test_several_matrices_of_one_equation_have_distinct_names() -> None:
    @cell
    def twice(x, h, c):
        return tanh(linear(x) + linear(x, h, c)) * sigmoid(linear(h, c)), diagonal(c) + diagonal(h)

    assert str(twice) == (
        "hₜ = tanh(W_h1 xₜ + W_h2 xₜ + U_h1 hₜ₋₁ + V_h1 cₜ₋₁ + b_h1 + b_h2)"
        " ⊙ σ(U_h2 hₜ₋₁ + V_h2 cₜ₋₁ + b_h3)\n"
        "cₜ = p_c1 ⊙ cₜ₋₁ + p_c2 ⊙ hₜ₋₁"
    )


def test_brackets_keep_the_meaning() -> None:
    @cell
    def brackets(x, h):
        a = h - (h - (h + h))
        b = a / (a / a) / a
        d = -(a + b) * (a * (b * -a))
        e = 0.5 * (a * -2.0) - -1.0
        return linear(a * b) * linear(d, bias=None) - linear(e)

    assert (
        str(brackets)
        == """\
aₜ = hₜ₋₁ - (hₜ₋₁ - (hₜ₋₁ + hₜ₋₁))
bₜ = (aₜ / (aₜ / aₜ)) / aₜ
dₜ = (-(aₜ + bₜ)) ⊙ aₜ ⊙ bₜ ⊙ (-aₜ)
eₜ = 0.5 · (-2) aₜ - (-1)
hₜ = (U_h1 (aₜ ⊙ bₜ) + b_h1) ⊙ (U_h2 dₜ) - (U_h3 eₜ + b_h2)"""
    )


def test_a_value_read_twice_is_written_once_under_a_name_of_its_own() -> None:
    @cell
    def blended(x, h, z):
        return blend(sigmoid(linear(x, h)), h, z), h

    assert str(blended) == "uₜ = σ(W_u xₜ + U_u hₜ₋₁ + b_u)\nhₜ = uₜ ⊙ hₜ₋₁ + (1 - uₜ) ⊙ zₜ₋₁\nzₜ = hₜ₋₁"


def test_paths_that_share_a_next_value_and_unused_equations() -> None:
    @cell
    def shared(x, h, c):
        dead = tanh(linear(x, h))  # noqa: F841
        new = tanh(linear(x, h, c))
        return new, new

    assert without_margin(str(shared)).splitlines() == [
        "deadₜ = tanh(W_dead xₜ + U_dead hₜ₋₁ + b_dead)    (not used)",
        "   hₜ = tanh(W_h xₜ + U_h hₜ₋₁ + V_h cₜ₋₁ + b_h)",
        "   cₜ = hₜ",
    ]


def test_names_from_users_are_escaped_and_never_written_alike() -> None:
    @cell
    def names(x, h):
        z2 = sigmoid(linear(x, h))
        z_2 = sigmoid(linear(x, z2))
        alpha = z2 * z_2
        α = tanh(alpha)
        my_long_gate = sigmoid(linear(α, alpha))
        return my_long_gate * α

    latex = names.latex()
    for written in (
        r"\mathrm{z2}_{t} &=",
        r"\mathrm{z\_2}_{t} &=",
        r"\mathrm{alpha}_{t} &=",
        r"\mathrm{my\_long\_gate}_{t} &=",
    ):
        assert written in latex
    lefts = [line.split("=")[0].strip() for line in str(names).splitlines()]
    assert len(set(lefts)) == len(lefts)


def test_numbers_have_no_time() -> None:
    @cell
    def numbers(x, h):
        nu = scalar(-4.0)
        rate = sigmoid(nu) * scalar(2.0)
        return rate * h + (1 - rate) * tanh(linear(x, h))

    assert (
        without_margin(str(numbers))
        == """\
rate = σ(ν) · α    (ν starts at -4; α starts at 2)
  hₜ = rate hₜ₋₁ + (1 - rate) tanh(W_h xₜ + U_h hₜ₋₁ + b_h)"""
    )


def test_operations_of_plugins_use_their_templates_or_their_name() -> None:
    rows = [
        Operation(name="my_square", value="a * a", derivative=("2 * a",), plain="{a}²", latex="{a}^2"),
        Operation(name="shift_by", value="a + b", derivative=("1", "1"), plain="{a} + {b}"),
        Operation(name="bare_op", value="a * b", derivative=("b", "a")),
    ]
    for row in rows:
        register_operation(row)
    square, shift, bare = rows
    try:

        @cell
        def plugged(x, h):
            a = square(linear(x, h)) * shift(h, h)
            return bare(a, square(h) + h)

        assert str(plugged).splitlines() == [
            "aₜ = (W_a xₜ + U_a hₜ₋₁ + b_a)² ⊙ (hₜ₋₁ + hₜ₋₁)",
            "hₜ = bare_op(aₜ, hₜ₋₁² + hₜ₋₁)",
        ]
        assert r"\mathrm{bare\_op}(a_{t}, h_{t-1}^2 + h_{t-1})" in plugged.latex()
    finally:
        for row in rows:
            del _TABLE[row.name]


def test_a_graph_without_names_prints() -> None:
    nodes = (Input(), State(path=0), Linear(arguments=(0, 1)), Apply(operation="mul", arguments=(2, 2)))
    bare = Cell("bare", "", (StatePath("h"),), nodes, (3,))
    assert str(bare) == "zₜ = W_z xₜ + U_z hₜ₋₁ + b_z\nhₜ = zₜ ⊙ zₜ"


def assert_mathtext_reads(latex: str) -> None:
    parser = MathTextParser("path")
    first, *lines, last = latex.split("\n")
    assert (first, last) == (r"\begin{aligned}", r"\end{aligned}")
    for line in lines:
        formula, *notes = line.removesuffix(r" \\").split(" && ")
        parser.parse(f"${formula.replace('&=', '=')}$")
        for note in notes:
            inner = re.fullmatch(r"\\text\{(.*)\}", note)
            assert inner is not None
            parser.parse(inner[1])


def test_latex_of_published_cells_is_read_by_another_program() -> None:
    for published in (rnn, lstm, gru, lstm_fgr):
        assert_mathtext_reads(latex_equations(published))


@given(cells())
def test_every_cell_prints_one_line_for_each_next_state(random: Cell) -> None:
    lefts = [line.split(" = ")[0].strip() for line in plain_equations(random).split("\n")]
    assert len(set(lefts)) == len(lefts)
    assert {path.name + "ₜ" for path in random.states} <= set(lefts)


def test_latex_of_random_cells_is_read_by_another_program() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        assert_mathtext_reads(latex_equations(random_cell(rng, max_nodes=15)))
