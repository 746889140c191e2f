"""Which files are read for a ``--data``: one, or two that belong together, to train on and to test on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nas_rnn.errors import UserError
from nas_rnn.tasks.classify.csv_file import Naming, read_csv
from nas_rnn.tasks.options import option_fields, require_unset
from nas_rnn.tasks.series.bundled import bundled
from nas_rnn.tasks.series.recordings import Recordings, require_alike
from nas_rnn.tasks.series.ts_file import read_ts
from nas_rnn.tasks.texts import listed_folder, require_file

SUFFIXES = (".ts", ".csv", ".tsv", ".txt")
TRAIN, TEST = "_TRAIN", "_TEST"

WHAT_WORKS = (
    "give a .ts or .csv file, or a folder with one of these or with two that end in _TRAIN and _TEST, such as "
    "Walks_TRAIN.ts and Walks_TEST.ts"
)


def read_source(source: Path | None, dataset: str, naming: Naming) -> tuple[Recordings, Recordings | None]:
    """Return what to train and validate on, and the data's own test part, where it has one.

    ``dataset`` is the embedded one that is read where ``source`` is None.

    Raises:
        UserError: when the data cannot be used; the message names the file and says what would work.
    """
    fit, test = bundled(dataset) if source is None else _files(source)
    first = _read(fit, naming)
    if test is None:
        return first, None
    second = _read(test, naming)
    require_alike(first, second)
    name = fit.stem[: -len(TRAIN)] or fit.stem
    return replace(first, source=name), second


def _read(path: Path, naming: Naming) -> Recordings:
    if path.suffix.lower() != ".ts":
        return read_csv(path, naming)
    require_unset(
        naming, option_fields(Naming), f"says how a table is read, and {path} is a .ts file; leave it out"
    )
    return read_ts(path)


def _files(source: Path) -> tuple[Path, Path | None]:
    if source.is_dir():
        return _in_folder(source)
    require_file(source, WHAT_WORKS)
    if source.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{source} ends in {source.suffix or 'nothing'!r}, not in {', '.join(SUFFIXES)}; {WHAT_WORKS}"
        )
    return _with_partner(source)


def _with_partner(path: Path) -> tuple[Path, Path | None]:
    """Return the file and the test file beside it; either of the two stands for both."""
    for end, other in ((TRAIN, TEST), (TEST, TRAIN)):
        if path.stem.upper().endswith(end):
            partner = _beside(path, path.stem[: -len(end)] + other)
            if partner is not None:
                return (path, partner) if end == TRAIN else (partner, path)
    return path, None


def _beside(path: Path, stem: str) -> Path | None:
    """Return the file of this name and of the same kind, whatever its capitals."""
    wanted = f"{stem}{path.suffix}".lower()
    return next((other for other in listed_folder(path.parent) if other.name.lower() == wanted), None)


def _in_folder(folder: Path) -> tuple[Path, Path | None]:
    paths = [
        path
        for path in listed_folder(folder)
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]
    if not paths:
        raise UserError(f"{folder} holds no file that ends in {', '.join(SUFFIXES)}; {WHAT_WORKS}")
    for suffix in SUFFIXES:
        kind = [path for path in paths if path.suffix.lower() == suffix]
        ends = [path for path in kind if path.stem.upper().endswith((TRAIN, TEST))]
        pairs = {_with_partner(path) for path in ends or kind}
        if len(pairs) == 1:
            return pairs.pop()
        if pairs:
            names = ", ".join(path.name for path in kind[:8])
            raise UserError(
                f"cannot tell which files of {folder} to read: {names}; {WHAT_WORKS}, or give one file"
            )
    raise AssertionError("a file has one of the suffixes")
