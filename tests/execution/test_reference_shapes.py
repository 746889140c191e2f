"""The shape that values come to together, as torch has it."""

import pytest
import torch

from nas_rnn.execution.reference import common_shape

SHAPES = [
    [(2, 3)],
    [(2, 3), (2, 3)],
    [(2, 1), (1, 3)],
    [(3,), (2, 1)],
    [(), (4,)],
    [(), ()],
    [(1,), (5, 1, 1), (2, 1)],
    [(0, 3), (1, 3)],
    [(1,), (0,)],
]


@pytest.mark.parametrize("shapes", SHAPES)
def test_it_is_that_of_broadcasting(shapes: list[tuple[int, ...]]) -> None:
    assert common_shape([torch.zeros(shape) for shape in shapes]) == tuple(torch.broadcast_shapes(*shapes))
