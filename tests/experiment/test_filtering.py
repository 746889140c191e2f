"""The filter of a search: what cannot be trained costs no epoch, is no trial, and is listed with its reason."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import mlflow
import pytest

import nas_rnn
from nas_rnn.cells import parse_cell
from nas_rnn.experiment.events import RunEnded
from nas_rnn.experiment.results import Result
from nas_rnn.experiment.stages import filtering
from nas_rnn.experiment.stages.strategy import make_strategy
from nas_rnn.run_folder.config import SearchConfig, read_config
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.strategies import Strategy, Study, Trial
from tests.experiment_runs import TINY, write_text
from tests.in_process import in_process

SPACE = '''
from nas_rnn import linear, relu, search_space, sigmoid, tanh


@search_space
def half(choose, x, h):
    """Cells of which those that double their state cannot be trained."""
    act = choose("act", [tanh, relu, sigmoid])
    more = choose("more", ["nothing", "x", "a gate"])
    new = act(linear(x, h)) * {"nothing": 1, "x": linear(x), "a gate": sigmoid(linear(x, h))}[more]
    return 2 * h + new if choose("grows", ["no", "yes"]) == "yes" else new


@search_space
def hopeless(choose, x, h):
    """Cells that cannot be trained."""
    value = linear(x, h)
    for _ in range(choose("times", range(1, 400))):
        value = value + 1
    return 3 * h + value
'''
OPTIONS: dict[str, Any] = {
    **TINY,
    "seeds": 1,
    "epochs": 1,
    "space": "half",
    "strategy": "evolution",
    "controls": "all",
    "backend": "eager",
}
TRIALS = 5


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, with_store: Any) -> Path:
    folder = tmp_path_factory.mktemp("filtering")
    write_text(folder / "text.txt", words=300)
    (folder / "spaces").mkdir()
    (folder / "spaces" / "half.py").write_text(SPACE)
    with_store(folder / "runs")
    return folder


def search(place: Path, name: str, **options: Any) -> Result:
    given = {**OPTIONS, "plugins": [place / "spaces"], "data": place / "text.txt", "runs": place / "runs"}
    with in_process():
        return nas_rnn.search(name=name, **{**given, "trials": TRIALS, **options})


@pytest.fixture(scope="module")
def searched(place: Path) -> Result:
    return search(place, "filtered")


def trials(place: Path, name: str, journal: str = "study.journal") -> list[Trial]:
    return Study.open(place / "runs" / name / journal, "search").trials()


def grows(decisions: Any) -> bool:
    return bool(decisions["grows"] == "yes")


def test_what_is_dropped_is_no_trial(searched: Result, place: Path) -> None:
    for journal in ("study.journal", "control.journal"):
        found = trials(place, "filtered", journal)
        assert [trial.number for trial in found] == list(range(TRIALS))
        assert not [trial for trial in found if grows(trial.candidate.decisions)]
    folders = sorted(path.name for path in (place / "runs/filtered/trials").glob("t0*"))
    assert folders == [f"t{number:04d}" for number in range(TRIALS)]
    final = list((place / "runs/filtered/trials").glob("final-1-random-cell*/spec.json"))
    cells = [parse_cell(json.loads(path.read_text())["cell"]) for path in final]
    assert cells and not [cell for cell in cells if "2 * h" in cell.to_text()]


def test_what_is_dropped_is_listed_everywhere(searched: Result, place: Path) -> None:
    kept = RunReader(RunFolder(place / "runs", "filtered")).dropped()
    of_search = [one for one in kept if one.by == "search"]
    assert of_search and all(grows(one.decisions) for one in kept if one.decisions)
    assert {one.by for one in kept} >= {"search", "random search"}
    assert all(one.kind == "values" for one in kept)
    assert all(re.search("grow without bound|are not finite", one.reason) for one in kept)
    assert len({one.digest for one in of_search}) == len(of_search)
    assert parse_cell(of_search[0].cell).digest == of_search[0].digest

    told = f"dropped before training: {len(of_search)} candidate"
    assert sum(notice.startswith(told) for notice in searched.notices) == 1
    assert [row["digest"] for row in searched.to_dict()["dropped"]] == [one.digest for one in kept]
    json.dumps(searched.to_dict()["dropped"])
    page = (place / "runs/filtered/report.html").read_text()
    assert f"{len(kept)} more dropped before training" in page
    assert all(one.name in page for one in kept)
    client = mlflow.MlflowClient(f"sqlite:///{place}/runs/mlflow.db")
    experiment = client.get_experiment_by_name("char-lm · text.txt")
    (parent,) = [
        run
        for run in client.search_runs([experiment.experiment_id], "tags.role = 'search'")
        if run.info.run_name == "filtered"
    ]
    assert parent.data.metrics["candidates_dropped"] == len(of_search)
    path = client.download_artifacts(parent.info.run_id, "trials/dropped.json")
    assert json.loads(Path(path).read_text())["columns"][0] == "cell"


def test_without_the_filter_all_are_trained(place: Path) -> None:
    result = search(place, "unfiltered", filter="none", controls="none", strategy="random", trials=10)
    assert result.dropped == () and not (place / "runs/unfiltered/dropped.json").exists()
    assert [trial for trial in trials(place, "unfiltered") if grows(trial.candidate.decisions)]


def test_the_strategy_hears_of_what_was_dropped_also_after_a_resume(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[str, float | None]] = []
    strategy = type(make_strategy(read_config(SearchConfig, {"strategy": "evolution"}), 0))
    real = strategy.tell

    def tell(self: Strategy, candidate: Any, loss: float | None) -> None:
        heard.append((candidate.digest, loss))
        real(self, candidate, loss)

    def interrupt(event: Any, progress: Any) -> None:
        if isinstance(event, RunEnded) and event.role == "candidate" and dropped():
            os.kill(os.getpid(), signal.SIGINT)

    def dropped() -> list[str]:
        return [one.digest for one in RunReader(RunFolder(place / "runs", "again")).dropped()]

    monkeypatch.setattr(strategy, "tell", tell)
    options = {"controls": "none", "seed": 3, "trials": 8}
    assert search(place, "again", observer=interrupt, **options).status == "interrupted"
    before = dropped()
    assert before and {(digest, None) for digest in before} <= set(heard)
    heard.clear()
    with in_process():
        result = nas_rnn.search(resume="again", runs=place / "runs")
    assert result.status == "complete"
    assert {(digest, None) for digest in before} <= set(heard)
    after = dropped()
    assert after[: len(before)] == before and len(set(after)) == len(after)
    assert len(trials(place, "again")) == 8


def test_a_space_of_which_nothing_can_be_trained_ends_with_one_message(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtering, "MOST_IN_A_ROW", 4)
    result = search(place, "hopeless", space="hopeless", controls="mean")
    said = [notice for notice in result.notices if "4 candidates in a row of the space 'hopeless'" in notice]
    assert any("give --filter none: the search ends after 0 trials" in notice for notice in said)
    assert any("the mean of random cells is left out" in notice for notice in said) or len(said) == 1
    assert trials(place, "hopeless") == [] and result.comparison is None
