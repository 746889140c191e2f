"""golden.py reads, compares and keeps records as it says. The program that it runs here is a small stand-in."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import golden
from unchanged import history
from unchanged.comparing import compare, relative, report
from unchanged.history import commits, record_all, tell
from unchanged.reading import NothingFound, read_folder, tensors
from unchanged.records import Unreadable, make_record, read_record
from unchanged.running import RUNS, Checkout, RunFailed, write_text

EPOCH = {"epoch": 1, "train_loss": 2.5, "metric": 3.5, "seconds": 0.5, "units_per_second": 9.0}
ANSWER = {"baseline": {"name": "lstm", "mean": 3.5, "std": None}, "contenders": [{"verdict": "better", "p": 0.5}],
          "costs": [{"runs": 2, "seconds": 7.5}], "seconds": 8.0}  # fmt: skip
RUN = {"curves/a/1/train_loss": 2.0, "curves/a/2/train_loss": 1.0, "weights/best/weights/w": "ab",
       "answer/mean": 3.0, "answer/contenders/0/verdict": "better"}  # fmt: skip

PROGRAM = """
import shutil, sys
from pathlib import Path

LOSS = "2.5"
FAILS_FIRST = False

def main():
    name, runs = (sys.argv[sys.argv.index(flag) + 1] for flag in ("--name", "--runs"))
    here, marker = Path(runs, name), Path("../failed")
    if FAILS_FIRST and not marker.exists():
        marker.touch()
        sys.exit("Ray did not start")
    shutil.copytree(Path(__file__).parent / "left", here)
    curve = here / "a" / "metrics.jsonl"
    curve.write_text(curve.read_text().replace("2.5", LOSS))
