"""Task `word-lm`: predict the next word of a text."""

from nas_rnn.tasks.word_lm.task import WordLM

__all__ = ["WordLM"]
