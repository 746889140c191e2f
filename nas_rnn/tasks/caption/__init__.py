"""Task `caption`: a picture in, a sentence that says what it shows out."""

from nas_rnn.tasks.caption.task import Caption

__all__ = ["Caption"]
