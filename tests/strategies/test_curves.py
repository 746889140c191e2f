"""What a learning curve so far says of its end."""

import numpy as np
import pytest

from nas_rnn.strategies.predictor.curves import LEAST_CURVES, foresee
from nas_rnn.strategies.predictor.gaussian_process import normal_scores


def earlier(correlated: bool = True, count: int = 12):
    """Return curves of three epochs, their ends and the scores of these."""
    rng = np.random.default_rng(0)
    ends = rng.permutation(count).astype(float)
    early = ends if correlated else rng.permutation(count)
    curves = [
        (float(first) + 20, float(first) + 10, float(end)) for first, end in zip(early, ends, strict=True)
    ]
    return curves, list(ends), normal_scores(list(ends))


def test_a_better_curve_has_a_better_score_to_come():
    curves, ends, scores = earlier()
    good, middle, bad = (foresee((first,), curves, ends, scores) for first in (19.0, 25.5, 40.0))
    assert good.score < middle.score < bad.score
    assert middle.score == pytest.approx(0.0, abs=0.1)
    assert good.noise == pytest.approx(1.0)  # ranks at the first epoch are those at the end


def test_the_best_epoch_so_far_counts():
    curves, ends, scores = earlier()
    assert foresee((30.0, 11.0), curves, ends, scores) == foresee((40.0, 11.0), curves, ends, scores)
    assert foresee((30.0, 11.0), curves, ends, scores) == foresee((11.0, 60.0), curves, ends, scores)


def test_the_less_an_epoch_says_the_nearer_to_the_middle_and_the_noisier():
    curves, ends, scores = earlier()
    noisy = list(np.array(ends) + np.random.default_rng(1).normal(0, 3, len(ends)))
    strong = foresee((19.0,), curves, ends, scores)
    weak = foresee((19.0,), curves, noisy, normal_scores(noisy))
    assert strong.score < weak.score < 0 and weak.noise > 1.2


@pytest.mark.parametrize("curve", [(), (20.0,)])
def test_too_few_curves_or_no_epoch_say_nothing(curve):
    curves, ends, scores = earlier(count=LEAST_CURVES - 1)
    assert foresee(curve, curves, ends, scores) is None


def test_an_epoch_without_correlation_says_nothing():
    curves, ends, scores = earlier(correlated=False, count=40)
    assert foresee((20.0,), curves, ends, scores) is None


def test_curves_that_did_not_come_as_far_do_not_count():
    curves, ends, scores = earlier()
    assert foresee((20.0, 10.0, 5.0, 5.0), curves, ends, scores) is None


def test_all_equal_losses_say_nothing():
    curves, ends, scores = earlier()
    assert foresee((20.0,), [(1.0,)] * len(curves), ends, scores) is None
    assert foresee((20.0,), curves, [np.inf] * len(curves), normal_scores([np.inf] * len(curves))) is None
