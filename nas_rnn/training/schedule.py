"""The learning rate over a run."""

from __future__ import annotations

import math

from nas_rnn.training.options import TrainingOptions

WARM_UP = 0.02
"""Share of all steps over which the rate rises: Adam's first steps rest on very few gradients."""


def learning_rate(options: TrainingOptions, progress: float) -> float:
    """Return the rate at ``progress`` (0 at the first step, towards 1 at the last of all epochs).

    It rises in a straight line over the first `WARM_UP` of the run, then falls to 0 by ``options.decay``.
    """
    if progress < WARM_UP:
        return options.learning_rate * max(progress, 1e-3) / WARM_UP
    left = (1.0 - min(progress, 1.0)) / (1.0 - WARM_UP)
    if options.decay == "cosine":
        return options.learning_rate * 0.5 * (1.0 - math.cos(math.pi * left))
    return options.learning_rate * (left if options.decay == "linear" else 1.0)
