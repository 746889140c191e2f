"""The learning rate: a short rise, then level, or down to nothing over a known number of epochs."""

from itertools import pairwise

import pytest

from nas_rnn.errors import UserError
from nas_rnn.training import TrainingOptions
from nas_rnn.training.schedule import WARM_UP_STEPS, learning_rate

EPOCHS, STEPS_PER_EPOCH = 20, 100
STEPS = range(EPOCHS * STEPS_PER_EPOCH)


def rates(decay: str) -> list[float]:
    options = TrainingOptions.from_dict({"decay": decay, "learning_rate": 0.01, "epochs": EPOCHS})
    return [learning_rate(options, step, STEPS_PER_EPOCH) for step in STEPS]


@pytest.mark.parametrize("decay", ["cosine", "linear", "none"])
def test_it_rises_to_the_given_rate_and_never_above(decay: str) -> None:
    found = rates(decay)
    assert found[0] == pytest.approx(0.01 / WARM_UP_STEPS)
    assert all(before < after for before, after in pairwise(found[: WARM_UP_STEPS - 5]))
    assert max(found) == pytest.approx(0.01, rel=0.05) and max(found) <= 0.01


@pytest.mark.parametrize(("decay", "half"), [("cosine", 0.005), ("linear", 0.005), ("none", 0.01)])
def test_it_falls_by_its_name(decay: str, half: float) -> None:
    found = rates(decay)
    assert all(after <= before for before, after in pairwise(found[WARM_UP_STEPS:]))
    assert found[len(STEPS) // 2] == pytest.approx(half)
    assert found[-1] == pytest.approx(0.01 if decay == "none" else 0.0, abs=1e-5)


def test_without_decay_it_does_not_depend_on_how_long_the_run_is_to_be() -> None:
    lengths = [TrainingOptions(epochs=2), TrainingOptions(epochs=50), TrainingOptions(most_epochs=7)]
    for step in (0, 3, 49, 50, 5000):
        assert len({learning_rate(options, step, 10) for options in lengths}) == 1


def test_a_rate_cannot_fall_over_an_unknown_number_of_epochs() -> None:
    with pytest.raises(UserError, match="decay cosine needs a number of epochs, such as epochs 20"):
        TrainingOptions(decay="cosine")
