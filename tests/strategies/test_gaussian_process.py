"""The Gaussian process against the textbook's formulas, solved densely."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from nas_rnn.strategies.predictor.gaussian_process import (
    LENGTHS,
    NOISES,
    GaussianProcess,
    Prediction,
    expected_improvement,
    kernel,
    normal_scores,
)


def densely(places, values, noise, there):
    """Return mean and deviation, with the constant mean and the scale of each setting estimated in closed form."""
    likelihoods, means, squares = [], [], []
    for length in LENGTHS:
        for size in NOISES:
            covariance = kernel(places, places, length) + size * np.diag(noise)
            ones = np.ones(len(values))
            solved = np.linalg.solve(covariance, np.stack([ones, values], axis=1))
            constant = (ones @ solved[:, 1]) / (ones @ solved[:, 0])
            rest = values - constant
            variance = rest @ np.linalg.solve(covariance, rest) / len(values)
            likelihoods.append(
                -0.5
                * (
                    len(values) * np.log(variance)
                    + np.linalg.slogdet(covariance)[1]
                    + np.log(ones @ solved[:, 0])
                )
            )
            across = kernel(there, places, length)
            mean = constant + across @ np.linalg.solve(covariance, rest)
            left = 1 - np.einsum("ij,ji->i", across, np.linalg.solve(covariance, across.T))
            means.append(mean)
            squares.append(mean**2 + variance * left)
    shares = np.exp(np.array(likelihoods) - max(likelihoods))
    shares /= shares.sum()
    mean = shares @ np.array(means)
    return mean, np.sqrt(shares @ np.array(squares) - mean**2)


def test_the_kernel_is_of_mean_squared_differences():
    a, b = np.array([[0.0, 0.0], [1.0, 3.0]]), np.array([[1.0, 1.0]])
    assert kernel(a, b, 2.0) == pytest.approx(np.exp(-np.array([[1.0], [2.0]]) / (2 * 2.0**2)))


@pytest.mark.parametrize("unequal", [False, True])
def test_it_predicts_what_the_formulas_give(unequal):
    rng = np.random.default_rng(0)
    places, there = rng.standard_normal((25, 4)), rng.standard_normal((9, 4))
    values = np.sin(places.sum(axis=1)) + 0.3 * rng.standard_normal(25)
    noise = rng.uniform(1, 3, 25) if unequal else np.ones(25)
    mean, deviation = densely(places, values, noise, there)
    found = GaussianProcess(places, values, noise if unequal else None).predict(there)
    assert found.mean == pytest.approx(mean, abs=1e-8)
    assert found.deviation == pytest.approx(deviation, abs=1e-8)


def test_more_noise_draws_the_prediction_less():
    places, values = np.array([[0.0], [0.1], [5.0]]), np.array([1.0, -1.0, 0.0])
    quiet = np.array([1.0, 50.0, 1.0])
    assert GaussianProcess(places, values, quiet).predict(np.array([[0.05]])).mean[0] > 0.2


def test_equal_values_give_a_flat_function():
    found = GaussianProcess(np.eye(4), np.full(4, 2.0)).predict(np.zeros((1, 4)))
    assert found.mean == pytest.approx([2.0]) and np.isfinite(found.deviation).all()


def test_normal_scores_keep_ranks_and_share_ties():
    scores = normal_scores([3.0, 1.0, np.inf, np.inf])
    assert scores[1] < scores[0] < scores[2] == scores[3]
    assert scores[1] == pytest.approx(norm.ppf(0.125))


def test_expected_improvement_is_the_integral():
    draws = np.random.default_rng(0).normal(0.5, 2.0, 400_000)
    found = expected_improvement(Prediction(np.array([0.5]), np.array([2.0])), 0.0)
    assert found[0] == pytest.approx(np.maximum(0.0 - draws, 0).mean(), rel=0.01)
