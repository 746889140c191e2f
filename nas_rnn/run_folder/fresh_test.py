"""A fresh test part: rows of the training part that no final has read, in the place of a part that was read before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas_rnn.errors import UserError
from nas_rnn.run_folder.data_digests import holdout_digest
from nas_rnn.run_folder.layout import FINAL, RunFolder, names
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.tasks import TaskData
from nas_rnn.tasks.data import PARTS


@dataclass(frozen=True)
class FreshTest:
    """Rows ``begins`` to ``ends`` of the training part as the task loads it; what comes before is left to train on."""

    begins: int
    ends: int

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def next_cut(data: TaskData, share: float, runs: Path) -> FreshTest:
    """Return where to cut a test part of so large a ``share`` of all rows: at the end of the training part.

    It ends where the first of the fresh parts begins that finals under ``runs`` have read. Raises UserError where
    that leaves less to train on than it tests on.
    """
    read = _read_before(data, runs)
    ends = min([data.rows("train"), *read.values()])
    begins = ends - max(1, round(share * sum(map(data.rows, PARTS))))
    if begins < ends - begins:
        gone = f", since {', '.join(read)} read the rest" if read else ""
        raise UserError(
            f"--fresh-test {share:g} takes {ends - begins:,} of the {ends:,} rows that can be cut from the training "
            f"part{gone}, and leaves too few to train on; give a smaller share, or new data"
        )
    return FreshTest(begins, ends)


def stored_cut(folder: RunFolder) -> FreshTest | None:
    """Return where the test part of ``folder`` was cut, None where it is the task's own or nothing is known yet."""
    cut = (RunReader(folder).data() or {}).get("fresh_test")
    return None if cut is None else _cut_of(cut)


def _cut_of(values: Mapping[str, Any]) -> FreshTest:
    return FreshTest(int(values["begins"]), int(values["ends"]))


def _read_before(data: TaskData, runs: Path) -> dict[str, int]:
    """Return where the fresh parts of ``data`` begin that finals have read, by the names of their folders."""
    found = {}
    for name in names(runs):
        other = RunFolder(runs, name)
        if not (other.path / FINAL).is_file():
            continue
        cut = stored_cut(other)
        if cut is None or cut.ends > data.rows("train"):
            continue
        rows = data.with_fresh_test(cut.begins, cut.ends)
        if holdout_digest(rows) == RunReader(other).final_test():  # of these data, whatever they are called
            found[name] = cut.begins
    return found
