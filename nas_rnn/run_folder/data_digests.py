"""What identifies data: all of a task's, and the test part alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.tasks import TaskData

Array = NDArray[Any]


def data_digest(data: TaskData) -> str:
    """Return what identifies a task's data, its test part and its groups included."""
    groups = [(f"groups of {part}", numbers) for part, numbers in sorted(data.groups.items())]
    return _digest([*named_arrays(data), *groups], _meta(data))


def digest_under_names(data: TaskData, recorded: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the digest that versions before `holdout_digest` had of these data, None where they cannot be the same.

    ``recorded`` has the names that the arrays had then, each with its ``dtype`` and ``shape``. Arrays alike in these
    are taken in the order of their names, which begin with the part in every version. Groups did not count.
    """
    alike: dict[tuple[str, tuple[int, ...]], list[Array]] = {}
    for _, array in named_arrays(data):
        alike.setdefault((str(array.dtype), array.shape), []).append(array)
    found: list[tuple[str, Array]] = []
    for name, form in sorted(recorded.items()):
        arrays = alike.get((form["dtype"], tuple(form["shape"])))
        if not arrays:
            return None
        found.append((name, arrays.pop(0)))
    return None if any(alike.values()) else _digest(found, _meta(data))


def holdout_digest(data: TaskData) -> str:
    """Return what identifies the test part by its arrays alone: their types, shapes and values.

    Their names, ``meta`` and the other parts do not count: under any of these, the same items were read. Groups do
    not count either, for they say how items are judged together; who has read the items has read them in any groups.
    """
    contents = sorted(_digest([("", array)]) for array in data.part("test").values())
    return _digest([], " ".join(contents))


def named_arrays(data: TaskData) -> list[tuple[str, Array]]:
    """Return every array under its part and name ("train.labels"), in the order of these."""
    return sorted((f"{part}.{name}", array) for part in data.parts for name, array in data.part(part).items())


def _digest(arrays: Iterable[tuple[str, Array]], beginning: str = "") -> str:
    digest = hashlib.sha256(beginning.encode())
    for name, array in arrays:
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)  # no copy, where it is contiguous already
    return digest.hexdigest()[:16]


def _meta(data: TaskData) -> str:
    return json.dumps(data.meta, sort_keys=True, default=str)
