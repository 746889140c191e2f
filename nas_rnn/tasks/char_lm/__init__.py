"""Task `char-lm`: predict the next character of a text."""

from nas_rnn.tasks.char_lm.task import CharLM

__all__ = ["CharLM"]
