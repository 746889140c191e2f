"""Task `draw`: pictures drawn one pixel, row or patch at a time, each piece from those before it."""

from nas_rnn.tasks.draw.task import Draw

__all__ = ["Draw"]
