"""Task `glimpses`: pictures read as a series of looks, many steps to one answer."""

from nas_rnn.tasks.glimpses.task import Glimpses

__all__ = ["Glimpses"]
