"""What stands above the table of a task's runs in MLflow: the answers of its searches, the newest first."""

from __future__ import annotations

import contextlib
import html
from pathlib import Path

from nas_rnn.errors import UserError
from nas_rnn.run_folder.config import load_toml
from nas_rnn.run_folder.layout import REPORT, Workspace, names
from nas_rnn.tracking import run_link

MOST = 10


def task_note(runs: Path, task: str) -> str:
    """Return the answer of each search and comparison under ``runs`` on ``task``, as markdown with links.

    MLflow's page shows the first line, and the rest when it is opened.
    """
    found = []
    for name in names(runs):
        with contextlib.suppress(
            UserError, ValueError, KeyError
        ):  # somebody's damaged folder is no reason to fail
            found += _answers(Workspace(runs, name), task)
    found.sort(reverse=True)
    lines = [
        f"{links}: {html.escape(answer) or '*not finished*'}"
        for _, links, answer in sorted(found[:MOST], key=lambda row: not row[2])
    ]
    if len(found) > MOST:
        lines.append(f"... and {len(found) - MOST} earlier ones.")
    lines.append(f"Runs on the task `{html.escape(task)}`. Sorted by `gap_to_lstm`: negative beats the LSTM.")
    return "\n\n".join(lines)


def _answers(workspace: Workspace, task: str) -> list[tuple[int, str, str]]:
    """Return when it began, links to its pages, and the answer ("" before there is one); nothing for another task."""
    if load_toml(workspace.config_path).get("task") != task:
        return []
    facts, comparison = workspace.read_json("search.json"), workspace.read_json("comparison.json")
    if facts is None:
        return []
    links = f"**{run_link(facts['id'], workspace.name)}**"
    if (workspace.folder / REPORT).is_file():
        links += f" ({run_link(facts['id'], 'report', REPORT)})"
    return [(facts["began_ms"], links, "" if comparison is None else str(comparison["sentence"]))]
