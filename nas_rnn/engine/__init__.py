"""Runs many training runs side by side on Ray Tune; Ray is used only here, and imported only when something runs."""

from nas_rnn.engine.engine import Engine, Outcome
from nas_rnn.engine.source import Next, RunList, RunSource, Sequential

__all__ = ["Engine", "Next", "Outcome", "RunList", "RunSource", "Sequential"]
