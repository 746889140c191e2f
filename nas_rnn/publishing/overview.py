"""What stands above the table of a task's runs in MLflow: the answers of its searches, the newest first."""

from __future__ import annotations

import contextlib
from pathlib import Path

from nas_rnn.errors import NasRnnError
from nas_rnn.run_folder.layout import REPORT, RunFolder, names
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.tracking import markdown_text, run_link

MOST = 10


def task_note(runs: Path, task: str) -> str:
    """Return the answer of each search and comparison under ``runs`` on ``task``, as markdown with links.

    MLflow's page shows the first line, and the rest when it is opened.
    """
    found = []
    for name in names(runs):
        with contextlib.suppress(NasRnnError):  # somebody's damaged folder is no reason to fail
            found += _answers(RunFolder(runs, name), task)
    found.sort(reverse=True)
    lines = [
        f"{links}: {markdown_text(answer) or '*not finished*'}"
        for _, links, answer in sorted(found[:MOST], key=lambda row: not row[2])
    ]
    if len(found) > MOST:
        lines.append(f"... and {len(found) - MOST} earlier ones.")
    lines.append(
        f"Runs on the task `{markdown_text(task)}`. Sorted by `gap_to_lstm`: negative beats the LSTM."
    )
    return "\n\n".join(lines)


def _answers(folder: RunFolder, task: str) -> list[tuple[int, str, str]]:
    """Return when it began, links to its pages, and the answer ("" before there is one); nothing for another task."""
    reader = RunReader(folder)
    if reader.settings().get("task") != task:
        return []
    manifest = reader.manifest()
    links = f"**{run_link(manifest.id, folder.name)}**"
    if (folder.path / REPORT).is_file():
        links += f" ({run_link(manifest.id, 'report', REPORT)})"
    return [(manifest.began_ms or 0, links, reader.answer() or reader.no_final())]
