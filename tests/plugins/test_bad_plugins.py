"""Every way in which a plugin can be bad: it is named by file and line, and the others load."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest

from nas_rnn.cells import operations
from nas_rnn.cells.graph.operations import Operation, restore_operations
from nas_rnn.errors import UserError
from nas_rnn.plugins import Plugin, PluginError, Registry, running
from nas_rnn.plugins.sandbox import PluginTimeout, time_limit

FINE = "from nas_rnn import cell, linear, tanh\n\n\n@cell\ndef fine(x, h):\n    return tanh(linear(x, h))\n"
SECONDS = 0.3

SPACE = "from nas_rnn import linear, search_space, tanh\n\n\n@search_space\ndef bad(choose, x, h):\n"
OBJECT = "class Odd:\n    plugin_kind = 'space'\n    doc = ''\n\n    def sample(self, seed):\n        return 1\n\n\n"

BAD = {
    "fails to import": ("import nas_rnn\nimport no_such_package\n", 2, "ModuleNotFoundError"),
    "raises": ("x = 1\n\nraise RuntimeError('two\\nlines')\n", 3, "RuntimeError: two lines"),
    "raises what cannot be told": (
        "class Mute(Exception):\n    def __str__(self):\n        raise ValueError\n\n\nraise Mute\n",
        6,
        "Mute",
    ),
    "recurses": ("def f():\n    return f()\n\n\nf()\n", 2, "RecursionError"),
    "loops": ("x = 1\nwhile True:\n    x = -x\n", None, "ran for more than 0.3 s"),
    "sleeps": ("import time\n\ntime.sleep(100)\n", 3, "ran for more than 0.3 s"),
    "loops and catches": (
        "while True:\n    try:\n        x = 1\n    except Exception:\n        pass\n",
        None,
        "ran for more than 0.3 s",
    ),
    "exits": ("import sys\nsys.exit('bye')\n", 2, "called sys.exit('bye')"),
    "is no Python": ("def broken(:\n", 1, "SyntaxError"),
    "space returns text": (
        SPACE + "    return 'text'\n",
        5,
        "takes values of the cell or numbers, not 'text'",
    ),
    "space returns nothing": (SPACE + "    tanh(linear(x, h))\n", 5, "returns nothing"),
    "space raises": (SPACE + "    return tanh(linear(x, h)) if 1 / 0 else h\n", 6, "ZeroDivisionError"),
    "space loops": (SPACE + "    while True:\n        h = h\n", None, "ran for more than 0.3 s"),
    "space breaks a rule": (SPACE + "    return x\n", 5, "must have hidden_size"),
    "space without a state": (
        "from nas_rnn import search_space\n\n\n@search_space\ndef bad(choose, x):\n    return x\n",
        4,
        "at least one state path",
    ),
    "name is no text": (OBJECT + "odd = Odd()\nodd.name = 3\n", 9, "not 3"),
    "name has a slash": (OBJECT + "odd = Odd()\nodd.name = 'a/b'\n", 9, "not 'a/b'"),
    "samples nonsense": (OBJECT + "odd = Odd()\nodd.name = 'odd'\n", 9, "samples 1, which is no candidate"),
    "kind there is not": (
        "class Thing:\n    plugin_kind = 'gadget'\n    name = 'g'\n\n\nthing = Thing()\n",
        6,
        "it is none of cell, space, task",
    ),
    "cell that is none": (
        "class Thing:\n    plugin_kind = 'cell'\n    name = 'g'\n\n\nthing = Thing()\n",
        6,
        "not a cell but a Thing",
    ),
    "task with methods missing": (
        "from nas_rnn import Task\n\n\nclass Half(Task):\n    name = 'half'\n",
        4,
        "the task 'half' lacks batches, build, load",
    ),
    "strategy with methods missing": (
        "from nas_rnn.strategies import Strategy\n\n\nclass Half(Strategy):\n    name = 'half'\n",
        4,
        "lacks ask, tell",
    ),
    "strategy that is a value": (
        "class Half:\n    plugin_kind = 'strategy'\n\n\nhalf = Half()\nhalf.name = 'half'\n",
        5,
        "a strategy is a class",
    ),
    "name that raises": (
        "class Half:\n    plugin_kind = 'space'\n\n    @property\n    def name(self):\n        1 / 0\n\n\nh = Half()\n",
        6,
        "ZeroDivisionError",
    ),
    "operation's template": (
        "from nas_rnn import operation\n\nf = operation('bad_f', value='a', derivative='1', plain='f({x})')\n",
        3,
        "has the field {x}; its inputs are {a}",
    ),
    "operation of a built-in name": (
        "from nas_rnn import operation\n\nf = operation('tanh', value='a', derivative='1')\n",
        3,
        "the other one is in nas_rnn itself",
    ),
}


@pytest.fixture(autouse=True)
def _table():
    """Leave the table of operations as it was."""
    before = operations()
    yield
    restore_operations(before)


def problems_of(folder: Path, text: str) -> tuple[Registry, list]:
    (folder / "a_bad.py").write_text(text)
    (folder / "fine.py").write_text(FINE)
    found = Registry([folder], seconds=SECONDS)
    assert "fine" in found.names("cell")
    return found, [problem for problem in found.problems if problem.origin.startswith(str(folder))]


@pytest.mark.parametrize("what", BAD)
def test_it_is_named_by_file_and_line_and_the_others_load(tmp_path, what):
    text, line, message = BAD[what]
    _, (problem,) = problems_of(tmp_path, text)
    assert problem.origin == str(tmp_path / "a_bad.py")
    assert problem.line == line if line is not None else problem.line is not None
    assert message in str(problem)
    assert "\n" not in str(problem)


def test_what_it_prints_goes_to_stderr(tmp_path, capfd):
    text = "import os, sys\nprint('printed')\n"
    text += "sys.__stdout__.write('written')\nos.system('echo shouted')\nos.write(1, b'raw')\n"
    _, problems = problems_of(tmp_path, text + FINE.replace("fine", "loud"))
    captured = capfd.readouterr()
    assert problems == []
    assert captured.out == ""
    assert all(word in captured.err for word in ("printed", "written", "shouted", "raw"))


def test_the_error_for_its_name_says_why_it_did_not_load(tmp_path):
    found, _ = problems_of(tmp_path, SPACE + "    return 'text'\n")
    with pytest.raises(UserError, match=r"the space 'bad' did not load: .*a_bad\.py, line 5: .*'text'"):
        found.find("space", "bad")


def test_an_operation_of_a_module_that_failed_is_forgotten(tmp_path):
    _, (problem,) = problems_of(
        tmp_path,
        "from nas_rnn import operation\n\nf = operation('half_done', value='a', derivative='1')\n1 / 0\n",
    )
    assert problem.line == 4
    assert "half_done" not in operations()


OPERATION = "from nas_rnn import operation\n\nmine = operation('clashing', value={!r}, derivative={!r})\n"


def test_two_operations_of_one_name_are_an_error_that_names_both_files(tmp_path):
    (tmp_path / "one.py").write_text(OPERATION.format("a * a", "2 * a"))
    (tmp_path / "two.py").write_text(OPERATION.format("a + a", "2"))
    found = Registry([tmp_path])
    with pytest.raises(
        UserError, match=r"two different operations are named 'clashing': in .*one\.py and .*two\.py"
    ):
        found.find("operation", "clashing")
    (problem,) = [problem for problem in found.problems if problem.origin.startswith(str(tmp_path))]
    assert (problem.origin, problem.line) == (str(tmp_path / "two.py"), 3)
    assert str(tmp_path / "one.py") in problem.message


def test_two_equal_operations_are_one(tmp_path):
    (tmp_path / "one.py").write_text(OPERATION.format("a * a", "2 * a"))
    (tmp_path / "two.py").write_text(OPERATION.format("a * a", "2 * a") + "# the same again\n")
    found = Registry([tmp_path])
    assert isinstance(found.find("operation", "clashing").value, Operation)
    assert [problem for problem in found.problems if problem.origin.startswith(str(tmp_path))] == []


def test_the_version_of_a_file_is_its_own(tmp_path):
    (tmp_path / "fine.py").write_text(FINE + "\n__version__ = '2.1'\n")
    plugin = Registry([tmp_path]).find("cell", "fine")
    assert (plugin.version, plugin.line) == ("2.1", 5)


def test_a_package_is_known_by_its_version_and_content():
    plugin = Registry().find("strategy", "random")
    assert plugin.version and plugin.origin.startswith("nas_rnn ")
    assert len(plugin.digest) == 64 and plugin.file is not None


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("f({b})", r"has the field \{b\}; its inputs are \{a\}"),
        ("f()", r"leaves out the input \{a\}"),
        ("f({})", r"has the field \{\}"),
        ("f({0})", r"has the field \{0\}"),
        (r"\frac{a}{2}", r"has the field \{2\}"),
        ("f({a:>3})", "has the field"),
        ("f({a.real})", r"has the field \{a.real\}"),
        ("f({a)", "cannot be read"),
    ],
)
@pytest.mark.parametrize("which", ["plain", "latex"])
def test_a_template_names_each_input_and_nothing_else(which, template, message):
    with pytest.raises(UserError, match=f"the {which} template .* of operation 'mine' {message}"):
        Operation(name="mine", value="a", derivative=("1",), **{which: template})


def test_a_timer_that_was_set_before_goes_on():
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    signal.setitimer(signal.ITIMER_REAL, 60.0)
    try:
        with pytest.raises(PluginTimeout), time_limit(0.05):
            time.sleep(30)
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0.0)
        assert 0 < left <= 60 and rung == []
        assert signal.getsignal(signal.SIGALRM) is not before
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def test_importing_other_packages_may_take_longer(tmp_path, monkeypatch):
    """A slow disk is not the plugin's fault."""
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "slow_package_of_the_tests.py").write_text("import time\ntime.sleep(0.6)\n")
    _, problems = problems_of(tmp_path, "import slow_package_of_the_tests\n")
    assert problems == []


