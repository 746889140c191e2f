"""Series in tables of text: long, a row a step, or wide, a row a series of one variable.

    series,time,x,y,class          class,0,1,2,3
    a,0,0.1,0.2,walking            walking,0.1,0.3,0.2,0.5
    a,1,0.3,0.2,walking            running,0.7,0.1,0.9,0.2

Columns are parted by commas, semicolons or tabs, whichever the first row has most of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas_rnn.errors import UserError, suggest
from nas_rnn.outside import shown
from nas_rnn.tasks.classify.long_table import read_long
from nas_rnn.tasks.classify.wide_table import read_wide
from nas_rnn.tasks.columns import is_unnamed, known_column, unnamed_column
from nas_rnn.tasks.options import require_unset
from nas_rnn.tasks.series.recordings import Recordings, is_missing, is_number
from nas_rnn.tasks.series.table import Columns, Table, read_rows

SERIES: tuple[str, ...] = (
    "series_id",
    "series",
    "case_id",
    "case",
    "sample_id",
    "sample",
    "sequence_id",
    "sequence",
)
SERIES += ("recording_id", "recording", "trial_id", "trial", "id")
TIME = ("time", "timestamp", "time_step", "timestep", "step", "t")
LABEL = ("class", "label", "class_val", "class_label", "target", "activity", "y")
GROUP: tuple[str, ...] = (
    "group",
    "subject_id",
    "subject",
    "participant_id",
    "participant",
    "person_id",
    "person",
    "user_id",
)
GROUP += ("user", "patient_id", "patient")
"""Names by which columns are found, whatever their capitals, where options name none; the first that is there."""


@dataclass(frozen=True, kw_only=True)
class Naming:
    """The options that say what columns are, "" for what is found by itself; ``group`` "none" for no groups."""

    layout: str = "auto"
    series: str = ""
    time: str = ""
    label: str = ""
    group: str = ""
    variables: str = ""
    short_rows: bool = False


def read_csv(path: Path, naming: Naming) -> Recordings:
    """Read a table, long or wide.

    Raises:
        UserError: for a file that cannot be read, columns that are not there or cannot be told apart, rows of unequal
            length, and values that are missing or no numbers.
    """
    rows = read_rows(path)
    if naming.layout == "wide" or (naming.layout == "auto" and not _is_long(rows, naming)):
        why = "names columns of a long table; leave it out, or layout=wide"
        require_unset(naming, ("series", "time", "variables"), why)
        return _read_wide(_with_header(path, rows, naming), naming)
    require_unset(
        naming, ("short_rows",), f"is for a wide table, and {path} is read as a long one; leave it out"
    )
    table = Table(path, [cell.strip() for cell in rows[0][1]], rows[1:])
    return read_long(table, _columns(table, naming))


def _is_long(rows: Sequence[tuple[int, list[str]]], naming: Naming) -> bool:
    """Return whether a column says which rows belong together, and some do."""
    names = [cell.strip() for cell in rows[0][1]]
    if naming.series or naming.time or naming.variables:
        return True
    column = known_column(names, SERIES)
    if column is None:
        return False
    place = names.index(column)
    cells = [row[place].strip() for _, row in rows[1:] if len(row) > place]
    return len(set(cells)) < len(cells)


def _with_header(path: Path, rows: list[tuple[int, list[str]]], naming: Naming) -> Table:
    """Return a wide table; the columns of one without a header are called by their numbers."""
    first = [cell.strip() for cell in rows[0][1]]
    if (
        known_column(first, LABEL)
        or (naming.label and naming.label in first)
        or not any(map(is_number, first))
    ):
        return Table(path, first, rows[1:])
    values = [_is_value(cell) for cell in first]
    if not (all(values[1:]) or all(values[:-1])):
        strange = first[values.index(False, 1)]
        raise UserError(
            f"cannot tell what the first row of {path} is: it holds numbers and texts such as "
            f"{shown(strange)[:40]!r}; name the column of the class by option label, as it stands there"
        )
    return Table(path, [str(number + 1) for number in range(len(first))], rows, header=False)


def _read_wide(table: Table, naming: Naming) -> Recordings:
    label = _wide_label(table, naming.label)
    used = {label}
    if not table.header:
        if naming.group not in ("", "none"):
            _require(table, naming.group, "group")
        return read_wide(table, label=label, group=None, left_out=(), short_rows=naming.short_rows)
    group = None if naming.group == "none" else _optional(table, naming.group, GROUP, used, "group")
    series = _optional(table, "", SERIES, used, "series")
    time = _optional(table, "", TIME, used, "time")
    if time is not None:
        raise UserError(
            f"{table.path} has a column {time!r}, as a long table has, and none known to say which rows are one "
            f"series: {_listed(table.names)}; name it by option series"
        )
    left_out = () if series is None else (series,)
    values = [name for name in table.names if name not in used]
    if not all(map(is_unnamed, values)):  # a header may name no step at all
        _require_named(table, values, "give it a name, or take it out")
    return read_wide(table, label=label, group=group, left_out=left_out, short_rows=naming.short_rows)


def _wide_label(table: Table, given: str) -> str:
    """Return the column of the class: as named, or without a header the one that holds texts, else the first."""
    ends = {"first": table.names[0], "last": table.names[-1]}
    if given and (given in table.names or given not in ends):
        _require(table, given, "label")
        return given
    if given:
        return ends[given]
    if table.header:
        return _column(table, "", LABEL, set(), "label", "holds the class")
    return ends["first" if all(map(_is_value, table.rows[0][1][-1:])) else "last"]


def _is_value(cell: str) -> bool:
    return is_number(cell) or is_missing(cell)


def _columns(table: Table, naming: Naming) -> Columns:
    """Return which columns of a long table are what."""
    used = set[str]()
    series = _column(table, naming.series, SERIES, used, "series", "says which rows are one series")
    label = _column(table, naming.label, LABEL, used, "label", "holds the class")
    time = _optional(table, naming.time, TIME, used, "time")
    group = None if naming.group == "none" else _optional(table, naming.group, GROUP, used, "group")
    named = [name.strip() for name in naming.variables.split(",") if name.strip()]
    for name in named:
        _require(table, name, "variables")
        if name in used:
            raise UserError(f"column {name!r} of {table.path} cannot be a variable: it is used otherwise")
    variables = named or [name for name in table.names if name not in used]
    _require_named(
        table, variables, "give it a name, take it out, or name the columns to read by option variables"
    )
    if not variables:
        raise UserError(
            f"{table.path} has no column left to read, beside {', '.join(sorted(used))}; give at least one variable"
        )
    return Columns(series=series, label=label, time=time, group=group, variables=tuple(variables))


def _require_named(table: Table, names: Sequence[str], what_works: str) -> None:
    for name in names:
        if is_unnamed(name):
            raise unnamed_column(table.path, table.place(name), what_works)


def _column(table: Table, given: str, known: Sequence[str], used: set[str], option: str, what: str) -> str:
    found = _optional(table, given, known, used, option)
    if found is None:
        raise UserError(
            f"no column of {table.path} is known to be the one that {what}: {_listed(table.names)}; name it by option "
            f"{option}"
        )
    return found


def _optional(table: Table, given: str, known: Sequence[str], used: set[str], option: str) -> str | None:
    if given:
        _require(table, given, option)
    name = given or known_column([name for name in table.names if name not in used], known)
    if name:
        used.add(name)
    return name


def _require(table: Table, name: str, option: str) -> None:
    if name not in table.names:
        raise UserError(
            f"{table.path} has no column {name!r}, which option {option} names{suggest(name, table.names[:40])}"
        )


def _listed(names: Sequence[str]) -> str:
    return shown(", ".join(names[:8]))[:120] + (" ..." if len(names) > 8 else "")
