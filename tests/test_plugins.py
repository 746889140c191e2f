"""Plugins: found in folders and packages, on workers too; a broken one is reported and the others still load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas_rnn import plugins
from nas_rnn.cells import Cell
from nas_rnn.errors import UserError
from nas_rnn.plugins import Registry

sys.path.insert(0, str(Path(__file__).resolve().parent))
from experiment_runs import TINY, write_text

CELL = (
    "from nas_rnn import cell, linear, {act}\n\n\n@cell\ndef {name}(x, h):\n    return {act}(linear(x, h))\n"
)


def write_cell(folder: Path, file: str, name: str, act: str = "tanh") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file
    path.write_text(CELL.format(name=name, act=act))
    return path


def test_built_ins_come_through_the_doors():
    found = Registry(plugins.default_folders())
    assert {"rnn", "lstm", "gru", "lstm_fgr"} <= set(found.names("cell"))
    assert {"gated", "lstm_ablations"} <= set(found.names("space"))
    assert "char-lm" in found.names("task")
    assert "random" in found.names("strategy")
    assert found.problems == []


def test_a_file_dropped_into_a_folder_is_found(tmp_path):
    write_cell(tmp_path, "mine.py", "mine")
    found = Registry([tmp_path])
    assert isinstance(found.find("cell", "mine").value, Cell)
    assert found.find("cell", "mine").origin == str(tmp_path / "mine.py")


def test_files_that_begin_with_an_underscore_are_skipped(tmp_path):
    write_cell(tmp_path, "_helper.py", "hidden")
    assert "hidden" not in Registry([tmp_path]).names("cell")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("import nas_rnn\n\nx = 1 / 0\n", 3, "ZeroDivisionError"),
        ("def broken(:\n", 1, "SyntaxError"),
        ("import no_such_package\n", 1, "ModuleNotFoundError"),
        ("import sys\nsys.exit(3)\n", 2, r"called sys.exit\(3\)"),
        ("from nas_rnn import cell\n\n\n@cell\ndef odd(x, h):\n    return x\n", 4, "hidden_size"),
    ],
)
def test_a_broken_plugin_is_reported_by_file_and_line_and_the_others_load(tmp_path, text, line, message):
    (tmp_path / "a_broken.py").write_text(text)
    write_cell(tmp_path, "fine.py", "fine")
    found = Registry([tmp_path])
    assert "fine" in found.names("cell")
    (problem,) = found.problems
    assert problem.origin == str(tmp_path / "a_broken.py")
    assert problem.line == line
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(str(problem))


def test_two_different_plugins_of_one_name_are_an_error_that_names_both_files(tmp_path):
    write_cell(tmp_path / "a", "one.py", "same", "tanh")
    write_cell(tmp_path / "b", "two.py", "same", "relu")
    with pytest.raises(UserError, match=r"one\.py.*two\.py"):
        Registry([tmp_path / "a", tmp_path / "b"]).find("cell", "same")


def test_two_files_of_one_content_are_one_plugin(tmp_path):
    write_cell(tmp_path / "a", "one.py", "same")
    write_cell(tmp_path / "b", "two.py", "same")
    found = Registry([tmp_path / "a", tmp_path / "b"])
    assert isinstance(found.find("cell", "same").value, Cell)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UserError, match="did you mean 'lstm'"):
        Registry(plugins.default_folders()).find("cell", "lstn")


def test_plugins_travel_as_text(tmp_path):
    write_cell(tmp_path / "a", "one.py", "travelled")
    sent = Registry([tmp_path / "a"])
    sent.names("cell")
    received = Registry()
    (tmp_path / "b").mkdir()
    received.add_sources(sent.sources, tmp_path / "b")
    assert received.find("cell", "travelled").value == sent.find("cell", "travelled").value


def test_load_cell_reads_files_and_explains_bad_ones(tmp_path):
    path = tmp_path / "mine.cell"
    path.write_text("@cell\ndef mine(x, h):\n    return tanh(linear(x, h))\n")
    assert plugins.load_cell(path).name == "mine"
    path.write_text("@cell\ndef mine(x, h):\n    return tanhh(linear(x, h))\n")
    with pytest.raises(UserError, match=r"mine\.cell: .*did you mean 'tanh'"):
        plugins.load_cell(path)
    with pytest.raises(UserError, match="there is no file"):
        plugins.load_cell(tmp_path / "none.cell")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot read"):
        plugins.load_cell(path)


PACKAGE = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "other-spaces"
version = "3.1"

[project.entry-points."nas_rnn.spaces"]
elsewhere = "other_spaces:elsewhere"

[project.entry-points."nas_rnn.ops"]
ops = "other_spaces"

[project.entry-points."nas_rnn.cells"]
broken = "other_spaces.broken"
"""

MODULE = '''
from nas_rnn import linear, operation, search_space, tanh

bump = operation("bump", value="1 / (1 + a * a)", derivative="-2 * a * y * y")


@search_space
def elsewhere(choose, x, h):
    """A third party's space with an operation of its own."""
    return choose("act", [tanh, bump])(linear(x, h))
'''


def test_a_third_party_package_is_installed_and_its_space_is_searched(tmp_path):
    package, site = tmp_path / "package", tmp_path / "site"
    (package / "other_spaces").mkdir(parents=True)
    (package / "pyproject.toml").write_text(PACKAGE)
    (package / "other_spaces" / "__init__.py").write_text(MODULE)
    (package / "other_spaces" / "broken.py").write_text("raise RuntimeError('half finished')\n")
    install = [
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--target",
        str(site),
    ]
    subprocess.run([sys.executable, "-m", *install, str(package)], check=True, capture_output=True)
    write_text(tmp_path / "text.txt")
    code = f"""
import nas_rnn
from nas_rnn.plugins import registry
result = nas_rnn.search(data='text.txt', space='elsewhere', trials=4, **{ {**TINY, "seeds": 1}!r})
registry().names("cell")
print([str(problem) for problem in registry().problems])
print(result.trials["finished"] + result.trials["stopped"], registry().find("space", "elsewhere").origin)
"""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    *_, problems, last = ran.stdout.strip().split("\n")
    assert last.startswith("2 other-spaces 3.1 (other_spaces")
    assert "broken.py, line 1: RuntimeError: half finished" in problems
