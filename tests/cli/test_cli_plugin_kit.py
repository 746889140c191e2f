"""``new`` and ``check``: what they write and say, and their exit codes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nas_rnn import plugins
from nas_rnn.cells import operations
from nas_rnn.cells.graph.operations import restore_operations
from nas_rnn.cli.plugin_kit import WORDS
from nas_rnn.plugins import Registry
from nas_rnn.testing import check as checking
from nas_rnn.testing import scaffold as starting
from tests.cli.conftest import Run

KINDS = {"space": "space", "cell": "cell", "task": "task", "op": "operation", "strategy": "strategy"}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Work in an empty folder, with a registry and a table of operations of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins, "_registry", None)
    before = operations()
    yield tmp_path
    restore_operations(before)


def test_the_words_are_those_of_the_code() -> None:
    assert set(WORDS) == set(starting.KINDS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_works_and_keeps_its_contract(run: Run, place: Path, kind: str) -> None:
    outcome = run("new", kind, f"fresh_{kind}")
    path = place / "search_spaces" / f"fresh_{kind}.py"
    assert (outcome.code, outcome.err) == (0, "")
    assert f"Wrote search_spaces/fresh_{kind}.py\n" in outcome.out
    assert f"nas-rnn check search_spaces/fresh_{kind}.py" in outcome.out
    assert "__" not in path.read_text().replace("__init__", "")
    checked = run("check", path)
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.startswith(f"{KINDS[kind]} fresh_{kind}: ")


@pytest.mark.parametrize("kind", ["task", "strategy"])
def test_names_may_have_dashes_where_they_are_no_identifiers(run: Run, place: Path, kind: str) -> None:
    assert run("new", kind, "with-dash_es").code == 0
    found = Registry([place / "search_spaces"])
    assert "with-dash_es" in found.names(KINDS[kind])
    assert found.problems == []


def test_another_folder_is_named_in_what_to_do_next(run: Run, place: Path) -> None:
    assert "nas-rnn search --space mine --plugins here\n" in run("new", "space", "mine", "--dir", "here").out
    assert (place / "here" / "mine.py").is_file()


def test_nothing_is_overwritten(run: Run, place: Path) -> None:
    path = place / "search_spaces" / "mine.py"
    path.parent.mkdir()
    path.write_text("# precious\n")
    outcome = run("new", "cell", "mine")
    assert outcome.code == 2
    assert "there is a file 'search_spaces/mine.py' already" in outcome.err
    assert path.read_text() == "# precious\n"


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("gate", "mine", "there is no kind of plugin called 'gate'"),
        ("spaces", "mine", "did you mean 'space'?"),
        ("cell", "my-cell", "has only letters, digits and '_', not 'my-cell'; such as 'my_cell'"),
        ("task", "a/b", "has only letters, digits, '_' and '-', not 'a/b'"),
        ("space", "../up", "not '../up'"),
        ("space", "_hidden", "begins with a letter"),
        ("space", "3d", "begins with a letter"),
        ("space", "größe", "has only letters"),
        ("cell", "class", "is a word of Python or of the cell language"),
        ("cell", "linear", "is a word of Python or of the cell language"),
        ("op", "tanh", "is a word of Python or of the cell language"),
        ("cell", "lstm", "there is a cell 'lstm' already"),
        ("space", "gated", "there is a space 'gated' already, in "),
        ("task", "char-lm", "there is a task 'char-lm' already"),
        ("strategy", "random", "there is a strategy 'random' already"),
    ],
)
def test_a_bad_name_is_a_mistake(run: Run, place: Path, kind: str, name: str, message: str) -> None:
    outcome = run("new", kind, name)
    assert outcome.code == 2
    assert message in outcome.err
    assert not (place / "search_spaces").exists()


def test_a_name_taken_in_another_file_is_a_mistake(run: Run, place: Path) -> None:
    run("new", "cell", "mine", "--dir", "here")
    (place / "here" / "mine.py").rename(place / "here" / "other.py")
    outcome = run("new", "cell", "mine", "--dir", "here")
    assert outcome.code == 2
    assert "there is a cell 'mine' already, in " in outcome.err and "other.py" in outcome.err


def test_a_folder_that_is_a_file(run: Run, place: Path) -> None:
    (place / "file").touch()
    assert run("new", "cell", "mine", "--dir", "file").code == 2


@pytest.mark.parametrize("name", ["lstm", "blend", "random"])
def test_check_takes_names(run: Run, name: str) -> None:
    outcome = run("check", name)
    assert (outcome.code, outcome.err) == (0, "")
    assert f" {name}: " in outcome.out


def test_check_takes_cell_files(run: Run, place: Path) -> None:
    path = place / "mine.cell"
    path.write_text("@cell\ndef mine(x, h):\n    return tanh(linear(x, h))\n")
    assert run("check", path).out.startswith("cell mine: valid; ")
    path.write_text("@cell\ndef mine(x, h):\n    return x\n")
    outcome = run("check", path)
    assert (outcome.code, outcome.err) == (1, "")
    assert "mine.cell" in outcome.out and "hidden_size" in outcome.out
    assert run("check", path, "--kind", "space").code == 2


BAD = """
from nas_rnn import linear, operation, search_space, tanh

