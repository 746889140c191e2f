"""What a task says of its data is told before anything is trained."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas_rnn.experiment.events import Notifier, silent
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.session import Session
from nas_rnn.run_folder.config import CompareConfig
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.tasks.char_lm import CharLM


class NoMlflow(nullcontext[None]):
    problems = ()

    def end(self, *args: Any) -> None: ...


def test_a_character_of_the_test_part_alone_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("ab" * 1000 + "\x1b")
    task = CharLM()
    config: Any = SimpleNamespace(task="char-lm", cells=())
    models = Models(config, task, task.load(text))
    notify = Notifier(silent)
    folder = RunFolder(tmp_path / "runs", "mine")
    folder.trials.mkdir(parents=True)
    session: Session[CompareConfig] = Session(config, folder, models, notify)
    told = list[int]()
    monkeypatch.setattr(Session, "_run", lambda self, stages, **options: told.append(len(notify.notices)))
    for _ in range(2):
        sync: Any = NoMlflow()
        assert session.conduct(sync, list, lambda: None) == ("complete", None)
    assert told == [1, 1]
    assert r"are '\x1b' (1)" in notify.notices[0]
