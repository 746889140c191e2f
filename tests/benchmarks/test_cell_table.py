"""The table of trained cells: a tiny one made by the script, how losses are read, and the one that is shipped."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import cell_table_figures as figures
import make_cell_table as script
from cell_table import CellTable, PartOfSpace, TabledCell, TabledRun, every_candidate

from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.plugins import load_cell, load_space
from nas_rnn.spaces import SpaceError
from nas_rnn.strategies import TPE, Evolution, Exhausted, RandomSearch
from nas_rnn.testing import check_space
from nas_rnn.training import EpochRecord, RunResult, RunStore, TrainingOptions
from tests.in_process import InProcessEngine

KEPT = {
    "memory": ("none", "hidden"),
    "candidate": ("tanh", "identity"),
    "reset": ("none",),
    "update": ("1 - forget",),
    "forget_reads": ("x and h",),
}
SETTINGS = script.Settings(
    parameters=1500,
    training=TrainingOptions(epochs=2, batch=8, length=16, device="cpu"),
    task_options={"characters": 3000, "embedding": 4},
    kept=KEPT,
)

RECORD = EpochRecord(
    epoch=1,
    train_loss=2.0,
    valid_loss=2.0,
    metric=2.0,
    seconds=1.0,
    units_per_second=100.0,
    gradient_norm=1.0,
    clipped=0.0,
)


def made(out: Path, *, best: int = 2, settings: script.Settings = SETTINGS) -> CellTable:
    """Make the tiny table: four cells, the best of them on two seeds."""
    given = script.parsed(["--out", str(out), "--seeds", "2", "--best", str(best), "--workers", "1"])
    return script.made(given, settings)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[CellTable, Path]:
    """The tiny table, trained by Ray's workers, and its folder; not to be changed."""
    out = tmp_path_factory.mktemp("table")
    return made(out), out


@pytest.fixture(scope="module")
def shipped() -> CellTable:
    return CellTable.load()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in this process."""
    monkeypatch.setattr(script, "Engine", InProcessEngine)


def test_a_table_has_every_cell_of_its_part_and_the_best_on_all_seeds(tiny: tuple[CellTable, Path]) -> None:
    table, _ = tiny
    assert [cell.digest for cell in table.cells] == [c.digest for c in every_candidate(table.space)]
    assert len(table.cells) == 4 and table.epochs == 2
    ranked = sorted(table.cells, key=lambda cell: table.loss(cell.digest) or math.inf)
    assert [cell.seeds for cell in ranked] == [(0, 1), (0, 1), (0,), (0,)]
    assert all(len(table.curve(cell.digest, seed)) == 2 for cell in table.cells for seed in cell.seeds)
    assert all(abs(cell.parameters / 1500 - 1) < 0.1 for cell in table.cells)
    floor = table.about["floors"]["unigram"]
    assert all(1.0 < table.curve(cell.digest)[-1] < floor + 2 for cell in table.cells)
    twice = ranked[0]
    assert table.curve(twice.digest, 0) != table.curve(twice.digest, 1)


def test_runs_are_kept_and_those_that_lack_are_trained_again(
    tiny: tuple[CellTable, Path], tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process they come out the same as with Ray's workers."""
    table, _ = tiny
    trained: list[str] = []
    told = script.Folder.on_done
    monkeypatch.setattr(
        script.Folder,
        "on_done",
        lambda self, spec, result: trained.append(spec.id) or told(self, spec, result),
    )
    again = made(tmp_path)
    assert [without_seconds(cell) for cell in again.cells] == [without_seconds(cell) for cell in table.cells]
    assert len(trained) == 6

    lost = trained.pop(1)
    RunStore(tmp_path / "runs" / lost).clear()
    trained.clear()
    assert [without_seconds(cell) for cell in made(tmp_path).cells] == [
        without_seconds(cell) for cell in table.cells
    ]
    assert trained == [lost]


def test_runs_are_trained_on_and_cut(tiny: tuple[CellTable, Path], tmp_path: Path, here: None) -> None:
    """One epoch and then the second gives what both at once give, and the other way round."""
    table, _ = tiny
    short = replace(SETTINGS, training=replace(SETTINGS.training, epochs=1))
    first = made(tmp_path, best=0, settings=short)
    assert [first.curve(cell.digest) for cell in first.cells] == [
        table.curve(cell.digest)[:1] for cell in table.cells
    ]
    assert [without_seconds(cell) for cell in made(tmp_path).cells] == [
        without_seconds(cell) for cell in table.cells
    ]
    again = made(tmp_path, best=0, settings=short)
    assert [without_seconds(cell) for cell in again.cells] == [without_seconds(cell) for cell in first.cells]


