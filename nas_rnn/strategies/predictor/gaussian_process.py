"""An exact Gaussian process on a few hundred cells (Rasmussen & Williams 2006, sections 2.7 and 5.4.1).

Its mean is an unknown constant; its scale follows in closed form; how smooth it is and how large the noise is nobody
chooses: predictions are averaged over a grid of both, weighted by marginal likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LENGTHS = (0.7, 1.0, 1.4)
"""Length scales, in root mean squared differences of standardised features."""
NOISES = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Variances of the noise, in those of the function."""
_LEAST = 1e-6
"""The least variance that is left of a function at a known place."""


class Prediction(NamedTuple):
    """Means and standard deviations of the function, (places,)."""

    mean: Floats
    deviation: Floats


class _Part(NamedTuple):
    """One setting: what was estimated under it, and in the basis of the kernel's eigenvectors the weights."""

    length: float
    constant: float
    variance: float
    weights: Floats
    inverse: Floats


def kernel(a: Floats, b: Floats, length: float) -> Floats:
    """Return the squared exponential of rows of ``a``, (n, features), and of ``b``, (m, features): (n, m)."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.asarray(np.exp(-np.maximum(squares, 0) / (2 * max(a.shape[1], 1) * length**2)))


class GaussianProcess:
    """What is known of a function from ``values``, (n,), seen with noise at ``places``, (n, features).

    ``noise`` is how much more noise than the others each value has, (n,); 1 where not told.
    """

    def __init__(self, places: Floats, values: Floats, noise: Floats | None = None) -> None:
        self._places = places
        self._bases: dict[float, Floats] = {}
        count = len(values)
        extra = np.ones(count) if noise is None else noise
        likelihoods = []
        self._parts: list[_Part] = []
        root = 1 / np.sqrt(extra)
        for length in LENGTHS:
            # Scaled by the noise, what is added to the kernel is a multiple of the identity: one decomposition does.
            scaled = kernel(places, places, length) * root[:, None] * root[None]
            eigenvalues, vectors = np.linalg.eigh(scaled)
            eigenvalues = eigenvalues.clip(0)
            seen, ones = vectors.T @ (values * root), vectors.T @ root
            for size in NOISES:
                inverse = 1 / (eigenvalues + size)
                precision = float((ones * ones * inverse).sum())
                constant = float((ones * seen * inverse).sum()) / precision
                rest = seen - constant * ones
                variance = max(float((rest * rest * inverse).sum()) / count, 1e-12)
                determinant = -float(np.log(inverse).sum()) + float(np.log(precision))
                likelihoods.append(-0.5 * (count * np.log(variance) + determinant))
                self._parts.append(_Part(length, constant, variance, rest * inverse, inverse))
            self._bases[length] = root[:, None] * vectors
        found = np.exp(np.array(likelihoods) - max(likelihoods))
        self._shares = found / found.sum()

    def predict(self, places: Floats) -> Prediction:
        """Return what the function is at ``places``, (m, features)."""
        rotated = {
            length: kernel(places, self._places, length) @ basis for length, basis in self._bases.items()
        }
        squared = {length: values**2 for length, values in rotated.items()}
        mean, square = np.zeros(len(places)), np.zeros(len(places))
        for share, part in zip(self._shares, self._parts, strict=True):
            here = part.constant + rotated[part.length] @ part.weights
            known = squared[part.length] @ part.inverse
            mean += share * here
            square += share * (here**2 + part.variance * np.maximum(1 - known, _LEAST))
        return Prediction(mean, np.sqrt(np.maximum(square - mean**2, 1e-12)))


def normal_scores(losses: Sequence[float]) -> Floats:
    """Return the normal scores of the ranks of ``losses``, smaller is better; equal ones share theirs."""
    from scipy.stats import norm, rankdata

    ranks = rankdata(losses)
    return np.asarray(norm.ppf((ranks - 0.5) / len(ranks)), dtype=np.float64)


def expected_improvement(prediction: Prediction, best: float) -> Floats:
    """Return by how much each place is expected to lie below ``best``, (places,) (Jones et al. 1998)."""
    from scipy.stats import norm

    ahead = (best - prediction.mean) / prediction.deviation
    return np.asarray(prediction.deviation * (ahead * norm.cdf(ahead) + norm.pdf(ahead)))
