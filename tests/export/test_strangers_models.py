"""A model that came from somebody else puts no code into what is written, compiled or run for it."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nas_rnn.cells import operations, parse_cell
from nas_rnn.cells.graph.operations import Operation, OperationClash, register_operation, restore_operations
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.execution import RNN
from nas_rnn.execution.fused.kernels import printed
from nas_rnn.execution.fused.triton.kernels import make_kernels
from nas_rnn.export import ExportBundle, export_files, load_folder
from nas_rnn.export.plain_net import literal, net_call, net_source
from nas_rnn.export.python_file import python_files
from nas_rnn.tasks import Task, check_meta
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.glimpses.task import Glimpses
from tests.export.cases import moved, trained_on
from tests.nasty import NASTY, NEWLINE, SEEN, UNSEEN, filled, shape

VALUE = "a * sigmoid(a)"
TEXT = "@cell\ndef c(x, h):\n    return theirs(linear(x, h))\n"


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    before = operations()
    yield
    restore_operations(before)


def written(folder: Path, **changes: Any) -> Path:
    """Return a model's folder in whose only operation stands what ``changes`` say."""
    before = operations()
    register_operation(Operation(name="theirs", value=VALUE, derivative=("1",)))
    rnn = moved(parse_cell(TEXT))
    restore_operations(before)
    folder.mkdir()
    register_operation(Operation(name="theirs", value=VALUE, derivative=("1",)))
    for path, content in export_files(ExportBundle(name="mine", rnn=rnn), "torch", folder).items():
        path.write_bytes(content)
    restore_operations(before)
    content = json.loads((folder / "model.json").read_text())
    content["operations"][0].update(changes)
    (folder / "model.json").write_text(json.dumps(content))
    return folder


def source_of(trained: ExportBundle) -> str:
    return python_files(trained, "mine")["mine.py"].decode()


def executed(trained: ExportBundle, folder: Path) -> None:
    """Write the Python file, import it, and compute something with it."""
    for path, content in export_files(trained, "python", folder / "mine.py").items():
        path.write_bytes(content)
    spec = importlib.util.spec_from_file_location("mine", folder / "mine.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.load_rnn()(torch.ones(2, 1, 4))


def payload(folder: Path) -> str:
    return f"open({str(folder / 'ran')!r}, 'w').close()"


def test_the_payload_itself_runs(tmp_path: Path) -> None:
    exec(payload(tmp_path))
    assert (tmp_path / "ran").exists()


def test_a_comment_that_closes_a_docstring_does_not_run(tmp_path: Path) -> None:
    folder = written(tmp_path / "best", value=f'{VALUE} #""";{payload(tmp_path)};"""')
    executed(load_folder(folder), tmp_path)
    assert not (tmp_path / "ran").exists()
    assert '"""a * sigmoid(a)"""' in (tmp_path / "mine.py").read_text()


def test_a_template_with_a_carriage_return_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "best", plain=f"theirs({{a}})\r{payload(tmp_path)} #")
    with pytest.raises(UserError, match=r"model.json: operations\[0\].plain holds '\\r' \(U\+000D\)"):
        load_folder(folder)


@pytest.mark.parametrize("field", ["value", "plain", "latex", "derivative"])
@pytest.mark.parametrize("name", NASTY)
def test_any_text_in_an_operation(name: str, field: str, tmp_path: Path) -> None:
    """It is refused, or the file does what an innocent one does; and so do C++ and Triton."""
    innocent = load_folder(written(tmp_path / "innocent"))
    expected, layout = source_of(innocent), innocent.rnn._layouts[0]
    before = printed(layout)[2].source, make_kernels(layout).code.source
    restore_operations({n: row for n, row in operations().items() if n != "theirs"})
    printed.cache_clear()
    make_kernels.cache_clear()

    text = filled(name, payload(tmp_path))
    texts = {"value": f"{VALUE} # {text}", "derivative": [f"1 # {text}"]}
    folder = written(tmp_path / "best", **{field: texts.get(field, f"theirs({{a}}) {text}")})
    try:
        theirs = load_folder(folder)
    except UserError as error:
        assert name in UNSEEN or name in NEWLINE, "what is seen is read"
        assert "model.json: operations[0]" in str(error) or "is not valid" in str(error)
        return
    assert source_of(theirs) == expected
    assert (printed(layout)[2].source, make_kernels(layout).code.source) == before
    executed(theirs, tmp_path)
    for backend in ("eager", "reference"):
        rnn = RNN(theirs.rnn.cell, 4, 8, backend=backend)
        rnn(torch.ones(2, 1, 4))[0].sum().backward()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", NASTY)
