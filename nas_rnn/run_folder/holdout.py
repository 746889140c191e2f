"""The test part is read once: what is read, and for whom, stands on disk before the first final run begins."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from numpy.typing import NDArray

from nas_rnn.comparison import Entry
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.run_folder.layout import FINAL, RunFolder, names
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.tasks import TaskData


def data_digest(data: TaskData) -> str:
    """Return what identifies a task's data, its test part included."""
    digest = hashlib.sha256(json.dumps(data.meta, sort_keys=True, default=str).encode())
    for name, array in named_arrays(data):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def named_arrays(data: TaskData) -> list[tuple[str, NDArray[Any]]]:
    """Return every array under its part and name ("train.labels"), in the order of these."""
    return sorted((f"{part}.{name}", array) for part in data.parts for name, array in data.part(part).items())


def lock_final_plan(folder: RunFolder, data: TaskData, entries: list[Entry]) -> None:
    """Write down who is about to be measured on the test part.

    Raises NasRnnError where that is written already and says otherwise: after a look at the test part nobody may
    enter, and no setting may change.
    """
    plan = {"data": data_digest(data), "entries": [_plain(entry) for entry in entries]}
    kept = folder.read_json(FINAL)
    if kept is None:
        folder.write_json(FINAL, plan)
    elif kept != plan:
        raise NasRnnError(
            f"the final of {folder.name!r} began with other cells or settings, and the test part is read only "
            "once; begin a new comparison under another --name"
        )


def require_unread(folder: RunFolder, what: str) -> None:
    """Raise UserError where the final has begun, after which ``what`` would choose by the test part."""
    if folder.read_json(FINAL) is not None:
        raise UserError(
            f"the final of {folder.name!r} has begun, so {what} cannot be changed any more: the test part is read "
            "only once; resume without it, or begin a new search"
        )


def read_before(folder: RunFolder) -> tuple[str, ...]:
    """Return whose finals had read the same test part before this one's began; by the files' times."""
    own, plan = folder.path / FINAL, folder.read_json(FINAL)
    if plan is None:
        return ()
    others = [RunFolder(folder.runs, name) for name in names(folder.runs) if name != folder.name]
    return tuple(
        other.name
        for other in others
        if (path := other.path / FINAL).is_file()
        and path.stat().st_mtime < own.stat().st_mtime
        and RunReader(other).final_data() == plan["data"]
    )


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "cell": entry.cell,
        "hidden_size": entry.hidden_size,
        "gate_bias": entry.gate_bias,
        "training": entry.training.to_dict(),
        "members": [[member.cell, member.hidden_size] for member in entry.members],
    }
