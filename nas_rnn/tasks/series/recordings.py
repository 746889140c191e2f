"""Labelled series in memory, and what must hold of them wherever they come from.

Shapes: T steps of a series, V variables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import check_text, shown

MOST_BYTES = 1 << 30
"""Of one file."""
MOST_VALUES = 1 << 28
"""Of all series, padded to the longest: a gibibyte as it travels to workers."""
MOST_STEPS = 4096
"""A longer series is a mistake rather than a task for a recurrent network; option ``pool`` shortens it."""
MOST_CLASSES, MOST_VARIABLES = 256, 1024
LARGEST = 1e30
"""Numbers beyond it have no square in 32 bits."""
MISSING = frozenset({"", "?", "na", "nan", "n/a", "null", "none"})


@dataclass(frozen=True, eq=False, kw_only=True)
class Recordings:
    """N series (T, V) with the class of each; ``groups`` names whom each belongs to, where that is known.

    ``notices`` are what was found on the way and somebody should know, a sentence each. ``called`` is what
    messages call series, ``ungrouped`` and ``shorter`` are the options that do without groups, or with fewer steps.
    """

    source: str
    variables: tuple[str, ...]
    series: list[NDArray[Any]]
    labels: list[str]
    groups: list[str] | None = None
    notices: tuple[str, ...] = ()
    called: str = "series"
    ungrouped: str = "group=none"
    shorter: str = "pool"

    def __len__(self) -> int:
        return len(self.labels)


def read_text(path: Path) -> str:
    """Return a file's text without its byte order mark.

    Raises:
        UserError: for a file that cannot be read, is too large, empty, or no text in UTF-8.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UserError(f"{path} has {size:,} bytes, more than {MOST_BYTES:,}; give a part of it")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give a file that you may read") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not text in UTF-8: byte {error.object[error.start]:#04x} at place {error.start}; save it in "
            "UTF-8"
        ) from error
    if not text.strip():
        raise UserError(f"{path} is empty; give a file that holds something")
    if "\0" in text:
        raise UserError(
            f"{path} is no text: it holds a zero byte at place {text.index(chr(0))}; give a text file"
        )
    return text


def to_numbers(cells: Sequence[str], where: str) -> NDArray[np.float64]:
    """Return what the texts of ``cells`` are as numbers; ``where`` says what they are, to begin a message.

    Raises:
        UserError: for the first that is missing, no number, not finite, or too large.
    """
    try:
        numbers = np.array(cells, dtype=np.str_).astype(np.float64)
    except ValueError:
        numbers = np.empty(0)
    if len(numbers) == len(cells) and bool((np.abs(numbers) <= LARGEST).all()):
        return numbers
    for place, cell in enumerate(cells):
        _require_number(cell.strip(), f"{where}, value {place + 1} of {len(cells)}")
    return np.array([float(cell) for cell in cells])


def _require_number(cell: str, where: str) -> None:
    if is_missing(cell):
        raise UserError(
            f"{where} is missing ({shown(cell)!r}); fill it in, or leave out the series or the variable"
        )
    try:
        number = float(cell)
    except ValueError:
        decimal = "; write a decimal point, not a comma" if "," in cell else "; give numbers alone"
        raise UserError(f"{where} is no number: {shown(cell)[:40]!r}{decimal}") from None
    if not abs(number) <= LARGEST:
        raise UserError(f"{where} is {cell[:40]}; give finite numbers up to {LARGEST:g}")


def is_missing(cell: str) -> bool:
    """Return whether a cell says that there is no value."""
    return cell.strip().lower() in MISSING


