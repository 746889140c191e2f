"""``evaluate``, ``ask``, ``tell`` and ``promote`` on the command line: pages, JSON, exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.experiment.outside import TINY, cell_text, simulated
from tests.experiment_runs import write_text

LSTM = [2.30, 2.32, 2.28, 2.30]
VALUES = {"lstm": LSTM, "good": [v - 0.2 for v in LSTM], "poor": [9.0], "wild": [None]}


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the options of a small study; the current folder has some cells."""
    monkeypatch.chdir(tmp_path)
    write_text(tmp_path / "text.txt")
    for number, name in enumerate(("good", "poor", "wild")):
        (tmp_path / f"{name}.cell").write_text(cell_text(name, number))
    (tmp_path / "bad.cell").write_text("@cell\ndef bad(x, h):\n    return tanhh(linear(x, h))\n")
    options = [text for name, value in TINY.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    return ["--study", "s", "--data", "text.txt", *options]


def test_the_page_says_what_came_of_each_cell(run: Run, begin: list[str]) -> None:
    with simulated(VALUES):
        outcome = run("evaluate", "good.cell", "poor.cell", "wild.cell", "bad.cell", *begin)
    assert outcome.code == 0
    heads = [line for line in outcome.out.splitlines() if not line.startswith(" ")]
    assert heads == [
        "good (good.cell): better",
        "poor (poor.cell): behind",
        "wild (wild.cell): worse",
        "bad.cell: not readable",
    ]
    lines = outcome.out.splitlines()
    assert lines[1].startswith(
        "  `good` is better than the LSTM, and is the incumbent from here on: 2.100 against 2.300"
    )
    assert "  bad.cell cannot be read: line 3, `return tanhh(linear(x, h))`: unknown word 'tanhh'." in lines
    assert "lstm, seed 1: finished, 2.300 bits per character, 2 epochs, 1.0 s" in outcome.err


def test_json_has_one_entry_a_cell_and_the_incumbent(run: Run, begin: list[str]) -> None:
    with simulated(VALUES):
        outcome = run("evaluate", "bad.cell", "good.cell", *begin, "--json")
        assert outcome.code == 0
        found = json.loads(outcome.out)
        assert [one["status"] for one in found["results"]] == ["unparsable", "measured"]
        assert (found["schema"], found["study"], found["incumbent"]["name"]) == (1, "s", "good")
        again = json.loads(run("evaluate", "good.cell", "--study", "s", "--json").out)["results"][0]
    assert again["known"] and again["incumbent"] and again["verdict"] == "better"


def test_exit_codes(run: Run, begin: list[str]) -> None:
    with simulated(VALUES):
        outcome = run("evaluate", "bad.cell", *begin, "--json")
        assert outcome.code == 2
        assert json.loads(outcome.out)["results"][0]["problem"]["line"] == 3
        assert run("evaluate", "wild.cell", "--study", "s").code == 0
        for arguments, told in (
            (["good.cell"], "--study NAME"),
            (["--study", "s"], "give a cell to evaluate"),
            (["good.cell", "--study", "s", "--epochs", "9"], "--epochs 2 there, 9 here"),
            (["none.cell", "--study", "s"], "none.cell"),
            (["good.cell", "--study", "s", "--time", "soon"], "a duration is written like"),
        ):
            outcome = run("evaluate", *arguments)
            assert outcome.code == 2 and told in outcome.err and outcome.out == "", arguments


def test_a_cell_comes_from_standard_input(
    run: Run, begin: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(cell_text("good")))
    with simulated(VALUES):
        assert run("evaluate", "-", *begin).out.startswith("good (-): better")


def test_ask_prints_a_cell_and_tell_keeps_a_result(run: Run, begin: list[str], tmp_path: Path) -> None:
    assert run("ask", "--study", "s").code == 2
    with simulated(VALUES):
        run("evaluate", "good.cell", *begin)
    outcome = run("ask", "--study", "s")
    assert outcome.code == 0 and outcome.out.startswith("@cell\ndef gated_")
    (tmp_path / "new.cell").write_text(outcome.out)
    found = json.loads(run("ask", "--study", "s", "--strategy", "evolution", "--json").out)
    assert found["cell"] != outcome.out and found["strategy"] == "evolution" and found["decisions"]
    assert run("tell", "new.cell", "--study", "s", "--value", "2.5").code == 0
    assert run("tell", "poor.cell", "--study", "s", "--rejected", "too slow").code == 0
    for wrong in ([], ["--value", "1", "--diverged"]):
        outcome = run("tell", "new.cell", "--study", "s", *wrong)
        assert outcome.code == 2 and "give one of --value X" in outcome.err
    kinds = [
        json.loads(line)["kind"] for line in (tmp_path / "runs/s/journal.jsonl").read_text().splitlines()
    ]
    assert kinds == ["begun", "begun", "ended", "asked", "asked", "told", "told"]


def test_promote_without_a_better_cell_is_a_mistake(run: Run, begin: list[str]) -> None:
    with simulated(VALUES):
        run("evaluate", "poor.cell", *begin)
    outcome = run("promote", "--study", "s")
    assert outcome.code == 2 and "no cell of the study 's' was called better than lstm yet" in outcome.err
