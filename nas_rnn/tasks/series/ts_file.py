"""The .ts format of the UEA and UCR archives: a head of @ lines, then a series a line.

A series is ``1.0,2.0,3.0:4.0,5.0,6.0:walking``: its variables, each with all its steps, then its class. The format is
described at https://www.sktime.net/en/stable/examples/AA_datatypes_and_datasets.html and in Bagnall et al.,
*The UEA multivariate time series classification archive* (arXiv:1811.00075).

A head that says something else than its series is refused: what wrote it may have lost something.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import shown
from nas_rnn.tasks.series.recordings import Recordings, read_text, to_numbers

Head = dict[str, str]
"""What stands after each @ word, by the word in small letters."""

EXAMPLE = "@classLabel true walking running"


def read_ts(path: Path) -> Recordings:
    """Read a .ts file.

    Raises:
        UserError: for a file that cannot be read, is of another form, has missing values, or whose head is not true.
    """
    lines = enumerate(io.StringIO(read_text(path), newline=None), start=1)
    head = _read_head(lines, path)
    known = _known_classes(head, path)
    if _is_true(head, "timestamps"):
        raise UserError(
            f"{path} has time stamps (@timeStamps true), which are not read; write values alone, and @timeStamps false"
        )
    series, labels = list[NDArray[np.float64]](), list[str]()
    for number, line in lines:
        if not line.strip() or line.startswith(("#", "%")):
            continue
        where = f"{path}, line {number}"
        *dimensions, label = (part.strip() for part in line.split(":"))
        if not dimensions:
            raise UserError(
                f"{where} has no class: a series ends in ':' and its class, such as 1.0,2.0:walking"
            )
        if label not in known:
            shown_known = ", ".join(known)
            raise UserError(
                f"{where} has the class {shown(label)[:40]!r}, which @classLabel does not name: {shown_known[:80]}; "
                "mend the head or the line"
            )
        series.append(_read_series(dimensions, where))
        labels.append(label)
    if not series:
        raise UserError(f"{path} has no series behind @data; give at least a few of each class")
    _require_true(head, series, path)
    count = series[0].shape[1]
    return Recordings(
        source=path.name,
        variables=tuple(f"variable {number + 1}" for number in range(count)),
        series=series,
        labels=labels,
    )


def _read_head(lines: Iterator[tuple[int, str]], path: Path) -> Head:
    head = Head()
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith(("#", "%")):
            continue
        if not text.startswith("@"):
            raise UserError(
                f"{path} is no .ts file: line {number} begins with {shown(text)[:30]!r} where a head of @ lines up to "
                "@data was expected"
            )
        word, _, rest = text[1:].partition(" ")
        if word.lower() == "data":
            return head
        head[word.lower()] = rest.strip()
    raise UserError(f"{path} has no line @data, behind which the series stand; give a whole .ts file")


def _known_classes(head: Head, path: Path) -> dict[str, None]:
    said, *names = head.get("classlabel", "").split() or [""]
    if said.lower() != "true" or not names:
        what = (
            "says that its series have no class" if said.lower() == "false" else "does not name its classes"
        )
        if _is_true(head, "targetlabel"):
            what = "has a number to predict for each series (@targetLabel), no class"
        raise UserError(f"{path} {what}; a file to classify has a line such as {EXAMPLE}")
    return dict.fromkeys(names)


def _read_series(dimensions: list[str], where: str) -> NDArray[np.float64]:
    """Return one series (T, V) from its variables' texts."""
    read = [
        to_numbers(text.split(","), f"{where}, variable {number}")
        for number, text in enumerate(dimensions, start=1)
    ]
    for number, values in enumerate(read, start=1):
        if len(values) != len(read[0]):
            raise UserError(
                f"{where}: variable {number} has {len(values)} steps, variable 1 {len(read[0])}; all variables of a "
                "series need a value at each of its steps"
            )
    return np.stack(read, axis=1)


def _require_true(head: Head, series: list[NDArray[np.float64]], path: Path) -> None:
    """Raise `UserError` where the head says something else than the series."""
    first = series[0]
    for number, own in enumerate(series, start=1):
        if own.shape[1] != first.shape[1]:
            raise UserError(
                f"{path}: series {number} has {own.shape[1]} variables, series 1 {first.shape[1]}; all need the same"
            )
    variables, lengths = first.shape[1], [len(own) for own in series]
    if _is_true(head, "univariate") and variables > 1:
        raise _untrue(path, "@univariate true", f"its series have {variables} variables")
    if (said := head.get("dimensions")) not in (None, str(variables)):
        raise _untrue(path, f"@dimensions {said}", f"its series have {variables}")
    if not _is_true(head, "equallength"):
        return
    if min(lengths) != max(lengths):
        raise _untrue(
            path, "@equalLength true", f"its series have from {min(lengths)} to {max(lengths)} steps"
        )
    if (said := head.get("serieslength")) not in (None, "0", str(lengths[0])):
        raise _untrue(path, f"@seriesLength {said}", f"its series have {lengths[0]} steps")


def _untrue(path: Path, said: str, found: str) -> UserError:
    return UserError(
        f"the head of {path} says {shown(said)[:60]}, but {found}; mend the head, or fetch the file again"
    )


def _is_true(head: Head, word: str) -> bool:
    return head.get(word, "").lower() == "true"
