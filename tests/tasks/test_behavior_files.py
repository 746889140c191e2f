"""What the task behavior reads: tables of events, how sessions and parts are made of them, and what it refuses."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_rnn.errors import UserError
from nas_rnn.tasks.behavior import Behavior
from tests.tasks.behavior_files import alternating, write

Row = Sequence[object]
NAMES = ("session_id", "item_id", "timestamp")


def events(*sessions: tuple[str, str], start: int = 1_600_000_000) -> list[Row]:
    """Return rows of sessions by their letters, one item each, a minute between events and a day between sessions."""
    return [
        NAMES,
        *(
            (name, letter, start + 86_400 * number + 60 * step)
            for number, (name, letters) in enumerate(sessions)
            for step, letter in enumerate(letters)
        ),
    ]


TEN = events(*((f"s{number}", "abc" if number % 2 else "cba") for number in range(10)))


def sessions(data: Any, part: str) -> list[str]:
    names = [*data.meta["items"], "?"]
    own = data.part(part)
    return [
        "".join(names[item] for item in items[:length])
        for items, length in zip(own["items"], own["lengths"].tolist(), strict=True)
    ]


def loaded(path: Path, **options: Any) -> Any:
    return Behavior(**{"top": 1} | options).load(path)


def test_sessions_stand_in_the_order_of_time_and_those_that_begin_last_test(tmp_path: Path) -> None:
    rows = [TEN[0], *np.random.default_rng(0).permutation(np.array(TEN[1:], dtype=object)).tolist()]
    data = loaded(write(tmp_path / "x.csv", rows), valid=0.2, test=0.3)
    assert sessions(data, "train") == ["cba", "abc"] * 2 + ["cba"]
    assert sessions(data, "valid") == ["abc", "cba"] and sessions(data, "test") == ["abc", "cba", "abc"]
    assert Behavior(top=1).notices(data) == ()


@pytest.mark.parametrize(
    "names",
    [
        ("SessionId", "ItemID", "Timestamp"),
        ("session", "product id", "event_time"),
        ("visitorid", "itemid", "timestamp"),
        ("user_id", "movieId", "ts"),
    ],
)
def test_columns_are_found_by_usual_names(tmp_path: Path, names: Row) -> None:
    data = loaded(write(tmp_path / "x.tsv", [names, *TEN[1:]], "\t"))
    assert sessions(data, "train")[:2] == ["cba", "abc"] and data.groups == {}


def test_columns_are_named_by_options(tmp_path: Path) -> None:
    rows = [("a", "b", "c", "item"), *((when, item, session, "x") for session, item, when in TEN[1:])]
    data = loaded(write(tmp_path / "x.csv", rows, ";"), session="c", item="b", time="a")
    assert sessions(data, "train")[:2] == ["cba", "abc"]


def test_parquet_gives_the_same_as_csv(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    numbered = [(name, ord(item), when) for name, item, when in TEN[1:]]
    columns = dict(zip(NAMES, map(list, zip(*numbered, strict=True)), strict=True))
    columns["timestamp"] = [np.datetime64(int(when), "s") for when in columns["timestamp"]]
    parquet.write_table(pyarrow.table(columns), tmp_path / "x.parquet")
    one, other = (
        loaded(path) for path in (tmp_path / "x.parquet", write(tmp_path / "x.csv", [NAMES, *numbered]))
    )
    assert one.meta["items"] == other.meta["items"]
    for part in ("train", "valid", "test"):
        for name, array in one.part(part).items():
            np.testing.assert_array_equal(array, other.part(part)[name])


def test_without_times_events_stand_in_order(tmp_path: Path) -> None:
    rows = [row[:2] for row in TEN]
    path = write(tmp_path / "x.csv", rows)
    assert sessions(loaded(path, time="none"), "train")[:2] == ["cba", "abc"]
    with pytest.raises(
        UserError, match="option 'time_format' is for times, and with time=none none are read"
    ):
        loaded(path, time="none", time_format="%Y")


@pytest.mark.parametrize(
    "when",
    [
        "2024-03-05T10:00:00.5Z",
        "2024-03-05T10:00:00.123456789Z",
        "2024-03-05 10:00",
        "05.03.2024 10:00",
        "20240305",
    ],
)
def test_times_are_read_as_people_write_them(tmp_path: Path, when: str) -> None:
    rows = [NAMES, *((name, item, when) for name, item, _ in TEN[1:])]
    assert sessions(loaded(write(tmp_path / "x.csv", rows)), "train")[:2] == ["cba", "abc"]


def test_users_beside_sessions_are_groups(tmp_path: Path) -> None:
    rows = [(*TEN[0], "user_id"), *((*row, f"u{int(str(row[0])[1:]) // 2}") for row in TEN[1:])]
    path = write(tmp_path / "x.csv", rows)
    data = loaded(path, valid=0.2, test=0.4)
    assert data.groups["test"].tolist() == [0, 0, 1, 1]
    assert loaded(path, user="none").groups == {}
    drawn = loaded(path, split="users", valid=0.2, test=0.4)
    assert [len(sessions(drawn, part)) for part in ("train", "valid", "test")] == [4, 2, 4]
    assert sorted(drawn.groups["test"].tolist()) == [0, 0, 1, 1]
    with pytest.raises(UserError, match="cannot be cut from data whose items stand in groups"):
        Behavior().fresh_test(data, 1, 2)


def test_no_user_is_in_two_parts_where_that_is_asked_for(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows: list[Row] = [(*NAMES, "user_id")]
    for number in range(60):
        user = int(random.integers(12))
        rows += [
            (number, item, 86_400 * number + step, user) for step, item in enumerate((f"i{user}", "x", "y"))
        ]
    data = loaded(write(tmp_path / "x.csv", rows), split="users", least=1, valid=0.2, test=0.2)
    names = [*data.meta["items"], "?"]
    users = [
        {names[item] for item in data.part(part)["items"][:, 0].tolist()} - {"?"}
        for part in ("train", "valid", "test")
    ]
    assert len(users[0]) >= 6 and not users[1] and not users[2]  # what others alone looked at is not known


def test_sessions_that_are_counted_anew_for_each_user_are_not_merged(tmp_path: Path) -> None:
    rows: list[Row] = [("user_id", *NAMES)]
    for user in range(40):
        for session, letters in enumerate(("abcd", "dcba", "bbcc")):
            rows += [
                (f"u{user}", session, item, 10_000 * session + 7 * user + step)
                for step, item in enumerate(letters)
            ]
    path = write(tmp_path / "x.csv", rows)
    for split in ("time", "users"):
        data = loaded(path, split=split)
        found = [one for part in ("train", "valid", "test") for one in sessions(data, part)]
        assert sorted(found) == ["abcd"] * 40 + ["bbcc"] * 40 + ["dcba"] * 40
    assert [len(set(data.groups[part].tolist())) for part in ("train", "valid", "test")] == [28, 4, 8]
    assert sum(len(sessions(loaded(path, user="none"), part)) for part in ("train", "valid", "test")) == 3


def test_a_pause_begins_a_new_session_of_the_same_user(tmp_path: Path) -> None:
    rows = events(*((f"u{number % 3}", "abcd") for number in range(12)))
    path = write(tmp_path / "x.csv", [("user_id", *NAMES[1:]), *rows[1:]])
    assert len(loaded(path).part("train")["items"]) == 1  # all that a user did
    data = loaded(path, gap=60.0, valid=0.25, test=0.25)
    assert [len(sessions(data, part)) for part in ("train", "valid", "test")] == [6, 3, 3]
    assert set(sessions(data, "train")) == {"abcd"} and data.groups["train"].tolist() == [0, 1, 2] * 2
    rows[1:] = [(name, item, number) for number, (name, item, _) in enumerate(rows[1:])]
    with pytest.raises(UserError, match=r"gap=60 wants times, and y\.csv has none that are known as such"):
        loaded(write(tmp_path / "y.csv", rows), gap=60.0)


def fine(tick: int) -> str:
    return f"2024-01-01T00:00:00.{tick:09}".rstrip("0")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_times_may_lie_nanoseconds_apart(tmp_path: Path, kind: str) -> None:
    said = ["abcd" if number % 2 else "dcba" for number in range(9)]
    ticks = [
        (f"s{number}", letter, 700 * number + 10 * step)
        for number, letters in enumerate(said)
        for step, letter in enumerate(letters)
    ]
    order = np.random.default_rng(0).permutation(len(ticks)).tolist()
    path = tmp_path / f"x.{kind}"
    if kind == "csv":
        write(
            path,
            [NAMES, *((name, item, fine(tick + 1)) for name, item, tick in (ticks[row] for row in order))],
        )
    else:
        import pyarrow
        from pyarrow import parquet

        columns = dict(zip(NAMES, zip(*(ticks[row] for row in order), strict=True), strict=True))
        moments = np.array(columns["timestamp"]) + np.datetime64("2024-01-01", "ns")
        parquet.write_table(pyarrow.table({**columns, "timestamp": moments}), path)
    data = loaded(path, valid=0.2, test=0.2)
    assert [one for part in ("train", "valid", "test") for one in sessions(data, part)] == said


def test_a_pause_is_measured_in_nanoseconds(tmp_path: Path) -> None:
    def rows(last: str) -> list[Row]:
        each = [
            ("a", "2024-01-01T00:00:00.0000001"),
            ("b", "2024-01-01T00:00:01"),
            ("c", f"2024-01-01T00:01:01{last}"),
        ]
        return [
            ("user_id", *NAMES[1:]),
            *((f"u{n}", *one) for n in range(9) for one in [*each, ("a", "2024-01-02")]),
        ]

    for last, found in (("", "abc"), (".000000001", "ab")):
        data = loaded(write(tmp_path / "x.csv", rows(last)), gap=1.0)
        assert set(sessions(data, "train")) == {found}


def test_what_is_finer_than_nanoseconds_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", [NAMES, ("s", "a", fine(1)), ("s", "b", fine(1) + "5")])
    with pytest.raises(UserError) as caught:
        loaded(path)
    assert str(caught.value) == (
        f"{path}, line 3, column 'timestamp': '2024-01-01T00:00:00.0000000015' is finer than a nanosecond, and times "
        "are held in nanoseconds; round them, or set time=none where events stand in order"
    )


def test_short_sessions_are_left_out_and_long_ones_cut(tmp_path: Path) -> None:
    rows = events(*((f"s{number}", "abcabcabc"[: number % 5 + 1]) for number in range(20)))
    data = loaded(write(tmp_path / "x.csv", rows), shortest=3, longest=4)
    assert {*sessions(data, "train")} == {"abc", "abca"}
    assert Behavior().notices(data) == (
        "8 of 20 sessions have fewer than 3 events and are left out",
        "4 sessions are cut behind their first 4 events (option longest), by 4 events",
    )
    # What stands behind the cut alone is not known.
    assert loaded(tmp_path / "x.csv", shortest=3, longest=2).meta["items"] == ["a", "b"]


def test_seldom_items_are_others_by_what_training_has(tmp_path: Path) -> None:
    rows = events(*((f"s{number}", "abcab" if number < 8 else "abxxb") for number in range(10)))
    path = write(tmp_path / "x.csv", rows)
    data = loaded(path)
    assert data.meta["items"] == ["a", "b", "c"]  # x is not in the training part
    assert sessions(data, "test") == ["ab??b"] * 2
    (notice,) = Behavior().notices(data)
    assert "0 % of the training part" in notice and "40 % of the test part are none of the 3 items" in notice
    assert sessions(loaded(path, least=8), "train")[0] == "ab?ab"
    assert sessions(loaded(path, items=2), "train")[0] == "ab?ab"


@pytest.mark.parametrize(("place", "part"), [(8, "validation"), (9, "test")])
def test_a_part_without_a_known_next_item_is_refused(tmp_path: Path, place: int, part: str) -> None:
    rows = events(*((f"s{number}", "axyz" if number == place else "abcd") for number in range(10)))
    message = (
        f"no next item of the {part} part of x.csv is one of the 4 that are known from training; give more"
    )
    with pytest.raises(UserError, match=message):
        loaded(write(tmp_path / "x.csv", rows), valid=0.1, test=0.1)


def test_a_fresh_test_part_without_a_known_next_item_is_refused(tmp_path: Path) -> None:
    rows = events(*((f"s{number}", "xyzu" if number == 5 else "abcd") for number in range(10)))
    data = loaded(write(tmp_path / "x.csv", rows), least=2)
    assert len(Behavior().fresh_test(data, 4, 5).part("test")["items"]) == 1
    with pytest.raises(UserError, match=r"no next item of the test part of x\.csv"):
        Behavior().fresh_test(data, 5, 6)


# Mistakes


def changed(place: int, cell: int, value: object) -> list[Row]:
    rows = [list(row) for row in TEN]
    rows[place][cell] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (
            [("session", "x", "time"), ("a", "b", "1")],
            {},
            "known to be the item: its columns are session, x, time; na",
        ),
        (
            [("x", "item", "time"), ("a", "b", "1")],
            {},
            "known to be the session or the user: its columns are x, item",
        ),
        (
            [("session", "item"), ("a", "b")],
            {},
            "the time: .* name it by option time, or set time=none where events",
        ),
        (
            TEN,
            {"item": "thing"},
            "has no column 'thing' .option item.; its columns are: session_id, item_id, timest",
        ),
        (TEN, {"item": "session_id"}, "column 'session_id' of .* is named for two things"),
        ([NAMES], {}, "has no row below its names of columns"),
        (changed(3, 1, " "), {}, "line 4, column 'item_id' is empty; fill the cell, or take the line out"),
        (changed(1, 0, ""), {}, "line 2, column 'session_id' is empty"),
        (changed(1, 2, ""), {}, "line 2, column 'timestamp' is empty"),
        (changed(5, 2, ""), {}, "line 6, column 'timestamp': '' is no time as those before it are"),
        (changed(5, 2, "soon"), {}, "'soon' is no time .* or set time=none where events stand in order"),
        (changed(1, 2, "soon"), {}, "'soon' is no time that is known here"),
        (changed(1, 2, "03/04/2024"), {}, "may begin with the day or the month; say which by time_format"),
        (changed(2, 1, "x" * 201), {}, "line 3, column 'item_id' has 201 characters, more than 200"),
        (changed(2, 1, "a\u202eb"), {}, "an item of column 'item_id' holds .* mark"),
        (
            TEN[:4],
            {},
            "has 1 session of 2 events or more, too few for a training, a validation and a test part",
        ),
        (
            [NAMES, *((n, "a", n) for n in range(9))],
            {},
            "has 0 sessions of 2 .*; the longest of 9 has 1; give a CSV",
        ),
        (
            [NAMES, *((n // 3, "a", n) for n in range(30))],
            {},
            "has 1 item, so that the first 1 are all there are; .* or set a smaller option top$",
        ),
        (
            TEN,
            {"top": 20},
            "has 3 items, so that the first 20 are all there are; give dat",
        ),
        (TEN, {"least": 50}, "has 0 items that occur 50 times or more"),
        (
            TEN,
            {"split": "users"},
            "split=users wants a column of users beside that of sessions, which x.csv has not",
        ),
        (
            [(*TEN[0], "user"), *((*row, "u") for row in TEN[1:])],
            {"split": "users"},
            "has 1 user with sessions of 2 events or more, too few",
        ),
        ([*TEN, ("s1", "a")], {}, "line 32: 2 cells, where the line of names has 3"),
        ([("1", "2", "3"), *TEN[1:]], {}, "holds numbers where names of columns belong"),
        ([("item", "item", "time")], {}, "has two columns called 'item'"),
    ],
)
def test_tables_that_cannot_be_used(
    tmp_path: Path, rows: list[Row], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        loaded(write(tmp_path / "x.csv", rows), **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; give a CSV or parquet file with columns of the session"),
        (b"PK\x03\x04rest", "a zip archive or a workbook of Excel"),
        (gzip.compress(b"x", mtime=0), "packed with gzip; unpack it"),
        ("session,item,time\n1,é,1\n".encode("latin-1"), "line 2: byte 0xe9 is not utf-8; name the encoding"),
        ("session,item,time\n".encode("utf-16"), "begins as UTF-16 does; set encoding=utf-16"),
        (b"PAR1 and more", "is no whole parquet file"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        loaded(path)


def test_other_encodings_are_read_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    text = "\n".join(",".join(map(str, row)).replace(",a,", ",ä,") for row in TEN)
    path.write_text(text, encoding="latin-1")
    assert "ä" in loaded(path, encoding="latin-1").meta["items"]


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "no.csv", "there is no file"), (tmp_path, "is a folder; give a CSV")):
        with pytest.raises(UserError, match=message):
            loaded(path)


@pytest.mark.parametrize(
    ("bound", "value", "message"),
    [
        ("events.MOST_EVENTS", 29, "has more than 29 events; give a part of it"),
        ("events.MOST_ITEMS", 2, "has more than 2 different values in column 'item_id'"),
        ("loading.MOST_CELLS", 29, "10 sessions of up to 3 events are too many to hold side by side"),
    ],
)
def test_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, message: str
) -> None:
    monkeypatch.setattr(f"nas_rnn.tasks.behavior.{bound}", value)
    with pytest.raises(UserError, match=message):
        loaded(write(tmp_path / "x.csv", TEN))


def test_parquet_cells_that_name_nothing(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    times = list(range(4))
    for items, message in (
        ([[1], [2], [3], [4]], r"row 1, column 'item': \[1\] is neither a text nor a number"),
        (["a", None, "b", "c"], "row 2, column 'item' is empty"),
        ([1.0, float("nan"), 2.0, 3.0], "row 2, column 'item' is empty"),
    ):
        parquet.write_table(
            pyarrow.table({"session": [1] * 4, "item": items, "time": times}), tmp_path / "x.parquet"
        )
        with pytest.raises(UserError, match=message):
            loaded(tmp_path / "x.parquet")


def test_rows_longer_than_a_piece_are_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = alternating(tmp_path)
    whole = loaded(path)
    monkeypatch.setattr("nas_rnn.tasks.columns.PIECE", 7)
    pieces = loaded(path)
    for part in ("train", "valid", "test"):
        for name, array in whole.part(part).items():
            np.testing.assert_array_equal(array, pieces.part(part)[name])
