"""Options without effect are refused at the beginning alone: what was begun with them goes on, and is compared."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nas_rnn
from nas_rnn.errors import UserError
from nas_rnn.experiment.events import silent
from nas_rnn.experiment.session import new_session, prepare, resumed_session
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.tasks.options import begun_before

IDLE = {"order": "rows", "looks": 4}
"""Looks are of learned and random places."""
OF_TASK: dict[str, Any] = {"task": "glimpses", "task_options": IDLE}
REFUSED = "looks=4 has no effect with order=rows"


@pytest.fixture(autouse=True)
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The task's options of comparisons that would have begun or gone on; nothing is trained."""
    found: list[dict[str, Any]] = []

    def run(session: Any, *_: Any, **__: Any) -> Any:
        found.append(dict(session.models.task.options.__dict__))
        if session.folder.name == "both-one" and len(found) == 1:
            raise KeyboardInterrupt
        if session.folder.name == "both-one":
            return SimpleNamespace(status="complete", comparison="an answer")
        return SimpleNamespace(status="interrupted", comparison=None)

    for name in ("compare", "ablate"):
        monkeypatch.setattr(importlib.import_module(f"nas_rnn.experiment.{name}"), "run_comparison", run)
    monkeypatch.chdir(tmp_path)
    return found


def begin(kind: Any, name: str, values: dict[str, Any]) -> RunFolder:
    """Begin as an earlier version did."""
    with begun_before():
        prepared = prepare(kind, {**OF_TASK, **values, "name": name}, Path("runs"))
    command = "search" if kind is SearchConfig else "compare"
    with new_session(command, prepared, Path("runs"), command, silent, lambda folder: None) as session:
        return session.folder


def test_a_search_goes_on_with_its_own_data() -> None:
    with pytest.raises(UserError, match=REFUSED):
        nas_rnn.search(**OF_TASK)
    folder = begin(SearchConfig, "old", {})
    with resumed_session("search", SearchConfig, folder, {}, silent) as session:
        assert session.config.task_options == IDLE
    with pytest.raises(UserError, match=REFUSED):  # and what begins afterwards is refused as before
        nas_rnn.search(**OF_TASK)


def test_a_comparison_goes_on(begun: list[dict[str, Any]]) -> None:
    with pytest.raises(UserError, match=REFUSED):
        nas_rnn.compare("gru", **OF_TASK)
    with begun_before():
        nas_rnn.compare("gru", name="old", **OF_TASK)
    nas_rnn.compare(resume="old")
    assert [own["looks"] for own in begun] == [4, 4]


def test_what_is_taken_over_from_a_search_is_not_refused(begun: list[dict[str, Any]]) -> None:
    folder = begin(SearchConfig, "old", {})
    folder.best.mkdir()
    (folder.best / "cell.cell").write_text("@cell\ndef found(x, h):\n    return tanh(linear(x, h)) + h\n")
    nas_rnn.compare("old", "gru")
    nas_rnn.ablate("old")
    assert [own["looks"] for own in begun] == [4, 4]
    with pytest.raises(UserError, match=REFUSED):  # said again, it can be left out
        nas_rnn.compare("old", "gru", task_options=IDLE)


def test_all_parts_of_a_suite_are_begun(begun: list[dict[str, Any]]) -> None:
    part = '[tasks.{}]\ntask = "glimpses"\ntask_options = {{ order = "rows", looks = 4 }}\n'
    Path("two.toml").write_text(part.format("one") + part.format("two"))
    with pytest.raises(UserError, match=f"part 'one' of the suite: .*{REFUSED}"):
        nas_rnn.compare_suite("gru", suite="two.toml", name="both")
    with begun_before(), pytest.raises(KeyboardInterrupt):
        nas_rnn.compare_suite("gru", suite="two.toml", name="both")
    assert not Path("runs/both-two").exists()
    nas_rnn.compare_suite(resume="both")
    assert Path("runs/both-two/config.toml").exists() and len(begun) == 3
