"""A mistake on the command line: exit code 2, one clear message on stderr, and nothing begun."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nas_rnn import plugins
from nas_rnn.cells import operations
from nas_rnn.cells.graph.operations import restore_operations
from tests.cli.conftest import FakeRun, Run

OPERATION = "from nas_rnn import operation\n\ntwice = operation('twice', value='a + a', derivative='2')\n"

BOTH = [
    (["--epochs", "0"], "epochs: a whole number of at least 1, or auto, is needed, not 0"),
    (["--epochs", "few"], "'--epochs': a whole number is needed, or auto, not 'few'"),
    (["--epochs"], "Option '--epochs' requires an argument"),
    (["--params", "0"], "params: input should be greater than or equal to 1; got 0"),
    (["--params", "1.5"], "'--params': a whole number is needed, not '1.5'"),
    (["--seeds", "0"], "seeds: a whole number from 1 to 100, or auto, is needed, not 0"),
    (["--seeds", "101"], "seeds: a whole number from 1 to 100, or auto, is needed, not 101"),
    (["--seeds", "x"], "'--seeds': a whole number is needed, or auto"),
    (["--workers", "0"], "workers: input should be greater than or equal to 1"),
    (["--workers", "all"], "'--workers': a whole number is needed"),
    (["--seed", "-1"], "seed: input should be greater than or equal to 0"),
    (["--seed", "x"], "'--seed': a whole number is needed"),
    (["--layers", "0"], "layers must be"),
    (["--layers", "x"], "'--layers': a whole number is needed"),
    (["--dropout", "1"], "dropout must be at least 0 and less than 1; got 1.0"),
    (["--dropout", "much"], "'--dropout': a number is needed"),
    (["--batch", "0"], "batch must be"),
    (["--batch", "x"], "'--batch': a whole number is needed"),
    (["--length", "0"], "length must be"),
    (["--length", "x"], "'--length': a whole number is needed"),
    (["--learning-rate", "0"], "learning_rate must be greater than 0"),
    (["--learning-rate", "nan"], "learning_rate must be"),
    (["--learning-rate", "fast"], "'--learning-rate': a number is needed"),
    (["--decay", "cosin"], "decay: input should be 'cosine', 'linear' or 'none'; got 'cosin'"),
    (["--clip", "-1"], "clip must be greater than 0, or 0 for no clipping"),
    (["--clip", "x"], "'--clip': a number is needed"),
    (["--threads", "0"], "threads must be"),
    (["--threads", "x"], "'--threads': a whole number is needed"),
    (["--device", "tpu"], "device must be auto, cpu, cuda or cuda:<number>; got 'tpu'"),
    (["--backend", "fast"], "backend: input should be 'auto', 'fused', 'eager' or 'reference'; got 'fast'"),
    (["--task", "char-ln"], "unknown task 'char-ln'; did you mean 'char-lm'?"),
    (["--task-option", "embedding"], "--task-option takes KEY=VALUE"),
    (["--task-option", "=3"], "--task-option takes KEY=VALUE"),
    (["--task-option", "embeding=3"], "did you mean 'embedding'?"),
    (["--task-option", "embedding=x"], "option 'embedding' of task 'char-lm' must be of type int"),
    (["--data", "no/such/file.txt"], "no/such/file.txt"),
    (["--plugins", "no/such/folder"], "--plugins takes a folder of .py files"),
    (["--name", "a/b"], "a name is 1 to 100 letters"),
    (["--config", "no/such.toml"], "--config: there is no file 'no/such.toml'"),
    (["--epoch", "3"], "there is no option '--epoch'; did you mean '--epochs'?"),
    (["--lr", "3"], "there is no option '--lr'"),
    (["--json=yes"], "--json"),
]

SEARCH = [
    (["--trials", "0"], "trials: input should be greater than or equal to 1; got 0"),
    (["--trials", "many"], "'--trials': a whole number is needed, not 'many'"),
    (["--time", "soon"], "time: a duration is written like 90s, 30m, 2h or 1h30m, not 'soon'"),
    (["--time", "0s"], "time: input should be greater than 0"),
    (["--space", "gatd"], "unknown space 'gatd'; did you mean 'gated'?"),
    (["--strategy", "rndom"], "unknown strategy 'rndom'; did you mean 'random'?"),
    (
        ["--constraint", "product<=4"],
        "unknown constraint 'product' in 'product<=4'; did you mean 'products'?",
    ),
    (["--constraint", "products<4"], "a bound reads products<=20, with a whole number, not 'products<4'"),
    (
        ["--constraint", "lacks=sigmoidd"],
        "unknown operation 'sigmoidd' in a constraint; did you mean 'sigmoid'?",
    ),
    (
        ["--constraint", "states<=0"],
        "1,000 candidates in a row of the space 'gated' break constraints: states<=0",
    ),
    (["--constraint"], "Option '--constraint' requires an argument"),
    (["--scheduler", "hyperband"], "scheduler: input should be 'halving' or 'none'; got 'hyperband'"),
    (["--resume", "nothing"], "unknown search 'nothing'"),
    (["gated"], "unexpected extra argument"),
]

COMPARE = [
    (["--baseline", "lstn"], "'lstn'; did you mean 'lstm'?"),
    (["gruu"], "'gruu'; did you mean 'gru'?"),
    (["no/such.cell"], "there is no file 'no/such.cell'"),
    (["--trials", "3"], "there is no option '--trials'"),
]

OTHERS = [
    (["serch"], "No such command 'serch'. Did you mean 'search'?"),
    (["--verbose"], "there is no option '--verbose'"),
    (["compare"], "a comparison needs a cell"),
    (["show"], "Missing argument"),
    (["show", "lstn"], "'lstn'; did you mean 'lstm'?"),
    (["show", "no.cell"], "there is no file 'no.cell'"),
    (["show", "no.jsonl"], "there is no file 'no.jsonl'; give a .json, .jsonl or .jsonl.gz file of recipes"),
    (["show", "lstm", "--diagram", "x.pdf"], "--diagram draws .svg and .png files, not 'x.pdf'; try 'x.svg'"),
    (["show", "lstm", "--diagram", "x"], "--diagram draws .svg and .png files, not 'x'; try 'x.svg'"),
    (["show", "lstm", "--diagram", "no/such/x.svg"], "--diagram: cannot write 'no/such/x.svg'"),
    (["show", "lstm", "--text", "--json"], "--text, --latex, --recipe, --schedule and --json"),
    (["show", "lstm", "--input-size", "0"], "'--input-size': a whole number from 1 is needed, not '0'"),
    (["show", "lstm", "--hidden-size", "big"], "'--hidden-size': a whole number from 1 is needed, not 'big'"),
    (["show", "lstm", "--latx"], "there is no option '--latx'; did you mean '--latex'?"),
    (["list", "cell"], "cannot list 'cell'; did you mean 'cells'?"),
    (["list", "cells", "tasks"], "unexpected extra argument"),
    (["list", "--jsn"], "did you mean '--json'?"),
    (["list", "--plugins", "no/such"], "--plugins takes a folder"),
    (["sample"], "Missing argument"),
    (["sample", "nothing"], "unknown search 'nothing'"),
    (["sample", "nothing", "--length", "0"], "'--length': a whole number from 1 is needed, not '0'"),
    (["sample", "nothing", "--temperature", "hot"], "'--temperature': a number is needed"),
    (
        ["sample", "nothing", "--seed", "-1"],
        "'--seed': a whole number from 0 to 4294967295 is needed, not '-1'",
    ),
    (["ui", "--port", "70000"], "'--port': a whole number from 0 to 65535 is needed, not '70000'"),
    (["ui", "--port", "http"], "'--port': a whole number from 0 to 65535 is needed, not 'http'"),
    (["ui", "--rebuild", "nothing"], "unknown search 'nothing'"),
    (["ui", "now"], "unexpected extra argument"),
]


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *((["search", *given], message) for given, message in [*BOTH, *SEARCH]),
        *((["compare", "gru", *given], message) for given, message in [*BOTH, *COMPARE]),
        *OTHERS,
    ],
)
def test_a_mistake_is_named(run: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not [path for path in (tmp_path / "runs").glob("*") if path.is_dir()]


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("task", plugins.registry().names("task"))
def test_data_with_a_name_that_no_file_can_have_are_told(run: Run, task: str) -> None:
    outcome = run("search", "--task", task, "--data", "x" * 300)
    assert outcome.code == 2
    assert "xxx: File name too long; give the path of a file or folder" in outcome.err


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    "arguments",
    [("show",), ("compare",), ("check",), ("check", "--kind", "cell"), ("search", "--plugins")],
    ids=lambda arguments: " ".join(arguments),
)
@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".cell", "x" * 300 + ".json"])
def test_a_name_that_no_file_can_have_is_told(run: Run, arguments: tuple[str, ...], name: str) -> None:
    outcome = run(*arguments, name)
    assert outcome.code == 2, outcome
    assert "File name too long" in outcome.err and "Traceback" not in outcome.err


def test_all_that_is_wrong_is_said_at_once(run: Run) -> None:
    outcome = run("search", "--trials", "0", "--seeds", "0", "--scheduler", "x")
    assert outcome.code == 2
    for name in ("trials:", "seeds:", "scheduler:"):
        assert name in outcome.err


def test_a_file_of_options_is_checked_too(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "search.toml"
    config.write_text("trails = 3\n")
    outcome = run("search", "--config", config)
    assert outcome.code == 2
    assert "unknown option 'trails'; did you mean 'trials'?" in outcome.err


def test_a_usage_mistake_says_where_help_is(run: Run, fake: FakeRun) -> None:
    outcome = run("search", "--trials", "x")
    assert outcome.err.splitlines()[-1] == "See: nas-rnn search --help"
    assert fake.given is None


@pytest.mark.parametrize(
    "command", [["show"], ["show", "lstm", "--diff"], ["compare"], ["ablate"], ["export"]], ids=" ".join
)
def test_a_word_that_a_plugin_may_define_is_told_with_the_option_for_it(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    path = tmp_path / "mine.cell"
    path.write_text("@cell\ndef mine(x, h):\n    return swishes(linear(x, h))\n")
    outcome = run(*command, path)
    assert outcome.code == 2
    assert re.search(r"mine\.cell: mine, line 3: unknown word 'swishes'.* Known: ", outcome.err)
    assert outcome.err.endswith("; if a plugin defines it, give its folder with --plugins\n")


def test_the_best_cell_of_a_search_may_have_words_of_a_plugin(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = tmp_path / "runs" / "first" / "best"
    best.mkdir(parents=True)
    (best / "cell.cell").write_text("@cell\ndef mine(x, h):\n    return twice(linear(x, h))\n")
    assert "give its folder with --plugins" in run("show", "first").err

    monkeypatch.setattr(plugins, "_registry", None)
    before = operations()
    (tmp_path / "mine.py").write_text(OPERATION)
    shown = run("show", "first", "--plugins", tmp_path)
    restore_operations(before)
    assert (shown.code, shown.err) == (0, "")
