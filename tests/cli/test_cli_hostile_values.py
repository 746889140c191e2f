"""Values and files that break whoever reads them carelessly: exit code 2, one message in plain words, nothing begun."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run

LONG = "x" * 300
DIGITS = "9" * 5000
NUL = "a\0b"
DEEP = "[" * 100_000 + "]" * 100_000
NO_PATH = "has no character U+0000"
TOO_LONG = "File name too long"
NO_NAME = "a name is 1 to 100 letters, digits"
UNKNOWN = "unknown search "
TAKEN = ("mlflow.db", "artifacts", "MLflow.db-wal")
ENDLESS = "it holds a whole number of thousands of digits"
CELL = "@cell\ndef own(x, h):\n    return {}\n"


def flipped() -> bytes:
    """Return packed bytes of which some are others in the middle."""
    packed = gzip.compress(bytes(range(256)) * 100)
    return packed[:40] + b"\xff" * 40 + packed[80:]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *((["search", flag, NUL], NO_PATH) for flag in ("--data", "--runs", "--plugins", "--config")),
        *((["search", flag, LONG], TOO_LONG) for flag in ("--data", "--runs", "--plugins", "--config")),
        *((["search", "--name", name], NO_NAME) for name in (NUL, LONG, "..", "a/b")),
        *((["search", "--name", name], "is what MLflow's store is called there") for name in TAKEN),
        *(([command, name], UNKNOWN) for command in ("report", "sample") for name in (NUL, LONG, "../runs", "a/../b")),
        *((["search", "--resume", name], UNKNOWN) for name in (NUL, LONG, "../x")),
        *((["show", name], TOO_LONG) for name in (LONG, LONG + ".cell")),
        (["show", NUL + ".cell"], NO_PATH),
        *((["search", flag, LONG], TOO_LONG) for flag in ("--start-from", "--reference")),
        *((["search", flag, NUL], NO_PATH) for flag in ("--start-from", "--reference")),
        (["show", LONG + ".json"], TOO_LONG),
        (["evaluate", "gru", "--study", NUL], NO_NAME),
        (["search", "--constraint", f"products<={DIGITS}"], "a bound reads products<=20, with a whole number"),
        (["search", "--params", DIGITS], "a whole number is needed"),
        (["search", "--learning-rate", DIGITS], "must be a finite number"),
        (["search", "--time", DIGITS + "h"], "a duration is at most 3650d"),
        (["search", "--task-option", f"characters={DIGITS}"], "must be of type int"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be(run: Run, place: Path, arguments: list[str], message: str) -> None:
    found = run(*arguments)
    assert (found.code, found.out) == (2, "")
    assert message in " ".join(found.err.split())
    assert not re.search(r"\b[A-Z]\w*Error\b|Errno", found.err)
    assert len(found.err) < 2500 + 5100 * (DIGITS in found.err)
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("deep.json", f'{{"recipe": {DEEP}}}', "lists and objects are nested too deeply in it"),
        ("digits.json", f'{{"recipe": {{"h_new_0": {DIGITS}}}}}', ENDLESS),
        ("text.json", f'{{"recipe": "{{\\"h_new_0\\": {DIGITS}}}"}}', ENDLESS),
        (
            "cut.json.gz",
            gzip.compress(b'{"recipe": 1}' * 1000)[:-20],
            "ended before the end-of-stream marker",
        ),
        ("none.json.gz", "{}", "Not a gzipped file"),
        ("flipped.json.gz", flipped(), "what is packed in it is damaged"),
        ("bomb.json.gz", gzip.compress(b" " * 300_000_000, compresslevel=1), "more than"),
        ("deep.cell", CELL.format("tanh(" * 3000 + "x" + ")" * 3000), "too many nested parentheses"),
        ("digits.cell", CELL.format(f"x * {DIGITS}"), f"line 3: not valid as a cell's text: {ENDLESS}"),
        ("nul.cell", CELL.format("x") + "\0", "(U+0000)"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_a_file_that_cannot_be(run: Run, place: Path, name: str, content: str | bytes, message: str) -> None:
    (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    found = run("show", name)
    assert (found.code, found.out) == (2, "")
    assert message in " ".join(found.err.split())
    assert "set_int_max" not in found.err and "Error" not in found.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"a={DEEP}", "cannot be read as TOML"),
        ("task_options=" + "{a=" * 500 + "1" + "}" * 500, "cannot be read as TOML"),
        (f"params={DIGITS}", "a whole number is larger than 64 bits hold"),
        (f"learning_rate=1e{DIGITS}", "must be a finite number"),
        ('data="a\\u0000b"', "data: the path of a file or folder has no character U+0000"),
        ('plugins=["a\\u0000b"]', "plugins: the path of a file or folder has no character U+0000"),
        (f'data="{LONG}"', TOO_LONG),
        (f'constraints=["products<={DIGITS}"]', "a bound reads products<=20"),
    ],
    ids=range(8),
)
def test_a_configuration_that_cannot_be(run: Run, place: Path, content: str, message: str) -> None:
    (place / "c.toml").write_text(content)
    found = run("search", "--config", "c.toml")
    assert (found.code, found.out) == (2, "")
    assert message in " ".join(found.err.split())
    assert [path.name for path in place.iterdir()] == ["c.toml"]


def test_a_run_outside_its_folder_is_none(run: Run, place: Path) -> None:
    (place / "else/best").mkdir(parents=True)
    (place / "else/config.toml").write_text("")
    (place / "else/best/cell.cell").write_text(CELL.format("tanh(linear(x, h))"))
    for command in ("report", "show"):
        found = run(command, "../else")
        assert found.code == 2 and "unknown" in found.err
    assert sorted(path.name for path in (place / "else").iterdir()) == ["best", "config.toml"]
