"""``nas-rnn compare --suite``: what it hands on, and what it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nas_rnn
from nas_rnn.comparison.suite import judge_suite, suite_lines
from nas_rnn.experiment import SuiteResult
from tests.cli.conftest import Run
from tests.comparison.test_judging import compared

FOUND = judge_suite(
    {"text": compared("gru", shifts={"gru": -0.05}), "music": compared("gru", shifts={"gru": 0.0})}
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the program hands on, instead of training anything."""
    seen: dict[str, Any] = {"status": "complete"}

    def stub(*cells: str, **given: Any) -> SuiteResult:
        seen.update(cells=cells, given=given)
        done = seen["status"] == "complete"
        return SuiteResult(
            name="two",
            folder="/runs/two",
            status=seen["status"],
            comparison=FOUND if done else None,
            lines=tuple(suite_lines(FOUND)) if done else (),
            parts=("two-text", "two-music"),
            seconds=61.0,
        )

    monkeypatch.setattr(nas_rnn, "compare_suite", stub, raising=False)
    return seen


def test_the_table_has_a_row_for_each_cell_on_each_task(run: Run, asked: dict[str, Any]) -> None:
    outcome = run("compare", "gru", "--suite", "small", "--seeds", "4")
    assert outcome.code == 0
    assert asked["cells"] == ("gru",)
    assert asked["given"]["suite"] == "small" and asked["given"]["seeds"] == 4
    rows = [line.split() for line in outcome.out.splitlines()]
    assert [row[0] for row in rows if "gru" in row[1:2]] == ["text", "music"]
    assert "better" in outcome.out and "equivalent" in outcome.out
    assert "Nothing is said of other tasks." in outcome.out and "two-text, two-music" in outcome.out


def test_json_has_the_comparisons_and_the_gaps(run: Run, asked: dict[str, Any]) -> None:
    printed = json.loads(run("compare", "gru", "--suite", "small", "--json").out)
    assert printed["kind"] == "suite" and list(printed["comparisons"]) == ["text", "music"]
    assert printed["gaps"][0]["counts"]["better"] == 1


def test_an_interrupted_suite_says_how_to_go_on(run: Run, asked: dict[str, Any]) -> None:
    asked["status"] = "interrupted"
    outcome = run("compare", "gru", "--suite", "small")
    assert outcome.code == 130 and "nas-rnn compare --resume two" in outcome.out


def test_a_suite_is_resumed_by_its_name(run: Run, asked: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "runs/two").mkdir(parents=True)
    (tmp_path / "runs/two/suite.json").write_text("{}")
    assert run("compare", "--resume", "two").code == 0
    assert asked["given"]["resume"] == "two"


def test_a_suite_that_is_not_there_is_told(run: Run) -> None:
    outcome = run("compare", "gru", "--suite", "smal")
    assert outcome.code == 2
    assert "there is no suite 'smal'; did you mean 'small'?" in outcome.err
    outcome = run("compare", "gru", "--suite", "x" * 300)
    assert outcome.code == 2
    assert "there is no suite 'xxx" in outcome.err