wrong = operation("wrong_op", value="where(a > 0, a * a, 0)", derivative="where(a > 0, a, 0)")


@search_space
def sometimes(choose, x, h):
    if choose("way", ["one", "other"]) == "one":
        print("noise")
        return x
    return tanh(linear(x, h))
"""


def test_every_problem_is_a_line(run: Run, place: Path) -> None:
    path = place / "bad.py"
    path.write_text(BAD)
    outcome = run("check", path)
    lines = outcome.out.splitlines()
    assert outcome.code == 1
    assert all(line.startswith(str(path)) for line in lines)
    assert any("operation wrong_op: the derivative in a" in line for line in lines)
    assert any("operation wrong_op: a NaN in a is hidden" in line for line in lines)
    assert any("sometimes" in line and "hidden_size" in line for line in lines)
    only = run("check", path, "--kind", "op")
    assert only.code == 1 and "operation wrong_op" in only.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "it defines no plugin"),
        ("x = 1\n1 / 0\n", "line 2: ZeroDivisionError"),
        ("import sys\nsys.exit(0)\n", "line 2: it called sys.exit(0)"),
        ("import os\nos._exit(0)\n", "ended the whole process (exit code 0): os._exit"),
        (
            "import os, signal\n\nos.kill(os.getpid(), signal.SIGSEGV)\n",
            "line 3: importing it ended the whole process",
        ),
    ],
)
def test_a_file_that_does_not_load(run: Run, place: Path, text: str, message: str) -> None:
    (place / "bad.py").write_text(text)
    outcome = run("check", "bad.py")
    assert outcome.code == 1
    assert outcome.out.startswith(str(place / "bad.py"))
    assert message in outcome.out
    assert len(outcome.out.splitlines()) == 1


SEEN_BY_PROBE = """
import faulthandler, os, signal, time
from pathlib import Path
def end_all_timers():
    faulthandler.cancel_dump_traceback_later()
    signal.setitimer(signal.ITIMER_REAL, 0.0)
if "probe" in __name__:
    {probe}
Path(__file__).with_name("imported here").touch()
"""


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ("raise MemoryError('too much else goes on')", "line 8: MemoryError: too much else goes on"),
        ("os._exit(77)", "ended the whole process (exit code 77)"),
        ("os.closerange(3, 64); os._exit(0)", "ended the whole process (exit code 0)"),
        ("end_all_timers(); time.sleep(1000)", "took more than 0.3 s"),
    ],
)
def test_what_did_not_come_to_its_end_on_trial_is_not_imported_here(
    place: Path, monkeypatch: pytest.MonkeyPatch, probe: str, message: str
) -> None:
    if "sleep" in probe:
        monkeypatch.setattr(checking, "PATIENCE_SECONDS", 5.0)
        monkeypatch.setattr(checking, "IMPORTS_SECONDS", 1.0)
    (place / "bad.py").write_text(SEEN_BY_PROBE.format(probe=probe))
    report = checking.check("bad.py", seconds=0.3 if "sleep" in probe else 10.0)
    assert not (place / "imported here").exists()
    assert len(report.problems) == 1 and message in report.problems[0]


def test_a_process_that_a_file_leaves_behind_keeps_nobody_waiting(place: Path) -> None:
    (place / "bad.py").write_text("import os, subprocess\nsubprocess.Popen(['sleep', '20'])\nos._exit(0)\n")
    began = time.monotonic()
    assert len(checking.check("bad.py").problems) == 1
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("line", ["while True: pass", "import time; time.sleep(1000)"])
def test_a_file_that_hangs_is_named_with_its_line(place: Path, line: str) -> None:
    (place / "bad.py").write_text(f"x = 1\n{line}\n")
    report = checking.check("bad.py", seconds=0.3)
    assert report.problems == [f"{place / 'bad.py'}, line 2: importing it took more than 0.3 s"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.py"], "there is no file 'no.py'"),
        (["lstn"], "unknown plugin 'lstn'; did you mean 'lstm'?"),
        (["lstm", "--kind", "space"], "unknown space 'lstm'"),
        (["lstm", "--kind", "gate"], "there is no kind of plugin called 'gate'"),
        (["lstm", "--plugins", "no/such"], "--plugins takes a folder"),
    ],
)
def test_what_is_not_there_is_a_mistake(run: Run, arguments: list[str], message: str) -> None:
    outcome = run("check", *arguments)
    assert outcome.code == 2
    assert message in outcome.err


def test_plugins_of_a_folder_are_checked_by_name(run: Run, place: Path) -> None:
    run("new", "op", "mine_op", "--dir", "here")
    assert run("check", "mine_op", "--plugins", "here").code == 0


def test_what_plugins_print_stays_out_of_json(run: Run, place: Path) -> None:
    import json

    (place / "search_spaces").mkdir()
    (place / "search_spaces" / "loud.py").write_text("print('noise')\n" + BAD.replace("way", "ways"))
    outcome = run("list", "spaces", "--json")
    assert {row["name"] for row in json.loads(outcome.out)} >= {"gated"}
