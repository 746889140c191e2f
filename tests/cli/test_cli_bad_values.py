"""Every option of every command with a bad value of each kind: exit code 2, one message, nothing begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas_rnn import plugins
from tests.cli.conftest import Run

NEEDS = "requires an argument"
WHOLE = "a whole number is needed, not"
NUMBER = "a number is needed, such as 3, 0.5 or 1e-3, not"
PATH = "the path of a file or folder is needed, not ''"

TEXTS = (
    *(
        "--task",
        "--task-option",
        "--data",
        "--plugins",
        "--decay",
        "--device",
        "--address",
        "--storage",
        "--name",
    ),
    *("--config", "--runs"),
)
WHOLES = (
    "--most-epochs",
    "--params",
    "--tune",
    "--most-seeds",
    "--workers",
    "--seed",
    "--layers",
    "--batch",
    "--length",
    "--threads",
)
NUMBERS = ("--dropout", "--learning-rate", "--clip", "--gpus-per-trial")

BOTH = [
    *(([flag], NEEDS) for flag in (*TEXTS, *WHOLES, *NUMBERS)),
    *(([flag, value], WHOLE) for flag in WHOLES for value in ("", "1.5")),
    *(([flag, ""], NUMBER) for flag in NUMBERS),
    *(([flag, ""], PATH) for flag in ["--data", "--plugins", "--config", "--runs"]),
    (
        ["--task", "memory", "--task-option", "copied=3"],
        "copied=3 has no effect with kind=adding, only with kind=copy. Leave out",
    ),
    (["--seeds", ""], "a whole number is needed, or auto, not ''"),
    (["--seeds", "1.5"], "a whole number is needed, or auto, not '1.5'"),
    (["--tune", "-1"], "tune: input should be greater than or equal to 0; got -1"),
    (["--tune", "1001"], "tune: input should be less than or equal to 1000; got 1001"),
    (["--most-seeds", "101"], "most_seeds: input should be less than or equal to 100; got 101"),
    (["--match", "flops"], "match: input should be 'params', 'time' or 'hidden'; got 'flops'"),
    (["--params", "-5"], "params: input should be greater than or equal to 1; got -5"),
    (["--params", "3"], "cannot match 3 parameters: the smallest possible model, of hidden size 1, has"),
    (["--params", "10000000000000"], "still has only 43"),
    (["--workers", "100000"], "100000 runs side by side with --threads 1 are too many for this machine"),
    (["--threads", "10000"], "a run asks for 10000 CPU cores, and this machine has"),
    (["--seed", "4294967296"], "seed: input should be less than 4294967296; got 4294967296"),
    (["--layers", "1000000"], "layers must be a whole number of at least 1 and at most 100; got 1000000"),
    (["--dropout", "-0.1"], "dropout must be at least 0 and less than 1; got -0.1"),
    (["--dropout", "nan"], "dropout must be a finite number; got nan"),
    (["--batch", "1000000000"], "symbols, too few for batch 1000000000 x length 32"),
    (["--length", "1000000000"], "symbols, too few for batch 32 x length 1000000000"),
    (["--learning-rate", "inf"], "learning_rate must be a finite number; got inf"),
    (["--clip", "nan"], "clip must be a finite number; got nan"),
    (["--decay", ""], "decay: input should be 'cosine', 'linear' or 'none'; got ''"),
    (["--device", ""], "device must be auto, cpu, cuda or cuda:<number>; got ''"),
    (["--device", "cuda:999"], "device 'cuda:999' is not there: this process sees"),
    (
        ["--epochs", "5", "--most-epochs", "3"],
        "most_epochs 3 is for epochs auto, whose runs it bounds; leave it out",
    ),
    (["--gpus-per-trial", "-1"], "gpus_per_trial: input should be greater than or equal to 0; got -1.0"),
    (["--gpus-per-trial", "nan"], "gpus_per_trial: input should be a finite number; got nan"),
    (["--gpus-per-trial", "inf"], "gpus_per_trial: input should be a finite number; got inf"),
    (
        ["--gpus-per-trial", "1.5"],
        "--gpus-per-trial is a part of one GPU (0.25), or a whole number of them; got 1.5",
    ),
    (["--task", ""], "unknown task ''. Known: behavior, "),
    (["--task", "glimpses", "--data", "text.txt"], "text.txt is a file; give a folder"),
    (["--task", "glimpses", "--data", "folder"], "folder holds no pictures; give a folder"),
    (["--task", "glimpses", "--task-option", "order=rws"], "'rws'; did you mean 'rows'?"),
    (["--task-option", ""], "--task-option takes KEY=VALUE, such as embedding=16, not ''"),
    (["--task-option", "valid=2"], "option 'valid' of task 'char-lm' must lie between 0.01 and 0.4; got 2"),
    (["--data", "empty"], "empty is empty; give a UTF-8 text file"),
    (["--data", "binary"], "binary is not UTF-8 text: byte 0x80 at offset 128"),
    (["--data", "folder"], "folder is a folder; give the path of one UTF-8 text file"),
    (["--data", "short.txt"], "short.txt has 3 characters, too few"),
    (["--data", "/dev/null"], "/dev/null is a device or a pipe"),
    (["--plugins", "text.txt"], "--plugins takes a folder of .py files"),
    (["--name", ""], "a name is 1 to 100 letters"),
    (["--name", ".."], "a name is 1 to 100 letters"),
    (["--name", "x" * 101], "a name is 1 to 100 letters"),
    (["--config", "folder"], "--config: 'folder' cannot be read as TOML"),
    (["--config", "binary"], "--config: 'binary' cannot be read as TOML"),
    (["--address", ""], "address: "),
    (["--storage", ""], "storage: "),
    (["--storage", "nonsense"], "--storage takes a URI such as s3://bucket/folder"),
    (["--storage", "x3://bucket"], "'x3://bucket' is none"),
    (["--storage", "file:///proc/none"], "--storage: cannot write at 'file:///proc/none/"),
    (["--runs", "text.txt"], "--runs (or NAS_RNN_RUNS) takes a folder of searches; 'text.txt' is none"),
    (["--runs", "text.txt/runs"], "--runs (or NAS_RNN_RUNS) takes a folder of searches"),
    (["--debug=1"], "does not take a value"),
]

TOML = [
    ("epochs = ", "cannot be read as TOML: Invalid value (at line 1"),
    ("learning-rate = 0.1", "unknown option 'learning-rate'; did you mean 'learning_rate'?"),
    ("[search]\nepochs = 3", "unknown option 'search'"),
    ("resume = 'x'", "unknown option 'resume'"),
    ("epochs = 'many'", "epochs: a whole number of at least 1, or auto, is needed, not 'many'"),
    ("epochs = 2.5", "epochs: a whole number of at least 1, or auto, is needed, not 2.5"),
    ("epochs = true", "epochs: a number or a text is needed, not true"),
    ("epochs = [1]", "epochs: a whole number of at least 1, or auto, is needed, not [1]"),
    ("[epochs]\nx = 1", "epochs: a whole number of at least 1, or auto, is needed, not {'x': 1}"),
    ("learning_rate = 'fast'", "learning_rate: input should be a valid number"),
    ("learning_rate = true", "learning_rate: a number or a text is needed, not true"),
    ("task = 3", "task: input should be a valid string; got 3"),
    ("data = 3", "data: input is not a valid path"),
    ("name = 3", "name: input should be a valid string; got 3"),
    ("plugins = 'mine'", "plugins: input should be a valid tuple; got 'mine'"),
    ("task_options = 3", "task_options: input should be a valid dictionary; got 3"),
    (
        "task_options = { kind = ['a'], items = {a = 1} }",
        "nas-rnn: task_options.kind: a number, a text, true or false is needed, not ['a']\n"
        "task_options.items: a number, a text, true or false is needed, not {'a': 1}\n",
    ),
    ("seed = " + "1" * 5000, "options.toml': a whole number is larger than 64 bits hold; give a smaller one"),
    ("seed = 0x" + "f" * 5000, "options.toml': seed: a whole number is larger than 64 bits hold"),
    (
        "tune_over = ['batch', 0o" + "7" * 9000 + "]",
        "options.toml': tune_over[1]: a whole number is larger than",
    ),
    (
        "task_options.embedding = -9223372036854775809",
        "options.toml': task_options.embedding: a whole number is",
    ),
    ("seed = " + "[" * 5000, "cannot be read as TOML: maximum recursion depth exceeded"),
    ("device = 3", "device: input should be a valid string; got 3"),
    ("address = 3", "address: input should be a valid string; got 3"),
    ("storage = 'nonsense'", "'nonsense' is none"),
    ("workers = 100000", "too many for this machine"),
]

SEARCH = [
    *(([flag], NEEDS) for flag in ["--space", "--strategy", "--trials", "--time", "--scheduler", "--resume"]),
    *((["--trials", value], WHOLE) for value in ("", "1.5")),
    *(
        (["--time", value], "a duration is written like 90s")
        for value in ("", "-5s", "nan", "5", "1h 30m", "30M")
    ),
    (["--trials", "-1"], "trials: input should be greater than or equal to 1; got -1"),
    (["--space", ""], "unknown space ''. Known:"),
    (["--space", "lstm"], "unknown space 'lstm'"),
    (["--strategy", ""], "unknown strategy ''. Known:"),
    (["--strategy", "tpee"], "unknown strategy 'tpee'; did you mean 'tpe'?"),
    (["--scheduler", "ASHA"], "scheduler: input should be 'halving' or 'none'; got 'ASHA'"),
    (["--resume", ""], "unknown search ''"),
    (["--resume", "../x"], "unknown search '../x'"),
    (["--changed-plugins"], "--changed-plugins is for a search that is resumed: give its name with --resume"),
    (["--baseline", "gru"], "there is no option '--baseline'"),
]

COMPARE = [
    (["--baseline"], NEEDS),
    (["--baseline", ""], "unknown cell, .cell file, recipe or search ''"),
    (["--baseline", "no.cell"], "there is no file 'no.cell'"),
    (["--space", "gated"], "there is no option '--space'"),
    *(([file], "cannot read the cell file") for file in ("binary", "binary.cell", "folder.cell")),
    (["empty.cell"], "empty.cell: line 1: a cell's text is one function"),
    (["folder"], "unknown cell, .cell file, recipe or search 'folder'"),
    ([""], "unknown cell, .cell file, recipe or search ''"),
]

OTHERS = [
    *(
        (["show", "lstm", flag], NEEDS)
        for flag in ["--diagram", "--input-size", "--hidden-size", "--plugins", "--runs"]
    ),
    (["show", "binary.cell"], "cannot read the cell file 'binary.cell'"),
    (["show", "empty.cell"], "empty.cell: line 1"),
    (["show", "folder"], "unknown cell, .cell file, recipe or search 'folder'"),
    (["show", "lstm", "--diagram", ""], PATH),
    (["show", "lstm", "--diagram", "folder"], "--diagram draws .svg and .png files, not 'folder'"),
    (["show", "lstm", "--input-size", "1.5"], "a whole number from 1 is needed, not '1.5'"),
    (["show", "lstm", "--hidden-size", "-1"], "a whole number from 1 is needed, not '-1'"),
    (["show", "lstm", "--plugins", "text.txt"], "--plugins takes a folder"),
    (["show", "lstm", "--runs", "text.txt"], "takes a folder of searches; 'text.txt' is none"),
    (["show", "lstm", "gru"], "unexpected extra argument"),
    *((["list", flag], NEEDS) for flag in ("--plugins", "--runs")),
    (["list", ""], "cannot list ''"),
    (["list", "strategy"], "did you mean 'strategies'?"),
    (["list", "searches", "--runs", "text.txt"], "takes a folder of searches; 'text.txt' is none"),
    *(
        (["sample", "x", flag], NEEDS)
        for flag in ["--length", "--prompt", "--temperature", "--seed", "--runs"]
    ),
    (["sample", ""], "unknown search ''"),
    (["sample", "x", "--length", "-1"], "a whole number from 1 is needed, not '-1'"),
    (
        ["sample", "x", "--seed", "4294967296"],
        "a whole number from 0 to 4294967295 is needed, not '4294967296'",
    ),
    (["sample", "x", "--prmpt", "a"], "did you mean '--prompt'?"),
    (["sample", "x", "--runs", "text.txt"], "takes a folder of searches; 'text.txt' is none"),
    *((["ui", flag], NEEDS) for flag in ["--host", "--port", "--rebuild", "--runs"]),
    (["ui", "--host", ""], "--host takes the address to serve at, such as 127.0.0.1, not ''"),
    (["ui", "--host", "300.1.1.1"], "--host '300.1.1.1' is no address of this machine"),
    (["ui", "--host", "203.0.113.7"], "--host '203.0.113.7' is no address of this machine"),
    (["ui", "--port", ""], "a whole number from 0 to 65535 is needed, not ''"),
    (["ui", "--port", "-1"], "a whole number from 0 to 65535 is needed, not '-1'"),
    (["ui", "--rebuild", ""], "unknown search ''"),
    (["ui", "--runs", "text.txt"], "takes a folder of searches; 'text.txt' is none"),
    (["ui", "--prt", "3"], "did you mean '--port'?"),
    (["new"], "Missing argument"),
    (["new", "space"], "Missing argument 'NAME'"),
    (["new", "sapce", "x"], "no kind of plugin called 'sapce'; did you mean 'space'?"),
    (["new", "space", ""], "begins with a letter"),
    (["new", "space", "x" * 101], "the name of a space has at most 100 characters, not 101"),
    (["new", "space", "mine", "--dir", ""], PATH),
    (["new", "space", "mine", "--dir", "text.txt"], "'text.txt' is no folder; --dir takes a folder"),
    (["new", "space", "mine", "--dir"], NEEDS),
    (["new", "space", "mine", "--dri", "x"], "did you mean '--dir'?"),
    (["new", "space", "mine", "more"], "unexpected extra argument"),
    (["check"], "Missing argument"),
    (["check", ""], "unknown plugin ''"),
    (["check", "folder"], "'folder' is a folder; give a .py or .cell file"),
    (["check", "folder.cell"], "'folder.cell' is a folder; give a .py or .cell file"),
    (["check", "text.txt"], "'text.txt' is neither a .py nor a .cell file"),
    (["check", "no.cell"], "there is no file 'no.cell'"),
    (["check", "lstm", "--kind"], NEEDS),
    (
        ["check", "lstm", "--kind", "spce"],
        "'spce'; did you mean 'space'? Known: cell, op, space, strategy, task",
    ),
    (["check", "lstm", "--kind", ""], "no kind of plugin called ''"),
    (["check", "lstm", "--plugins", "text.txt"], "--plugins takes a folder"),
    (["check", "lstm", "--kid", "cell"], "did you mean '--kind'?"),
    (["bench"], "No such command 'bench'"),
    (["-x"], "there is no option '-x'"),
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with files that are not what the options take."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins, "_registry", plugins._registry)
    for name in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.cell").mkdir()
    for name, content in {
        "empty": b"",
        "empty.cell": b"",
        "binary": bytes(range(256)),
        "binary.cell": bytes(range(256)),
        "short.txt": b"abc",
        "text.txt": b"the cell opens and closes again ",
    }.items():
        (tmp_path / name).write_bytes(content)


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *((["search", *given], message) for given, message in [*BOTH, *SEARCH]),
        *((["compare", "gru", *given], message) for given, message in [*BOTH, *COMPARE]),
        *OTHERS,
    ],
)
def test_a_bad_value_is_named(run: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    require_mistake(run, tmp_path, arguments, message)


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("command", [["search"], ["compare", "gru"]])
@pytest.mark.parametrize(("text", "message"), TOML)
def test_a_bad_file_of_options_is_named(
    run: Run, tmp_path: Path, command: list[str], text: str, message: str
) -> None:
    (tmp_path / "options.toml").write_text(f"{text}\n")
    require_mistake(run, tmp_path, [*command, "--config", "options.toml"], message)


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize(
    ("name", "value", "command", "message"),
    [
        *(
            ("MLFLOW_TRACKING_URI", "nonsense", command, "MLflow cannot keep runs at 'nonsense'")
            for command in (["search"], ["compare", "gru"], ["ui"])
        ),
        *(
            ("NAS_RNN_RUNS", "text.txt", command, "takes a folder of searches; 'text.txt' is none")
            for command in (["search"], ["compare", "gru"], ["ui"], ["list", "searches"], ["sample", "x"])
        ),
    ],
)
def test_a_bad_environment_is_named(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    command: list[str],
    message: str,
) -> None:
    monkeypatch.setenv(name, value)
    require_mistake(run, tmp_path, command, message)


def require_mistake(run: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    """Run the program; its message must be on stderr, with exit code 2, and no search begun."""
    outcome = run(*arguments)
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not list((tmp_path / "runs").glob("*/*"))


def test_a_server_that_is_away_is_named(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dashboard of a server is its own; where it does not answer that is said, without a traceback."""
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "config.toml").write_text('task = "char-lm"\n')
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    outcome = run("ui")
    assert outcome.code == 1
    assert "MLflow at http://127.0.0.1:9 does not answer; start the server there" in outcome.err