def test_other_threads_have_no_limit():
    ended: list[str] = []

    def run() -> None:
        with time_limit(0.01):
            time.sleep(0.05)
        ended.append("well")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert ended == ["well"]


def test_the_one_in_whose_file_it_arose_is_blamed(tmp_path):
    path = tmp_path / "guilty.py"
    path.write_text("def fail():\n    raise ValueError('oh')\n")
    code: dict = {}
    exec(compile(path.read_text(), str(path), "exec"), code)
    innocent = Plugin(
        "space", "innocent", None, str(tmp_path / "innocent.py"), "", file=str(tmp_path / "innocent.py")
    )
    guilty = Plugin("strategy", "guilty", None, str(path), "", file=str(path))
    with (
        pytest.raises(
            PluginError, match=r"the strategy 'guilty' \(.*guilty\.py, line 2\) failed: ValueError: oh"
        ),
        running(innocent, guilty),
    ):
        code["fail"]()


def test_what_is_meant_passes_and_what_hangs_is_named(tmp_path):
    plugin = Plugin("space", "slow", None, "slow.py", "")
    with pytest.raises(StopIteration), running(plugin, passing=(StopIteration,)):
        raise StopIteration
    with pytest.raises(KeyboardInterrupt), running(plugin):
        raise KeyboardInterrupt
    with (
        pytest.raises(
            PluginError, match=r"the space 'slow' \(slow\.py\) failed: it ran for more than 0.05 s"
        ),
        running(plugin, seconds=0.05),
    ):
        time.sleep(30)
