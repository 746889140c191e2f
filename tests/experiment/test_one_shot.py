"""Searches with a supernet: it is trained first, its best cells are the trials, and what it costs is counted."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import nas_rnn
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.experiment.events import Event, PhaseStarted, Progress, RunEnded
from nas_rnn.experiment.results import Result
from nas_rnn.experiment.stages.supernet import worth
from nas_rnn.experiment.workload import Workload
from nas_rnn.oneshot import Ranking
from nas_rnn.run_folder.config import SearchConfig, read_config
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import CONTROL_JOURNAL, RunReader
from tests.experiment_runs import TINY, write_text
from tests.in_process import in_process

SPACE = '''
from nas_rnn import identity, linear, relu, search_space, sigmoid, tanh


@search_space
def two_nodes(choose, x, h):
    """A chain of two nodes."""
    a = tanh(linear(x, h))
    b = choose("b_act", [tanh, relu, sigmoid, identity])(linear(a))
    source = {"a": a, "b": b}[choose("c_from", ["a", "b"])]
    c = source + choose("c_act", [tanh, relu, sigmoid, identity])(linear(source))
    return tanh(b + c)
'''
OPTIONS: dict[str, Any] = {**TINY, "seeds": 1, "trials": 3, "space": "two_nodes", "backend": "eager"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one_shot")
    write_text(folder / "text.txt", words=400)
    (folder / "spaces").mkdir()
    (folder / "spaces/two_nodes.py").write_text(SPACE)
    return folder


def searched(place: Path, **more: Any) -> Result:
    options = {**OPTIONS, "plugins": [place / "spaces"], "data": place / "text.txt", **more}
    with in_process():
        return nas_rnn.search(**options, runs=place / "runs")


def folder_of(place: Path, name: str) -> RunFolder:
    return RunFolder.open_existing(place / "runs", name)


@pytest.mark.parametrize(("strategy", "passes"), [("weight-sharing", 1), ("differentiable", 2)])
def test_the_trials_are_the_best_of_the_ranking_and_the_supernet_is_a_part_of_the_cost(
    place: Path, strategy: str, passes: int
) -> None:
    phases = list[str]()

    def watch(event: Event, progress: Progress) -> None:
        if isinstance(event, PhaseStarted):
            phases.append(event.phase)

    result = searched(
        place, strategy=strategy, supernet_epochs=3, controls="all", name=strategy, observer=watch
    )
    folder = folder_of(place, strategy)
    reader, store = RunReader(folder), folder.store("supernet")
    ranking, supernet = Ranking.from_dict(store.read_ranking()), store.read_result()
    assert phases[:2] == ["supernet", "search"]
    assert supernet is not None and len(supernet.epochs) == 3 and supernet.test_statistics is None
    assert len(ranking.cells) == 32
    trials = reader.trials()
    assert [trial.candidate.decisions for trial in trials] == [dict(c.decisions) for c in ranking.cells[:3]]
    assert result.comparison is not None
    cost = next(cost for cost in result.comparison.costs if cost.part == "supernet")
    assert (cost.runs, cost.seconds) == (1, supernet.seconds)
    baseline = folder.store("baseline").read_result()
    assert baseline is not None
    assert cost.units > (passes - 1) * 3 * baseline.epochs[0].targets
    assert (cost.units == 3 * baseline.epochs[0].targets) == (strategy == "weight-sharing")
    instead = worth(folder, [f"t{trial.number:04d}" for trial in trials])
    assert instead >= 1
    assert len(reader.trials(CONTROL_JOURNAL)) == 3 + instead
    assert store.files.read("checkpoint.safetensors") is None


def test_one_that_is_resumed_with_more_trials_goes_on_in_the_ranking(place: Path) -> None:
    def stop(event: Event, progress: Progress) -> None:
        if isinstance(event, RunEnded) and event.role == "candidate":
            os.kill(os.getpid(), signal.SIGINT)

    first = searched(place, strategy="differentiable", name="resumed", observer=stop)
    assert first.status == "interrupted"
    ended = list[str]()

    def watch(event: Event, progress: Progress) -> None:
        if isinstance(event, RunEnded):
            ended.append(event.id)

    with in_process():
        nas_rnn.search(resume="resumed", trials=5, runs=place / "runs", observer=watch)
    folder = folder_of(place, "resumed")
    ranking = Ranking.from_dict(folder.store("supernet").read_ranking())
    assert "supernet" not in ended
    trials = [trial.candidate.decisions for trial in RunReader(folder).trials()]
    assert trials == [dict(cell.decisions) for cell in ranking.cells[:5]]


def test_a_supernet_that_ranks_nothing_ends_the_search_in_words(place: Path) -> None:
    with pytest.raises(
        NasRnnError, match=r"the supernet of the space 'two_nodes' diverged before .*--learning-rate"
    ):
        searched(place, strategy="weight-sharing", learning_rate=1e39, clip=0.0, name="diverged")


def test_epochs_of_a_supernet_are_for_strategies_that_have_one(place: Path) -> None:
    with pytest.raises(UserError, match="supernet_epochs is for the strategies"):
        searched(place, strategy="random", supernet_epochs=3)


@pytest.mark.parametrize("strategy", ["weight-sharing", "differentiable"])
def test_a_space_that_shares_no_weights_is_refused_before_anything_runs(place: Path, strategy: str) -> None:
    with pytest.raises(UserError, match="own different weights"):
        searched(place, strategy=strategy, space="gated", name="refused")
    assert not (place / "runs/refused").exists()


def test_the_work_of_a_supernet_is_expected_and_so_is_a_random_search_of_equal_cost() -> None:
    config = read_config(SearchConfig, {"trials": 10, "epochs": 9, "scheduler": "none", "tune": 0})
    phases = Workload(config, cells=3, controls=1, random_search=True, supernet=2).phases(9)
    assert list(phases)[:2] == ["supernet", "search"]
    assert (phases["supernet"].runs, phases["supernet"].epochs) == (1, 18)
    assert phases["control"].runs == 12
