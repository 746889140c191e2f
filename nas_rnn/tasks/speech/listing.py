"""Which recordings there are, and what is said of each: files by their names, or a table that lists them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from nas_rnn.errors import UserError
from nas_rnn.outside import check_text, shown
from nas_rnn.tasks.columns import known_column
from nas_rnn.tasks.data import Part
from nas_rnn.tasks.options import require_unset
from nas_rnn.tasks.series.recordings import is_missing
from nas_rnn.tasks.series.table import Table, read_rows
from nas_rnn.tasks.speech.names import Choice, Pattern
from nas_rnn.tasks.texts import require_file

SOUNDS = (".wav", ".flac", ".ogg", ".aif", ".aiff")
TABLES = (".csv", ".tsv", ".txt")

BY_NAME, BY_FOLDER = "{label}_{speaker}_{take}", "{label}/*"
"""The patterns where option ``pattern`` gives none: of files in the folder itself, and in folders of it."""

PATH = ("path", "file", "filename", "file_name", "audio", "wav")
LABEL = ("label", "class", "word", "digit", "transcript", "text", "sentence")
SPEAKER = ("speaker", "speaker_id", "client_id", "subject", "person")
PART = ("part", "split", "set")
"""Columns of a table, whatever their capitals; the first that is there. Only the first two must be."""

PARTS: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}

MOST_FILES, MOST_ENTRIES = 100_000, 1_000_000
"""Recordings, and whatever else lies in the folders that are looked through."""

WHAT_WORKS = f"give a folder of {', '.join(SOUNDS[:3])} files, or a .csv file with columns path and label"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A recording: its file, what is said in it, by whom (where that is asked for), and its part (where that is told).

    ``called`` is how messages call it.
    """

    path: Path
    called: str
    label: str
    speaker: str | None = None
    part: Part | None = None


@dataclass(frozen=True, kw_only=True)
class Told:
    """The options that say what files are: see `nas_rnn.tasks.speech.task.Options`."""

    pattern: str = ""
    speakers: bool = False
    test_where: str = ""
    valid_where: str = ""


def listed(source: Path, told: Told) -> list[Entry]:
    """Return the recordings of a folder, in the order of their names, or of a table, in its own.

    Raises:
        UserError: when there are none, their names or rows do not say what they must, or a choice of parts fails.
    """
    if source.is_dir():
        paths, fields = _by_name(source, told.pattern)
        called = [str(source / path) for path in paths]
    else:
        require_file(source, WHAT_WORKS)
        if source.suffix.lower() not in TABLES:
            raise UserError(f"{source} ends in {source.suffix or 'nothing'!r}; {WHAT_WORKS}")
        require_unset(
            told, ("pattern",), f"is for names of files, and {source} is a table with columns; leave it out"
        )
        paths, fields, called = _by_table(source)
    if told.speakers and "speaker" not in fields[0]:
        raise UserError(
            f"option speakers keeps speakers in one part, and nothing in {source} says who speaks; give {{speaker}} in "
            "option pattern, or a column speaker"
        )
    parts = _parts(fields, told, called)
    return [
        Entry(
            path=source / path if source.is_dir() else source.parent / path,
            called=name,
            label=_label(own["label"], name),
            speaker=own["speaker"] if told.speakers else None,
            part=part,
        )
        for path, own, name, part in zip(paths, fields, called, parts, strict=True)
    ]


def _label(text: str, where: str) -> str:
    return check_text(text.strip(), f"the label of {where}")


def _parts(fields: Sequence[Mapping[str, str]], told: Told, called: Sequence[str]) -> list[Part | None]:
    found = list[Part | None]()
    for own, name in zip(fields, called, strict=True):
        said = own.get("part", "").strip().lower()
        if said and said not in PARTS:
            raise UserError(
                f"{name} says the part is {shown(said)[:40]!r}; use train, valid or test, or nothing"
            )
        found.append(PARTS.get(said))
    wheres: Mapping[Part, str] = {"valid": told.valid_where, "test": told.test_where}
    chosen = {part: Choice(f"{part}_where", text).picked(fields) for part, text in wheres.items() if text}
    both = [name for name, *own in zip(called, *chosen.values(), strict=True) if sum(own) > 1]
    if both:
        raise UserError(
            f"options valid_where={told.valid_where} and test_where={told.test_where} both choose {len(both):,} "
            f"recordings, such as {both[0]}; let none of them be chosen twice"
        )
    for part, picks in chosen.items():
        found = [part if own else before for own, before in zip(picks, found, strict=True)]
    return found


