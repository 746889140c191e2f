"""What the model that was kept does, as parts of the page: pictures within it, and the beginning of texts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

MOST_LETTERS = 3000
MOST_BYTES = 2 << 20
"""A picture that is larger stays in the folder; the page names it."""


@dataclass(frozen=True)
class Shown:
    """One file: its name, and the picture as an address that holds it, or the text; neither where it is too large."""

    name: str
    picture: str = ""
    text: str = ""
    cut: bool = False


def previews(files: Mapping[str, bytes]) -> list[Shown]:
    """Return what the page shows of the files, pictures first."""
    found = [_shown(name, content) for name, content in files.items()]
    return sorted(found, key=lambda shown: not shown.picture)


def _shown(name: str, content: bytes) -> Shown:
    if name.endswith(".txt"):
        text = content.decode(errors="replace")
        return Shown(name, text=text[:MOST_LETTERS], cut=len(text) > MOST_LETTERS)
    if len(content) > MOST_BYTES:
        return Shown(name)
    return Shown(name, picture=f"data:image/png;base64,{base64.b64encode(content).decode()}")
