"""The learning rate: a short rise, then down to nothing, or level."""

from itertools import pairwise

import pytest

from nas_rnn.training import TrainingOptions
from nas_rnn.training.schedule import WARM_UP, learning_rate

STEPS = [i / 200 for i in range(200)]


@pytest.mark.parametrize("decay", ["cosine", "linear", "none"])
def test_it_rises_to_the_given_rate_and_never_above(decay: str) -> None:
    options = TrainingOptions.from_dict({"decay": decay, "learning_rate": 0.01})
    rates = [learning_rate(options, progress) for progress in STEPS]
    assert 0 < rates[0] < 0.001
    assert max(rates) == pytest.approx(0.01)
    assert learning_rate(options, WARM_UP) == pytest.approx(0.01)


@pytest.mark.parametrize(("decay", "half"), [("cosine", 0.005), ("linear", 0.005), ("none", 0.01)])
def test_it_falls_by_its_name(decay: str, half: float) -> None:
    options = TrainingOptions.from_dict({"decay": decay, "learning_rate": 0.01})
    falling = [learning_rate(options, progress) for progress in STEPS if progress >= WARM_UP]
    assert all(after <= before for before, after in pairwise(falling))
    assert learning_rate(options, (1 + WARM_UP) / 2) == pytest.approx(half)
    end = 0.01 if decay == "none" else 0.0
    assert learning_rate(options, 1.0) == pytest.approx(end)
    assert learning_rate(options, 1.1) == pytest.approx(end)
