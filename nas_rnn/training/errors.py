"""What can go wrong while a model trains."""

from __future__ import annotations

from nas_rnn.errors import NasRnnError


class CannotStore(NasRnnError):
    """A file of a run cannot be written or read: the disk is full, read-only or away. No fault of the run's."""


class Diverged(NasRnnError):
    """Training left the finite numbers: ``reason`` says where, ``epoch`` (from 1), ``step`` (from 0) when."""

    def __init__(self, reason: str, *, epoch: int, step: int) -> None:
        super().__init__(f"{reason} in epoch {epoch}, step {step}")
        self.reason = reason
        self.epoch = epoch
        self.step = step
