"""A comparison that names a search means its task, data and options; cells of one digest are one contender."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import nas_rnn
from nas_rnn.cells import Cell
from nas_rnn.errors import UserError
from nas_rnn.run_folder.config import AblateConfig, CompareConfig
from nas_rnn.run_folder.inheritance import inherit
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import FORMAT
from tests.experiment_runs import write_text

CELL = "@cell\ndef found(x, h):\n    return {act}(linear(x, h)) + h\n"
PLUGIN = """
from nas_rnn import operation

swish = operation("own_swish", value="a * sigmoid(a)", derivative="sigmoid(a) + y * (1 - sigmoid(a))")
"""


def searched(place: Path, name: str, settings: str, act: str = "tanh", digest: str = "d") -> RunFolder:
    """Make what a finished search leaves: its settings, what its data were, its best cell."""
    folder = place / "runs" / name
    (folder / "best").mkdir(parents=True)
    (folder / "best" / "cell.cell").write_text(CELL.format(act=act))
    (folder / "config.toml").write_text(f'space = "gated"\nname = "{name}"\n{settings}\n')
    (folder / "search.json").write_text(
        json.dumps({"id": name, "kind": "search", "began_ms": 1, "format": FORMAT})
    )
    (folder / "data.json").write_text(json.dumps({"digest": digest}))
    return RunFolder(place / "runs", name)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[CompareConfig, list[str], list[str]]]:
    """Comparisons that would have begun: configuration, contenders, notices; nothing is trained."""
    found: list[tuple[CompareConfig, list[str], list[str]]] = []

    def run(
        session: Any, baseline: Cell, cells: Sequence[Cell], *, notices: Sequence[str] = (), **_: Any
    ) -> None:
        found.append((session.config, [cell.name for cell in cells], [one for one in notices if one]))

    monkeypatch.setattr(importlib.import_module("nas_rnn.experiment.compare"), "run_comparison", run)
    return found


def test_a_search_that_is_named_gives_what_is_trained_and_nothing_of_its_machine(
    tmp_path: Path, begun: list[tuple[CompareConfig, list[str], list[str]]]
) -> None:
    text = write_text(tmp_path / "text.txt")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "swish.py").write_text(PLUGIN)
    searched(
        tmp_path,
        "first",
        f'task = "char-lm"\ndata = "{text}"\nparams = 9000\nmatch = "hidden"\nbatch = 8\nseeds = 3\ntune = 1\n'
        f'most_epochs = 7\nworkers = 5\ngpus_per_trial = 1.0\ndevice = "cuda"\nthreads = 9\nseed = 4\n'
        f'plugins = ["{tmp_path / "own"}"]\ntrials = 3\ntask_options = {{ embedding = 6 }}',
        act="own_swish",
    )
    nas_rnn.compare("first", "gru", runs=tmp_path / "runs", batch=4)
    ((config, cells, notices),) = begun
    assert cells == ["found", "gru"]
    assert (config.data, config.params, config.match, config.task_options) == (
        text,
        9000,
        "hidden",
        {"embedding": 6},
    )
    assert (config.seeds, config.tune, config.most_epochs, config.plugins) == (3, 1, 7, (tmp_path / "own",))
    assert (config.workers, config.gpus_per_trial, config.device, config.threads, config.seed) == (
        None,
        0.0,
        "auto",
        1,
        0,
    )
    assert config.batch == 4, "what is given takes precedence"
    taken, changed = notices
    assert taken == (
        f"taken over from first: task char-lm, data {text}, task options embedding=6, most epochs 7, "
        "9,000 parameters, match hidden, tune 1, seeds 3"
    )
    assert changed.startswith("the data are not what they were for first")


def test_the_baseline_may_be_the_search(
    tmp_path: Path, begun: list[tuple[CompareConfig, list[str], list[str]]]
) -> None:
    searched(tmp_path, "first", "params = 9000")
    nas_rnn.compare("gru", baseline="first", runs=tmp_path / "runs")
    ((config, _, notices),) = begun
    assert config.params == 9000 and notices[0] == (
        "taken over from first: task char-lm, data the task's own, 9,000 parameters"
    )


def test_cells_and_files_give_nothing_also_where_a_search_has_their_name(
    tmp_path: Path, begun: list[tuple[CompareConfig, list[str], list[str]]]
) -> None:
    searched(tmp_path, "gru", "params = 9000")
    file = searched(tmp_path, "first", "params = 9000").best / "cell.cell"
    nas_rnn.compare("gru", str(file), runs=tmp_path / "runs")
    assert begun[0][0].params == 60_000 and begun[0][2] == []


def test_an_ablation_takes_over_the_same_but_its_own_tuning(tmp_path: Path) -> None:
    folder = searched(tmp_path, "first", 'params = 9000\ntune = 3\nworkers = 5\ndevice = "cuda"')
    found = inherit(AblateConfig, [folder], {}, but={"tune"}).values
    assert found["params"] == 9000 and not {"tune", "workers", "device", "seed"} & set(found)


def test_of_another_task_only_sizes_and_numbers_are_taken(tmp_path: Path) -> None:
    folder = searched(tmp_path, "first", 'data = "/no/such/text"\nbatch = 8\nparams = 9000')
    found = inherit(CompareConfig, [folder], {"task": "glimpses"}).values
    assert found["params"] == 9000 and not {"data", "batch", "task_options", "task"} & set(found)


def test_what_only_fits_the_epochs_of_the_search_goes_with_them(tmp_path: Path) -> None:
    folder = searched(tmp_path, "first", 'epochs = 9\ndecay = "cosine"')
    assert inherit(CompareConfig, [folder], {}).values["decay"] == "cosine"
    assert "decay" not in inherit(CompareConfig, [folder], {"epochs": "auto"}).values


def test_a_toy_takes_over_nothing_that_would_make_it_large(
    tmp_path: Path, begun: list[tuple[CompareConfig, list[str], list[str]]]
) -> None:
    searched(tmp_path, "first", "params = 90000\ntune = 8\nseeds = 9\nepochs = 50")
    nas_rnn.compare("first", "gru", runs=tmp_path / "runs", smoke=True)
    config = begun[0][0]
    assert (config.params, config.tune, config.seeds, config.epochs) == (3000, 1, 1, 1)
    nas_rnn.compare("first", runs=tmp_path / "runs", smoke=True, seeds=2)
    assert begun[1][0].seeds == 2


def test_what_is_tuned_besides_goes_with_the_tuning(tmp_path: Path) -> None:
    folder = searched(tmp_path, "first", 'tune = 3\ntune_over = ["batch", "clip"]')
    assert "tune_over" not in inherit(CompareConfig, [folder], {"tune": 0}).values
    nothing = searched(tmp_path, "nothing", "tune_over = []")  # as it is by default
    assert "tune over" not in inherit(CompareConfig, [nothing], {}).notice
    assert "tune_over" not in inherit(AblateConfig, [folder], {}, but={"tune"}).values
    assert inherit(AblateConfig, [folder], {"tune": 2}, but={"tune"}).values["tune_over"] == ["batch", "clip"]
    assert inherit(CompareConfig, [folder], {"clip": 0.0}).values["tune_over"] == ["batch"]


def test_a_test_part_that_was_cut_is_no_change_of_the_data(tmp_path: Path) -> None:
    cut, other = {"begins": 10, "ends": 20}, {"begins": 5, "ends": 10}

    def told(theirs: dict[str, int] | None, ours: dict[str, int] | None, digest: str = "d") -> list[str]:
        name = f"first-{len(list((tmp_path / 'runs').glob('*')))}"
        (tmp_path / "runs").mkdir(exist_ok=True)
        folder, new = searched(tmp_path, name, ""), searched(tmp_path, f"{name}-new", "", digest=digest)
        folder.write_json("data.json", {"digest": "d"} | ({"fresh_test": theirs} if theirs else {}))
        new.write_json("data.json", {"digest": digest} | ({"fresh_test": ours} if ours else {}))
        return inherit(CompareConfig, [folder], {}).notices(new)[1:]

    assert told(None, None) == told(cut, cut) == []
    (line,) = told(cut, None, "e")
    assert "was cut with --fresh-test, and is trained on here" in line and "has changed" not in line
    for theirs in (None, other):
        (line,) = told(theirs, cut, "e")
        assert line.startswith("the test part is cut with --fresh-test, so it is not that of first")
    (line,) = told(cut, cut, "e")
    assert line.endswith("has changed since")


def test_searches_that_disagree_are_refused_with_what_decides_it(tmp_path: Path) -> None:
    one = write_text(tmp_path / "one.txt")
    runs = [
        searched(tmp_path, "first", f'data = "{one}"', digest="1"),
        searched(tmp_path, "second", "params = 9000", digest="2"),
        searched(tmp_path, "third", 'task = "glimpses"'),
    ]
    with pytest.raises(UserError, match="first and second disagree") as error:
        inherit(CompareConfig, runs[:2], {})
    assert f"first: data {one}, 60,000 parameters; second: data the task's own, 9,000" in str(error.value)
    assert "decide it with --data and --params" in str(error.value)
    assert str(tmp_path / "runs/first/best/cell.cell") in str(error.value)
    assert inherit(CompareConfig, runs[:2], {"data": one, "params": 9000}).values["batch"] == 32
    with pytest.raises(UserError, match=r"first: task char-lm, data .*; third: task glimpses, .* --task and"):
        inherit(CompareConfig, [runs[0], runs[2]], {})
    decided = inherit(CompareConfig, [runs[2], runs[0]], {"task": "char-lm"})
    assert decided.values["data"] == str(one)


def test_the_same_data_in_two_places_are_no_disagreement(tmp_path: Path) -> None:
    places = [write_text(tmp_path / name) for name in ("one.txt", "two.txt")]
    runs = [searched(tmp_path, place.stem, f'data = "{place}"', digest="same") for place in places]
    assert inherit(CompareConfig, runs, {}).values["data"] == str(places[0])


def test_data_and_plugins_that_are_gone_are_named_with_the_option_that_helps(tmp_path: Path) -> None:
    gone = searched(tmp_path, "first", 'data = "/no/such/text"')
    with pytest.raises(UserError, match=r"the data of 'first', '/no/such/text', .* --data"):
        inherit(CompareConfig, [gone], {})
    gone = searched(tmp_path, "second", 'plugins = ["/no/such/folder"]')
    with pytest.raises(UserError, match=r"'second' has plugins of '/no/such/folder', .* --plugins"):
        inherit(CompareConfig, [gone], {})


def test_a_cell_under_two_names_is_one_contender(
    tmp_path: Path, begun: list[tuple[CompareConfig, list[str], list[str]]]
) -> None:
    """By digest: a gate bias that starts elsewhere makes another cell."""
    gru, lstm = (nas_rnn.load_cell(name).to_text() for name in ("gru", "lstm"))
    for name, text in {
        "mine": gru.replace("def gru", "def mine"),
        "same": lstm.replace("def lstm", "def same"),
        "other": lstm.replace("def lstm", "def other").replace("bias=1)", "bias=2)"),
    }.items():
        (tmp_path / f"{name}.cell").write_text(text)
    mine, same, other = (str(tmp_path / f"{name}.cell") for name in ("mine", "same", "other"))
    nas_rnn.compare("gru", mine, same, other, runs=tmp_path / "runs")
    ((_, cells, notices),) = begun
    assert cells == ["gru", "other"]
    assert notices == [
        f"{mine} (mine) is the same cell as gru, so it is trained once, as that",
        f"{same} (same) is the baseline lstm itself, so it is no contender",
    ]
    with pytest.raises(UserError, match=r"nothing to compare: .*same.* is the baseline lstm itself"):
        nas_rnn.compare(same, runs=tmp_path / "runs")
