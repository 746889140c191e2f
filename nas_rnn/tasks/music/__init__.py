"""Task `music`: predict the next frame of a piano roll, 88 notes at once."""

from nas_rnn.tasks.music.task import Music

__all__ = ["Music"]
