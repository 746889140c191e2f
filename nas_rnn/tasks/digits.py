"""scikit-learn's handwritten digits, for every task that has pictures of its own. Knows no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

INSTALL = 'pip install "nas_rnn[images]"'
WHITE = 16
"""The brightest of the digits' greys."""


def handwritten_digits(otherwise: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return 1,797 digits (N, 8, 8) of 17 greys, 0 to `WHITE`, and what they are (N,) (Alpaydin & Kaynak 1998).

    Raises:
        UserError: where scikit-learn is missing; ``otherwise`` says what works without it.
    """
    try:
        from sklearn.datasets import load_digits as load
    except ImportError:
        raise UserError(
            f"the embedded digits come with scikit-learn; install it with: {INSTALL}; or {otherwise}"
        ) from None
    digits = load()
    return digits.images.astype(np.uint8), digits.target.astype(np.int64)
