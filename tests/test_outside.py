"""Texts from outside: refused at the door with file, field and character, and harmless in whatever is written."""

from __future__ import annotations

import gc
import json
import re
import shlex
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from mlflow.utils.search_utils import SearchUtils

from nas_rnn.catalogue.saved import load_saved
from nas_rnn.cells import CellError, parse_cell
from nas_rnn.cells.cell import make_cell
from nas_rnn.cells.graph.nodes import Input, LearnedVector, State, StatePath
from nas_rnn.cli.failures import say
from nas_rnn.errors import UserError
from nas_rnn.outside import check_plain, check_text, parse_module, shown
from nas_rnn.plugins import load_cell
from nas_rnn.publishing.tables import markdown_table
from nas_rnn.report.page import coded
from nas_rnn.run_folder.config import SearchConfig, dump_toml, read_config
from nas_rnn.run_folder.lifecycle import resumable
from nas_rnn.run_folder.manifest import Manifest
from nas_rnn.spaces.recipes import load_recipes
from nas_rnn.tasks.picture_sets.folders import read_class_folders
from nas_rnn.tracking import RunView, fenced, markdown_text, run_link
from nas_rnn.tracking.writer import KEY_TAG
from nas_rnn.training import RunSpec
from tests.nasty import NASTY, NEWLINE, SEEN, UNSEEN, filled, shape

CELL = "@cell\ndef c(x, h):\n    return linear(x, h)\n"


# The door


@pytest.mark.parametrize("name", UNSEEN)
def test_what_is_not_seen_is_refused(name: str) -> None:
    character = UNSEEN[name][1]
    code = f"U\\+{ord(character):04X}"
    with pytest.raises(UserError, match=f"model.json: name holds '.*' \\({code}\\) as character 2"):
        check_text(filled(name), "model.json: name")
    with pytest.raises(UserError, match=rf"f: a\.b\[1\] holds .*{code}"):
        check_plain({"a": {"b": ["", filled(name)]}}, "f:")
    assert shown(filled(name)).isprintable()


def test_what_is_seen_is_read() -> None:
    for text in [*map(filled, SEEN), "naïve café", "日本語", "עברית", "👩\u200d👩", "a\u00a0b"]:
        assert check_text(text, "it") == text == shown(text)


@pytest.mark.parametrize("name", [name for name in UNSEEN if name != "form feed"])
def test_texts_of_cells(name: str, tmp_path: Path) -> None:
    text = f"{CELL}# {filled(name)}\n"
    with pytest.raises(CellError, match=r"not valid as a cell's text: it holds '"):
        parse_cell(text)
    if name not in (
        "carriage return",
        "surrogate",
    ):  # reading a file makes a newline of one, and refuses the other
        path = tmp_path / "c.cell"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(CellError, match=re.escape(f"{path}: not valid as a cell's text: it holds '")):
            load_cell(path)


def test_a_cells_lines_may_end_as_those_of_windows() -> None:
    assert parse_cell(CELL.replace("\n", "\r\n")) == parse_cell(CELL)


@pytest.mark.parametrize("name", UNSEEN)
def test_recipes(name: str, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps({"h_new_0": {"op": "linear", "input": ["x", filled(name)]}}))
    with pytest.raises(UserError, match=r"r\.jsonl, line 1: recipe: h_new_0\.input\[1\] holds"):
        load_recipes(path)


@pytest.mark.parametrize("name", [n for n in (*UNSEEN, *NEWLINE) if n not in ("NUL", "surrogate")])
def test_names_of_classes(name: str, tmp_path: Path) -> None:
    (tmp_path / filled(name, "run")).mkdir()
    with pytest.raises(UserError, match=r"the name of a class in .* holds"):
        read_class_folders(tmp_path, 0)


@pytest.mark.parametrize("field", ["id", "name", "task"])
@pytest.mark.parametrize("name", [*UNSEEN, *NEWLINE])
def test_specs_of_runs(name: str, field: str) -> None:
    spec = RunSpec(
        id="1", role="candidate", name="c", cell=CELL, hidden_size=2, task="t", seed=0, data_seed=0
    )
    with pytest.raises(UserError, match=f"{field} of a run holds"):
        replace(spec, **{field: filled(name)})


