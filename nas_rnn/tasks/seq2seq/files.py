"""Files of pairs: a source, a tab and its target on each line, read line by line."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from pathlib import Path

from nas_rnn.errors import UserError
from nas_rnn.tasks.data import PARTS, Part
from nas_rnn.tasks.seq2seq.pairs import Pair
from nas_rnn.tasks.texts import listed_folder, require_file
from nas_rnn.tasks.vocabulary import cut, join

LONGEST_LINE = 1 << 20
"""Characters; what is longer has no line ends where they should be."""
WANTED = "give lines of a source, a tab and its target, saved as UTF-8"


def part_files(folder: Path) -> Mapping[Part, Path]:
    """Return the files train, valid and test of a folder, whatever their names end in.

    Raises:
        UserError: where there is none, or more than one, of a name, or the folder cannot be read.
    """
    found = dict[Part, Path]()
    inside = [path for path in listed_folder(folder) if path.is_file()]
    for part in PARTS:
        files = [path for path in inside if path.stem == part]
        if len(files) != 1:
            names = ", ".join(path.name for path in files) or "none"
            both = " ".join(path.name for path in files)
            sides = f" (the two sides of pairs are put together by: paste {both} > {part}.tsv)"
            raise UserError(
                f"{folder} must hold one file of each name: train, valid and test, such as train.tsv; of {part!r} "
                f"there is {names}{sides if len(files) == 2 else ''}; or give one file, which is divided"
            )
        found[part] = files[0]
    return found


def read_pairs(path: Path, by: str, target_by: str) -> Iterator[Pair]:
    """Give the pairs of a file, by their first two columns; further columns and empty lines are left out.

    Raises:
        UserError: for a path that is missing or cannot be read, text that is not UTF-8, a line that is too long, has
            no tab, or nothing to read on one of its sides.
    """
    require_file(path, WANTED)
    try:
        # What is no UTF-8 is read as surrogates, to be told with its line; lines end as in texts: LF, CR LF or CR.
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise UserError(
                        f"{path}, line {number} is longer than {LONGEST_LINE:,} characters; {WANTED}"
                    )
                text = _text(line.removesuffix("\n"), path, number)
                if text.strip():
                    yield _pair(text, path, number, by, target_by)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give a file that you may read") from error


def _text(line: str, path: Path, number: int) -> str:
    content = line.encode("utf-8", errors="surrogateescape")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        utf_16 = number == 1 and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        looks = " (the file begins as UTF-16 does)" if utf_16 else ""
        raise UserError(
            f"{path}, line {number} is not UTF-8 text: byte {content[error.start]:#04x} cannot be decoded{looks}; "
            f"{WANTED}"
        ) from error


def _pair(text: str, path: Path, number: int, by: str, target_by: str) -> Pair:
    columns = text.split("\t")
    if len(columns) < 2:
        raise UserError(f"{path}, line {number} has no tab: {text[:60]!r}; {WANTED}")
    for name, column, way in (("source", columns[0], by), ("target", columns[1], target_by)):
        if not cut(column, way):
            raise UserError(f"{path}, line {number}: the {name} is empty; fill it in, or remove the line")
    # Sources that a net cannot tell apart are one.
    return Pair(columns[0], columns[1], join(cut(columns[0], by), by))
