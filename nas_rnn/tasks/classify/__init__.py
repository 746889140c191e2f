"""Task `classify`: name the class of a time series after reading it, many steps to one answer."""

from nas_rnn.tasks.classify.task import Classify

__all__ = ["Classify"]