def without_seconds(cell: TabledCell) -> TabledCell:
    return replace(cell, runs={seed: replace(run, cpu_seconds=None) for seed, run in cell.runs.items()})


def test_a_folder_takes_no_runs_of_other_training(tiny: tuple[CellTable, Path], here: None) -> None:
    other = replace(SETTINGS, training=replace(SETTINGS.training, learning_rate=0.02))
    with pytest.raises(UserError, match="has runs of another training"):
        made(tiny[1], settings=other)


def test_one_process_at_a_time_holds_a_folder(tmp_path: Path) -> None:
    with (
        script.held(tmp_path),
        pytest.raises(UserError, match="another process trains"),
        script.held(tmp_path),
    ):
        raise AssertionError("held twice")


def test_a_run_that_failed_leaves_no_table_and_is_tried_again(
    tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:

        def build(*arguments: object) -> None:
            raise ValueError("no model today")

        broken.setattr("nas_rnn.training.trainer.build_model", build)
        with pytest.raises(NasRnnError, match="no model today"):
            made(tmp_path, best=0)
    assert len(made(tmp_path, best=0).cells) == 4


def test_the_processor_seconds_of_runs_survive_a_torn_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Process:
        times = iter([10.0, 13.5, 14.0])

        def __init__(self, pid: int) -> None:
            pass

        def cpu_times(self) -> tuple[float, ...]:
            return next(self.times), 0.0, 0.0, 0.0, 99.0

    monkeypatch.setattr(script.psutil, "Process", Process)
    clock = script.Clock(tmp_path / "seconds")
    for run in ("first", "second", "third"):
        clock.ended(run, 1)
    assert clock.seconds == {"second": 3.5, "third": 0.5}
    text = (tmp_path / "seconds").read_text()
    (tmp_path / "seconds").write_text(text[:-3])
    assert script.Clock(tmp_path / "seconds").seconds == {"second": 3.5}


def handmade(curve: tuple[float, ...], ending: str = "finished") -> CellTable:
    runs = {0: TabledRun(curve, ending)}  # type: ignore[arg-type]
    return CellTable({"training": {"epochs": 3}}, (TabledCell("c1-0", {}, 4, 100, runs),))


def test_a_loss_is_the_best_so_far_and_none_from_where_a_run_diverged() -> None:
    table = handmade((3.0, 2.0, 2.5))
    assert [table.loss("c1-0", epochs=epochs) for epochs in (1, 2, 3, None)] == [3.0, 2.0, 2.0, 2.0]
    assert table.curve("c1-0") == (3.0, 2.0, 2.5)
    diverged = handmade((3.0, 2.0), "diverged")
    assert [diverged.loss("c1-0", epochs=epochs) for epochs in (1, 2, 3)] == [3.0, 2.0, None]
    assert handmade((), "diverged").loss("c1-0", epochs=1) is None


def test_what_is_not_in_a_table_is_an_error() -> None:
    table = handmade((3.0, 2.0, 2.5))
    with pytest.raises(UserError, match=r"no cell 'c1-1'"):
        table.loss("c1-1")
    with pytest.raises(UserError, match="on the seeds 0, not on 1"):
        table.loss("c1-0", seed=1)
    for epochs in (0, 4):
        with pytest.raises(UserError, match=f"have 1 to 3 epochs, not {epochs}"):
            table.loss("c1-0", epochs=epochs)


def test_a_table_is_read_as_it_was_written(tiny: tuple[CellTable, Path], tmp_path: Path) -> None:
    table, path = tiny[0], tmp_path / "new" / "table.json.gz"
    table.save(path)
    read = CellTable.load(path)
    assert read.about == table.about
    assert [cell.decisions for cell in read.cells] == [cell.decisions for cell in table.cells]
    for cell in table.cells:
        assert read.cell(cell.digest).seeds == cell.seeds
        assert np.allclose(read.curve(cell.digest), table.curve(cell.digest), atol=1e-5)
    read.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"{}", b"\x1f\x8b broken"])
