"""What stands above the table of an experiment's runs in MLflow: the answers of its searches, the newest first."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas_rnn.errors import NasRnnError
from nas_rnn.publishing.experiments import data_name
from nas_rnn.run_folder.layout import REPORT, RunFolder, names
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.tracking import markdown_text, run_link

MOST = 10


def data_note(runs: Path, task: str, data: Mapping[str, Any] | None) -> str:
    """Return the answer of each search and comparison under ``runs`` on ``task`` and ``data``, as markdown with links.

    MLflow's page shows the first line, and the rest when it is opened.
    """
    found = []
    for name in names(runs):
        with contextlib.suppress(NasRnnError):  # somebody's damaged folder is no reason to fail
            found += _answers(RunFolder(runs, name), task, _digest(data))
    found.sort(reverse=True)
    lines = [
        f"{links}: {markdown_text(answer) or '*not finished*'}"
        for _, links, answer in sorted(found[:MOST], key=lambda row: not row[2])
    ]
    if len(found) > MOST:
        lines.append(f"... and {len(found) - MOST} earlier ones.")
    on = ""
    if data is not None:
        name = markdown_text(data_name(data)).replace("`", "&#96;")
        on = f" and the data {name} ({data['digest']})"
    lines.append(
        f"Runs on the task `{markdown_text(task)}`{on}. Sorted by `gap_to_lstm`: negative beats the LSTM."
    )
    return "\n\n".join(lines)


def _digest(data: Mapping[str, Any] | None) -> str | None:
    return None if data is None else str(data["digest"])


def _answers(folder: RunFolder, task: str, digest: str | None) -> list[tuple[int, str, str]]:
    """Return when it began, links to its pages, and the answer ("" before there is one); nothing for other data."""
    reader = RunReader(folder)
    if reader.settings().get("task") != task or _digest(reader.data()) != digest:
        return []
    manifest = reader.manifest()
    if manifest.kind == "evaluate":  # it has no pages; its final is a comparison, which has
        return []
    links = f"**{run_link(manifest.id, folder.name)}**"
    if (folder.path / REPORT).is_file():
        links += f" ({run_link(manifest.id, 'report', REPORT)})"
    return [(manifest.began_ms or 0, links, reader.answer() or reader.no_final())]
