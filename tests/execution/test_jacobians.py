"""The Jacobian of each step of a recurrent net, against formulas and torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas_rnn import RNN, load_cell
from nas_rnn.execution.jacobians import back_from_the_end, largest_singular_values, step_jacobians

T, INPUTS, H = 5, 3, 4


def series() -> torch.Tensor:
    return torch.randn(T, INPUTS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_of_a_vanilla_rnn_it_is_the_recurrent_matrix_scaled_by_tanhs_derivative() -> None:
    torch.manual_seed(0)
    rnn = nn.RNN(INPUTS, H).double()
    x_TI = series()
    output_TH = rnn(x_TI[:, None])[0][:, 0]
    found = step_jacobians(rnn, x_TI)
    assert found.shape == (T - 1, H, H)
    for t in range(1, T):
        wanted = (1 - output_TH[t] ** 2)[:, None] * rnn.weight_hh_l0
        assert torch.allclose(found[t - 1], wanted, rtol=0, atol=1e-12)
    own = RNN.from_torch(rnn, backend="eager")
    assert torch.allclose(step_jacobians(own, x_TI), found, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("cell", "layers"), [("lstm", 1), ("gru", 2), ("lstm", 2)])
def test_of_any_cell_it_is_what_torch_computes_for_the_whole_state(cell: str, layers: int) -> None:
    torch.manual_seed(0)
    rnn = RNN(load_cell(cell), INPUTS, H, num_layers=layers, backend="reference").double()
    x_TI = series()
    before = rnn(x_TI[:2, None])[1]
    sizes = [path.numel() for path in before]

    def after(flat: torch.Tensor) -> torch.Tensor:
        state = tuple(piece.view(layers, 1, H) for piece in flat.split(sizes))
        return torch.cat([path.flatten() for path in rnn(x_TI[2:3, None], state)[1]])

    wanted = torch.autograd.functional.jacobian(
        after, torch.cat([path.flatten() for path in before]).detach()
    )
    found = step_jacobians(rnn, x_TI, [2])
    assert found.shape == (1, sum(sizes), sum(sizes))
    assert torch.allclose(found[0], wanted, rtol=0, atol=1e-12)


def test_norms_of_single_steps_and_of_all_back_from_the_end() -> None:
    matrices = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[0.0, 3.0], [0.5, 0.0]]], dtype=torch.float64)
    assert largest_singular_values(matrices).tolist() == pytest.approx([2.0, 3.0])
    assert back_from_the_end(matrices).tolist() == pytest.approx(
        [3.0, 3.0]
    )  # [[0, 3], [1, 0]], and the last alone
    broken = torch.full((1, 2, 2), torch.nan, dtype=torch.float64)
    assert largest_singular_values(broken).isnan().all()
    assert len(back_from_the_end(torch.zeros(0, 0, 0))) == 0


def test_it_leaves_the_net_as_it_was() -> None:
    rnn = nn.LSTM(INPUTS, H).train()
    step_jacobians(rnn, series().float())
    assert rnn.training
    assert all(parameter.grad is None for parameter in rnn.parameters())
