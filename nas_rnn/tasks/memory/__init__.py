"""Task `memory`: generated probes of how long a cell remembers."""

from nas_rnn.tasks.memory.task import Memory

__all__ = ["Memory"]
