"""Plugins that load and then break, or clash: named by file and line through the program, and the others are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas_rnn import plugins
from nas_rnn.cells import operations
from nas_rnn.cells.graph.operations import restore_operations
from tests.cli.conftest import Run

CELL = (
    "from nas_rnn import cell, linear, {act}\n\n\n@cell\ndef {name}(x, h):\n    return {act}(linear(x, h))\n"
)
STRATEGY = """from nas_rnn.strategies import RandomSearch


class Mine(RandomSearch):
    name = "mine"

    def {method}(self, *given):
        {body}
"""
TASK = """from nas_rnn.tasks.char_lm import CharLM


class Mine(CharLM):
    name = "mine"

    def {method}(self, *given, **named):
        {body}
"""
LEAVE = "raise SystemExit(0)"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Work in an empty folder with one for plugins, and a registry and a table of operations of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins, "_registry", None)
    (tmp_path / "plugins").mkdir()
    before = operations()
    yield tmp_path / "plugins"
    restore_operations(before)


def test_a_list_shows_the_others_and_says_which_two_files_clash(run: Run, place: Path) -> None:
    (place / "one.py").write_text(CELL.format(name="same", act="tanh"))
    (place / "two.py").write_text(CELL.format(name="same", act="relu"))
    (place / "fine.py").write_text(CELL.format(name="fine", act="tanh"))
    outcome = run("list", "cells", "--json", "--plugins", place)
    assert outcome.code == 0
    rows = {row["name"]: row["summary"] for row in json.loads(outcome.out)}
    assert {"fine", "lstm"} <= set(rows)
    assert rows["same"].startswith(
        f"two different cells are named 'same': in {place}/one.py and {place}/two.py"
    )
    assert "two different cells" in run("list", "cells", "--plugins", place).out
    for command in (["show"], ["check"], ["compare", "gru"]):
        refused = run(*command, "same", "--plugins", place)
        assert refused.code == 2 and f"{place}/one.py and {place}/two.py" in refused.err


def test_check_says_of_a_name_why_it_did_not_load(run: Run, place: Path) -> None:
    text = "from nas_rnn import search_space\n\n\n@search_space\ndef bad(choose, x, h):\n    return x\n"
    (place / "bad.py").write_text(text)
    outcome = run("check", "bad", "--plugins", place)
    assert outcome.code == 1
    assert outcome.out.startswith(f"{place}/bad.py, line 5: ") and "must have hidden_size" in outcome.out


def test_check_names_the_line_of_a_task(run: Run, place: Path) -> None:
    (place / "mine.py").write_text(TASK.format(method="build", body="1 / 0"))
    outcome = run("check", place / "mine.py", "--kind", "task")
    assert outcome.code == 1
    told = f"{place}/mine.py, line 5: task mine: model: ZeroDivisionError: division by zero ({place}/mine.py, line 8)"
    assert told in outcome.out


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("kind", "template", "method", "body", "line", "message"),
    [
        ("strategy", STRATEGY, "__init__", "1 / 0", 8, "ZeroDivisionError"),
        ("strategy", STRATEGY, "__init__", LEAVE, 8, "it called sys.exit(0)"),
        ("task", TASK, "__init__", "1 / 0", 8, "ZeroDivisionError"),
        ("task", TASK, "load", "1 / 0", 8, "ZeroDivisionError"),
        ("task", TASK, "load", LEAVE, 8, "it called sys.exit(0)"),
        ("task", TASK, "load", "return 42", 5, "load returns a TaskData, not 42"),
        ("task", TASK, "build", "1 / 0", 8, "ZeroDivisionError"),
        ("task", TASK, "batches", "1 / 0", 8, "ZeroDivisionError"),
    ],
)
def test_a_search_names_what_breaks_before_it_begins(
    run: Run, place: Path, kind: str, template: str, method: str, body: str, line: int, message: str
) -> None:
    (place / "mine.py").write_text(template.format(method=method, body=body))
    outcome = run("search", "--plugins", place, f"--{kind}", "mine")
    assert outcome.code == 1
    assert f"the {kind} 'mine' ({place}/mine.py, line {line}) failed: " in outcome.err
    assert message in outcome.err
    assert not list((place.parent / "runs").glob("*/*"))


def test_a_class_that_is_no_strategy_is_refused(run: Run, place: Path) -> None:
    text = STRATEGY.format(method="__init__", body="pass").replace("(RandomSearch)", "")
    stated = '    plugin_kind, summary = "strategy", "none"\n    ask = tell = None\n'
    (place / "mine.py").write_text(text + stated)
    outcome = run("search", "--plugins", place, "--strategy", "mine")
    assert outcome.code == 1
    assert f"the strategy 'mine' ({place}/mine.py, line 5) failed: " in outcome.err
    assert "a strategy is a subclass of nas_rnn.strategies.Strategy" in outcome.err
