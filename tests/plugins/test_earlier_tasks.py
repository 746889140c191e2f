"""A task that was written for the interface before says in one line what it must become, and where that stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_rnn import plugins
from nas_rnn.plugins import Registry
from nas_rnn.plugins.judging import EARLIER_TASKS
from nas_rnn.tasks import Task
from nas_rnn.testing import check as checking

EARLIER = Path(__file__).parent / "earlier_tasks"
ROOT = Path(__file__).resolve().parents[2]

CONVERTED_METRIC = (
    "from nas_rnn.tasks import Mean, Task, TaskData\n\n\nclass Half(Task):\n    name = 'half'\n"
)
METHODS = """    metrics = (Mean('m', 'u', 'minimize', 0.1, 'absolute'),)
    item_scores = lambda self, outputs, targets: 1
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins, "_registry", None)
    return tmp_path


@pytest.mark.parametrize("page", sorted(EARLIER.glob("*.txt")), ids=lambda path: path.stem)
def test_check_tells_it_in_one_line_with_file_and_line(place: Path, page: Path) -> None:
    text = page.read_text()
    (place / "mine.py").write_text(text)
    (line,) = checking.check("mine.py", seconds=120.0).problems
    number = 1 + next(n for n, written in enumerate(text.splitlines()) if " = Metric(" in written)
    assert len(line.splitlines()) == 1
    assert line.startswith(f"{place / 'mine.py'}, line {number}: ")
    assert line.endswith(EARLIER_TASKS)


def test_a_task_that_has_other_metrics_and_the_earlier_methods_is_told_the_same(place: Path) -> None:
    (place / "half.py").write_text(CONVERTED_METRIC + METHODS)
    found = Registry([place])
    assert "half" not in found.names("task")
    (problem,) = [problem for problem in found.problems if problem.origin.startswith(str(place))]
    assert problem.line == 4
    assert problem.message == f"the task 'half' was written for an earlier interface: {EARLIER_TASKS}"


def test_the_line_names_what_there_is() -> None:
    for name in ("build", "batches", "preview", "metrics"):
        assert f"{name}" in EARLIER_TASKS
        assert hasattr(Task, name) or name in Task.__annotations__
    assert "TaskModel with a loss" in EARLIER_TASKS
    assert '"Write your own task" in docs/plugins.md' in EARLIER_TASKS
    assert "\n## Write your own task\n" in (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
