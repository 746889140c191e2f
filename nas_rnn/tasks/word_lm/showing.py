"""Words as people write them, and as a picture has them."""

from __future__ import annotations

from collections.abc import Sequence

from nas_rnn.tasks.coloured import Shown
from nas_rnn.tasks.word_lm.words import EOS

_LEFT, _RIGHT = ".,;:!?)]}’%", "([{"


def written(words: Sequence[str]) -> str:
    """Return words as people write them: marks stand at the word that they belong to, lines end where they did."""
    text = ""
    for word in words:
        if word == EOS:
            text += "\n"
        else:
            joins = not text or text[-1] in "\n" + _RIGHT or (len(word) == 1 and word in _LEFT)
            text += word if joins else f" {word}"
    return text


def pictured(word: str, probability: float, likelier: str = "") -> Shown:
    """Return a word for a picture; the end of a line is drawn as a mark."""
    return Shown(_mark(word), probability, _mark(likelier), ends_line=word == EOS)


def _mark(word: str) -> str:
    return "¶" if word == EOS else word
