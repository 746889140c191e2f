"""What file names say: patterns such as ``{label}_{speaker}_{take}``, and choices of files such as ``take=0-4``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from nas_rnn.errors import UserError, unknown
from nas_rnn.outside import shown

MOST_FIELDS = 8
"""Of one pattern."""
MOST_NAMED = 4
"""So many names that do not fit are told."""

PIECES = re.compile(r"\{([^{}/]+)\}|(\*)")
RANGE = re.compile(r"(\d{1,9})-(\d{1,9})")


class Pattern:
    """A pattern of names without their endings: ``{field}`` is one sign or more, ``*`` any number, neither a ``/``.

    A pattern of n folders and a name is held against as many from the end of a path; earlier fields are as short as
    they can be.

    Raises:
        UserError: for a pattern without ``{label}``, a field twice, too many of them, or two with nothing between.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.fields = [name for name, _ in PIECES.findall(text) if name]
        self._deep = text.count("/") + 1
        if "label" not in self.fields:
            raise UserError(
                f"pattern {text!r} has no {{label}}; give one such as {{label}}_{{speaker}}_{{take}}"
            )
        if len(set(self.fields)) < len(self.fields) or len(PIECES.findall(text)) > MOST_FIELDS:
            raise UserError(
                f"pattern {text!r} names a field twice, or has more than {MOST_FIELDS}; call what is not needed *"
            )
        if re.search(r"[}*][{*]", text):
            raise UserError(
                f"pattern {text!r} does not say what parts two fields; put a sign such as _ between them"
            )
        self._expression = re.compile(_expression(text))

    def read(self, path: PurePath) -> dict[str, str] | None:
        """Return the fields of a path that has no ending; None where it does not fit."""
        found = self._expression.fullmatch("/".join(path.parts[-self._deep :]))
        return None if found is None else dict(zip(self.fields, found.groups(), strict=True))

    def require(self, paths: Sequence[PurePath]) -> list[dict[str, str]]:
        """Return the fields of all paths.

        Raises:
            UserError: where some do not fit; it names the first ones.
        """
        found = [self.read(path.with_suffix("")) for path in paths]
        strange = [shown(str(path))[:60] for path, own in zip(paths, found, strict=True) if own is None]
        if strange:
            more = f" and {len(strange) - MOST_NAMED:,} others" if len(strange) > MOST_NAMED else ""
            raise UserError(
                f"{len(strange):,} of {len(paths):,} names do not fit the pattern {self.text!r}: "
                f"{', '.join(strange[:MOST_NAMED])}{more}; set option pattern, or take them out"
            )
        return [own for own in found if own is not None]


def _expression(text: str) -> str:
    made, end = list[str](), 0
    for piece in PIECES.finditer(text):
        made.append(re.escape(text[end : piece.start()]))
        made.append("([^/]+?)" if piece[1] else "[^/]*?")
        end = piece.end()
    return "".join(made) + re.escape(text[end:])


@dataclass(frozen=True)
class Choice:
    """Recordings whose ``field`` is one of some values: ``take=0-4``, ``speaker=theo,jackson``; ``option`` gave it."""

    option: str
    text: str

    def picked(self, fields: Sequence[Mapping[str, str]]) -> list[bool]:
        """Return which recordings are chosen.

        Raises:
            UserError: for a text of another form, an unknown field, or when no recording or every one is chosen.
        """
        name, equals, values = (part.strip() for part in self.text.partition("="))
        if not (name and equals and values):
            raise UserError(
                f"option {self.option} must be a field and its values, as in take=0-4; got {self.text!r}"
            )
        if name not in fields[0]:
            raise unknown(f"field of option {self.option}:", name, fields[0])
        wanted = [value.strip() for value in values.split(",")]
        found = [any(_is(own[name], value) for value in wanted) for own in fields]
        if all(found) or not any(found):
            there = ", ".join(sorted({shown(own[name])[:20] for own in fields})[:8])
            raise UserError(
                f"option {self.option}={self.text} chooses {'all' if all(found) else 'none'} of {len(found):,} "
                f"recordings; field {name!r} has values such as {there}"
            )
        return found


def _is(value: str, wanted: str) -> bool:
    bounds = RANGE.fullmatch(wanted)
    if bounds is None or not re.fullmatch(r"\d{1,9}", value):
        return value == wanted
    return int(bounds[1]) <= int(value) <= int(bounds[2])
