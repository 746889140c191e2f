"""A search in which everything diverges: it says what to change, everywhere, and nowhere to resume it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest

import nas_rnn
from nas_rnn.catalogue.cells import find_cells
from nas_rnn.catalogue.listing import listing
from nas_rnn.catalogue.saved import sample
from nas_rnn.cli.output import console
from nas_rnn.cli.results import print_result
from nas_rnn.errors import UserError
from nas_rnn.experiment.results import Result
from nas_rnn.experiment.stages.dead_end import dead_end
from nas_rnn.publishing.report_data import make_report
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import Trial
from nas_rnn.tracking import default_uri
from tests.experiment_runs import TINY, write_text
from tests.in_process import in_process

LINE = (
    "all 3 candidates diverged; begin a new search with a lower learning rate, such as --learning-rate 3e+37 (now "
    "3e+38), or --clip 0.1 (now 1)"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, with_store: Callable[[Path], Path]) -> Path:
    folder = tmp_path_factory.mktemp("dead_ends")
    with_store(folder / "runs")
    write_text(folder / "text.txt")
    return folder


@pytest.fixture(scope="module")
def ended(place: Path) -> Iterator[Result]:
    options: dict[str, Any] = {**TINY, "learning_rate": 3e38, "trials": 3, "backend": "eager", "name": "mine"}
    with in_process():
        yield nas_rnn.search(**options, data=place / "text.txt", runs=place / "runs")


def test_it_ends_with_what_to_change(ended: Result, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (ended.status, ended.best, ended.comparison, ended.no_final) == ("complete", None, None, LINE)
    assert ended.to_dict()["no_final"] == LINE
    (told,) = [notice for notice in ended.notices if notice.startswith("the baseline lstm diverged")]
    assert told.endswith("--learning-rate 3e+37 (now 3e+38), or --clip 0.1 (now 1)")
    print_result(console(), ended, place / "runs")
    printed = capsys.readouterr().out
    assert f"No verdict: {LINE}." in printed and "resume" not in printed.lower()


def test_nobody_is_told_to_resume_it(ended: Result, place: Path) -> None:
    runs = place / "runs"
    for ask in (
        lambda: nas_rnn.compare("mine", runs=runs),
        lambda: nas_rnn.ablate("mine", runs=runs),
        lambda: sample("mine", runs=runs),
        lambda: find_cells("mine", runs, 2),
    ):
        with pytest.raises(UserError) as error:
            ask()
        assert str(error.value).endswith(f": {LINE}")
    (row,) = listing("searches", runs=runs)
    assert (row["status"], row["answer"]) == ("failed", LINE)


def test_mlflow_and_the_report_say_it(ended: Result, place: Path) -> None:
    client = mlflow.MlflowClient(default_uri(place / "runs"))
    experiments = client.search_experiments()
    found = client.search_runs([one.experiment_id for one in experiments], "tags.role = 'search'")
    assert [(run.info.status, run.data.tags["ending"]) for run in found] == [("FAILED", "failed")]
    assert found[0].data.tags["mlflow.note.content"].startswith(f"## No verdict: {LINE}")
    assert any(LINE in one.tags.get("mlflow.note.content", "") for one in experiments)
    assert f"No verdict: {LINE}." in make_report("mine", runs=place / "runs").read_text(encoding="utf-8")


def test_a_resumed_search_may_come_to_a_final(ended: Result, place: Path) -> None:
    """What was a dead end is none while more trials are tried; it is one again after them."""
    seen = []
    with in_process():
        again = nas_rnn.search(
            resume="mine",
            trials=4,
            runs=place / "runs",
            observer=lambda event, progress: seen.append((place / "runs/mine/no_final.json").exists()),
        )
    assert seen[0] is False
    assert again.no_final is not None and again.no_final.startswith("all 4 candidates diverged")


@pytest.mark.parametrize(
    ("endings", "options", "line"),
    [
        (
            ["diverged"],
            {"clip": 0.0},
            "the only candidate diverged; .*(now 0.01), or --clip 1 (now 0: no clipping)",
        ),
        (
            ["failed", "failed"],
            {},
            "all 2 candidates failed, the first with: why; mend that, and begin a new search",
        ),
        (
            ["failed", "diverged", "diverged"],
            {},
            "of 3 candidates 2 diverged and 1 failed (why); begin a new",
        ),
        (
            ["diverged", "stopped", "finished"],
            {},
            "the best candidates diverged or failed when they were trained again",
        ),
    ],
)
def test_it_says_what_happened(endings: list[Any], options: dict[str, Any], line: str) -> None:
    trials = [_trial(number, ending) for number, ending in enumerate(endings)]
    found = dead_end(SearchConfig(**options), trials)
    first, _, last = line.partition(".*")
    assert found.startswith(first) and last in found


def _trial(number: int, ending: Any) -> Trial:
    candidate = Candidate(nas_rnn.load_cell("gru"))
    value = 2.0 if ending in ("finished", "stopped") else None
    return Trial(
        number=number,
        candidate=candidate,
        digest=candidate.digest,
        ending=ending,
        value=value,
        reason="why",
        copy_of=None,
        details={},
    )
