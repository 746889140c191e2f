"""Whose finals have read the same test part is told, whatever has changed around the part since."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_rnn.comparison import Entry
from nas_rnn.errors import NasRnnError
from nas_rnn.run_folder.holdout import lock_final_plan, read_before
from nas_rnn.run_folder.layout import FINAL, RunFolder
from nas_rnn.tasks import TaskData
from nas_rnn.training import TrainingOptions

DATA = TaskData(
    {
        "train": {"codes": np.arange(30, dtype=np.uint8)},
        "valid": {"codes": np.arange(10, dtype=np.uint8)},
        "test": {"codes": np.arange(10, 20, dtype=np.uint8)},
    },
    {"vocabulary": "abc"},
)
ENTRY = Entry(
    name="lstm", cell="text", digest="c1-0", hidden_size=8, parameters=100, training=TrainingOptions()
)


def final(runs: Path, name: str, data: TaskData) -> RunFolder:
    """Begin the final of a new folder."""
    folder = RunFolder(runs, name)
    folder.trials.mkdir(parents=True)
    folder.write("config.toml", "")
    lock_final_plan(folder, data, [ENTRY])
    return folder


def with_test(**arrays: Any) -> TaskData:
    return TaskData({**DATA.parts, "test": arrays}, DATA.meta)


def earlier_final(runs: Path, name: str, data: TaskData, names: dict[str, str]) -> RunFolder:
    """Write what versions before wrote: one digest of all data under the names of then, and those in `data.json`."""
    folder = RunFolder(runs, name)
    folder.trials.mkdir(parents=True)
    folder.write("config.toml", "")
    arrays = {names[part]: data.part(part)["codes"] for part in ("train", "valid", "test")}
    digest = hashlib.sha256(json.dumps(data.meta, sort_keys=True).encode())
    for array_name, array in sorted(arrays.items()):
        digest.update(f"{array_name} {array.dtype} {array.shape}".encode() + array.tobytes())
    forms = {key: {"dtype": str(a.dtype), "shape": list(a.shape)} for key, a in arrays.items()}
    folder.write_json("data.json", {"arrays": forms})
    folder.write_json(FINAL, {"data": digest.hexdigest()[:16], "entries": [{"cell": "text"}]})
    return folder


def test_the_same_test_part_is_recognised_in_other_surroundings(tmp_path: Path) -> None:
    final(tmp_path, "first", DATA)
    codes = DATA.part("test")["codes"]
    surroundings = {
        "renamed": with_test(text=codes),
        "trained on less": TaskData({**DATA.parts, "train": {"codes": codes}}, DATA.meta),
        "from a renamed file": replace(DATA, meta={"vocabulary": "abc", "source": "copy.txt"}),
        "in groups": replace(DATA, groups={"test": np.arange(10) // 2}),
    }
    read = ["first"]
    for name, data in surroundings.items():
        assert read_before(final(tmp_path, name, data)) == tuple(sorted(read)), name
        read.append(name)


def test_arrays_count_by_content_and_not_by_the_order_of_their_names(tmp_path: Path) -> None:
    labels, codes = np.arange(10, dtype=np.int64), DATA.part("test")["codes"]
    final(tmp_path, "first", with_test(a=codes, b=labels))
    assert read_before(final(tmp_path, "second", with_test(a=labels, b=codes))) == ("first",)
    changed = codes.copy()
    changed[3] += 1
    assert read_before(final(tmp_path, "third", with_test(a=changed, b=labels))) == ()
    assert read_before(final(tmp_path, "fourth", with_test(a=codes.astype(np.int16), b=labels))) == ()


@pytest.mark.parametrize("suffix", ["", ".codes"])
def test_a_test_part_that_an_earlier_version_read_is_recognised(tmp_path: Path, suffix: str) -> None:
    names = {part: f"{part}{suffix}" for part in ("train", "valid", "test")}
    earlier_final(tmp_path, "earlier", DATA, names)
    changed = DATA.part("test")["codes"] + np.uint8(1)
    assert read_before(final(tmp_path, "other", with_test(codes=changed))) == ()
    assert read_before(final(tmp_path, "shorter", with_test(codes=changed[1:]))) == ()
    assert read_before(final(tmp_path, "same", replace(DATA, groups={"test": np.arange(10)}))) == ("earlier",)


def test_finals_of_earlier_versions_are_told_by_the_times_of_their_files(tmp_path: Path) -> None:
    names = {part: part for part in ("train", "valid", "test")}
    for age, name in enumerate(("b", "a", "c")):
        os.utime(earlier_final(tmp_path, name, DATA, names).path / FINAL, (1000 + age, 1000 + age))
    assert read_before(RunFolder(tmp_path, "b")) == ()
    assert read_before(RunFolder(tmp_path, "c")) == ("a", "b")


def test_a_final_goes_on_with_the_same_data_and_groups_alone(tmp_path: Path) -> None:
    first = final(tmp_path, "first", DATA)
    second = final(tmp_path, "second", DATA)
    lock_final_plan(first, DATA, [ENTRY])
    assert (read_before(first), read_before(second)) == ((), ("first",))
    with pytest.raises(NasRnnError, match="the test part is read only once"):
        lock_final_plan(first, replace(DATA, groups={"test": np.arange(10)}), [ENTRY])
    kept = first.read_json(FINAL)
    first.write_json(FINAL, {key: kept[key] for key in ("data", "entries")})  # as earlier versions wrote it
    lock_final_plan(first, DATA, [ENTRY])
    with pytest.raises(NasRnnError, match="other cells or settings"):
        lock_final_plan(first, DATA, [replace(ENTRY, hidden_size=9)])
