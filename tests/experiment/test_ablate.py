"""An ablation, small: the ranking, a search's own options, and going on after an interruption."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nas_rnn
from nas_rnn.catalogue.listing import listing
from nas_rnn.errors import UserError
from nas_rnn.experiment.dashboard import rebuild_runs
from nas_rnn.experiment.events import Event, Progress, RunStarted
from tests.experiment_runs import TINY_RUNS, write_text
from tests.in_process import in_process

CELL = """@cell
def found(x, h):
    z = sigmoid(linear(x, h))
    return z * h + (1 - z) * relu(linear(x, h))
"""


@pytest.fixture(scope="module", autouse=True)
def _engine() -> Iterator[None]:
    with in_process(pictures=True):
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, with_store: Callable[[Path], Path]) -> Path:
    """A folder with a search that has a best cell."""
    folder = tmp_path_factory.mktemp("ablations")
    with_store(folder / "runs")
    write_text(folder / "text.txt")
    best = folder / "runs" / "mine" / "best"
    best.mkdir(parents=True)
    (best / "cell.cell").write_text(CELL)
    options = {name: value for name, value in TINY_RUNS.items() if name != "workers"}
    lines = [f"{name} = {value}" for name, value in options.items()]
    lines += [f'data = "{folder / "text.txt"}"', 'space = "gated"', "trials = 3", 'name = "mine"']
    (best.parent / "config.toml").write_text("\n".join(lines) + "\n")
    (best.parent / "search.json").write_text('{"id": "mine", "kind": "search", "began_ms": 1}')
    return folder


@pytest.fixture(scope="module")
def finished(place: Path) -> nas_rnn.experiment.Result:
    return nas_rnn.ablate(
        "mine", elements=("activation", "path"), seeds=2, workers=2, name="parts", runs=place / "runs"
    )


def test_it_ranks_what_each_element_is_worth(finished: nas_rnn.experiment.Result, place: Path) -> None:
    assert (finished.status, finished.kind) == ("complete", "ablate")
    rows = finished.ablation
    assert rows is not None
    assert sorted(row["what"] for row in rows) == [
        "h is not read back",
        "no relu of the candidate",
        "tanh for relu of the candidate",
    ]
    differences = [row["difference"] for row in rows if row["difference"] is not None]
    assert differences == sorted(differences, reverse=True)
    assert all(abs(row["mismatch"]) < 0.2 for row in rows)
    kept = json.loads((place / "runs/parts/comparison.json").read_text())
    assert kept["baseline"]["name"] == "found" and kept["sentence"] == finished.verdict
    assert tomllib.loads((place / "runs/parts/config.toml").read_text())["tune"] == 0
    assert json.loads(json.dumps(finished.to_dict(), allow_nan=False))["ablation"] == json.loads(
        json.dumps(rows)
    )
    assert not (place / "runs/parts/best").exists()
    (row,) = [row for row in listing("searches", runs=place / "runs") if row["name"] == "parts"]
    assert (row["kind"], row["verdict"], row["answer"]) == ("ablate", "", finished.verdict)


def test_it_trains_with_the_searchs_options(finished: nas_rnn.experiment.Result, place: Path) -> None:
    specs = [json.loads(path.read_text()) for path in (place / "runs/parts/trials").glob("*/spec.json")]
    assert len(specs) == 8
    assert {spec["training"]["batch"] for spec in specs} == {TINY_RUNS["batch"]}
    assert {spec["training"]["epochs"] for spec in specs} == {TINY_RUNS["epochs"]}
    by_pair: dict[str, set[int]] = {}
    for spec in specs:
        by_pair.setdefault(spec["id"][-1], set()).add(spec["data_seed"])
    assert [len(seeds) for seeds in by_pair.values()] == [1, 1]


def test_it_goes_on_where_it_was_and_comes_to_the_same_table(
    finished: nas_rnn.experiment.Result, place: Path
) -> None:
    folder = place / "runs/parts"
    before = json.loads((folder / "comparison.json").read_text())
    (folder / "comparison.json").unlink()
    lost = sorted((folder / "trials").iterdir())[1]
    shutil.rmtree(lost)
    shutil.rmtree(place / "runs/mine/best")  # the cell is kept with the ablation
    started: list[str] = []

    def observe(event: Event, progress: Progress) -> None:
        started.extend([event.id] if isinstance(event, RunStarted) else [])

    again = nas_rnn.ablate(resume="parts", workers=1, observer=observe, runs=place / "runs")
    assert started == [lost.name]
    after = json.loads((folder / "comparison.json").read_text())
    for kept in (before, after):
        kept.pop("costs")
        kept.pop("seconds")
    assert after == before and again.verdict == finished.verdict
    rebuild_runs(place / "runs", "parts")


def test_mistakes_are_told(place: Path) -> None:
    runs = place / "runs"
    for arguments, message in (
        ({"what": None}, "needs a cell"),
        ({"what": "lstm", "elements": ("gates",)}, "did you mean 'gate'"),
        ({"what": "lstm", "elements": ("norm",)}, "nothing of the kinds norm"),
        ({"what": "lstn"}, "lstn"),
        ({"what": "lstm", "resume": "parts"}, "leave them out"),
        ({"resume": "mine"}, "is no ablation"),
        ({"resume": "parts", "epochs": 3}, "epochs cannot be changed"),
    ):
        with pytest.raises(UserError, match=message):
            nas_rnn.ablate(runs=runs, **arguments)
