"""The test part is read once: what is read, and for whom, stands on disk before the first final run begins."""

from __future__ import annotations

from typing import Any

from nas_rnn.comparison import Entry
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.run_folder.data_digests import data_digest, digest_under_names, holdout_digest
from nas_rnn.run_folder.layout import FINAL, RunFolder, names
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.tasks import TaskData


def lock_final_plan(folder: RunFolder, data: TaskData, entries: list[Entry], *, counts: bool = True) -> None:
    """Write down who is about to be measured on the test part, and whose finals have read it before.

    Where it ``counts`` for nothing, since other data stand in for the test part, nobody has read it.

    Raises NasRnnError where that is written already and says otherwise: after a look at the test part nobody may
    enter, and no setting may change.
    """
    test = holdout_digest(data)
    plan = {
        "data": data_digest(data),
        "test": test,
        "entries": [_plain(entry) for entry in entries],
    }
    kept = folder.read_json(FINAL)
    if kept is None:
        before = _that_have_read(folder, data, test) if counts else []
        folder.write_json(FINAL, {**plan, "read_before": before})
    elif any(kept.get(key, value) != value for key, value in plan.items()):  # earlier versions kept no "test"
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
    """Return whose finals had read the same test part before this one's began.

    Finals that an earlier version began do not say so: theirs are those of the same data that began before, by the
    files' times.
    """
    plan = folder.read_json(FINAL)
    if plan is None:
        return ()
    if "read_before" in plan:
        return tuple(plan["read_before"])
    began = (folder.path / FINAL).stat().st_mtime
    return tuple(
        other.name
        for other in _others_with_final(folder)
        if (other.path / FINAL).stat().st_mtime < began and RunReader(other).final_data() == plan["data"]
    )


def _that_have_read(folder: RunFolder, data: TaskData, test: str) -> list[str]:
    """Return the other folders whose finals have read this test part, whichever names its arrays had then."""
    return [other.name for other in _others_with_final(folder) if _has_read(RunReader(other), data, test)]


def _has_read(other: RunReader, data: TaskData, test: str) -> bool:
    """Whether the final of ``other`` has read the test part of this digest.

    Earlier versions kept one digest of all data, names included, so theirs is made anew under the names of then; it
    tells the same test part only where the other parts and ``meta`` are the same, too.
    """
    if (theirs := other.final_test()) is not None:
        return theirs == test
    arrays = (other.data() or {}).get("arrays")
    return other.final_data() == (data_digest(data) if arrays is None else digest_under_names(data, arrays))


def _others_with_final(folder: RunFolder) -> list[RunFolder]:
    others = [RunFolder(folder.runs, name) for name in names(folder.runs) if name != folder.name]
    return [other for other in others if (other.path / FINAL).is_file()]


def _plain(entry: Entry) -> dict[str, Any]:
    second = {} if entry.second is None else {"second": dict(entry.second)}
    return {
        "name": entry.name,
        "cell": entry.cell,
        "hidden_size": entry.hidden_size,
        "gate_bias": entry.gate_bias,
        "training": entry.training.to_dict(),
        "members": [[member.cell, member.hidden_size] for member in entry.members],
        **second,
    }
