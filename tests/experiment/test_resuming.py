"""After a resume a strategy hears of every earlier trial: of those that ended, and of those under way."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nas_rnn
from nas_rnn.experiment.stages.proposals import SearchSource
from nas_rnn.plugins import load_space
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.strategies import RandomSearch, Study
from tests.experiment_runs import TINY, write_text
from tests.in_process import in_process


class Listening(RandomSearch):
    name = "listening"

    def __init__(self, space, seed):
        super().__init__(space, seed)
        self.heard = []

    def tell(self, candidate, loss):
        self.heard.append(("ended", candidate.digest, loss))

    def expect(self, candidate):
        self.heard.append(("under way", candidate.digest, len(candidate.choices)))


def test_a_strategy_hears_of_trials_that_ended_and_of_trials_under_way(tmp_path, monkeypatch):
    space = load_space("gated")
    study = Study.create(tmp_path / "study.journal", "one", "minimize")
    candidates = [space.sample(seed) for seed in range(3)]
    for candidate in candidates:
        study.add(candidate, hidden_size=8)
    study.finish(1, "stopped", 2.5)
    study.finish(2, "diverged", None)
    study.revise(1, "finished", 2.0)  # taken on: strategies learn from equal training targets
    monkeypatch.setattr(SearchSource, "__post_init__", lambda self: None)
    measures = SimpleNamespace(monitor=SimpleNamespace(direction="minimize"))
    source = SearchSource(
        config=SimpleNamespace(space="gated", strategy="random", scheduler="none", objectives=()),
        models=SimpleNamespace(measures=measures),
        filter=None,
        folder=None,
        notify=None,
        study=study,
        strategy=Listening(space, 0),
        standard=None,
        trials=3,
        on_change=lambda *_: None,
    )
    monkeypatch.setattr(source, "_spec", lambda number, *_: SimpleNamespace(id=f"t{number}"))
    for trial in study.trials():
        source._resume(trial)
    first, second, third = candidates
    assert source.strategy.heard == [
        ("under way", first.digest, len(first.choices)),
        ("ended", second.digest, 2.5),
        ("ended", third.digest, None),
    ]
    assert [spec.id for spec in source._queue] == ["t0"]


@pytest.mark.parametrize("more", [{"constraints": ["products<=5"]}, {"start_from": ["gru", "mgu"]}])
def test_a_random_search_that_was_stopped_again_and_again_tries_what_it_would_have_tried(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    write_text(tmp_path / "text.txt", words=200)
    options = {
        **TINY, "space": "gated", "workers": 1, "seeds": 1, "epochs": 1, "trials": 5, "scheduler": "none",
        "data": tmp_path / "text.txt", "runs": tmp_path / "runs", "backend": "eager", **more,
    }  # fmt: skip
    with in_process():
        nas_rnn.search(**options, name="whole")
        for stop in after_each(2):
            with pytest.raises(KeyboardInterrupt):
                if (tmp_path / "runs/often").exists():
                    nas_rnn.search(resume="often", runs=tmp_path / "runs", observer=stop)
                else:
                    nas_rnn.search(**options, name="often", observer=stop)
        nas_rnn.search(resume="often", runs=tmp_path / "runs")
    whole, often = (RunReader(RunFolder(tmp_path / "runs", name)) for name in ("whole", "often"))
    assert [trial.digest for trial in often.trials()] == [trial.digest for trial in whole.trials()]
    assert [trial.value for trial in often.trials()] == [trial.value for trial in whole.trials()]
    assert [one.digest for one in often.dropped()] == [one.digest for one in whole.dropped()]


def after_each(times: int) -> Iterator[Any]:
    """Yield observers that stop a search as its next but one candidate begins, so many times."""
    for _ in range(times):
        begun = []

        def stop(event: Any, progress: Any, begun: list[str] = begun) -> None:
            if type(event).__name__ == "RunStarted" and event.role == "candidate":
                begun.append(event.id)
                if len(begun) == 2:
                    raise KeyboardInterrupt

        yield stop
