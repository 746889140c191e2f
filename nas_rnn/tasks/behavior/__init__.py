"""Task `behavior`: predict the next item of a session, what users do."""

from nas_rnn.tasks.behavior.task import Behavior

__all__ = ["Behavior"]
