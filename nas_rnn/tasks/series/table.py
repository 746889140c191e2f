"""A table of texts with the names of its columns."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from nas_rnn.errors import UserError
from nas_rnn.outside import shown
from nas_rnn.tasks.columns import UnreadableRow, numbered_rows
from nas_rnn.tasks.series.recordings import read_text

MOST_COLUMNS = 1 << 20
"""Steps of a wide table: a minute of sound. In what has more, nobody meant them as columns."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a long table are what."""

    series: str
    label: str
    time: str | None
    group: str | None
    variables: tuple[str, ...]


class Table:
    """Rows with their lines in ``path``; without a ``header`` the names are made up.

    Raises:
        UserError: for two columns of one name, or no rows.
    """

    def __init__(
        self, path: Path, names: list[str], rows: list[tuple[int, list[str]]], header: bool = True
    ) -> None:
        self.path, self.names, self.rows, self.header = path, names, rows, header
        twice = [name for name, count in Counter(names).items() if count > 1 and name]
        if twice:
            raise UserError(
                f"{path} has {Counter(names)[twice[0]]} columns called {shown(twice[0])[:40]!r}; give each its own name"
            )
        if not rows:
            raise UserError(f"{path} has a row of names and nothing below it; give some series of each class")

    def place(self, name: str) -> int:
        """Return where a column is."""
        return self.names.index(name)

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        place = self.place(name)
        return [row[place].strip() for _, row in self.rows]

    def require_even(self, hint: str = "") -> None:
        """Raise `UserError` for the first row that has more or fewer cells than there are names."""
        for line, row in self.rows:
            if len(row) != len(self.names):
                raise UserError(
                    f"{self.path}, line {line} has {len(row)} cells where its first row has {len(self.names)}; give "
                    f"every row a cell in each column{hint}"
                )

    def where(self, row: int) -> str:
        """Return how messages call a row."""
        return f"{self.path}, line {self.rows[row][0]}"


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the rows of a text file that hold anything, each with the line on which it begins, counted from 1.

    Columns are parted by commas, semicolons or tabs, whichever the first row has most of.

    Raises:
        UserError: for a file that cannot be read, has one column or too many, or holds what is no row of a table.
    """
    text = read_text(path)
    first = re.split("[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    delimiter = max(",;\t", key=first.count)
    if first.count(delimiter) >= MOST_COLUMNS:
        raise UserError(
            f"{path} has {first.count(delimiter) + 1:,} columns, more than {MOST_COLUMNS:,}; give shorter series, or a "
            "long table"
        )
    if first.count(delimiter) == 0:
        raise UserError(
            f"{path} has no columns: its first line has no comma, semicolon or tab: {shown(first.strip())[:40]!r}"
        )
    try:
        return [
            (number, row)
            for number, row in numbered_rows(io.StringIO(text, newline=""), delimiter)
            if any(cell.strip() for cell in row)
        ]
    except UnreadableRow as error:
        raise UserError(f"{path}, line {error.line} is no row of a table: {error}") from error
