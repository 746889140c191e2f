"""Several objectives: what is refused, who is on the front, and a search of two from its first trial to its report."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import nas_rnn
from nas_rnn.cli.results import print_result
from nas_rnn.errors import UserError
from nas_rnn.experiment.results import Result
from nas_rnn.experiment.session import prepare
from nas_rnn.experiment.stages.earlier import learned_by, notice_of
from nas_rnn.experiment.stages.objectives import with_objectives
from nas_rnn.run_folder.config import SearchConfig, read_config
from nas_rnn.run_folder.front import (
    Front,
    best_spread,
    costs_of,
    dominates,
    fronts,
    step_quartiles,
    stored_front,
)
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.objectives import OBJECTIVES
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.run_folder.trials import trial_id
from nas_rnn.strategies import NSGA2, Study
from nas_rnn.training import EpochRecord, RunResult
from tests.experiment_runs import TINY, write_text
from tests.in_process import in_process

OPTIONS: dict[str, Any] = {
    **TINY, "seeds": 1, "epochs": 4, "space": "gated", "backend": "eager", "match": "hidden", "trials": 7,
    "strategy": "nsga2", "objectives": "quality,parameters,step-time",
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("quality,parameters", ("quality", "parameters")),
        (["step_time", "quality"], ("quality", "step-time")),
        (["parameters, quality", "quality"], ("quality", "parameters")),
    ],
)
def test_objectives_are_read_in_their_order(given: object, read: tuple[str, ...]) -> None:
    assert read_config(SearchConfig, {"objectives": given}).objectives == read


@pytest.mark.parametrize("wrong", ["speed", ["quality", "size"], 3])
def test_an_objective_that_there_is_not_is_named_with_those_that_there_are(wrong: object) -> None:
    with pytest.raises(
        UserError, match=r"objectives: .*(objectives are quality, parameters, step-time|needed)"
    ):
        read_config(SearchConfig, {"objectives": wrong})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("objectives")
    write_text(folder / "text.txt", words=300)
    return folder


def settled(place: Path, **options: Any) -> tuple[str, ...]:
    given = {**OPTIONS, "objectives": (), "data": place / "text.txt", **options}
    return with_objectives(*prepare(SearchConfig, given, place / "runs"))[0].objectives


def test_what_is_weighed_up_follows_from_how_cells_are_matched(place: Path) -> None:
    assert settled(place) == ("quality", "parameters")
    assert settled(place, match="params") == ("quality", "step-time")
    assert settled(place, strategy="random") == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "tpe", "objectives": "quality,step-time"}, "'tpe' goes by quality alone; nsga2 takes several"),
        ({"objectives": "parameters,step-time"}, "quality must be among them"),
        ({"objectives": "quality"}, "'nsga2' is for several objectives: give quality,step-time"),
        ({"objectives": "quality,parameters", "match": "params"}, "match hidden gives them the LSTM's hidden size"),
        ({"match": "time"}, "match time the final makes all cells equally fast; give match params or match hidden"),
    ],
)  # fmt: skip
def test_what_contradicts_the_objectives_begins_no_search(
    place: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        settled(place, **options)


points = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25, unique=True)


@given(points)
def test_a_front_is_what_none_of_the_rest_dominates(found: list[tuple[int, int]]) -> None:
    losses = {number: (float(a), float(b)) for number, (a, b) in enumerate(found)}
    every = fronts(losses)
    assert sorted(number for front in every for number in front) == sorted(losses)
    for place, front in enumerate(every):
        rest = [number for later in every[place:] for number in later]
        assert not any(dominates(losses[one], losses[other]) for one in rest for other in front)
    for front, later in itertools.pairwise(every):
        assert all(any(dominates(losses[one], losses[other]) for one in front) for other in later)


@given(points, st.integers(1, 25))
def test_those_that_go_on_are_the_first_fronts_and_their_ends(
    found: list[tuple[int, int]], count: int
) -> None:
    losses = {number: (float(a), float(b)) for number, (a, b) in enumerate(found)}
    chosen = best_spread(losses, count)
    assert len(chosen) == min(count, len(losses)) and chosen == sorted(set(chosen))
    whole = 0
    for front in fronts(losses):
        whole += len(front)
        if whole <= count:
            assert set(front) <= set(chosen)
    if count > 1:  # the best of each objective is at an end of the first front
        for side in (0, 1):
            assert min(losses[n][side] for n in chosen) == min(one[side] for one in losses.values())


def test_of_a_crowded_front_the_ends_and_the_lonely_go_on() -> None:
    losses = {0: (0.0, 10.0), 1: (1.0, 9.0), 2: (1.1, 8.9), 3: (5.0, 5.0), 4: (10.0, 0.0), 5: (11.0, 11.0)}
    assert best_spread(losses, 3) == [0, 3, 4]


def result(*steps: tuple[int, float]) -> RunResult:
    """Return a run of 100 targets an epoch, with so many steps at so many targets a second."""
    records = [
        EpochRecord(
            epoch=number, train_loss=1.0, valid_loss=1.0, metric=1.0, seconds=99.0, units_per_second=speed,
            gradient_norm=1.0, clipped=0.0, targets=100, steps=count,
        )
        for number, (count, speed) in enumerate(steps, start=1)
    ]  # fmt: skip
    return RunResult(
        id="t0000", status="finished", reason=None, epochs=records, best_epoch=1, best_metric=1.0, parameters=77,
        test_statistics=None, seconds=1.0,
    )  # fmt: skip


def test_the_time_of_a_step_is_the_median_over_epochs_without_validation() -> None:
    run = result((10, 10.0), (10, 100.0), (10, 50.0))  # 1, 0.1 and 0.2 seconds a step
    assert step_quartiles(run.epochs) == pytest.approx((0.15, 0.2, 0.6))
    assert costs_of(run, ("quality", "parameters", "step-time")) == pytest.approx((77.0, 0.2))
    assert costs_of(result((0, 10.0)), ("quality", "step-time")) is None  # of an earlier version
    assert costs_of(result((0, 10.0)), ("quality", "parameters")) == (77.0,)


@pytest.fixture(scope="module")
def searched(place: Path) -> Result:
    """A search that was stopped after its third candidate and resumed."""
    ended = []

    def stop(event: Any, progress: Any) -> None:
        if type(event).__name__ == "RunEnded" and event.role == "candidate":
            ended.append(event.id)
            if len(ended) == 3:
                raise KeyboardInterrupt

    given = {**OPTIONS, "data": place / "text.txt", "runs": place / "runs", "name": "several"}
    with in_process(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(NSGA2, "population", 3)
        with pytest.raises(KeyboardInterrupt):
            nas_rnn.search(**given, observer=stop)
        return nas_rnn.search(resume="several", runs=place / "runs")


@pytest.fixture(scope="module")
def folder(place: Path, searched: Result) -> RunFolder:
    return RunFolder(place / "runs", "several")


def test_it_ends_with_the_front_of_all_that_came_to_their_end(searched: Result, folder: RunFolder) -> None:
    assert searched.status == "complete" and isinstance(searched.front, Front)
    trials = Study.open(folder.study_path, "search").trials()
    assert len(trials) == 7
    ended = {trial.number: trial for trial in trials if trial.ending == "finished" and trial.copy_of is None}
    front = searched.front
    assert {member.trial for member in front.members} == set(ended)
    for member in front.members:
        run = folder.store(trial_id(member.trial)).read_result()
        assert (member.parameters, member.quality) == (run.parameters, run.best_metric)
        assert member.step_seconds is not None and 0 < member.step_seconds[0] <= member.step_seconds[2]
    losses = {
        member.trial: (member.quality, member.parameters, member.step_seconds[1]) for member in front.members
    }
    assert {member.trial for member in front.best} == set(fronts(losses)[0])
    assert [member.quality for member in front.best] == sorted(member.quality for member in front.best)


def test_cells_have_one_hidden_size_and_unlike_numbers_of_parameters(folder: RunFolder) -> None:
    runs = [
        (spec, found) for spec, found in RunReader(folder).runs() if spec.role in ("candidate", "baseline")
    ]
    assert len({spec.hidden_size for spec, _ in runs}) == 1
    assert len({found.parameters for _, found in runs}) > 1


def test_at_the_rung_those_go_on_that_are_best_by_all_objectives(folder: RunFolder) -> None:
    """Three of seven; by what they had come to, and had cost, there."""
    runs = [found for spec, found in RunReader(folder).runs() if spec.role == "candidate"]
    rung = min(len(found.epochs) for found in runs if found.status == "finished")
    there = [replace(found, epochs=found.epochs[:rung]) for found in runs]
    losses = {
        number: (min(record.metric for record in found.epochs), *costs_of(found, OBJECTIVES))
        for number, found in enumerate(there)
        if found.status == "finished"
    }
    went_on = [number for number, found in enumerate(runs) if len(found.epochs) > rung]
    assert rung < OPTIONS["epochs"] and len(went_on) == 3
    assert went_on == best_spread(losses, 3)


def test_the_final_compares_the_best_quality_of_the_front(searched: Result, folder: RunFolder) -> None:
    selected = {spec.name for spec, _ in RunReader(folder).runs() if spec.role == "selection"}
    best = [member.name for member in searched.front.best][:3]
    assert selected == set(best)
    assert searched.comparison.contenders[0].standing.name in best


def test_the_objectives_are_kept_and_cannot_be_changed(place: Path, folder: RunFolder) -> None:
    assert RunReader(folder).settings()["objectives"] == ["quality", "parameters", "step-time"]
    with pytest.raises(UserError, match="objectives cannot be changed"):
        nas_rnn.search(resume="several", objectives="quality,parameters", runs=place / "runs")


def test_the_front_is_told_as_json_and_read_back_from_the_folder(searched: Result, folder: RunFolder) -> None:
    told = json.loads(json.dumps(searched.to_dict(), allow_nan=False))["front"]
    assert told["objectives"] == ["quality", "parameters", "step-time"]
    assert [cell["trial"] for cell in told["cells"]] == [member.trial for member in searched.front.best]
    assert stored_front(RunReader(folder), searched.measures.monitor) == searched.front


def test_the_report_has_the_front(searched: Result, folder: RunFolder) -> None:
    page = (folder.path / "report.html").read_text(encoding="utf-8")
    section = page.partition('<section id="front"')[2].partition("</section>")[0]
    assert "weighed up quality and parameters and step-time" in " ".join(section.split())
    for member in searched.front.best:
        assert member.name in section and f"{member.parameters:,}" in section
    assert section.count("<figure") == 2 and ">baseline<" in section


def test_mlflow_has_the_front(searched: Result, place: Path) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{place}/runs/mlflow.db")
    experiment = client.get_experiment_by_name("char-lm · text.txt")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if run.data.tags["role"] == "search"]
    assert parent.data.tags["objectives"] == "quality, parameters, step-time"
    assert parent.data.tags["front"].split(", ") == [member.name for member in searched.front.best]
    assert parent.data.metrics["front_size"] == len(searched.front.best)
    assert "trials/front.json" in {item.path for item in client.list_artifacts(parent.info.run_id, "trials")}
    assert all(run.data.metrics["step_ms"] > 0 for run in runs if run.data.tags["role"] == "baseline")


def test_of_an_earlier_search_the_best_cells_are_hints(place: Path, folder: RunFolder) -> None:
    """What they cost there is not taken over, so the strategy is told nothing."""
    given = {**OPTIONS, "data": place / "text.txt", "objectives": "quality,parameters"}
    settings, models = with_objectives(*prepare(SearchConfig, given, place / "runs"))
    earlier = learned_by("several", place / "runs", settings, models)
    assert earlier and all(one.hint for one in earlier)
    told = notice_of(earlier)
    assert "(objectives quality, parameters, step-time there, quality, parameters measured here)" in told


def test_the_terminal_lists_the_front(searched: Result, place: Path) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    print_result(console, searched, place / "runs")
    head, _, rest = console.export_text().partition("The front by quality and parameters and step-time")
    lines = rest.splitlines()[1 : 1 + len(searched.front.best)]
    for line, member in zip(lines, searched.front.best, strict=True):
        assert line.strip().startswith(f"{member.name}: ")
        assert f"{member.parameters:,} parameters" in line and line.endswith("ms a step")
    assert head