def test_another_file_is_no_table(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match="is no table of trained cells"):
        CellTable.load(tmp_path / "file")
    with pytest.raises(UserError, match="is no table of trained cells"):
        CellTable.load(tmp_path / "missing")


def test_a_part_of_a_space_keeps_its_contract_and_refuses_other_decisions() -> None:
    part = PartOfSpace(load_space("gated"), KEPT)
    assert check_space(part, samples=20) == []
    lstm = next(
        c for c in every_candidate(PartOfSpace(load_space("gated"), {})) if c.decisions["memory"] != "none"
    )
    with pytest.raises(SpaceError, match="this part has"):
        part.replay({**lstm.decisions, "candidate": "relu"})


def test_every_candidate_comes_once() -> None:
    kept = {**script.KEPT, "memory": ("none", "hidden"), "candidate": ("tanh", "relu")}
    found = [tuple(c.decisions.items()) for c in every_candidate(PartOfSpace(load_space("gated"), kept))]
    # Without a memory: candidate, reset. With it also how it is updated: by two gates, each reading one of two, or one.
    assert len(found) == len(set(found)) == 2 * 2 + 2 * 2 * (2 * 2 + 2 + 2 + 2)


def test_the_shipped_table_has_every_cell_of_its_part(shipped: CellTable) -> None:
    digests = [cell.digest for cell in shipped.cells]
    assert len(digests) == len(set(digests)) == 408
    assert {c.digest for c in every_candidate(shipped.space)} == set(digests)
    assert {load_cell(name).digest for name in script.NAMED} <= set(digests)


def test_the_shipped_cells_replay_to_their_digests(shipped: CellTable) -> None:
    for cell in shipped.cells:
        candidate = shipped.candidate(cell.digest)
        assert (candidate.digest, candidate.decisions) == (cell.digest, cell.decisions)


def test_the_shipped_curves_are_whole(shipped: CellTable) -> None:
    for cell in shipped.cells:
        assert cell.parameters <= 20_000
        for run in cell.runs.values():
            assert np.isfinite(run.curve).all() and all(loss > 0 for loss in run.curve)
            assert (
                len(run.curve) == shipped.epochs
                if run.ending == "finished"
                else len(run.curve) < shipped.epochs
            )


def test_the_best_hundred_of_the_shipped_table_have_three_seeds(shipped: CellTable) -> None:
    ranked = sorted(shipped.cells, key=lambda cell: shipped.loss(cell.digest) or math.inf)
    assert {cell.seeds for cell in ranked[:100]} == {(0, 1, 2)}
    assert {cell.seeds for cell in ranked[100:]} == {(0,)}


def proposals(kind: type, table: CellTable) -> Iterator[str]:
    strategy = kind(table.space, 3)
    for _ in range(60):
        try:
            candidate = strategy.ask()
        except Exhausted:
            return
        yield candidate.digest
        strategy.tell(candidate, table.loss(candidate.digest, epochs=table.epochs // 3))


@pytest.mark.parametrize("kind", [RandomSearch, Evolution, TPE])
def test_no_strategy_leaves_the_shipped_table(kind: type, shipped: CellTable) -> None:
    found = list(proposals(kind, shipped))
    assert len(found) == len(set(found)) == 60


def test_the_documentation_has_the_figures_of_the_shipped_table(shipped: CellTable) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "cell_table.md").read_text(encoding="utf-8")
    for line in figures.everything(shipped):
        assert line in page.splitlines(), line


def test_a_run_that_diverged_counts_as_far_as_it_went() -> None:
    """Also where its curve had come to an end before that, so that a search would take it as finished."""
    records = [replace(RECORD, epoch=epoch, metric=metric) for epoch, metric in ((1, 3.0), (2, 2.0))]
    result = RunResult(
        id="a",
        status="finished",
        reason=None,
        epochs=records,
        best_epoch=2,
        best_metric=2.0,
        parameters=9,
        test_statistics=None,
        seconds=1.0,
        ended_because="diverged",
    )
    assert script.tabled(result, 3, 1.5) == TabledRun((3.0, 2.0), "diverged", 1.5)
    assert script.tabled(result, 2, 1.5) == TabledRun((3.0, 2.0), "finished", 1.5)
    assert script.tabled(result, 1, 1.5) == TabledRun((3.0,), "finished", None)
