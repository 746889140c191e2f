"""What a run folder says of itself, from before anything is trained: ``search.json``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.outside import json_of

FinalKind = Literal["search", "compare", "ablate"]
Kind = FinalKind | Literal["evaluate"]
"""What has a final of its own, and studies that are driven from outside, whose final is a comparison."""

NAMES: Mapping[Kind, str] = {
    "search": "search",
    "compare": "comparison",
    "ablate": "ablation",
    "evaluate": "study",
}
"""What each kind, which is the name of its command, is called."""


def go_on(kind: Kind, name: str) -> str:
    """Return the command that goes on with the ``kind`` called ``name``."""
    if kind == "evaluate":
        return f"nas-rnn evaluate CELL --study {shlex.quote(name)}"
    return f"nas-rnn {kind} --resume {shlex.quote(name)}"


FORMAT = 4
"""Of run folders. Format 1, which bears no number, kept test results as values and weights; runs of format 2 had no
averaged weights and no end of their own."""

Identities = dict[str, dict[str, str]]
"""``"space gated"`` -> its origin, version and digest, as plain JSON."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The identity of a search, comparison or ablation.

    ``id`` is unique, ``began_ms`` is in milliseconds since 1970 (None: unknown), ``plugins`` are those that it was made
    with, ``format`` is that of the folder.
    """

    id: str
    kind: Kind
    began_ms: int | None
    plugins: Identities = field(default_factory=dict)
    format: int = FORMAT

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def parse_manifest(content: object, place: str) -> Manifest:
    """Return the manifest in the content of ``place``.

    Raises:
        UserError: where a later version of nas_rnn wrote the folder.
        NasRnnError: where it is no manifest.
    """
    if not isinstance(content, Mapping):
        raise damaged(place, "it is no object of names and values")
    format = content.get("format", 1)
    if type(format) is not int or format < 1:
        raise damaged(place, f"its format is {format!r}")
    if format > FORMAT:
        raise UserError(
            f"{place} has format {format}, and this version of nas_rnn reads formats 1 to {FORMAT}; use the version "
            "that wrote it"
        )
    kind, identity, began = content.get("kind", "search"), content.get("id"), content.get("began_ms")
    if kind not in NAMES or not isinstance(identity, str) or not isinstance(began, int | None):
        raise damaged(
            place, f"kind {kind!r}, id {identity!r} and began_ms {began!r} are not what they must be"
        )
    plugins = content.get("plugins", {})
    known = {key: value for key, value in plugins.items() if isinstance(value, dict)}
    return Manifest(id=identity, kind=cast(Kind, kind), began_ms=began, plugins=known, format=format)


def damaged(place: str, reason: str) -> NasRnnError:
    """Return the error for a file of a run folder that cannot be read."""
    return NasRnnError(f"{place} is damaged: {reason}; put it back from a copy, or remove its folder")


def parse_json(text: str, place: str) -> Any:
    """Return the plain data of a JSON file; NasRnnError where it is damaged."""
    try:
        return json_of(text)
    except ValueError as error:
        raise damaged(place, f"it is not JSON ({error})") from error