"""


def write_run(folder: Path, curve: str = "a/metrics.jsonl", answer: str = "comparison.json") -> Path:
    """Leave what a comparison leaves, under these names."""
    (folder / curve).parent.mkdir(parents=True)
    (folder / curve).write_text(json.dumps(EPOCH) + "\n")
    (folder / curve).with_name("system.jsonl").write_text(json.dumps({"at_ms": 1, "memory": 5.0}) + "\n")
    (folder / curve).with_name("weights.safetensors").write_bytes(save({"w": torch.ones(2)}))
    (folder / answer).write_text(json.dumps(ANSWER))
    (folder / "search.json").write_text(json.dumps({"began_ms": 17}))
    return folder


def write_checkout(folder: Path, program: str = PROGRAM) -> Checkout:
    """Leave a project whose program leaves what a comparison leaves."""
    write_run(folder / "left")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "stand_in"\nversion = "3.0"\nscripts.stand-in = "stand_in:main"\n'
        'entry-points."stand_in.cells".one = "stand_in.cells"\n'
    )
    (folder / "stand_in.py").write_text(program)
    return Checkout(folder, sys.executable)


def write_records(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    paths = [folder / "old.json", folder / "new.json"]
    for path, run in zip(paths, (old, new), strict=True):
        path.write_text(json.dumps({"machine": {}, "runs": {"r": run}}))
    return [str(path) for path in paths]


def test_a_folder_is_read_without_times_and_words(tmp_path: Path) -> None:
    found = read_folder(write_run(tmp_path))
    digest = found.pop("weights/a/weights/w")
    assert isinstance(digest, str) and len(digest) == 64
    assert found == {
        "curves/a/1/epoch": 1,
        "curves/a/1/train_loss": 2.5,
        "curves/a/1/metric": 3.5,
        "answer/baseline/mean": 3.5,
        "answer/baseline/std": None,
        "answer/contenders/0/verdict": "better",
        "answer/contenders/0/p": 0.5,
        "answer/costs/0/runs": 2,
    }


def test_files_that_moved_are_read_all_the_same(tmp_path: Path) -> None:
    before = read_folder(write_run(tmp_path / "old"))
    after = read_folder(write_run(tmp_path / "new", "deep/er/a/curve.jsonl", "answer.json"))
    assert after == before


@pytest.mark.parametrize("lost", ["a/metrics.jsonl", "a/weights.safetensors", "comparison.json"])
def test_a_folder_that_lacks_a_part_is_refused(tmp_path: Path, lost: str) -> None:
    (write_run(tmp_path) / lost).unlink()
    with pytest.raises(NothingFound, match=r"no (curves|weights|answer) were found"):
        read_folder(tmp_path)


def test_a_tensor_is_its_type_its_shape_and_its_bytes() -> None:
    one = torch.tensor([1.0, 2.0, 3.0, 4.0])
    made = [one, one.view(2, 2), one.view(torch.int32), torch.nextafter(one, one + 1)]
    assert len({dict(tensors(save({"w": tensor})))["w"] for tensor in made}) == 4
    both = dict(tensors(save({"v": one[:2].clone(), "w": one})))
    assert both["w"] == dict(tensors(save({"w": one.clone()})))["w"]


def test_equal_records_differ_in_nothing() -> None:
    outcome = compare({"r": RUN}, {"r": dict(RUN)})
    assert (outcome.differences, outcome.renamed, outcome.equal) == ([], [], 5)
    assert outcome.is_within(None) and outcome.is_within(0.0)


def test_the_last_bit_of_a_number_counts() -> None:
    changed = math.nextafter(3.0, 4.0)
    (found,) = compare({"r": RUN}, {"r": {**RUN, "answer/mean": changed}}).differences
    assert (found.run, found.field, found.old, found.new) == ("r", "answer/mean", 3.0, changed)
    assert str(found) == "r  answer/mean  3.0 -> 3.0000000000000004  (1.5e-16 relative)"


def test_another_name_for_the_same_value_is_no_difference() -> None:
    new = {key.replace("train_loss", "loss").replace("a/", "run-a/"): value for key, value in RUN.items()}
    outcome = compare({"r": RUN}, {"r": new})
    assert outcome.differences == [] and outcome.equal == 5
    assert outcome.renamed[0] == ("r", "curves/a/1/train_loss", "curves/run-a/1/loss")
    assert list(report(outcome))[-1] == "5 equal, 0 different"


@pytest.mark.parametrize("value", [3.5, "ab"])  # of no entry; of an entry of another part
def test_what_is_gone_and_what_is_new_are_differences(value: float | str) -> None:
    new = {**RUN, "answer/average": value}
    del new["answer/mean"]
    found = compare({"r": RUN}, {"r": new}).differences
    assert [(d.field, d.old, d.new) for d in found] == [
        ("answer/mean", 3.0, "(none)"),
        ("answer/average", "(none)", value),
    ]


def test_a_run_that_is_missing_is_a_difference() -> None:
    assert len(compare({"r": RUN, "s": RUN}, {"r": RUN}).differences) == 5
    assert len(compare({"r": RUN}, {"r": RUN, "s": RUN}).differences) == 5


@pytest.mark.parametrize(
    ("change", "within"),
    [
        ({"curves/a/1/train_loss": 2.0 + 1e-7}, True),
        ({"curves/a/1/train_loss": 2.0 + 1e-5}, False),
        ({"curves/a/1/train_loss": math.nan}, False),
        ({"curves/a/2/train_loss": 1.5, "weights/best/weights/w": "cd", "answer/mean": 3.1}, True),
        ({"answer/contenders/0/verdict": "worse"}, False),
        ({"answer/more": 9.0}, False),
    ],
)
def test_a_tolerance_is_for_the_first_losses(change: dict[str, Any], within: bool) -> None:
    outcome = compare({"r": RUN}, {"r": {**RUN, **change}})
    assert outcome.is_within(1e-6) is within
    assert not outcome.is_within(None)


def test_relative_differences() -> None:
    assert relative(2.0, 1.0) == relative(-1.0, -2.0) == 0.5
    assert relative(0.0, 0.0) == relative(math.nan, math.nan) == 0.0
    assert relative(1.0, math.inf) == math.inf
    assert relative(1.0, "ab") is None


@pytest.mark.parametrize(
    ("loss", "options", "code", "told"),
    [
        (2.0, [], 0, "5 equal, 0 different"),
        (2.0000001, [], 1, "r  curves/a/1/train_loss  2.0 -> 2.0000001  (5e-08 relative)"),
        (2.0000001, ["--tolerance", "1e-6"], 0, "largest relative difference 5e-08; verdicts: the same"),
        (2.1, ["--tolerance", "1e-6"], 1, "largest relative difference 0.0476; verdicts: the same"),
    ],
)
def test_the_command_says_what_differs(
    loss: float, options: list[str], code: int, told: str, tmp_path: Path, capsys: Any
) -> None:
    paths = write_records(tmp_path, RUN, {**RUN, "curves/a/1/train_loss": loss})
    assert golden.main(["compare", *paths, *options]) == code
    assert told in capsys.readouterr().out


def test_files_that_are_no_records_are_refused(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(Unreadable, match="is no record"):
        read_record(tmp_path / "a.json")
    assert golden.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2
    assert "golden.py record" in capsys.readouterr().out


def test_a_checkout_has_its_own_plugins(tmp_path: Path) -> None:
    write_checkout(tmp_path).write_metadata(tmp_path / "about")
    (found,) = distributions(path=[str(tmp_path / "about")])
    assert (found.name, found.version) == ("stand_in", "3.0")
    assert {(entry.group, entry.name, entry.value) for entry in found.entry_points} == {
        ("console_scripts", "stand-in", "stand_in:main"),
        ("stand_in.cells", "one", "stand_in.cells"),
    }


def test_the_text_is_always_the_same(tmp_path: Path) -> None:
    write_text(tmp_path / "text")
    text = (tmp_path / "text").read_bytes()
    assert len(text) == 12_000 and hashlib.sha256(text).hexdigest().startswith("50635897a25f5350")


def test_a_record_holds_every_run_and_none_of_its_places(tmp_path: Path) -> None:
    checkout = write_checkout(tmp_path / "checkout")
    record = make_record(checkout, say=lambda line: None)
    assert set(record["runs"]) == set(RUNS)
    assert record["runs"]["text-search"]["curves/a/1/train_loss"] == 2.5
    assert make_record(checkout, jobs=3, say=lambda line: None) == record


def test_a_command_that_fails_once_is_tried_again(tmp_path: Path) -> None:
    said: list[str] = []
    checkout = write_checkout(tmp_path, PROGRAM.replace("FAILS_FIRST = False", "FAILS_FIRST = True"))
    make_record(checkout, names=("text-compare",), say=said.append)
    assert said == [
        "  text-compare: once more, after text-compare: exit code 1: Ray did not start",
        *said[1:],
    ]


def test_code_of_another_place_is_refused(tmp_path: Path) -> None:
    here = write_checkout(tmp_path / "here", "from json import *\n")
    (here.folder / "pyproject.toml").write_text(
        '[project]\nname = "json"\nversion = "1"\nscripts.json = "json.tool:main"\n'
    )
    with pytest.raises(RunFailed, match=r"the code is that of .*json"):
        make_record(here, names=("text-compare",), say=lambda line: None)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Four commits: a program, a document, another rate, a fault."""
    folder = tmp_path / "repository"
    other = PROGRAM.replace('LOSS = "2.5"', 'LOSS = "5.0"')
    versions = [PROGRAM, None, other, "def main():\n    raise SystemExit('no')\n"]
    write_checkout(folder)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], cwd=folder, check=True)
    for number, version in enumerate(versions):
        (folder / "read.md").write_text(str(number))
        if version is not None:
            (folder / "stand_in.py").write_text(version)
        subprocess.run([*git, "add", "."], cwd=folder, check=True)
        subprocess.run([*git, "commit", "-qm", f"number {number}"], cwd=folder, check=True)
    return folder