def is_number(cell: str) -> bool:
    """Return whether a cell is a number, finite or not."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def pooled(recordings: Recordings, steps: int) -> Recordings:
    """Return the means over every ``steps`` steps; the last one may be over fewer.

    Raises:
        UserError: where no series has more steps than that.
    """
    longest = max(map(len, recordings.series), default=0)
    if steps == 1 or longest == 1:
        return recordings
    if longest <= steps:
        raise UserError(
            f"pool={steps} averages each series of {recordings.source} into one step, as the longest has {longest:,}; "
            f"set a smaller one, such as pool={max(1, longest // 4)}"
        )
    shorter = list[NDArray[np.float64]]()
    for series_TV in recordings.series:
        begins = np.arange(0, len(series_TV), steps)
        counts = np.diff(begins, append=len(series_TV))
        shorter.append(np.add.reduceat(series_TV, begins, axis=0) / counts[:, None])
    return replace(recordings, series=shorter)


def require_alike(fit: Recordings, test: Recordings) -> None:
    """Raise `UserError` where two files that belong together have other variables."""
    if len(fit.variables) != len(test.variables):
        raise UserError(
            f"{fit.source} has {len(fit.variables)} variables, {test.source} {len(test.variables)}; give two files of "
            "the same ones"
        )
    if fit.variables != test.variables:
        raise UserError(
            f"{fit.source} has the variables {', '.join(fit.variables)[:80]}, {test.source} "
            f"{', '.join(test.variables)[:80]}; give two files of the same ones"
        )


def require_usable(recordings: Recordings) -> None:
    """Raise `UserError` for series that are too long, too many, or nothing to read over time; or odd names."""
    source = recordings.source
    if not recordings.labels:
        raise UserError(f"{source} holds no {recordings.called}; give some of each class")
    if not 1 <= len(recordings.variables) <= MOST_VARIABLES:
        raise UserError(
            f"{source} has {len(recordings.variables)} variables; use from 1 to {MOST_VARIABLES:,}"
        )
    lengths = [len(series) for series in recordings.series]
    longest = max(lengths)
    if longest == 1:
        raise UserError(
            f"no series of {source} has more than one step, so there is nothing to read over time; give the column "
            "that says which rows are one series by option series"
        )
    if longest > MOST_STEPS:
        raise UserError(
            f"series {lengths.index(longest) + 1} of {source} has {longest:,} steps, more than {MOST_STEPS:,}; set "
            f"option pool={-(-longest // MOST_STEPS)} to average so many steps into one, or cut it into shorter ones"
        )
    padded = len(lengths) * longest * len(recordings.variables)
    if padded > MOST_VALUES:
        raise UserError(
            f"{source} has {len(lengths):,} {recordings.called} of up to {longest:,} steps and "
            f"{len(recordings.variables)} variables, {padded:,} numbers, more than {MOST_VALUES:,}; give fewer "
            f"{recordings.called}, or set option {recordings.shorter}"
        )
    for what, names in (("variable", recordings.variables), ("class", recordings.labels)):
        for name in dict.fromkeys(names):
            check_text(name, f"the name of a {what} in {source}")


def require_classes(fit: Recordings, least: int, parts: str) -> None:
    """Raise `UserError` for a single class, too many, or one of fewer than ``least`` series, one a part."""
    counts = Counter(fit.labels)
    if len(counts) == 1:
        raise UserError(
            f"{fit.source} has a single class, {fit.labels[0]!r}, so there is nothing to tell apart; give at least two"
        )
    rare = [f"{name!r} ({count})" for name, count in counts.items() if count < least]
    if rare:
        more = f" and {len(rare) - 5} others" if len(rare) > 5 else ""
        raise UserError(
            f"every class of {fit.source} needs at least {least} {fit.called}, one for each of {parts}; too few are of "
            f"{', '.join(rare[:5])}{more}: give more of them or leave them out"
        )
    if len(counts) > MOST_CLASSES:
        raise UserError(
            f"{fit.source} has {len(counts):,} classes, more than {MOST_CLASSES}; is that column the class?"
        )


def class_names(labels: Sequence[str]) -> list[str]:
    """Return the different names, numbers by their value before texts by their letters."""
    return sorted(set(labels), key=lambda name: (0, float(name), name) if _finite(name) else (1, 0.0, name))


def _finite(name: str) -> bool:
    return is_number(name) and abs(float(name)) <= LARGEST


def spelled_apart(names: Sequence[str]) -> tuple[str, ...]:
    """Say which names differ in nothing but capitals or blanks, or are one number: they count as several."""
    key = lambda name: str(float(name)) if _finite(name) else "".join(name.lower().split())
    alike = [list(same) for _, same in groupby(sorted(names, key=key), key)]
    told = [" and ".join(map(repr, same)) for same in alike if len(same) > 1]
    return (
        (f"classes differ in how they are written alone and count as several: {'; '.join(told[:4])}",)
        if told
        else ()
    )
