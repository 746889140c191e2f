"""Events of a table: whose session, which item, when. Shapes: N events, in the order of the file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import check_text, shown
from nas_rnn.tasks.columns import Format, Piece, Source, known_column, open_source
from nas_rnn.tasks.options import require_unset
from nas_rnn.tasks.times import TimeReader, reader_for

SESSION: tuple[str, ...] = ("session_id", "session", "visit_id", "visit", "basket_id", "order_id", "sid")
USER: tuple[str, ...] = (
    "user_id",
    "user",
    "visitor_id",
    "visitor",
    "customer_id",
    "customer",
    "member_id",
    "uid",
)
ITEM: tuple[str, ...] = ("item_id", "item", "product_id", "product", "article_id", "article", "movie_id")
ITEM += ("movie", "track_id", "track", "song_id", "song", "sku", "page", "url", "iid")
TIME = ("timestamp", "time", "datetime", "date", "event_time", "created_at", "ts")
"""Names by which columns are found where options name none; the first that is there."""

NONE = "none"
"""As the name of the time column: events stand in order. As that of the users: there are none."""
MOST_EVENTS = 30_000_000
MOST_ITEMS = 1_000_000
LONGEST_CELL = 200
WHAT_WORKS = (
    "give a CSV or parquet file with columns of the session (or user), the item and the time, such as "
    "session_id,item_id,timestamp"
)


@dataclass(frozen=True, kw_only=True)
class Reading(Format):
    """How a file is read: the task's options of these names."""

    what_works: ClassVar[str] = WHAT_WORKS

    session: str = ""
    user: str = ""
    item: str = ""
    time: str = ""
    time_format: str = ""


@dataclass(frozen=True, eq=False)
class Events:
    """Numbers of sessions, items and users (N,), and times in microseconds, or steps where they are not ``dated``.

    ``nanoseconds`` (N,) are those of a time behind its microsecond; None where there are none.
    ``names`` are those of the items by number. A session is one of its user's: several users' may have one number.
    ``users`` is None where no column beside that of the session has them; ``by_user`` says that the
    sessions are themselves all that a user did.
    """

    source: str
    sessions: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.int64]
    users: NDArray[np.int64] | None
    names: list[str]
    dated: bool
    by_user: bool
    nanoseconds: NDArray[np.int16] | None = None


@dataclass(frozen=True)
class _Places:
    """Where the columns are."""

    session: int
    item: int
    time: int | None
    user: int | None
    by_user: bool


class _Numbering:
    """Numbers the different texts of a column as they come, from 0."""

    def __init__(self, source: Source, place: int, most: int = MOST_EVENTS) -> None:
        self.source, self.place, self.most = source, place, most
        self.numbers = dict[str, int]()

    def read(self, piece: Piece) -> NDArray[np.int64]:
        found = np.empty(len(piece.numbers), dtype=np.int64)
        numbers = self.numbers
        for row, cell in enumerate(piece.columns[self.place]):
            text = cell.strip() if isinstance(cell, str) else _text(cell)
            if text is None or not text or len(text) > LONGEST_CELL:
                raise self._refused(cell, text, piece.numbers[row])
            found[row] = numbers.setdefault(text, len(numbers))
        if len(numbers) > self.most:
            raise UserError(
                f"{self.source.path} has more than {self.most:,} different values in column "
                f"{self.source.names[self.place]!a}; give fewer, or name another column of the items (option item)"
            )
        return found

    def _refused(self, cell: Any, text: str | None, row: int) -> UserError:
        where = f"{self.source.path}, {self.source.row} {row:,}, column {self.source.names[self.place]!a}"
        if text is None:
            return UserError(
                f"{where}: {cell!a:.60} is neither a text nor a number; give one that names a session or an item"
            )
        if not text:
            return UserError(f"{where} is empty; fill the cell, or take the line out")
        return UserError(
            f"{where} has {len(text):,} characters, more than {LONGEST_CELL}; give shorter names"
        )


