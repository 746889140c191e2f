"""Captions as words: lower case, without punctuation, as COCO's own evaluation reads them. Knows no torch."""

from __future__ import annotations

from nas_rnn.tasks.vocabulary import cut


def words_of(text: str, by: str) -> list[str]:
    """Return the tokens of a caption, ``by`` "word" or "character"; a word has a letter or a digit in it."""
    tokens = cut(" ".join(text.lower().split()), by)
    return tokens if by == "character" else [token for token in tokens if any(map(str.isalnum, token))]