def test_any_text_as_a_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        load_folder(written(tmp_path / "best", name=filled(name)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbol": "+ print() +"}, r"operations\[0\] has the field 'symbol'"),
        ({"stored": False}, "has the field 'stored'"),
        ({"commutative": "yes"}, "commutative must be true or false"),
        ({"derivative": "1"}, "derivative must be a list"),
        ({"derivative": [1]}, "derivative must be a text, not 1"),
        ({"value": None}, "value must be a text"),
    ],
)
def test_fields_of_an_operation(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        load_folder(written(tmp_path / "best", **change))


@pytest.mark.parametrize("option", ["input_size", "num_layers", "dropout", "batch_first", "bidirectional"])
def test_a_text_where_a_size_belongs(option: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "best")
    content = json.loads((folder / "model.json").read_text())
    content["rnn"][option] = f"1): {payload(tmp_path)}"
    (folder / "model.json").write_text(json.dumps(content))
    try:
        executed(load_folder(folder), tmp_path)
    except Exception as error:
        assert not isinstance(error, SyntaxError)
    assert not (tmp_path / "ran").exists()


def test_what_comes_with_a_model_gives_way_to_the_plugin(tmp_path: Path) -> None:
    """In either order the plugin's way of writing it counts, and another formula of that name is an error."""
    mine = Operation(name="theirs", value=VALUE, derivative=("1",), plain="«{a}»", latex="{a}")
    folder = written(tmp_path / "best", plain="no({a})")
    load_folder(folder)
    assert operations()["theirs"].plain == ""
    register_operation(mine)
    assert operations()["theirs"] is mine
    assert "«" in source_of(load_folder(folder))
    assert operations()["theirs"] is mine
    with pytest.raises(OperationClash):
        load_folder(written(tmp_path / "other", value="a"))


@pytest.mark.parametrize("name", SEEN)
def test_a_plugins_own_template_is_a_comment(name: str) -> None:
    """A plugin may write what it likes in one line."""

    def source(plain: str) -> str:
        before = operations()
        register_operation(Operation(name="theirs", value=VALUE, derivative=("1",), plain=plain))
        made = source_of(ExportBundle(name="mine", rnn=moved(parse_cell(TEXT))))
        restore_operations(before)
        return made

    escaped = filled(name).replace("{", "{{").replace("}", "}}")
    assert shape(source(f"{escaped} {{a}} {escaped}")) == shape(source("{a}"))


def test_a_plugins_template_of_several_lines_becomes_one() -> None:
    row = Operation(name="f", value="a", derivative=("1",), plain="f(\n\t{a})", latex="f(\n{a})")
    assert (row.plain, row.latex) == ("f( {a})", "f( {a})")
    with pytest.raises(UserError, match=r"the plain template of operation 'f' holds '\\x85'"):
        Operation(name="f", value="a", derivative=("1",), plain="f({a})\x85")


def net(task: Task, meta: dict[str, Any]) -> str:
    """Return what a Python file has of the task's net."""
    plain = task.plain_net(meta)
    assert plain is not None
    return f"{net_source(plain)[1]}\n{net_call(plain)}\n"


META = {"height": 4, "width": 4, "mean": 0.5, "deviation": 1.0, "white": 16}


@pytest.mark.parametrize("name", NASTY)
def test_any_text_as_the_name_of_a_class(name: str, tmp_path: Path) -> None:
    classes = [filled(name, payload(tmp_path)), "b" * 200, "long-name with blanks " * 8, ""]
    source = net(Glimpses(), {**META, "classes": classes})
    innocent = net(Glimpses(), {**META, "classes": ["a", "b", "c", "d"]})
    assert source.isascii() and shape(source) == shape(innocent)
    assert ast.literal_eval(literal(classes)) == classes


@pytest.mark.parametrize("width", range(80, 110))
def test_no_literal_is_cut(width: int) -> None:
    """Where a line would break behind a backslash, what follows would be outside of the literal."""
    classes = ["A" * width + "\\", ", print()) #", "'" * 3, '"' * 3]
    assert ast.literal_eval(literal(classes)) == classes


@pytest.mark.parametrize("name", NASTY)
def test_any_text_as_a_vocabulary(name: str) -> None:
    vocabulary = "".join(sorted(set(filled(name))))
    source = net(CharLM(), {"vocabulary": vocabulary})
    innocent = net(CharLM(), {"vocabulary": "a" * len(vocabulary)})
    assert source.isascii() and shape(source) == shape(innocent)
    check_meta(CharLM(), {"vocabulary": vocabulary, "source": "x"}, "model.json: meta")


@pytest.mark.parametrize("field", ["mean", "deviation", "white"])
def test_a_text_where_a_number_of_the_data_belongs(field: str) -> None:
    """It is a text in the file, or refused; it is nothing else."""
    meta = {**META, "classes": ["a", "b"]}
    source = net(Glimpses(), {**meta, field: '16."""\nprint()\n"""'})
    assert [type(n) for n in ast.parse(source).body] == [
        type(n) for n in ast.parse(net(Glimpses(), meta)).body
    ]
    assert "print" not in {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    if field != "white":  # which stands in a line of prose alone
        with pytest.raises(NasRnnError, match="only plain values"):
            net(Glimpses(), {**meta, field: float("nan")})


@pytest.mark.parametrize(
    "words", [{"usage": 'x = 1\\n"""\\nprint()'}, {"name": "f(); g"}, {"constants": {"A = 1; B": 1}}]
)
def test_no_word_of_a_net_can_be_more_than_a_word(words: dict[str, Any]) -> None:
    plain = CharLM().plain_net({"vocabulary": "ab"})
    with pytest.raises(NasRnnError, match="what comes from data belongs into its constants"):
        net_source(replace(plain, **words))


@pytest.fixture(scope="module")
def digits() -> ExportBundle:
    return trained_on(Glimpses())


def with_meta(trained: ExportBundle, **changes: Any) -> ExportBundle:
    assert trained.task_model is not None
    return replace(
        trained, task_model=replace(trained.task_model, meta={**trained.task_model.meta, **changes})
    )


@pytest.mark.parametrize("name", NASTY)
def test_any_text_in_the_lines_that_say_how_a_file_is_used(name: str, digits: ExportBundle) -> None:
    assert shape(source_of(with_meta(digits, white=filled(name)))) == shape(source_of(digits))


def test_a_line_of_usage_that_closes_the_docstring_does_not_run(digits: ExportBundle, tmp_path: Path) -> None:
    """What follows the payload would be one text, which the name of a class ends."""
    white = f"16.\"\"\"\n{payload(tmp_path)}\nz = '''"
    theirs = with_meta(digits, white=white, classes=["''' #", *map(str, range(1, 10))])
    for path, content in export_files(theirs, "python", tmp_path / "mine.py").items():
        path.write_bytes(content)
    exec(
        compile((tmp_path / "mine.py").read_text(), "mine.py", "exec"),
        {"__name__": "mine", "__file__": "mine.py"},
    )
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", UNSEEN)
def test_what_is_said_of_the_data_holds_no_control_character(name: str) -> None:
    for meta in ({"source": filled(name)}, {"classes": ["a", filled(name)]}, {filled(name): 1}):
        with pytest.raises(UserError, match=r"(a key of )?model\.json: meta[^ ]* holds '"):
            check_meta(Glimpses(), meta, "model.json: meta")