def _by_name(folder: Path, given: str) -> tuple[list[PurePath], list[dict[str, str]]]:
    paths = _sounds(folder)
    deep = {len(path.parts) > 1 for path in paths}
    if not given and len(deep) == 2:
        raise UserError(
            f"{folder} has recordings both in itself and in folders; say by option pattern what their names mean, "
            f"such as {BY_NAME} or {BY_FOLDER}"
        )
    return paths, Pattern(given or (BY_FOLDER if True in deep else BY_NAME)).require(paths)


def _sounds(folder: Path) -> list[PurePath]:
    """Return the sound files of a folder and of those in it, from it on; hidden ones are left out."""
    found, seen = list[PurePath](), 0

    def failed(error: OSError) -> None:
        raise UserError(f"cannot read {error.filename}: {error.strerror}; give a folder that you may read")

    for place, folders, files in os.walk(folder, onerror=failed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        seen += len(folders) + len(files)
        found += [
            PurePath(place, name).relative_to(folder)
            for name in sorted(files)
            if name.lower().endswith(SOUNDS) and not name.startswith(".")
        ]
        if len(found) > MOST_FILES or seen > MOST_ENTRIES:
            raise UserError(
                f"{folder} holds more than {MOST_FILES:,} recordings, or {MOST_ENTRIES:,} files in all; give a part"
            )
    if not found:
        raise UserError(f"{folder} holds no file that ends in {', '.join(SOUNDS)}; {WHAT_WORKS}")
    return found


def _by_table(path: Path) -> tuple[list[PurePath], list[dict[str, str]], list[str]]:
    head, *rows = read_rows(path)
    table = Table(path, [cell.strip() for cell in head[1]], rows)
    table.require_even()
    if len(rows) > MOST_FILES:
        raise UserError(
            f"{path} lists {len(rows):,} recordings, more than {MOST_FILES:,}; give a part of them"
        )
    known = {"path": PATH, "label": LABEL, "speaker": SPEAKER, "part": PART}
    columns = {what: known_column(table.names, names) for what, names in known.items()}
    for what in ("path", "label"):
        if columns[what] is None:
            raise UserError(
                f"{path} has no column {what!r} (or {', '.join(known[what][1:])}) but "
                f"{shown(', '.join(table.names))[:120]}; name it so"
            )
    of = {what: table.column(name) for what, name in columns.items() if name is not None}
    others = {name: table.column(name) for name in table.names if name not in columns.values()}
    fields = [
        {what: cells[row] for what, cells in (others | of).items() if what != "path"}
        for row in range(len(rows))
    ]
    _require_whole(table, of)
    called = [f"{cell} ({table.where(row)})" for row, cell in enumerate(map(shown, of["path"]))]
    return [PurePath(cell) for cell in of["path"]], fields, called


def _require_whole(table: Table, of: Mapping[str, Sequence[str]]) -> None:
    """Raise `UserError` for an empty cell that must not be, or a recording that is listed twice."""
    lines = dict[str, int]()
    for row in range(len(table.rows)):
        for what, cells in of.items():
            empty = not cells[row] if what == "label" else is_missing(cells[row])
            if what != "part" and empty:
                raise UserError(f"{table.where(row)} has nothing in column {what!r}; fill it in")
        if "\0" in of["path"][row]:
            raise UserError(f"{table.where(row)} has a path that holds a zero byte; mend it")
        before = lines.setdefault(os.path.normpath(of["path"][row]), row)
        if before != row:
            raise UserError(
                f"{table.where(row)} lists {shown(of['path'][row])[:80]}, as line {table.rows[before][0]} does; list "
                "every recording once"
            )
