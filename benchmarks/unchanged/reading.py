"""Reads what a search or comparison left in its folder, as flat entries: a path of names -> a number or a hash.

Files are found by what they hold where they do not bear the name that is known, so that one that is renamed or moved
is read all the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Value = float | int | str | None
Entries = dict[str, Value]

CURVE, ANSWER = "metrics.jsonl", "comparison.json"
VERDICT = "verdict"
TIMES = re.compile(r"seconds|per_second|duration|elapsed|_ms$|_at$", re.IGNORECASE)
"""Names of numbers that are times, or depend on them: they differ from run to run."""


class NothingFound(Exception):
    """A folder lacks what every search and comparison leaves."""


def read_folder(folder: Path) -> Entries:
    """Return all entries of one search or comparison.

    ``curves/RUN/LINE/FIELD``: the numbers of each epoch. ``weights/FOLDER/FILE/TENSOR``: SHA-256 of type, shape and
    bytes. ``answer/...``: every number of the comparison, and its verdicts' words. Raises `NothingFound` where one of
    the three is missing.
    """
    entries: Entries = {}
    for path in sorted(folder.rglob("*.jsonl")):
        rows = _curve(path)
        entries |= {key: value for row in rows for key, value in row.items()}
    for path in sorted(folder.rglob("*.safetensors")):
        place = f"weights/{path.parent.name}/{path.stem}"
        entries |= {f"{place}/{name}": digest for name, digest in tensors(path.read_bytes())}
    entries |= dict(_answer(folder))
    for part in ("curves/", "weights/", "answer/"):
        if not any(key.startswith(part) for key in entries):
            raise NothingFound(f"{folder}: no {part[:-1]} were found")
    return entries


def _curve(path: Path) -> list[Entries]:
    """Return the entries of each line, if the file is a curve: it is called so, or its lines count epochs."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if not rows or (path.name != CURVE and "epoch" not in rows[0]):
        return []
    run = f"curves/{path.parent.name}"
    return [dict(flat(row, f"{run}/{number}")) for number, row in enumerate(rows, start=1)]


def _answer(folder: Path) -> Iterator[tuple[str, Value]]:
    files = sorted(folder.rglob(ANSWER)) or [
        path for path in sorted(folder.rglob("*.json")) if _is_answer(path.read_text(encoding="utf-8"))
    ]
    for path in files:
        yield from flat(json.loads(path.read_text(encoding="utf-8")), "answer")


def _is_answer(text: str) -> bool:
    """Whether a JSON file says a verdict."""
    return f'"{VERDICT}"' in text


def flat(value: Any, place: str) -> Iterator[tuple[str, Value]]:
    """Yield the numbers in plain data by their paths, without times; of its words only verdicts."""
    name = place.rpartition("/")[2]
    if isinstance(value, dict):
        for key, inner in value.items():
            if not TIMES.search(key):
                yield from flat(inner, f"{place}/{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from flat(inner, f"{place}/{index}")
    elif value is None or isinstance(value, int | float) or name == VERDICT:
        yield place, value


def tensors(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and hash of each tensor in the content of a safetensors file.

    Eight bytes give the header's length; the header says where each tensor's bytes are after it.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    for name, about in sorted(json.loads(content[8:start]).items()):
        if name != "__metadata__":
            first, last = about["data_offsets"]
            digest = hashlib.sha256(repr((about["dtype"], about["shape"])).encode())
            digest.update(content[start + first : start + last])
            yield name, digest.hexdigest()
