"""A suite: comparisons of the same cells on several tasks, judged together; resumed, and refused where it is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nas_rnn
from nas_rnn.comparison.suite import SuiteComparison
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.experiment import SuiteResult
from nas_rnn.experiment.events import Event, Progress, RunStarted
from nas_rnn.experiment.suite import built_in_suites, read_suite
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import RunReader
from tests.experiment_runs import write_text
from tests.in_process import in_process

SUITE = """
[all]
params = 2500
seeds = 2
epochs = 1
tune = 0
batch = 8

[tasks.text]
task = "char-lm"
data = "text.txt"
length = 16

[tasks.digits]
task = "glimpses"
task_options = { order = "rows" }
batch = 64
"""
OPTIONS: dict[str, Any] = {"workers": 2, "backend": "eager"}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    write_text(Path("text.txt"))
    Path("two.toml").write_text(SUITE)
    with in_process():
        yield tmp_path


def answer(result: SuiteResult) -> SuiteComparison:
    assert result.comparison is not None
    return result.comparison


def test_a_suite_compares_on_each_task_judges_all_together_and_goes_on_where_it_was(place: Path) -> None:
    began: list[str] = []

    def stop_early(event: Event, progress: Progress) -> None:
        if isinstance(event, RunStarted):
            began.append(event.id)
            if len(began) == 6:  # four of the text, and two of the digits
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nas_rnn.compare_suite("gru", suite="two.toml", name="both", observer=stop_early, **OPTIONS)
    assert RunReader(RunFolder(Path("runs"), "both-text")).comparison() is not None
    Path("two.toml").unlink()  # what the suite is was kept

    def count(event: Event, progress: Progress) -> None:
        if isinstance(event, RunStarted):
            began.append(event.id)

    began.clear()
    result = nas_rnn.compare_suite(resume="both", observer=count)
    assert result.status == "complete" and result.parts == ("both-text", "both-digits")
    assert 0 < len(began) <= 4, "the text was done"
    found = answer(result)
    assert list(found.comparisons) == ["text", "digits"]
    alone = RunReader(RunFolder(Path("runs"), "both-digits")).comparison()
    assert alone is not None
    row, together = alone.contenders[0], found.comparisons["digits"].contenders[0]
    assert row.p_value == together.p_value and row.p_adjusted == row.p_value
    ps = [comparison.contenders[0].p_value for comparison in found.comparisons.values()]
    assert together.p_adjusted is not None and None not in ps
    smaller = row.p_value == min(p for p in ps if p is not None)
    assert together.p_adjusted == pytest.approx(min(1.0, 2 * (row.p_value or 0.0)) if smaller else max(
        row.p_value or 0.0, min(1.0, 2 * min(p for p in ps if p is not None))
    ))  # fmt: skip
    kept = json.loads(Path("runs/both/comparison.json").read_text())
    assert kept["gaps"] == json.loads(json.dumps(result.to_dict()["gaps"]))
    assert "Nothing is said of other tasks." in kept["lines"][-1]
    page = Path("runs/both/report.html").read_text()
    assert "../both-text/report.html" in page and "<svg" in page
    again = nas_rnn.compare_suite(resume="both")
    assert answer(again).to_dict() == found.to_dict()
    Path("two.toml").write_text(SUITE)
    for taken in (
        lambda: nas_rnn.compare_suite("gru", suite="two.toml", name="both", **OPTIONS),
        lambda: nas_rnn.compare("gru", name="both", data="text.txt", **OPTIONS),
    ):
        with pytest.raises(UserError, match=r"there is already a suite 'both'.*compare --resume both"):
            taken()
    assert answer(nas_rnn.compare_suite(resume="both")).to_dict() == found.to_dict(), "nothing was lost"
    Path("runs/both").rename("runs/moved")
    with pytest.raises(UserError, match="would be called both-digits, both-text, which there are already"):
        nas_rnn.compare_suite("gru", suite="two.toml", name="both", **OPTIONS)
    assert not Path("runs/both").exists()


def test_a_suite_of_which_a_part_fails_can_be_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*cells: object, **given: object) -> None:
        raise NasRnnError("no room")

    monkeypatch.setattr("nas_rnn.experiment.suite.compare", fail)
    with pytest.raises(NasRnnError, match=r"no room\. Finished work is kept: .*compare --resume both"):
        nas_rnn.compare_suite("gru", suite="two.toml", name="both", **OPTIONS)
    assert Path("runs/both/suite.json").is_file()


def test_the_command_line_takes_precedence_over_the_suite() -> None:
    # A number of epochs takes the place of what bounds runs that end by themselves, too.
    Path("two.toml").write_text(SUITE.replace("epochs = 1", "most_epochs = 300\nlonger = 2.0"))
    result = nas_rnn.compare_suite("gru", suite="two.toml", epochs=1, seeds=1, smoke=True, **OPTIONS)
    assert result.name == "suite-1"
    assert {len(one.baseline.seeds) for one in answer(result).comparisons.values()} == {1}
    assert nas_rnn.compare_suite(resume="suite-1").lines == result.lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must have tables [tasks.NAME]"),
        ("[tasks]", "must have tables [tasks.NAME]"),
        ("tasks = 3", "must have tables [tasks.NAME]"),
        ("[tasks]\na = 3", "must have tables [tasks.NAME]"),
        ("params = 3\n[tasks.a]\ntask = 'char-lm'", "not 'params'"),
        ("all = 3\n[tasks.a]\ntask = 'char-lm'", "must have tables [tasks.NAME]"),
        ("[tasks.a]\nparams = 3", "part 'a' of suite 'bad.toml' names no task"),
        ("[tasks.a]\ntask = 'char-lm'\nparms = 3", "unknown option 'parms'; did you mean 'params'?"),
        ("[all]\nparms = 3\n[tasks.a]\ntask = 'char-lm'", "unknown option 'parms'; did you mean 'params'?"),
        ("[tasks.a]\ntask = 'char-lm'\ncells = ['gru']", "sets cells, which is the same for all parts"),
        ("[tasks.a]\ntask = 'char-lm'\nname = 'b'", "sets name, which is the same for all parts"),
        ("[tasks.a]\ntask = 'char-lmm'", "part 'a' of the suite: unknown task 'char-lmm'"),
        ("[tasks.a]\ntask = 'char-lm'\nseeds = 'auto'", "a suite needs a number of seeds"),
        (
            "[tasks.a]\ntask = 'char-lm'\nepochs = 3\nmost_epochs = 9",
            "part 'a' of the suite: most_epochs 9 is for epochs auto, whose runs it bounds; leave it out",
        ),
        ("[tasks.a]\ntask = 'char-lm'\ndata = 'none.txt'", "part 'a' of the suite: there is no file"),
        ("[tasks.a]\ntask = 'char-lm'\nparams = 1", "part 'a' of the suite: "),
        (
            "[tasks.'']\ntask = 'char-lm'",
            "a part of suite 'bad.toml' has no name; give it one, such as [tasks.text]",
        ),
        (
            "[tasks.a]\ntask = 'char-lm'\ntask_options = {split = ['a']}",
            "part 'a' of the suite: task_options.split: a number, a text, true or false is needed, not ['a']",
        ),
        ("[tasks.'a b']\ntask = 'char-lm'", "a name is 1 to 100 letters"),
        *(
            (
                f"{before} = {number}",
                f"--suite: 'bad.toml': {place}: a whole number is larger than 64 bits hold",
            )
            for number in (f"0x{'f' * 8000}", f"0b1{'0' * 63}")
            for before, place in (
                ("[all]\nseeds", "all.seeds"),
                ("[tasks.a]\ntask = 'memory'\ntask_options.seed", "tasks.a.task_options.seed"),
                ("[tasks.a]\ntask", "tasks.a.task"),
                ("params", "params"),
            )
        ),
        ("[tasks.a]\ntask = 'char-lm'\n[tasks.a]", "--suite: 'bad.toml' cannot be read as TOML"),
    ],
)
def test_a_suite_that_cannot_be_used_is_told_before_anything_is_trained(content: str, message: str) -> None:
    Path("bad.toml").write_text(content)
    with pytest.raises(UserError) as caught:
        nas_rnn.compare_suite("gru", suite="bad.toml", **OPTIONS)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not list(Path("runs").glob("*/trials/*"))


def test_what_is_given_beside_a_suite_is_checked() -> None:
    for cells, given, message in [
        ((), {"suite": "two.toml"}, "a suite needs a cell"),
        (("lstm",), {"suite": "two.toml"}, "there is nothing to compare"),
        (("gru",), {"suite": "smal"}, "there is no suite 'smal'; did you mean 'small'?"),
        (("gru",), {"suite": "two.toml", "task": "char-lm"}, "task is the suite's to say"),
        (("gru",), {"suite": "two.toml", "seeds": "auto"}, "a suite needs a number of seeds"),
        ((), {"resume": "none"}, "there is no suite 'none'"),
        (("gru",), {"resume": "none"}, "cells cannot be changed"),
        (("gru",), {}, "compare_suite needs a suite"),
    ]:
        with pytest.raises(UserError) as caught:
            nas_rnn.compare_suite(*cells, **given)  # type: ignore[arg-type]
        assert message in str(caught.value)


@pytest.mark.parametrize("name", built_in_suites())
def test_built_in_suites_need_no_data_of_the_users(name: str) -> None:
    suite = read_suite(name)
    assert len(suite.parts) == 6
    assert all("data" not in part and part["seeds"] == 3 for part in suite.parts.values())
