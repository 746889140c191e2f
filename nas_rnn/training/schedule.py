"""The learning rate over a run."""

from __future__ import annotations

import math

from nas_rnn.training.options import TrainingOptions

WARM_UP_STEPS = 50
"""Steps over which the rate rises: Adam's first steps rest on very few gradients. A number and no share of the run,
so that what a run does never depends on how long it is going to be."""


def learning_rate(options: TrainingOptions, step: int, steps_per_epoch: int) -> float:
    """Return the rate at ``step``, which counts all steps of the run from 0.

    It rises in a straight line over the first `WARM_UP_STEPS`; with a decay it falls to 0 over all epochs.
    """
    rate = options.learning_rate * min(1.0, (step + 1) / WARM_UP_STEPS)
    if options.decay == "none" or options.epochs == "auto":
        return rate
    left = 1.0 - min(1.0, step / (options.epochs * steps_per_epoch))
    return rate * (0.5 * (1.0 - math.cos(math.pi * left)) if options.decay == "cosine" else left)