def test_which_commits_are_recorded(repository: Path) -> None:
    last, third, second, first = history.git(repository, "rev-list", "HEAD").split()
    assert commits(repository, [f"{first}..HEAD"]) == [first, second, third, last]
    assert commits(repository, [f"{first}.."], every=2) == [first, third, last]
    assert commits(repository, ["HEAD~1", third, second]) == [third, second]
    with pytest.raises(history.GitFailed, match="nowhere"):
        commits(repository, ["nowhere"])


def test_a_history_says_which_commit_changed_what(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        history, "make_record", lambda *given, **more: make_record(*given, names=("text-compare",), **more)
    )
    folder, said = tmp_path / "records", list[str]()
    chosen = commits(repository, ["HEAD~3..HEAD"])
    record_all(repository, chosen, folder, sys.executable, say=said.append)
    assert f"{chosen[1][:10]}: changes nothing that a search reads" in said
    lines = [line.split("\n    ") for line in tell(repository, chosen, folder)]
    assert [line[0].split(" ", 1)[1] for line in lines] == [f"number {number}" for number in range(4)]
    assert lines[0][1:] == ["the first"]
    assert lines[1][1:] == ["9 equal, 0 different"]
    assert lines[2][1] == "text-compare  curves/a/1/train_loss  2.5 -> 5.0  (0.5 relative)"
    assert lines[3][1].startswith("no record: ")
    assert "exit code 1: no" in (folder / f"{chosen[3]}.failed").read_text()
    assert history.git(repository, "worktree", "list").count("\n") == 0

    said.clear()
    record_all(repository, chosen, folder, sys.executable, say=said.append)
    assert [line.partition(": ")[2] for line in said[:3]] == ["recorded already"] * 3
