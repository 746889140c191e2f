"""Task `speech`: recordings of speech to one class each, or to several labels in a row."""

from nas_rnn.tasks.speech.task import Speech

__all__ = ["Speech"]
