"""Task `seq2seq`: an encoder reads a sequence, a decoder writes another: dates, sums, translations."""

from nas_rnn.tasks.seq2seq.task import Seq2Seq

__all__ = ["Seq2Seq"]
