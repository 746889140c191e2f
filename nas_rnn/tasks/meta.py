"""What a task says of its data, as it is read from files that others may have made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas_rnn.errors import UserError
from nas_rnn.outside import LINES, check_plain
from nas_rnn.tasks.task import Task


def check_meta(task: Task, meta: Any, where: str) -> None:
    """Raise `UserError` for what no text of ``meta`` may hold, but in the entries that ``task`` calls raw.

    ``where`` says which file and field it is.
    """
    if not isinstance(meta, Mapping):
        raise UserError(f"{where} must be an object, not {meta!r:.80}")
    check_plain(meta, where, LINES, free=task.raw_meta)
