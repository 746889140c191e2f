"""The journal of a study that is driven from outside: what was proposed, measured and promoted, in its order.

One line of JSON an event; lines are only added, so a kill costs at most the last one, over which readers pass.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nas_rnn.errors import NasRnnError
from nas_rnn.outside import json_of
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import damaged
from nas_rnn.training.files import LocalFiles
from nas_rnn.training.plain_data import from_plain, to_plain

JOURNAL = "journal.jsonl"

EventKind = Literal["begun", "ended", "asked", "told", "promoted"]


@dataclass(frozen=True, kw_only=True)
class JournalEvent:
    """What happened to a cell.

    Its training has ``begun``, its evaluation has ``ended`` (``details`` are the feedback), a strategy was ``asked``
    and proposed it (``details`` have its decisions, and which strategy and space), somebody has ``told`` how it did
    elsewhere (``details`` have a value, or None and a reason), or it was ``promoted`` to the final (``details`` have
    the name of the comparison). ``cell`` is its text.
    """

    kind: EventKind
    digest: str
    name: str
    cell: str
    details: Mapping[str, Any]


class Journal:
    """The events of the study in ``folder``; read anew at each call, as other processes write as well."""

    def __init__(self, folder: RunFolder) -> None:
        self._files = LocalFiles(folder.path)

    def add(self, event: JournalEvent) -> None:
        """Add an event; it is on disk when this returns. A torn line that a kill left is ended first."""
        content = self._files.read(JOURNAL) or b""
        line = json.dumps(to_plain(event), allow_nan=False).encode() + b"\n"
        self._files.append(JOURNAL, line if content.endswith(b"\n") or not content else b"\n" + line)

    def events(self) -> list[JournalEvent]:
        """Return all events; NasRnnError where a line is damaged that no kill can have torn."""
        found = []
        for number, line in enumerate((self._files.read(JOURNAL) or b"").split(b"\n")[:-1], start=1):
            try:
                found.append(from_plain(JournalEvent, json_of(line)))
            except ValueError:
                continue  # torn, or the empty rest of a torn line
            except NasRnnError as error:
                raise damaged(f"line {number} of {self._files.place}/{JOURNAL}", str(error)) from error
        return found

    def last(self, kind: EventKind, digest: str) -> JournalEvent | None:
        """Return the last event of a kind that concerns the cell of this digest."""
        return next((e for e in reversed(self.events()) if (e.kind, e.digest) == (kind, digest)), None)

    def incumbent(self) -> JournalEvent | None:
        """Return the end of the last evaluation that was called better; None where no cell's was."""
        ended = (event for event in reversed(self.events()) if event.kind == "ended")
        return next((event for event in ended if event.details.get("verdict") == "better"), None)
