"""Series from .ts files and tables: what is read, and what every bad input says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas_rnn.errors import UserError
from nas_rnn.tasks.classify import Classify
from nas_rnn.tasks.classify.csv_file import Naming, read_csv
from nas_rnn.tasks.data import PARTS, Batching
from nas_rnn.tasks.series import bundled
from nas_rnn.tasks.series.examples import examples
from nas_rnn.tasks.series.recordings import Recordings, class_names, pooled
from nas_rnn.tasks.series.table import read_rows
from nas_rnn.tasks.series.ts_file import read_ts
from tests.tasks.series_files import CLASSES, Series, long_text, ts_text, waves, write_pair

HEAD = "@univariate true\n@classLabel true a b\n@data\n"
ROWS = "class,0,1,2\n" + "a,1,2,3\nb,4,5,6\n" * 5
LONG = "id,time,x,class\n" + "".join(f"s{n},{t},{n * t},{'ab'[n % 2]}\n" for n in range(12) for t in range(3))


def same(found: Recordings, series: Series, labels: list[str]) -> None:
    assert found.labels == labels
    assert len(found.series) == len(series)
    for ours, theirs in zip(found.series, series, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def written(tmp_path: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@given(st.integers(1, 12), st.integers(1, 4), st.integers(2, 9), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_read(
    tmp_path_factory: Any, count: int, variables: int, longest: int, seed: int
) -> None:
    series, labels = waves(count, variables, longest, seed)
    folder = tmp_path_factory.mktemp("series")
    same(read_ts(written(folder, ts_text(series, labels), "x.ts")), series, labels)
    for delimiter in ",;\t":
        table = written(folder, long_text(series, labels, delimiter=delimiter))
        same(read_csv(table, Naming(layout="long")), series, labels)


def test_rows_of_a_long_table_may_stand_in_any_order_where_there_is_a_time(tmp_path: Path) -> None:
    series, labels = waves(9)
    head, *rows = long_text(series, labels).splitlines()
    mixed = [rows[place] for place in np.random.default_rng(0).permutation(len(rows))]
    found = read_csv(written(tmp_path, "\n".join([head, *mixed])), Naming())
    by_first = list(dict.fromkeys(int(row.split(",")[0][1:]) for row in mixed))
    same(found, [series[place] for place in by_first], [labels[place] for place in by_first])


def test_times_may_be_dates_and_uneven_steps_are_told(tmp_path: Path) -> None:
    moments = ["2024-05-01 10:00:00", "2024-05-01 10:00:01", "2024-05-01 10:00:02", "2024-05-01 10:00:59"]
    rows = [f"{n},{moment},{n + t},{'ab'[n % 2]}" for n in range(8) for t, moment in enumerate(moments)]
    found = read_csv(written(tmp_path, "\n".join(["id,time,x,class", *rows[::-1]])), Naming())
    assert found.series[0][:, 0].tolist() == [7, 8, 9, 10]
    assert "usually 1, at most 57 in column 'time'" in found.notices[0]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (ROWS, {}),
        (ROWS.split("\n", 1)[1], {}),
        ("Label;0;1;2\n" + ROWS.split("\n", 1)[1].replace(",", ";"), {}),
        ("what,0,1,2\n" + ROWS.split("\n", 1)[1], {"label": "what"}),
        ("what,x,y,z\n" + ROWS.split("\n", 1)[1], {"label": "first"}),
        ("1,2,3,a\n4,5,6,b\n" * 5, {}),
        ("1,2,3,7\n4,5,6,8\n" * 5, {"label": "last"}),
        ("id,class,x,y,z\n" + "".join(f"{n},{'ab'[n % 2]},1,2,3\n" for n in range(10)), {}),
    ],
)
def test_wide_tables(tmp_path: Path, text: str, options: dict[str, Any]) -> None:
    found = read_csv(written(tmp_path, text), Naming(**options))
    assert len(found) == 10
    assert found.series[0].tolist() == [[1], [2], [3]]
    assert len(set(found.labels)) == 2


def test_short_rows_of_a_wide_table(tmp_path: Path) -> None:
    text = "class,0,1,2\na,1,,\nb,1,2\na,1,2,3\n"
    found = read_csv(written(tmp_path, text), Naming(short_rows=True))
    assert [one[:, 0].tolist() for one in found.series] == [[1], [1, 2], [1, 2, 3]]


def test_columns_are_those_that_are_named(tmp_path: Path) -> None:
    text = "walk,n,x,junk,who,kind\n" + "".join(
        f"{n},{t},{t},?,{n},{n % 2}\n" for n in range(9) for t in (1, 0)
    )
    naming = Naming(series="walk", time="n", label="kind", group="who", variables="x")
    found = read_csv(written(tmp_path, text), naming)
    assert found.variables == ("x",)
    assert found.groups == [str(n) for n in range(9)]
    assert found.series[3][:, 0].tolist() == [0, 1]


def test_parts_and_their_shares(tmp_path: Path) -> None:
    data = Classify(test=0.25, valid=0.5).load(written(tmp_path, ts_text(*waves(60)), "x.ts"))
    counts = {part: np.bincount(data.part(part)["labels"]).tolist() for part in PARTS}
    assert counts == {"train": [7, 7, 7], "valid": [8, 8, 8], "test": [5, 5, 5]}
    assert data.groups == {}


def test_a_pair_keeps_its_test_part_in_order_and_any_of_both_names_it(tmp_path: Path) -> None:
    write_pair(tmp_path)
    loaded = [Classify().load(tmp_path / name) for name in ("", "Waves_TRAIN.ts", "Waves_TEST.ts")]
    series, labels = waves(15)
    for data in loaded:
        test = data.part("test")
        assert [data.meta["classes"][label] for label in test["labels"]] == labels
        assert test["lengths"].tolist() == [len(one) for one in series]
        np.testing.assert_allclose(test["series"][4, : len(series[4])], series[4], rtol=1e-6)
        assert len(data.part("train")["labels"]) + len(data.part("valid")["labels"]) == 45
        assert data.meta["source"] == "Waves"


def test_groups_stay_in_one_part(tmp_path: Path) -> None:
    data = Classify().load(written(tmp_path, long_text(*waves(90), people=10)))
    people = [set(data.groups[part].tolist()) for part in PARTS]
    assert all(people)
    assert not people[0] & people[1] and not people[0] & people[2] and not people[1] & people[2]
    assert all(len(data.groups[part]) == len(data.part(part)["labels"]) for part in PARTS)
    assert len(data.part("test")["labels"]) == pytest.approx(18, abs=9)
    (told,) = Classify().notices(data)
    train, valid, test = map(len, people)
    counts = f"of 10 there are {train} to train on, {valid} to validate on, {test} to test on"
    assert told == (
        "series of one group stay in one part, so the figure is that of groups never met: "
        f"{counts}; group=none mixes them"
    )
    without = Classify(group="none", variables="v0,v1").load(tmp_path / "data.csv")
    assert without.groups == {} and Classify().notices(without) == ()


def test_a_single_group_to_test_on_is_told(tmp_path: Path) -> None:
    data = Classify(test=0.1).load(written(tmp_path, long_text(*waves(90), people=4)))
    (told,) = Classify().notices(data)
    assert "1 to test on; with one group to test on, intervals cover seeds alone; group=none" in told


def test_a_pair_that_shares_groups_says_so(tmp_path: Path) -> None:
    for end, count in (("TRAIN", 45), ("TEST", 15)):
        written(tmp_path, long_text(*waves(count), people=5), f"Walks_{end}.csv")
    task = Classify()
    (told,) = task.notices(task.load(tmp_path))
    assert "series of groups that are in the training part: p0, p1" in told


def test_a_class_in_the_test_file_alone_is_told(tmp_path: Path) -> None:
    head = "@classLabel true a b c\n@data\n"
    written(tmp_path, head + "".join(f"{n},2:a\n{n},1:b\n" for n in range(5)), "x_TRAIN.ts")
    written(tmp_path, head + "1,3:a\n2,5:c\n", "x_TEST.ts")
    task = Classify()
    (told,) = task.notices(task.load(tmp_path))
    assert "50 % of the series of the test part are 'c' (1)" in told


def test_constant_variables_and_names_that_are_nearly_alike_are_told(tmp_path: Path) -> None:
    text = "id,x,y,class\n" + "".join(
        f"{n},{n + t},5,{('Walk', 'walk', 'run')[n % 3]}\n" for n in range(12) for t in range(3)
    )
    task = Classify()
    alike, even = task.notices(task.load(written(tmp_path, text)))
    assert "'Walk' and 'walk'" in alike
    assert even.endswith("never change and tell nothing: y")


def test_a_number_written_in_two_ways_is_told(tmp_path: Path) -> None:
    rows = [f"{('1', '1.0', '2')[n % 3]},{n},3,{n}\n" for n in range(12)]
    (told,) = Classify().load(written(tmp_path, "class,0,1,2\n" + "".join(rows))).meta["notices"]
    assert told == "classes differ in how they are written alone and count as several: '1' and '1.0'"


def test_series_that_stand_in_training_too_are_told(tmp_path: Path) -> None:
    for end in ("TRAIN", "TEST"):
        written(tmp_path, ts_text(*waves(15)), f"Waves_{end}.ts")
    task = Classify()
    told = " ".join(task.notices(task.load(tmp_path)))
    assert "12 of 15 series of the test part stand in the training part, too: a figure is better" in told
    repeated = written(tmp_path, ROWS)
    assert "2 of 2 series of the validation part stand in" in " ".join(
        Classify().load(repeated).meta["notices"]
    )


def test_values_that_32_bits_do_not_tell_apart_are_scaled_in_64(tmp_path: Path) -> None:
    rows = [
        f"s{n},{t},{5_000_000 + 0.02 * (n % 2) + 0.01 * t},0.1,{'ab'[n % 2]}\n"
        for n in range(20)
        for t in range(5)
    ]
    task = Classify()
    data = task.load(written(tmp_path, "id,t,x,y,class\n" + "".join(rows)))
    assert data.meta["mean"][0] == pytest.approx(5_000_000.03, abs=1e-6)
    for part in PARTS:
        for batch in task.batches(data, part, Batching(batch=4, length=1)):
            assert isinstance(batch.inputs, Tensor) and isinstance(batch.targets, Tensor)
            assert batch.inputs.dtype == torch.float32
            course_TB = 0.02 * batch.targets + 0.01 * torch.arange(5)[:, None] - 0.03
            assert torch.allclose(batch.inputs[..., 0], course_TB / data.meta["deviation"][0], atol=1e-5)
    shown = examples(json.loads(json.dumps(data.meta)))[0]
    np.testing.assert_array_equal(shown.series, data.part("valid")["series"][0])
    usual = task.load(written(tmp_path, long_text(*waves(30))))
    assert {usual.part(part)["series"].dtype for part in PARTS} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (None, {"series": "foo"}, "option 'series' says how a file is read; give one"),
        (ROWS, {"dataset": "GunPoint"}, "option 'dataset' is read where no data are given; leave it out, or"),
        (
            HEAD + "1,2:a\n",
            {"label": "x"},
            "option 'label' says how a table is read, and .*x.ts is a .ts file",
        ),
        *(
            (
                ROWS,
                {"layout": "wide", name: "0"},
                f"option '{name}' names columns of a long table; leave it out",
            )
            for name in ("variables", "time", "series")
        ),
        (
            LONG,
            {"short_rows": True},
            "option 'short_rows' is for a wide table, and .*x.csv is read as a long",
        ),
    ],
)
def test_options_that_would_have_no_effect(
    tmp_path: Path, text: str | None, options: dict[str, Any], message: str
) -> None:
    source = None if text is None else written(tmp_path, text, "x.ts" if text.startswith("@") else "x.csv")
    with pytest.raises(UserError, match=message):
        Classify(**options).load(source)


def test_a_first_row_that_ends_with_an_empty_cell_is_no_header(tmp_path: Path) -> None:
    path = written(tmp_path, "a,1,2,\n" + "b,4,5,6\na,1,2,3\n" * 5)
    found = read_csv(path, Naming(short_rows=True))
    assert [one[:, 0].tolist() for one in found.series[:2]] == [[1, 2], [4, 5, 6]]
    assert found.labels[:2] == ["a", "b"]


def test_columns_without_a_name(tmp_path: Path) -> None:
    head, *rows = LONG.splitlines()
    indexed = "\n".join(["," + head, *(f"{place},{row}" for place, row in enumerate(rows))])
    path = written(tmp_path, indexed)
    refused(path, "column 1 of .* has no name and may be an index, such as pandas writes .* option variables")
    assert read_csv(path, Naming(variables="x")).variables == ("x",)
    refused(written(tmp_path, indexed.replace(",", "Unnamed: 0,", 1)), "column 1 of .* has no name")
    two = "\n".join(["id,class,,", *(f"s{n // 2},{'ab'[n // 2 % 2]},{n},7" for n in range(24))])
    refused(written(tmp_path, two), "column 3 of .* has no name")
    wide = "\n".join([",class,0,1", *(f"{n},{'ab'[n % 2]},{n},7" for n in range(12))])
    refused(
        written(tmp_path, wide), "column 1 of .* has no name and may be .*; give it a name, or take it out"
    )
    found = read_csv(written(tmp_path, wide.replace(",class,0,1", "id,class,,")), Naming())
    assert found.series[2][:, 0].tolist() == [2, 7]


@pytest.mark.parametrize("sign", ["\u2028", "\u0085", "\x0b", "\n"])
def test_a_cell_keeps_what_stands_in_it(tmp_path: Path, sign: str) -> None:
    table = read_rows(written(tmp_path, f'class,x\n"a{sign}b",1\n'))
    assert [row for _, row in table] == [["class", "x"], [f"a{sign}b", "1"]]
    if sign != "\n":
        text = HEAD + "1,2:a\n" + f"# a comment{sign}of one line\n" + "3,4:b\n"
        assert read_ts(written(tmp_path, text, "x.ts")).labels == ["a", "b"]


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_lines_may_end_in_any_way(tmp_path: Path, end: str) -> None:
    same(read_csv(written(tmp_path, LONG.replace("\n", end)), Naming()), *_long())
    text = (HEAD + "1,2:a\n").replace("\n", end)
    assert read_ts(written(tmp_path, text, "x.ts")).series[0][:, 0].tolist() == [1, 2]


def _long() -> tuple[Series, list[str]]:
    series = [np.array([[0.0], [n], [2 * n]]) for n in range(12)]
    return series, ["ab"[n % 2] for n in range(12)]


@pytest.mark.parametrize(
    "stamp",
    [
        "170000000000000{:02}00",
        "1700000000.00000{:02}",
        "1969-12-31T23:59:59.9999999{:02}Z",
        "20240101T00:00:00.1234567{:02}",
    ],
)
def test_times_may_lie_nanoseconds_apart(tmp_path: Path, stamp: str) -> None:
    rows = [f"s{n},{stamp.format(t)},{n + t},{'ab'[n % 2]}\n" for n in range(4) for t in (2, 1, 0)]
    found = read_csv(written(tmp_path, "id,time,x,class\n" + "".join(rows)), Naming())
    assert found.series[1][:, 0].tolist() == [1, 2, 3]
    assert found.notices == ()


def test_pooling_whole_series_into_a_step_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    refused(
        path, "pool=1000 averages each series of .* into one step, as the longest has 3; .* pool=1", pool=1000
    )
    refused(path, "pool=3 averages each", pool=3)


def test_numbers_are_in_order_and_pooling_takes_means() -> None:
    assert class_names(["10", "9", "b", "a", "-1", "nan"]) == ["-1", "9", "10", "a", "b", "nan"]
    series = [np.arange(5.0)[:, None], np.arange(4.0)[:, None]]
    made = Recordings(source="x", variables=("x",), series=series, labels=["a", "b"])
    assert [one[:, 0].tolist() for one in pooled(made, 2).series] == [[0.5, 2.5, 4.0], [0.5, 2.5]]
    assert pooled(made, 1) is made


def test_the_embedded_sets_are_those_of_the_archive() -> None:
    sizes = {
        name: [len(Classify(dataset=name).load(None).part(part)["labels"]) for part in PARTS]
        for name in ("JapaneseVowels", "BasicMotions")
    }
    assert sizes == {"JapaneseVowels": [216, 54, 370], "BasicMotions": [32, 8, 40]}
    data = Classify().load(None)
    assert data.part("test")["lengths"].max() == 29 and len(data.meta["variables"]) == 12


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "PACKAGES", ("no_such_package",))
    with pytest.raises(
        UserError, match=r'JapaneseVowels comes with sktime; install it with: pip install "nas_rnn\[series\]"'
    ):
        Classify().load(None)


BAD_TS: dict[str, tuple[str | bytes, str]] = {
    "empty": (" \n", "is empty; give a file that holds something"),
    "encoding": (b"@data\n\xe9", "is not text in UTF-8: byte 0xe9 at place 6; save it in UTF-8"),
    "utf-16": ("@data".encode("utf-16"), "is not text in UTF-8: byte 0xff at place 0"),
    "zero": ("@data\0", "it holds a zero byte at place 5"),
    "no head": ("1,2,3:a\n", r"is no .ts file: line 1 begins with '1,2,3:a' where a head of @ lines"),
    "no data": ("@classLabel true a\n", "has no line @data"),
    "no series": (HEAD, "has no series behind @data"),
    "no classes": ("@classLabel false\n@data\n1:a", "says that its series have no class"),
    "unnamed": (
        "@data\n1:a",
        "does not name its classes; a file to classify has a line such as @classLabel true",
    ),
    "regression": (
        "@targetLabel true\n@data\n1:2",
        r"has a number to predict for each series \(@targetLabel\)",
    ),
    "stamps": ("@timeStamps true\n" + HEAD + "(1,2):a", "has time stamps"),
    "no class": (HEAD + "1,2,3\n", "line 4 has no class: a series ends in ':'"),
    "other class": (HEAD + "1,2:c\n", "line 4 has the class 'c', which @classLabel does not name: a, b"),
    "missing": (HEAD + "1,?,3:a\n", r"line 4, variable 1, value 2 of 3 is missing \('\?'\); fill it in"),
    "nan": (HEAD + "1,NaN,3:a\n", r"value 2 of 3 is missing \('NaN'\)"),
    "infinite": (HEAD + "1,inf:a\n", "value 2 of 2 is inf; give finite numbers up to 1e.30"),
    "text": (HEAD + "1,two:a\n", "value 2 of 2 is no number: 'two'; give numbers alone"),
    "steps": (
        "@classLabel true a\n@data\n1,2:1,2,3:a",
        "variable 2 has 3 steps, variable 1 2; all variables",
    ),
    "variables": (
        "@classLabel true a\n@data\n1:2:a\n1:a",
        "series 2 has 1 variables, series 1 2; all need the same",
    ),
    "univariate": (HEAD + "1:2:a\n", "says @univariate true, but its series have 2 variables; mend the head"),
    "dimensions": ("@dimensions 3\n" + HEAD + "1,2:a\n", "says @dimensions 3, but its series have 1"),
    "equal": (
        "@equalLength true\n" + HEAD + "1,2:a\n1:b",
        "says @equalLength true, but its series have from 1 to 2",
    ),
    "length": (
        "@equalLength true\n@seriesLength 9\n" + HEAD + "1,2:a",
        "says @seriesLength 9, but its series have 2",
    ),
    "one class": (HEAD + "1,2:a\n" * 5, "has a single class, 'a', so there is nothing to tell apart"),
    "rare": (HEAD + "1,2:a\n" * 5 + "2,1:b\n" * 2, r"needs at least 3 series, .*; too few are of 'b' \(2\)"),
    "one step": (HEAD + "1:a\n2:b\n" * 5, "no series of x.ts has more than one step"),
    "long": (HEAD + ",".join("1" * 5000) + ":a", "has 5,000 steps, more than 4,096; set option pool=2"),
    "the same": (HEAD + "1,1:a\n1,1:b\n" * 5, "all values of the training part are the same"),
    "hidden": (
        HEAD.replace(" b", " b\u202e") + "1,2:a\n1,3:b\u202e\n" * 5,
        r"the name of a class in x.ts holds '.u202e'",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD_TS.values(), ids=BAD_TS)
def test_bad_ts_files(tmp_path: Path, text: str | bytes, message: str) -> None:
    refused(written(tmp_path, text, "x.ts"), message)


BAD_TABLES: dict[str, tuple[str, dict[str, Any], str]] = {
    "no columns": ("just text\nmore\n", {}, "has no columns: its first line has no comma, semicolon or tab"),
    "header alone": ("class,0,1\n", {}, "has a row of names and nothing below it"),
    "twice": ("class,x,x\na,1,2\n", {}, "has 2 columns called 'x'; give each its own name"),
    "quotes": (
        'class,x\na,"' + "1" * (1 << 17) + '1"\n',
        {},
        "line 2 is no row of a table: a cell has more than 131,072 characters; is a quotation mark never closed",
    ),
    "too many columns": (
        "x," * (1 << 20) + "x\n",
        {},
        "has 1,048,577 columns, more than 1,048,576; give shorter",
    ),
    "no class": (
        LONG.replace("class", "kind"),
        {},
        "known to be the one that holds the class: id, time, x, kind",
    ),
    "no series": (
        LONG.replace("id", "walk"),
        {},
        "has a column 'time', as a long table has, and none known to say",
    ),
    "no column": (
        LONG,
        {"label": "klass"},
        "has no column 'klass', which option label names; did you mean 'class'",
    ),
    "no variable": (LONG, {"variables": "x,z"}, "has no column 'z', which option variables names"),
    "variable twice": (
        LONG,
        {"variables": "class"},
        "column 'class' of .* cannot be a variable: it is used otherwise",
    ),
    "nothing left": ("id,class\n1,a\n1,a\n", {}, "has no column left to read, beside class, id"),
    "cells": (LONG + "s1,9\n", {}, "line 38 has 2 cells where its first row has 4"),
    "missing": (LONG + "s1,9,,b\n", {}, r"line 38, column 'x' is missing \(''\); fill it in"),
    "comma": (
        LONG + 's1,9,"1,5",b\n',
        {},
        "column 'x' is no number: '1,5'; write a decimal point, not a comma",
    ),
    "text": (
        LONG + "s1,9,red,b\n",
        {},
        "column 'x' is no number: 'red'.*, or name the columns to read by option",
    ),
    "time": (LONG + "s1,noon,1,b\n", {}, "column 'time' is neither a number nor a date"),
    "same time": (
        LONG + "s1,1,1,b\n",
        {},
        "lines 6 and 38 have the same time in column 'time' and the same series",
    ),
    "two classes": (
        LONG + "s1,9,1,a\n",
        {},
        r"series 's1' of .* has 'b' and 'a' in column 'class' \(lines 5 and 38\)",
    ),
    "class missing": (LONG + "s1,9,1,\n", {}, "line 38, column 'class' is missing"),
    "series missing": (LONG + ",9,1,a\n", {}, "line 38, column 'id' does not say which series it is"),
    "two groups": (
        "user," + LONG.replace("\ns", "\nu,s"),
        {},
        "belong to one group, 'u', and a group stays in one",
    ),
    "uneven": (
        ROWS + "a,1,2\n",
        {},
        "line 12 has 3 cells where its first row has 4; .*, or set option short_rows",
    ),
    "ends early": (
        ROWS + "a,1,,\n",
        {},
        "line 12 ends after 1 of 3 values; series of unequal length need option",
    ),
    "hole": (ROWS + "a,1,,3\n", {"short_rows": True}, r"line 12, value 2 of 3 is missing"),
    "no values": (ROWS + "a,,,\n", {"short_rows": True}, "line 12 has no values"),
    "unnamed": (ROWS + ",1,2,3\n", {}, "line 12 has nothing in column 'class'"),
    "first row": ("red,1,blue,2\n" * 9, {}, "cannot tell what the first row of .* is"),
    "no header": (ROWS.split("\n", 1)[1], {"label": "klass"}, "has no column 'klass'"),
    "class alone": ("class\t\na\t\nb\t\n", {"short_rows": True}, "line 2 has no values"),
    "one class": (ROWS.replace("b,", "a,"), {}, "has a single class, 'a'"),
}


@pytest.mark.parametrize(("text", "options", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    refused(written(tmp_path, text), message, **options)


def test_bad_places(tmp_path: Path) -> None:
    refused(tmp_path / "none.ts", "there is no file .*none.ts; give a .ts or .csv file")
    refused(tmp_path, "holds no file that ends in .ts, .csv, .tsv, .txt")
    refused(written(tmp_path, "x", "x.arff"), "ends in '.arff', not in .ts, .csv, .tsv, .txt")
    written(tmp_path, ROWS, "one.csv")
    written(tmp_path, ROWS, "two.csv")
    refused(tmp_path, "cannot tell which files of .* to read: one.csv, two.csv")


def test_a_pair_that_does_not_belong_together(tmp_path: Path) -> None:
    written(tmp_path, ts_text(*waves(30)), "x_TRAIN.ts")
    written(tmp_path, ts_text(*waves(30, variables=3)), "x_TEST.ts")
    refused(tmp_path, "x_TRAIN.ts has 2 variables, x_TEST.ts 3; give two files of the same ones")
    assert set(CLASSES) == set(waves(30)[1])


def refused(source: Path, message: str, **options: Any) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Classify(**options).load(source)
    assert "\n" not in str(caught.value)


def test_a_pipe_is_told_of_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "walks.csv")
    with pytest.raises(UserError, match=r"walks.csv is a device or a pipe; give a \.ts or \.csv file"):
        Classify().load(tmp_path / "walks.csv")
