"""A search that starts from an earlier one: its strategy knows all trials, and the best are tried first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nas_rnn
from nas_rnn.cells.graph.nodes import Linear
from nas_rnn.errors import UserError
from nas_rnn.experiment.session import prepare
from nas_rnn.experiment.stages.earlier import learned_by, notice_of
from nas_rnn.experiment.stages.strategy import make_strategy
from nas_rnn.run_folder.config import SearchConfig, read_config
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.strategies import Study, Trial
from tests.experiment_runs import TINY, write_text
from tests.in_process import in_process

OPTIONS: dict[str, Any] = {**TINY, "seeds": 1, "epochs": 1, "space": "gated", "backend": "eager"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start_from")
    write_text(folder / "text.txt", words=300)
    with in_process():
        nas_rnn.search(**OPTIONS, trials=6, data=folder / "text.txt", name="first", runs=folder / "runs")
    return folder


def trials(place: Path, name: str) -> list[Trial]:
    return Study.open(place / "runs" / name / "study.journal", "search").trials()


def again(place: Path, **options: Any) -> Any:
    given = {**OPTIONS, "data": place / "text.txt", "runs": place / "runs", **options}
    return nas_rnn.search(**given)


@pytest.mark.parametrize("strategy", ["random", "evolution", "tpe"])
def test_the_best_come_first_and_nothing_else_is_tried_again(place: Path, strategy: str) -> None:
    with in_process():
        again(place, start_from="first", strategy=strategy, trials=8, name=f"then-{strategy}", seed=1)
    earlier = {trial.digest: trial for trial in trials(place, "first")}
    ended = [t for t in earlier.values() if t.ending == "finished" and t.copy_of is None]
    best = sorted(ended, key=lambda trial: trial.value or 99.0)[:3]
    new = trials(place, f"then-{strategy}")
    assert {trial.digest for trial in new[:3]} == {trial.digest for trial in best}
    assert not {trial.digest for trial in new[3:]} & set(earlier)
    assert len(new) == 8


def test_of_a_search_that_was_trained_otherwise_only_the_best_cells_are_taken_over(place: Path) -> None:
    with in_process():
        result = again(place, start_from="first", batch=16, trials=4, name="otherwise", seed=1)
    assert any(
        f"was trained otherwise (batch {OPTIONS['batch']} there, 16 here), so its losses" in notice
        for notice in result.notices
    )
    ended = [t for t in trials(place, "first") if t.ending == "finished" and t.copy_of is None]
    best = sorted(ended, key=lambda trial: trial.value or 99.0)[:3]
    assert {trial.digest for trial in trials(place, "otherwise")[:3]} == {trial.digest for trial in best}
    kept = json.loads((place / "runs/otherwise/earlier.json").read_text())
    assert [row["loss"] for row in kept] == [None] * 3


def test_options_that_were_others_are_named_and_many_are_counted(place: Path) -> None:
    folder = RunFolder(place / "runs", "first")
    given = {"dropout": 0.1, "layers": 2, "clip": 2.0, "length": 9, "weight_drop": 0.2, "average": 0.0}
    settings, models = prepare(
        SearchConfig,
        {**RunReader(folder).settings(), "name": "many", "threads": 2, "batch": 5, **given},
        place / "runs",
    )
    earlier = learned_by("first", place / "runs", settings, models)
    told = notice_of(earlier)
    assert (
        "(layers 1 there, 2 here; dropout 0.0 there, 0.1 here; weight drop 0.0 there, 0.2 here; batch "
        in told
    )
    assert "; and 2 others), so its losses" in told and "threads" not in told
    # Searches that began before the differences were kept say the same without them.
    assert "(" not in notice_of([replace(one, otherwise="") for one in earlier])
    assert notice_of([replace(one, loss=1.0) for one in earlier]) == ""


def test_a_resume_needs_no_earlier_search(place: Path) -> None:
    def stop(event: Any, progress: Any) -> None:
        if type(event).__name__ == "RunEnded" and event.role == "candidate":
            raise KeyboardInterrupt

    with in_process():
        with pytest.raises(KeyboardInterrupt):
            again(place, start_from="first", trials=7, name="stopped", observer=stop)
        (place / "runs/first").rename(place / "runs/gone")
        try:
            result = nas_rnn.search(resume="stopped", runs=place / "runs")
        finally:
            (place / "runs/gone").rename(place / "runs/first")
    assert result.status == "complete"
    known = {trial.digest for trial in trials(place, "first")}
    assert sum(trial.digest in known for trial in trials(place, "stopped")) == 3


def test_a_training_part_that_a_fresh_test_part_was_cut_from_is_told_as_that(place: Path) -> None:
    with pytest.raises(UserError, match=r"with --fresh-test, here or there, .* leave --start-from out"):
        again(place, start_from="first", fresh_test=0.1)


@pytest.mark.parametrize(
    ("changed", "how"),
    [
        ({"params": 3000}, f"params {OPTIONS['params']} there, 3000 here"),
        ({"task_options": {"embedding": 6}}, "task options as they come there, embedding=6 here"),
        ({"data": "other.txt"}, "other data"),
        ({"match": "hidden"}, "match params there, hidden here"),
        ({"task": "draw", "data": None}, "other data; task char-lm there, draw here"),
    ],
)
def test_of_a_search_of_something_else_the_best_cells_are_tried_first(
    place: Path, changed: dict[str, Any], how: str
) -> None:
    write_text(place / "other.txt", words=299)
    if changed.get("data"):
        changed = {"data": place / changed["data"]}
    values = {**OPTIONS, "data": place / "text.txt", "name": "elsewhere", **changed}
    found = learned_by("first", place / "runs", *prepare(SearchConfig, values, place / "runs"))
    assert {one.candidate.digest for one in found} == set(best_of(place, "first"))
    assert all(one.hint and one.otherwise == how for one in found)
    assert f"was trained otherwise ({how}), so its losses say nothing here" in notice_of(found)


def test_cells_that_no_model_of_this_size_has_are_left_out(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {**OPTIONS, "data": place / "text.txt", "name": "elsewhere", "params": 3000}
    settings, models = prepare(SearchConfig, values, place / "runs")
    best = best_of(place, "first")
    match = type(models).match

    def no_first(self: Any, cell: Any, target: int) -> Any:
        if cell.digest == best[0]:
            raise UserError("no size fits")
        return match(self, cell, target)

    monkeypatch.setattr(type(models), "match", no_first)
    found = learned_by("first", place / "runs", settings, models)
    assert {one.candidate.digest for one in found} == set(best[1:])


@pytest.mark.parametrize("strategy", ["predictor", "tpe"])
def test_trials_of_another_space_count_by_their_cells(place: Path, strategy: str) -> None:
    values = {"space": "darts", "strategy": strategy, "trials": 6, "name": f"space-{strategy}", "seed": 1}
    with in_process():
        result = again(place, start_from="first", **values)
    assert result.status == "complete"
    kept = json.loads((place / f"runs/space-{strategy}/earlier.json").read_text())
    assert len(kept) == len({trial.digest for trial in trials(place, "first")})
    assert all(row["decisions"] is None and not row["otherwise"] for row in kept)
    assert sum(row["loss"] is not None for row in kept) > 3
    new = [trial.digest for trial in trials(place, f"space-{strategy}")]
    assert set(new[:3]) == set(best_of(place, "first"))


def test_an_unknown_search_is_named(place: Path) -> None:
    with pytest.raises(UserError, match="frist"):
        again(place, start_from="frist", name="never")


OWN = "@cell\ndef own(x, h):\n    return sigmoid(linear(x, h)) * h + tanh(linear(x))\n"


@pytest.mark.parametrize("strategy", ["random", "evolution", "tpe"])
def test_cells_are_tried_first_beside_the_best_of_several_searches(place: Path, strategy: str) -> None:
    (place / "own.cell").write_text(OWN)
    second = f"second-{strategy}"
    with in_process():
        again(place, trials=5, name=second, seed=8)
        names = ["mgu", "first", str(place / "own.cell"), second]
        result = again(place, start_from=names, strategy=strategy, trials=9, name=f"both-{strategy}", seed=2)
    best = [digest for name in ("first", second) for digest in best_of(place, name)]
    wanted = [nas_rnn.load_cell("mgu").digest, nas_rnn.load_cell(place / "own.cell").digest, *best]
    new = trials(place, f"both-{strategy}")
    count = len(set(wanted))
    assert {trial.digest for trial in new[:count]} == set(wanted) and new[0].digest == wanted[0]
    assert all(trial.ending == "finished" for trial in new[:2])
    assert not any("was trained otherwise" in notice for notice in result.notices)
    assert not {trial.digest for trial in new[count:]} & {trial.digest for trial in trials(place, "first")}


def best_of(place: Path, name: str) -> list[str]:
    ended = [t for t in trials(place, name) if t.ending == "finished" and t.copy_of is None]
    return [trial.digest for trial in sorted(ended, key=lambda trial: trial.value or 99.0)[:3]]


def test_a_resume_needs_no_cell_file(place: Path) -> None:
    (place / "gone.cell").write_text(OWN.replace("tanh", "relu"))
    digest = nas_rnn.load_cell(place / "gone.cell").digest

    def stop(event: Any, progress: Any) -> None:
        if type(event).__name__ == "RunEnded" and event.role == "baseline":
            raise KeyboardInterrupt

    with in_process():
        with pytest.raises(KeyboardInterrupt):
            again(place, start_from=[str(place / "gone.cell")], trials=3, name="file", observer=stop)
        (place / "gone.cell").unlink()
        assert nas_rnn.search(resume="file", runs=place / "runs").status == "complete"
    assert trials(place, "file")[0].digest == digest


def test_a_cell_that_no_model_can_have_begins_no_search(place: Path) -> None:
    (place / "wide.cell").write_text('@cell\ndef wide(x, h=state(size="input")):\n    return h + x\n')
    with pytest.raises(UserError, match="input_size"):
        again(place, start_from=[str(place / "wide.cell")], name="never")
    assert not (place / "runs/never").exists()


def test_a_folder_of_before_has_one_name(place: Path) -> None:
    assert read_config(SearchConfig, {"start_from": "first"}).start_from == ("first",)
    assert read_config(SearchConfig, {"start_from": ["first", "lstm"]}).start_from == ("first", "lstm")


@pytest.mark.parametrize("control", [False, True])
def test_a_space_of_changed_cells_begins_at_those_that_were_given(control: bool) -> None:
    config = read_config(SearchConfig, {"space": "rewrites", "constraints": ["states<=2"]})
    cells = [nas_rnn.load_cell("lstm")]
    learned = []
    for starts in ((), cells):
        strategy = make_strategy(config, 0, control=control, starts=starts)
        nodes = [node for _ in range(8) for node in strategy.ask().cell.nodes]
        learned.append(sum(isinstance(node, Linear) for node in nodes) / 8)
    assert learned[0] < 3 < learned[1]  # the vanilla RNN has one, the LSTM four
    plain = make_strategy(read_config(SearchConfig, {"space": "gated"}), 0, starts=cells)
    assert plain.space.name == "gated"
