"""Learning curves of candidates under way, for strategies that ask for them."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas_rnn import plugins
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import Strategy
from nas_rnn.training import EpochRecord


@dataclass
class CurvesSoFar:
    """Tells ``strategy`` after each epoch of a candidate the losses of all its epochs; ``sign`` makes less better."""

    strategy: Strategy
    plugin: plugins.Plugin
    sign: int
    _curves: dict[str, list[float]] = field(default_factory=dict)

    def on_epoch(self, candidate: Candidate, record: EpochRecord) -> None:
        """Hear an epoch of ``candidate``; `PluginError` where the strategy fails at it."""
        if type(self.strategy).hear is Strategy.hear:
            return
        curve = self._curves.setdefault(candidate.digest, [])
        # Else it goes on from a checkpoint, whose epochs are not known here.
        if record.epoch == len(curve) + 1:
            curve.append(self.sign * record.metric)
            with plugins.running(self.plugin):
                self.strategy.hear(candidate, tuple(curve))
