"""CSV and parquet files as names of columns and pieces of rows. Knows no torch.

What is held at a time is one piece of `PIECE` rows.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from nas_rnn.errors import UserError
from nas_rnn.outside import check_text
from nas_rnn.tasks.options import require_unset
from nas_rnn.tasks.texts import require_file

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": " "}
MOST_COLUMNS = 10_000
PIECE = 8192
"""Rows that are read at a time."""
MOST_CELLS = 1 << 29
"""Of a parquet file, which says how many it has."""
INSTALL = "pip install 'nas_rnn[series]'"
_OTHER_KINDS = {
    b"PK\x03\x04": "a zip archive or a workbook of Excel; unpack it, or save the sheet as CSV",
    b"\x1f\x8b": "packed with gzip; unpack it",
    b"\xd0\xcf\x11\xe0": "a workbook of old Excel; save the sheet as CSV",
}
_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""How files of these encodings begin; UTF-32 does as UTF-16 does."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """How a file is written: a task's options of these names; ``what_works`` ends messages about files."""

    what_works: ClassVar[str] = "give a CSV or parquet file with a line of names of columns"

    separator: str = "auto"
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Piece:
    """Rows as they stand in the file: their numbers (lines of a CSV file), and the cells of each column."""

    numbers: list[int]
    columns: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Source:
    """A file that gives its columns' names first and pieces then; ``row`` is what it calls a row.

    ``unnamed`` are the places of columns that have no name in the file, and may be an index.
    """

    path: Path
    names: list[str]
    pieces: Iterator[Piece]
    row: str
    unnamed: frozenset[int] = frozenset()


def open_source(path: Path, reading: Format) -> Source:
    """Return the columns of a file, read as far as their names.

    Raises:
        UserError: for a path that is missing, a folder or not readable, a file that is empty or of another kind, in
            another encoding than ``reading`` says, or whose names of columns cannot be used; for a separator or an
            encoding of a parquet file.
    """
    require_file(path, reading.what_works)
    try:
        stream = path.open("rb")
        head = stream.read(4)
        stream.seek(0)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give a file that you may read") from error
    if not head:
        raise UserError(f"{path} is empty; {reading.what_works}")
    if head == b"PAR1":
        stream.close()
        require_unset(
            reading,
            ("separator", "encoding"),
            f"is for a CSV file, and {path} is a parquet file; leave it out",
        )
        return _parquet(path, reading)
    for mark, kind in _OTHER_KINDS.items():
        if head.startswith(mark):
            raise UserError(f"{path} is {kind}")
    encoding = _known(reading.encoding)
    marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    if marked and not encoding.startswith(("utf-16", "utf-32")):
        raise UserError(f"{path} begins as {marked.upper()} does; set encoding={marked}")
    return _csv(path, stream, reading)


def known_column(names: Sequence[str], known: Sequence[str]) -> str | None:
    """Return the first of the ``known`` names that is there, as it is written there.

    Capitals, blanks, hyphens and underscores make no difference.
    """
    written = {_plain(name): name for name in reversed(names)}
    return next((written[_plain(name)] for name in known if _plain(name) in written), None)


def _plain(name: str) -> str:
    return "".join(name.lower().replace("_", " ").replace("-", " ").split())


def _known(encoding: str) -> str:
    """Return Python's own name of an encoding of texts."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)  # knows those of texts, unlike `codecs.lookup`
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise UserError(
            f"encoding {encoding!a} is not known; utf-8, cp1252 (Western Windows), latin-1 and utf-16 are"
        ) from None


def _csv(path: Path, stream: BinaryIO, reading: Format) -> Source:
    encoding = _known(reading.encoding)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="")
    separator = _separator(path, text, reading)
    rows = numbered_rows(text, separator, skipping_blanks=separator == " ")
    guarded = _guarded(path, rows, reading)
    _, names = next(guarded, (0, []))
    found = _names(path, names, reading)
    return Source(path, found, _pieces(path, guarded, len(names)), "line", _unnamed(names))


def _separator(path: Path, text: io.TextIOWrapper, reading: Format) -> str:
    """Return the character between cells: what is said, or what the first line has most of."""
    try:
        line = text.readline(1 << 20)
        text.seek(0)
    except UnicodeError as error:
        raise _other_encoding(path, reading, error) from None
    if reading.separator != "auto":
        return SEPARATORS[reading.separator]
    return max(",;\t|", key=line.count)


def _guarded(
    path: Path, rows: Iterator[tuple[int, list[str]]], reading: Format
) -> Iterator[tuple[int, list[str]]]:
    """Give the rows that are not blank with the numbers of the lines on which they begin."""
    try:
        for number, row in rows:
            if len(row) > 1 or "".join(row).strip():
                yield number, row
    except UnicodeError as error:
        raise _other_encoding(path, reading, error) from None
    except UnreadableRow as error:
        raise UserError(f"{path}, line {error.line:,}: {error}; {reading.what_works}") from None


class UnreadableRow(Exception):
    """What is wrong with the row of a table that begins on ``line``."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


