"""How much there is to train: counted against what searches and comparisons really do, and the time told from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nas_rnn
from nas_rnn import plugins
from nas_rnn.experiment.events import (
    EpochDone,
    Event,
    PhaseStarted,
    Progress,
    RunEnded,
    RunStarted,
    roughly,
)
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.workload import OVERHEAD, Workload, expected, seconds_per_epoch
from nas_rnn.run_folder.config import CompareConfig, SearchConfig, read_config
from nas_rnn.run_folder.data_digests import holdout_digest
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.training.ending import SHORTEST
from tests.experiment_runs import TINY, TINY_RUNS, write_text
from tests.in_process import in_process


def search_config(**values: Any) -> SearchConfig:
    return read_config(SearchConfig, values)


def test_a_search_of_a_fixed_number_of_epochs_is_counted_exactly() -> None:
    config = search_config(trials=9, tune=4, seeds=5, epochs=9, scheduler="halving")
    phases = Workload(config, cells=3, controls=1).phases(9)
    assert {name: work.runs * work.epochs for name, work in phases.items()} == {
        "baseline": 4 * 9,
        "search": 9 * 3,
        "halving": 3 * 6,
        "selection": 6 * 9,
        "tuning": 2 * 4 * 9,
        "final": 5 * 4 * 9,
    }


def test_runs_that_end_by_themselves_are_tuned_at_a_rung() -> None:
    config = search_config(trials=27, tune=6, seeds=3, epochs="auto")
    phases = Workload(config, cells=3, controls=1, random_search=True).phases(90)
    assert phases["search"].epochs == 10 and phases["search"].runs == 27
    assert phases["halving"].runs * phases["halving"].epochs == 9 * 20 + 3 * 60
    assert phases["control-halving"] == phases["halving"]
    assert phases["selection"].runs == 12
    assert phases["baseline"].runs * phases["baseline"].epochs == pytest.approx(6 * 30 + 3 * 60)
    assert phases["length"].epochs == 90


@pytest.mark.parametrize("epochs", [9, "auto"])
def test_the_lstms_tuning_with_all_is_as_much_again(epochs: int | str) -> None:
    """But for the random search, which is a control as well."""
    given = {"trials": 27, "tune": 6, "seeds": 3, "epochs": epochs}
    without, beside = (
        Workload(search_config(controls=controls, **given), cells=4, random_search=True)
        for controls in ("all", "lstm-all")
    )
    control = sum(w.runs * w.epochs for name, w in without.phases(90).items() if name.startswith("control"))
    final = without.phases(90)["final"]
    spent = without.epochs(90) - control - final.runs * final.epochs
    more = beside.epochs(90) - without.epochs(90)
    assert list(beside.phases(90))[-2:] == ["lstm-all", "final"]
    assert more == pytest.approx(spent, rel=0.02)


def test_what_is_left_falls_to_nothing() -> None:
    load = Workload(
        read_config(CompareConfig, {"cells": ("gru",), "tune": 0, "seeds": 4, "epochs": 5}), cells=2
    )
    assert load.epochs_left("final", 8, 5) == 40
    assert load.epochs_left("final", 0, 5) == 0
    assert load.epochs_left("timing", 1, 5) == 5
    assert load.epochs_left("lstm-all", 2, 5) == 10 + 40  # the final comes after it


def test_the_expectation_is_a_range_where_nobody_knows_when_runs_end() -> None:
    auto = Workload(search_config(epochs="auto", workers=2), cells=3)
    short, long = expected(auto, 0.5)
    assert short == pytest.approx(OVERHEAD * auto.epochs(SHORTEST) / 4) and long == pytest.approx(
        OVERHEAD * auto.epochs(100) / 4
    )
    fixed = expected(Workload(search_config(epochs=4), cells=3), 0.5)
    assert fixed[0] == fixed[1]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "10 s"), (34, "40 s"), (89, "90 s"), (91, "2 min"), (301, "6 min"), (5400, "2 h"), (7300, "3 h")],
)
def test_times_are_said_roughly(seconds: float, words: str) -> None:
    assert roughly(seconds) == words


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Event, float | None]]:
    """A small search, and the time that was left at each event."""
    place = tmp_path_factory.mktemp("workload")
    found: list[tuple[Event, float | None]] = []

    def observe(event: Event, progress: Progress) -> None:
        found.append((event, progress.seconds_left()))

    options: dict[str, Any] = {**TINY, "seeds": 2, "tune": 2, "trials": 6, "epochs": 6, "controls": "mean"}
    with in_process():
        nas_rnn.search(
            **options,
            space="gated",
            data=write_text(place / "t.txt", 300),
            runs=place / "runs",
            observer=observe,
        )
    return found


def test_the_plan_is_what_is_trained(heard: list[tuple[Event, float | None]]) -> None:
    config = search_config(
        **{**TINY, "seeds": 2, "tune": 2, "trials": 6, "epochs": 6, "controls": "mean"}, space="gated"
    )
    load = Workload(config, cells=2, controls=1)
    phase, runs = "", Counter[str]()
    for event, _ in heard:
        if isinstance(event, PhaseStarted):
            phase = event.phase
        elif isinstance(event, RunEnded) and event.role != "baseline" and event.ending != "reused":
            runs[phase] += 1
    planned = {name: work.runs for name, work in load.phases(6).items()}
    assert set(planned) <= set(runs) | {"timing"}
    # Those that diverge or are known cells make it less, never more.
    assert all(runs[name] <= count for name, count in planned.items() if name != "tuning")
    assert runs["final"] == planned["final"] and runs["baseline"] == planned["baseline"]


def test_time_left_is_that_of_everything_and_falls(heard: list[tuple[Event, float | None]]) -> None:
    starts = [left for event, left in heard if isinstance(event, RunStarted)]
    assert starts[0] is None  # nobody knows yet
    ends = {event.id: left for event, left in heard if isinstance(event, RunEnded)}
    final = [left for id, left in ends.items() if id.startswith("final-")]
    assert all(left is not None for left in final)
    assert final[-1] == 0.0
    first = next(left for event, left in heard if isinstance(event, EpochDone) and left is not None)
    assert first > 0.0


def test_a_smoke_run_does_everything_once_and_says_that_it_means_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("smoke")
    phases: list[str] = []

    def observe(event: Event, progress: Progress) -> None:
        if isinstance(event, PhaseStarted):
            phases.append(event.phase)

    with in_process():
        result = nas_rnn.search(
            smoke=True,
            longer=2.0,  # of no end of their own, which is left out
            trials=3,
            batch=8,
            data=write_text(place / "t.txt", 300),
            runs=place / "runs",
            name="toy",
            observer=observe,
        )
    assert result.status == "complete" and result.comparison is not None
    assert result.notices[0].startswith("a smoke run: ")
    assert {"baseline", "search", "selection", "tuning", "final"} <= set(phases)
    standings = [result.comparison.baseline, *(row.standing for row in result.comparison.rows)]
    assert all(len(standing.seeds) == 1 and standing.epochs == (1,) for standing in standings)
    kept = RunReader(RunFolder(place / "runs", "toy")).settings()
    assert (kept["trials"], kept["tune"], kept["batch"], kept["params"]) == (3, 1, 8, 3000)
    page = (place / "runs/toy/report.html").read_text()
    assert (
        "This is a smoke run: everything once, at toy size; what it says of cells means nothing, and what"
        in page
    )


def test_a_smoke_run_looks_at_no_test_part(tmp_path_factory: pytest.TempPathFactory) -> None:
    """So the search that it was to try begins with a test part that nothing has read."""
    place = tmp_path_factory.mktemp("smoke")
    text = write_text(place / "t.txt", 300)
    with in_process():
        for _ in range(2):
            result = nas_rnn.compare(
                "gru", smoke=True, reference="none", batch=8, data=text, runs=place / "runs"
            )
            assert not any("read" in told for told in result.notices[1:])
    data = CharLM().load(text)
    for name in ("compare-1", "compare-2"):
        reader = RunReader(RunFolder(place / "runs", name))
        assert reader.final_test() == holdout_digest(data.with_valid_as_test()) != holdout_digest(data)
        (result,) = [found for spec, found in reader.runs() if spec.role == "final" and spec.name == "gru"]
        assert result.test_statistics is not None
        assert sum(result.test_statistics["characters"]) == len(data.part("valid")["codes"]) - 1


def test_the_time_is_told_before_anything_is_trained(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path_factory.mktemp("expected")
    heard: list[Event] = []
    options: dict[str, Any] = {**TINY_RUNS, "tune": 0, "seeds": 3, "epochs": 1, "reference": "none"}
    with in_process():
        monkeypatch.setattr("nas_rnn.experiment.workload.seconds_per_epoch", lambda models, baseline: 20.0)
        nas_rnn.compare(
            "gru",
            **options,
            name="timed",
            data=write_text(place / "t.txt", 300),
            runs=place / "runs",
            observer=lambda event, progress: heard.append(event),
        )
    told = [
        number for number, event in enumerate(heard) if "this takes about" in getattr(event, "message", "")
    ]
    began = [number for number, event in enumerate(heard) if isinstance(event, RunStarted)]
    assert len(told) == 1 and told[0] < began[0]
    # Three seeds of two cells, two at once.
    notice = heard[told[0]]
    assert getattr(notice, "message", "") == (
        "this takes about 80 s: an epoch of lstm takes 20 s here, and a run has 1 epoch"
    )


def test_options_of_the_command_line_are_kept_as_what_the_task_has_them_be(tmp_path: Path) -> None:
    values = {
        **TINY,
        "data": write_text(tmp_path / "t.txt", 300),
        "task_options": {"embedding": "6", "valid": "0.2"},
    }
    config, models = Models.prepare(search_config(**values), values)
    assert config.task_options == models.config.task_options == {"embedding": 6, "valid": 0.2}
    assert models.task.options.embedding == 6


def test_an_epoch_is_measured_and_where_it_cannot_be_nothing_is_told(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("measured")
    values = {**TINY, "data": write_text(place / "t.txt", 300), "space": "gated", "backend": "eager"}
    _, models = Models.prepare(search_config(**values), values)
    lstm = plugins.load_cell("lstm")
    measured = seconds_per_epoch(models, lstm)
    assert measured is not None and 0.0 < measured < 60.0
    assert seconds_per_epoch(replace(models, data=models.data.only("test")), lstm) is None
