"""What is measured of predicted frames: nats a frame, and the share of notes that are right."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nas_rnn.tasks.metric import Corpus, Floats, Mean, Statistics


@dataclass(frozen=True)
class FrameAccuracy(Corpus):
    """hits / (hits + misses + false alarms) over all notes of all frames, in per cent (Bay, Ehmann & Downie 2009).

    Of each item ``hits`` counts notes that sound and were said to, ``either`` those that sound or were said to. It is
    Jaccard's index of what sounds and what is said.
    """

    hits: str = "hits"
    either: str = "either"

    @property
    def statistics(self) -> tuple[str, ...]:
        return (self.hits, self.either)

    @property
    def counts(self) -> tuple[str, ...]:
        return (self.either,)

    def value(self, totals: Statistics) -> float:
        """Return the accuracy in per cent; NaN where nothing sounds and nothing is said."""
        either = float(totals[self.either])
        return 100 * float(totals[self.hits]) / either if either else math.nan

    def gradient(self, totals: Statistics) -> dict[str, Floats]:
        """Return d/d hits = 100 / either and d/d either = -100 hits / either^2."""
        hits, either = float(totals[self.hits]), float(totals[self.either])
        return {self.hits: np.asarray(100 / either), self.either: np.asarray(-100 * hits / either**2)}


NATS = Mean("nats_per_frame", "nats per frame", "minimize", 0.01, "relative", of="nats", per="frames")
ACCURACY = FrameAccuracy("frame accuracy", "%", "maximize", 0.5, "absolute", instead="nats_per_frame")
