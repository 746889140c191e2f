"""In which experiment of MLflow a search stands: with all runs on the same task and data, and with no others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nas_rnn.outside import shown
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.tracking import ExperimentView

LONGEST_NAME = 80
"""Of data, in characters: longer names are cut in the middle."""
EMBEDDED = "embedded"
_MARK = 6


def experiment_of(folder: RunFolder) -> ExperimentView:
    """Return the experiment of the search, comparison or ablation in ``folder``."""
    reader = RunReader(folder)
    return experiment_for(str(reader.settings()["task"]), reader.manifest().id, reader.data())


def experiment_for(task: str, key: str, data: Mapping[str, Any] | None) -> ExperimentView:
    """Return the experiment of the search ``key`` on ``task`` with these facts of its data.

    Earlier versions had one for each task: what stands there stays there, and so does what has no such facts.
    """
    if data is None:
        return ExperimentView(name=task)
    digest = _plain(str(data["digest"]))
    identity, mark = f"{_plain(task)}:{digest}", digest[:_MARK]
    return ExperimentView(
        name=f"{task} · {data_name(data)}", identity=identity, mark=mark, former=task, key=key
    )


def data_name(data: Mapping[str, Any]) -> str:
    """Return what the data are called, in one line of printable characters that is not long."""
    name = EMBEDDED if data["source"] is None else " ".join(shown(str(data["name"])).split())
    if len(name) > LONGEST_NAME:
        half = LONGEST_NAME // 2
        name = f"{name[: half - 1]}…{name[-half:]}"
    return name


def _plain(text: str) -> str:
    return re.sub(r"[^\w.-]", "_", text)
