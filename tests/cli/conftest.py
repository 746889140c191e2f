"""Runs the command line within the test, against stand-ins for everything that would train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import nas_rnn
from nas_rnn.cli import failures, main
from nas_rnn.comparison import Comparison, ContenderRow, Cost, Standing
from nas_rnn.experiment.events import (
    EpochDone,
    Event,
    Notice,
    Observer,
    PhaseStarted,
    Progress,
    RunEnded,
    RunStarted,
    Started,
)
from nas_rnn.experiment.results import BestCell, Result
from nas_rnn.tasks import Mean, Measures


@dataclass(frozen=True)
class Outcome:
    """How a call of the program ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Return a function that calls the program with its arguments; searches lie in an empty folder."""
    monkeypatch.setattr(failures, "_reported", set())
    monkeypatch.setenv("NAS_RNN_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        assert isinstance(ended.value.code, int)
        captured = capsys.readouterr()
        return Outcome(ended.value.code, captured.out, captured.err)

    return call


def standing(name: str = "lstm", **changes: Any) -> Standing:
    """Return a standing of five seeds."""
    usual = Standing(
        name=name,
        digest="c1-0123456789abcdef",
        hidden_size=96,
        parameters=60123,
        mismatch=0.0021,
        tuned=False,
        seeds=(1, 2, 3, 4, 5),
        values=(2.31, 2.30, 2.32, 2.31, 2.31),
        mean=2.31,
        std=0.0071,
        diverged=0,
    )
    return replace(usual, **changes)


def contender(name: str = "gated-3f2a", **changes: Any) -> ContenderRow:
    """Return a contender that is better."""
    usual = ContenderRow(
        standing=standing(name, mean=2.25, hidden_size=101, parameters=59876, mismatch=-0.0019),
        difference=-0.06,
        ci95=(-0.09, -0.03),
        relative_difference=-0.026,
        seed_differences=(-0.06,) * 5,
        pairs=5,
        covers="seeds and blocks",
        verdict="better",
        reason=None,
    )
    return replace(usual, **changes)


def comparison(*rows: ContenderRow) -> Comparison:
    """Return a comparison of ``rows`` with an LSTM."""
    return Comparison(
        metric="bits_per_char",
        unit="bits per character",
        direction="minimize",
        margin=0.023,
        baseline=standing(),
        contenders=rows or (contender(),),
        costs=(Cost(part="search", runs=6, seconds=60.0), Cost(part="final", runs=10, seconds=40.0)),
    )


BITS = Mean("bits_per_char", "bits per character", "minimize", 0.01, "relative", of="bits", per="characters")
MEASURES = Measures((BITS,), BITS)

BEST = BestCell(
    name="gated-3f2a",
    digest="c1-0123456789abcdef",
    cell="@cell\ndef best(x, h):\n    return tanh(linear(x, h))\n",
    equations="hₜ = tanh(W xₜ + U hₜ₋₁ + b)",
    hidden_size=101,
    parameters=59876,
    trial=7,
    value=2.2412,
)

RESULT = Result(
    kind="search",
    name="first",
    folder="runs/first",
    status="complete",
    measures=MEASURES,
    trials={"finished": 5, "stopped": 2, "diverged": 0, "failed": 1, "reused": 1, "unfinished": 0},
    best=BEST,
    baseline=2.3,
    comparison=comparison(),
    verdict="`gated-3f2a` is better than the LSTM: 2.250 against 2.310.",
    notices=("a notice",),
    seconds=200.4,
    dashboard="sqlite:////tmp/mlflow.db",
)

STARTED = Started(
    kind="search",
    name="first",
    folder="runs/first",
    task="char-lm",
    measures=MEASURES,
    space="gated",
    trials=3,
    workers=2,
    parameters=60_000,
)


def ended(name: str, ending: Any = "finished", value: float | None = 2.4, **more: Any) -> RunEnded:
    """Return the end of a candidate's run."""
    gap = more.pop("gap", None)
    return RunEnded(id=name, role="candidate", name=name, ending=ending, value=value, gap=gap, **more)


STORY: tuple[Event, ...] = (
    STARTED,
    PhaseStarted(phase="search", runs=4),
    RunStarted(id="base", role="baseline", name="lstm", epochs=2),
    RunStarted(id="a", role="candidate", name="gated-aaaa", epochs=2),
    EpochDone(id="base", role="baseline", name="lstm", epoch=1, epochs=2, metric=2.5, seconds=3.0),
    EpochDone(id="a", role="candidate", name="gated-aaaa", epoch=1, epochs=2, metric=2.6, seconds=3.0),
    RunEnded(id="base", role="baseline", name="lstm", ending="finished", value=2.4, gap=None),
    RunEnded(
        id="a", role="candidate", name="gated-aaaa", ending="stopped", value=2.6, gap=0.04, gap_so_far=True
    ),
    ended("gated-bbbb", value=2.3412, gap=-0.0245),
    ended("gated-cccc", "diverged", None, reason="loss is nan\nat step 3"),
    ended("gated-[red]d", "reused", 2.4, gap=0.0),
    Notice(message="[bold]the search space is exhausted"),
    PhaseStarted(phase="final", runs=4, before=1),
    RunStarted(id="f", role="final", name="gated-bbbb", epochs=2),
)


def play(observer: Observer, events: tuple[Event, ...] = STORY) -> Progress:
    """Tell ``observer`` the events, as a search does."""
    progress = Progress()
    for event in events:
        progress.update(event)
        observer(event, progress)
    return progress


@dataclass
class FakeRun:
    """Stands in for ``nas_rnn.search`` and ``compare``: notes what it was given, tells a story, returns."""

    result: Result = RESULT
    error: BaseException | None = None
    given: dict[str, Any] | None = None
    after: Callable[[], None] = lambda: None

    def __call__(self, *cells: str, observer: Observer, **options: Any) -> Result:
        self.given = {**options, "cells": cells}
        if self.error is not None:
            raise self.error
        play(observer)
        self.after()
        return self.result


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """Put a stand-in where searches and comparisons would run."""
    stand_in = FakeRun()
    monkeypatch.setattr(nas_rnn, "search", stand_in, raising=False)
    monkeypatch.setattr(nas_rnn, "compare", stand_in, raising=False)
    return stand_in


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a run that gets as far as training end at once: what a test calls a mistake was taken for none."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("the engine was about to start")

    monkeypatch.setattr("nas_rnn.experiment.session.Engine", refuse)