@pytest.mark.parametrize("name", NASTY)
def test_names_in_cells(name: str) -> None:
    """Equations, LaTeX, pictures and code write names as they are: only what Python takes for one is a name."""
    text = filled(name)
    for parts in ((text, "h", "b"), ("c", text, "b"), ("c", "h", text)):
        cell, path, value = parts
        nodes = [Input(name="x"), State(name=path, path=0), LearnedVector(name=value, init=0.0)]
        with pytest.raises(CellError, match=r"Python identifier|rule"):
            make_cell(cell, "", [StatePath(path)], nodes, [2])


# Writers


@pytest.mark.parametrize("name", NASTY)
def test_docstrings_of_cells(name: str) -> None:
    cell = replace(parse_cell(CELL), doc=filled(name))
    assert shape(cell.to_text()) == shape(replace(cell, doc="x").to_text())
    assert parse_cell(cell.to_text()) == cell
    ElementTree.fromstring(cell.diagram("svg"))


def tags(markdown: str) -> set[str]:
    """Return which kinds of elements a page would show, raw HTML among them."""
    parsed = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    return {t.type for token in parsed for t in (token, *(token.children or []))}


@pytest.mark.parametrize("name", NASTY)
def test_markdown(name: str) -> None:
    text = filled(name)
    for line in (f"Ended: {markdown_text(text)}.", run_link("key", text), run_link(f"a {text}", "name")):
        assert not tags(line) & {"html_inline", "html_block", "image", "heading_open", "fence"}
        assert "\n" not in line and line.isprintable()
    assert "link_open" not in tags(markdown_text(text))
    assert {token.type for token in MarkdownIt().parse(fenced(text))} == {"fence"}
    (row,) = markdown_table({"cell": [text], "n": [1]}).split("\n")[2:]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3 and "<" not in row


@pytest.mark.parametrize("name", NASTY)
def test_html(name: str) -> None:
    found = re.sub(r"</?code>", "", str(coded(filled(name))))
    assert not set("<>\"'") & set(found)


@pytest.mark.parametrize("name", [name for name in NASTY if name != "surrogate"])
def test_toml(name: str) -> None:
    values: dict[str, Any] = {"constraints": [filled(name)], "space": filled(name), "task": filled(name)}
    read = tomllib.loads(dump_toml(read_config(SearchConfig, values)).encode().decode())
    assert {key: read[key] for key in values} == values


@pytest.mark.parametrize("name", SEEN)
def test_commands_in_messages(name: str, tmp_path: Path) -> None:
    """What is to be typed is one word for a shell, whatever a folder is called."""
    search = filled(name).replace("/", ":")
    (tmp_path / search).mkdir()
    (tmp_path / search / "config.toml").write_text("")
    manifest = Manifest(id="1", kind="search", began_ms=0).to_dict()
    (tmp_path / search / "search.json").write_text(json.dumps(manifest))
    for call in (lambda: load_saved(search, tmp_path), lambda: resumable(tmp_path, search, "ablate", (), ())):
        with pytest.raises(UserError) as caught:
            call()
        command = str(caught.value).rpartition("`nas-rnn search ")[2].removesuffix("`")
        assert shlex.split(command) == ["--resume", search]


@pytest.mark.parametrize("name", NASTY)
def test_what_is_told_does_not_steer_the_terminal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    say(filled(name))
    assert capsys.readouterr().err.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", NASTY)
def test_keys_in_filters_of_mlflow(name: str) -> None:
    try:
        key = RunView(key=filled(name), name="x", start_ms=0).key
    except ValueError:
        assert name in (*UNSEEN, *NEWLINE) or {'"', "'"} <= set(filled(name))
        return
    quote = "'" if '"' in key else '"'
    (found,) = SearchUtils.parse_search_filter(f"tags.`{KEY_TAG}` = {quote}{key}{quote}")
    assert found["value"] == key


class Slow:
    """Garbage whose finaliser hands over to another thread, wherever it is collected."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        time.sleep(1e-4)


def test_python_is_parsed_by_many_threads_at_once() -> None:
    """CPython's parser fails where another thread comes in between; without the lock one or two of 600 did."""
    text = "\n".join(f"x{number} = {'-' * 30}1" for number in range(60))
    before = gc.get_threshold()

    def parse(_: int) -> int:
        Slow()
        return len(parse_module(text).body)

    gc.set_threshold(40, 2, 2)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(parse, range(600))) == {60}
    finally:
        gc.set_threshold(*before)
