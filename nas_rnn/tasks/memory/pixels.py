"""Handwritten digits, pixel by pixel in one shuffled order (Le, Jaitly & Hinton 2015, arXiv:1504.00941, 4.3)."""

from __future__ import annotations

import numpy as np

from nas_rnn.tasks.classes import mixed_order
from nas_rnn.tasks.digits import WHITE, handwritten_digits
from nas_rnn.tasks.memory.series import Series

PIXELS = 64


def digits(seed: int) -> Series:
    """Return scikit-learn's 1,797 digits, mixed: (N, 64, 1) greys from 0 to 1, whose order is drawn by ``seed``.

    Raises:
        UserError: where scikit-learn is missing.
    """
    images, labels = handwritten_digits("give kind=adding or another kind that is generated")
    order_P = np.random.default_rng(seed).permutation(PIXELS)
    mixed = mixed_order(labels)
    greys_NP = images.reshape(len(images), PIXELS)[mixed][:, order_P].astype(np.float32) / WHITE
    steps = np.full(len(labels), PIXELS)
    return Series(greys_NP[..., None], steps, labels[mixed, None].astype(np.uint8), steps.copy())
