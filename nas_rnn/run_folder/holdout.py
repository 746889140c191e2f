"""The test part is read once: what is read, and for whom, stands on disk before the first final run begins."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from numpy.typing import NDArray

from nas_rnn.comparison import Entry
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.run_folder.layout import FINAL, Workspace, names
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


def settle(workspace: Workspace, data: TaskData, entries: list[Entry]) -> None:
    """Write down who is about to be measured on the test part.

    Raises NasRnnError where that is written already and says otherwise: after a look at the test part nobody may
    enter, and no setting may change.
    """
    plan = {"data": data_digest(data), "entries": [_plain(entry) for entry in entries]}
    kept = workspace.read_json(FINAL)
    if kept is None:
        workspace.write_json(FINAL, plan)
    elif kept != plan:
        raise NasRnnError(
            f"the final of {workspace.name!r} had begun with other cells or settings than it would have now, and the "
            "test part is read once; begin a new comparison under another --name"
        )


def require_unread(workspace: Workspace, what: str) -> None:
    """Raise UserError where the final has begun, after which ``what`` would choose by the test part."""
    if workspace.read_json(FINAL) is not None:
        raise UserError(
            f"the final of {workspace.name!r} has begun, so {what} cannot be changed any more: the test part is read "
            "once; go on without, or begin a new search"
        )


def read_before(workspace: Workspace) -> tuple[str, ...]:
    """Return whose finals had read the same test part before this one's began; by the files' times."""
    own, plan = workspace.folder / FINAL, workspace.read_json(FINAL)
    if plan is None:
        return ()
    others = [Workspace(workspace.runs, name) for name in names(workspace.runs) if name != workspace.name]
    return tuple(
        other.name
        for other in others
        if (path := other.folder / FINAL).is_file()
        and path.stat().st_mtime < own.stat().st_mtime
        and other.read_json(FINAL)["data"] == plan["data"]
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
