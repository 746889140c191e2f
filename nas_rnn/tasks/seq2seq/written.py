"""One pair as a preview shows it: what was read, what was wanted, and what was written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Written:
    """A source's tokens, those that were wanted (None for a source of the user's own), and those that were written.

    ``weights`` (T, S) say how much each written token and the end look at each token of the source.
    """

    source: Sequence[str]
    target: Sequence[str] | None
    output: Sequence[str]
    weights: NDArray[np.float64] | None

    @property
    def right(self) -> bool:
        """Whether the output is the target."""
        return self.target is not None and list(self.target) == list(self.output)