def _text(cell: Any) -> str | None:
    """Return what a cell that is no text is called, "" for an empty one, None for what names nothing."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    return str(cell) if type(cell) in (int, float) else None


def read_events(path: Path, reading: Reading) -> Events:
    """Return all events of a CSV or parquet file.

    Raises:
        UserError: for a file, a column or a cell that cannot be used; the message names the line.
    """
    source = open_source(path, reading)
    first = next(source.pieces, None)
    if first is None:
        raise UserError(f"{path} has no row below its names of columns; {WHAT_WORKS}")
    at = _places(source, reading)
    sessions, items = _Numbering(source, at.session), _Numbering(source, at.item, MOST_ITEMS)
    users = None if at.user is None else _Numbering(source, at.user)
    times = None if at.time is None else _time_reader(source, first, at.time, reading.time_format)
    found, finer = list[list[NDArray[np.int64]]](), list[NDArray[np.int16]]()
    count = 0
    piece: Piece | None = first
    while piece is not None:
        rows = [sessions.read(piece), items.read(piece)]
        if times is None or at.time is None:
            rows.append(np.arange(count, count + len(piece.numbers), dtype=np.int64))
        else:
            times_N, finer_N = times.read_finely(piece.columns[at.time], piece.numbers, source.row)
            rows.append(times_N)
            finer.append(finer_N)
        if users is not None:
            rows.append(users.read(piece))
        found.append(rows)
        count += len(piece.numbers)
        if count > MOST_EVENTS:
            raise UserError(f"{path} has more than {MOST_EVENTS:,} events; give a part of it")
        piece = next(source.pieces, None)
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    names = list(items.numbers)
    for name in names:
        check_text(name, f"{path}: an item of column {source.names[at.item]!a}")
    return Events(
        source=shown(path.name),
        sessions=columns[0],
        items=columns[1],
        times=columns[2],
        users=columns[3] if users is not None else None,
        names=names,
        dated=times is not None and times.dated,
        by_user=at.by_user,
        nanoseconds=np.concatenate(finer) if any(one.any() for one in finer) else None,
    )


def _time_reader(source: Source, first: Piece, place: int, time_format: str) -> TimeReader:
    if first.columns[place][0] in (None, ""):
        raise UserError(
            f"{source.path}, {source.row} {first.numbers[0]:,}, column {source.names[place]!a} is empty; fill the "
            "cell, or take the line out"
        )
    return reader_for(
        first.columns[place],
        source.names[place],
        str(source.path),
        time_format,
        otherwise="set time=none where events stand in order",
    )


def _places(source: Source, reading: Reading) -> _Places:
    """Return where the columns are: as options name them, or by their names.

    Raises:
        UserError: for a column that is not there, or is none known; two options that name one column.
    """
    if reading.time == NONE:
        require_unset(
            reading, ("time_format",), "is for times, and with time=none none are read; leave it out"
        )
    item = _place(source, reading.item, ITEM, "item")
    session = _place(source, reading.session, SESSION, "session")
    user = None if reading.user == NONE else _place(source, reading.user, USER, "user")
    time = None if reading.time == NONE else _place(source, reading.time, TIME, "time")
    wanted: Sequence[tuple[str, int | None, str]] = (
        ("item", item, "the item"),
        ("session", user if session is None else session, "the session or the user"),
        ("time", 0 if reading.time == NONE else time, "the time"),
    )
    for option, place, what in wanted:
        if place is None:
            names = shown(", ".join(source.names[:8]))[:120] + (" ..." if len(source.names) > 8 else "")
            more = ", or set time=none where events stand in order" if option == "time" else ""
            raise UserError(
                f"no column of {source.path} is known to be {what}: its columns are {names}; name it by option "
                f"{option}{more}"
            )
    by_user = session is None
    session = user if session is None else session
    assert item is not None and session is not None
    places = [place for place in (item, session, time, None if by_user else user) if place is not None]
    for place in places:
        if places.count(place) > 1:
            raise UserError(
                f"column {source.names[place]!a} of {source.path} is named for two things; name one column each by the "
                "options session, user, item and time"
            )
    return _Places(session, item, time, None if by_user else user, by_user)


def _place(source: Source, given: str, known: Sequence[str], option: str) -> int | None:
    if given and given not in source.names:
        raise UserError(
            f"{source.path} has no column {given!a} (option {option}); its columns are: "
            f"{shown(', '.join(source.names[:20]))}"
        )
    name = given or known_column(source.names, known)
    return None if name is None else source.names.index(name)
