"""After a resume a strategy hears of every earlier trial: of those that ended, and of those under way."""

from types import SimpleNamespace

from nas_rnn.experiment.stages.proposals import SearchSource
from nas_rnn.plugins import load_space
from nas_rnn.strategies import RandomSearch, Study


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