def numbered_rows(
    lines: Iterable[str], separator: str, *, skipping_blanks: bool = False, strict: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Give the rows of ``lines``, each with the number, from 1 on, of the line on which it begins.

    With ``skipping_blanks`` those behind a separator are no part of a cell; ``strict`` refuses stray quotation marks.

    Raises:
        UnreadableRow: for the first row that is none.
    """
    rows = csv.reader(lines, delimiter=separator, skipinitialspace=skipping_blanks, strict=strict)
    while True:
        begins = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            why = str(error)
            if "field limit" in why:
                most = csv.field_size_limit()
                why = f"a cell has more than {most:,} characters; is a quotation mark never closed?"
            raise UnreadableRow(begins, why) from error
        if row is None:
            return
        yield begins, row


def _other_encoding(path: Path, reading: Format, error: UnicodeError) -> UserError:
    """Say at which line a file cannot be decoded."""
    where = str(path)
    is_utf_8 = _known(reading.encoding) == "utf-8"
    if is_utf_8:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    line.decode()
                except UnicodeDecodeError as found:
                    where = f"{path}, line {number:,}: byte {line[found.start]:#04x}"
                    break
    other = "cp1252" if is_utf_8 else "utf-8"
    return UserError(
        f"{where} is not {reading.encoding}; name the encoding that the file was written in, such as encoding={other}"
    )


def _names(path: Path, names: list[str], reading: Format) -> list[str]:
    if len(names) > MOST_COLUMNS:
        raise UserError(f"{path} has {len(names):,} columns, more than {MOST_COLUMNS:,}; give fewer")
    if len(names) < 2 and not "".join(names).strip():
        raise UserError(f"{path} begins with a line without names of columns; {reading.what_works}")
    if all(_is_number(name) for name in names):
        raise UserError(
            f"the first line of {path} holds numbers where names of columns belong; put a line of names above it"
        )
    found = [name.strip() or f"column {place}" for place, name in enumerate(names, 1)]
    for place, name in enumerate(found):
        check_text(name, f"{path}: the name of column {place + 1}")
        if name in found[:place]:
            raise UserError(f"{path} has two columns called {name!a}; give each a name of its own")
    return found


def is_unnamed(name: str) -> bool:
    """Whether a column has no name, or one that pandas made for what had none."""
    return not name.strip() or name.startswith(("Unnamed: ", "__index_level_"))


def _unnamed(names: Sequence[str]) -> frozenset[int]:
    return frozenset(place for place, name in enumerate(names) if is_unnamed(name))


def unnamed_column(path: Path, place: int, what_works: str) -> UserError:
    """Return the error for a column without a name, which nobody may have meant as data."""
    return UserError(
        f"column {place + 1} of {path} has no name and may be an index, such as pandas writes without index=False; "
        f"{what_works}"
    )


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _pieces(path: Path, rows: Iterator[tuple[int, list[str]]], width: int) -> Iterator[Piece]:
    while piece := list(islice(rows, PIECE)):
        for number, row in piece:
            if len(row) != width:
                raise UserError(
                    f"{path}, line {number:,}: {len(row)} cells, where the line of names has {width}; correct it, or "
                    "name what stands between cells (option separator)"
                )
        yield Piece([number for number, _ in piece], list(zip(*(row for _, row in piece), strict=True)))


def _parquet(path: Path, reading: Format) -> Source:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UserError(
            f"reading parquet needs pyarrow; install it with: {INSTALL}; or give a CSV file"
        ) from None
    try:
        file = parquet.ParquetFile(path)
        if file.metadata.num_rows * max(1, len(file.schema_arrow.names)) > MOST_CELLS:
            raise UserError(f"{path} has {file.metadata.num_rows:,} rows, too many to hold; give fewer")
        names = _names(path, list(file.schema_arrow.names), reading)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _damaged(path, error) from None
    return Source(path, names, _parquet_pieces(path, file, names), "row", _unnamed(names))


def _damaged(path: Path, error: Exception) -> UserError:
    reason = str(error).split("\n")[0]
    return UserError(f"{path} is no whole parquet file: {reason}; write it again, or give a CSV file")


def _parquet_pieces(path: Path, file: object, names: Sequence[str]) -> Iterator[Piece]:
    import pyarrow

    begins = 1
    try:
        for batch in file.iter_batches(batch_size=PIECE):  # type: ignore[attr-defined]
            if len(batch):
                rows = list(range(begins, begins + len(batch)))
                yield Piece(
                    rows, [_cells(path, *column, begins) for column in zip(names, batch.columns, strict=True)]
                )
            begins += len(batch)
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _cells(path: Path, name: str, column: Any, begins: int) -> list[Any]:
    """Return the values of a column's piece; raise UserError for what Python has no value for: the year 10000."""
    try:
        cells: list[Any] = column.to_pylist()
    except (ValueError, OverflowError) as error:
        raise UserError(
            f"{path}, rows {begins:,} to {begins + len(column) - 1:,}, column {name!a}: a value cannot be read "
            f"({str(error).splitlines()[0]:.80}); correct it, or take the column out"
        ) from None
    return cells
