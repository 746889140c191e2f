"""A fresh test part is cut where no final has read, is the same after a resume, and counts as read from then on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_rnn.errors import UserError
from nas_rnn.experiment.events import silent
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.session import new_session, prepare, resumed_session
from nas_rnn.run_folder.config import CompareConfig
from nas_rnn.run_folder.fresh_test import FreshTest, next_cut
from nas_rnn.run_folder.holdout import lock_final_plan, read_before
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.tasks import Batch, TaskData
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.data import EVALUATION, PARTS
from nas_rnn.tasks.glimpses import Glimpses
from tests.experiment.test_holdout import ENTRY
from tests.tasks.test_contract import Good

DATA = TaskData(
    {
        part: {"codes": np.arange(first, end, dtype=np.int16)}
        for part, first, end in (("train", 0, 800), ("valid", 800, 900), ("test", 900, 1000))
    }
)


def finished(runs: Path, name: str, data: TaskData, cut: FreshTest | None) -> RunFolder:
    """Leave what a run leaves whose final has begun on a part that was cut so, or on the task's own."""
    folder = RunFolder(runs, name)
    folder.trials.mkdir(parents=True)
    folder.write("config.toml", "")
    folder.write_json("data.json", {} if cut is None else {"fresh_test": cut.to_dict()})
    lock_final_plan(folder, data if cut is None else data.with_fresh_test(cut.begins, cut.ends), [ENTRY])
    return folder


def test_each_run_cuts_before_what_finals_have_read(tmp_path: Path) -> None:
    assert next_cut(DATA, 0.1, tmp_path) == FreshTest(700, 800)
    finished(tmp_path, "plain", DATA, None)
    first = next_cut(DATA, 0.1, tmp_path)
    assert first == FreshTest(700, 800)
    assert read_before(finished(tmp_path, "first", DATA, first)) == ()
    assert read_before(finished(tmp_path, "again", DATA, first)) == ("first",)
    second = next_cut(DATA, 0.05, tmp_path)
    assert second == FreshTest(650, 700)
    assert read_before(finished(tmp_path, "second", DATA, second)) == ()
    assert next_cut(DATA, 0.05, tmp_path) == FreshTest(600, 650)


def test_what_was_read_is_known_by_its_content(tmp_path: Path) -> None:
    """Also where the other parts were cut in another way; of other data nothing has been read."""
    finished(tmp_path, "first", DATA, FreshTest(700, 800))
    shorter = TaskData({**DATA.parts, "valid": {"codes": DATA.part("valid")["codes"][:50]}})
    assert next_cut(shorter, 0.1, tmp_path).ends == 700
    other = TaskData({**DATA.parts, "train": {"codes": DATA.part("train")["codes"] + 1}})
    assert next_cut(other, 0.1, tmp_path).ends == 800


def test_a_part_that_no_final_has_read_is_still_fresh(tmp_path: Path) -> None:
    folder = finished(tmp_path, "first", DATA, FreshTest(700, 800))
    (folder.path / "final.json").unlink()
    assert next_cut(DATA, 0.1, tmp_path).ends == 800


def test_too_large_a_share_is_told_with_who_read_the_rest(tmp_path: Path) -> None:
    assert next_cut(DATA, 0.4, tmp_path) == FreshTest(400, 800)
    with pytest.raises(
        UserError, match=r"--fresh-test 0.41 takes 410 of the 800 rows .*; give a smaller share"
    ):
        next_cut(DATA, 0.41, tmp_path)
    finished(tmp_path, "first", DATA, FreshTest(400, 800))
    with pytest.raises(
        UserError, match=r"takes 300 of the 400 rows .*, since first read the rest, and leaves"
    ):
        next_cut(DATA, 0.3, tmp_path)


def test_what_is_cut_off_is_in_one_part_and_the_rest_behind_it_in_none() -> None:
    cut = DATA.with_fresh_test(600, 700)
    found = {part: cut.part(part)["codes"] for part in PARTS}
    assert found["train"].tolist() == list(range(600))
    assert found["valid"].tolist() == list(range(800, 900))
    assert found["test"].tolist() == list(range(600, 700))


def test_rows_that_cannot_be_cut_are_refused() -> None:
    with pytest.raises(UserError, match="items stand in groups"):
        replace(DATA, groups={"test": np.arange(100)}).with_fresh_test(600, 700)
    with pytest.raises(UserError, match=r"different first axes \(3, 4\)"):
        TaskData({"train": {"a": np.arange(3), "b": np.arange(4)}}).with_fresh_test(1, 2)
    with pytest.raises(UserError, match="the task 'good' does not say how to cut a fresh test part"):
        Good().fresh_test(Good().load(None), 1, 2)


def test_a_fresh_text_reads_the_training_text_before_it() -> None:
    def context(data: TaskData) -> Any:
        batches: list[Batch] = [b for b in CharLM().batches(data, "test", EVALUATION) if b.context]
        return np.concatenate([batch.inputs for batch in batches])[:, 0]  # type: ignore[arg-type]

    assert context(CharLM().fresh_test(DATA, 700, 800)).tolist() == list(range(700 - 256, 700))


def test_pictures_that_test_do_not_say_what_is_grey() -> None:
    task = Glimpses()
    data = task.load(None)
    rows = data.rows("train")
    cut = task.fresh_test(data, rows - 200, rows)
    pixels = data.part("train")["pictures"][: rows - 200]
    assert cut.meta["mean"] == pytest.approx(pixels.mean())
    assert cut.meta["deviation"] == pytest.approx(pixels.std())
    assert cut.meta["mean"] != data.meta["mean"]


def test_a_run_keeps_its_cut_and_the_next_one_cuts_before_it(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    values = {"cells": ("gru",), "fresh_test": 0.1, "task_options": {"characters": 40_000}}

    def begun(name: str) -> Models:
        prepared = prepare(CompareConfig, {**values, "name": name}, runs)
        with new_session("compare", prepared, runs, "compare", silent, lambda folder: None) as session:
            lock_final_plan(session.folder, session.models.data, [ENTRY])
            return session.models

    first, second = begun("first"), begun("second")
    assert (first.fresh, second.fresh) == (FreshTest(28_000, 32_000), FreshTest(24_000, 28_000))
    assert [len(first.data.part(part)["codes"]) for part in PARTS] == [28_000, 4_000, 4_000]
    with resumed_session("compare", CompareConfig, RunFolder(runs, "first"), {}, silent) as session:
        assert session.models.fresh == first.fresh
        lock_final_plan(session.folder, session.models.data, [ENTRY])  # the same test part, or it is refused
    assert [read_before(RunFolder(runs, name)) for name in ("first", "second")] == [(), ()]
