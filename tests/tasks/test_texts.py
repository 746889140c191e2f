"""Reading text files: what is accepted, and what a mistake is answered with."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_rnn.errors import UserError
from nas_rnn.tasks import texts
from nas_rnn.tasks.char_lm.text import Vocabulary, encoded
from nas_rnn.tasks.seq2seq import Seq2Seq
from nas_rnn.tasks.texts import listed_folder, read_pieces


def read_text(path: Path) -> str:
    return "".join(read_pieces(path))


def test_byte_order_mark_and_line_ends_of_other_systems(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n\xc3\xa9")
    assert read_text(path) == "one\ntwo\nthree\né"


def test_missing_folder_empty(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.touch()
    only_mark = tmp_path / "mark.txt"
    only_mark.write_bytes(b"\xef\xbb\xbf")
    for path, rule in [
        (tmp_path / "absent.txt", "there is no file"),
        (tmp_path, "is a folder"),
        (empty, "is empty"),
        (only_mark, "is empty"),
    ]:
        with pytest.raises(UserError, match=rule) as caught:
            read_text(path)
        assert str(path) in str(caught.value)
        assert "UTF-8 text file" in str(caught.value)


@pytest.mark.parametrize(("mark", "offset"), [(b"", 6), (b"\xef\xbb\xbf", 9)])
def test_undecodable_byte_is_named_by_its_offset_in_the_file(
    tmp_path: Path, mark: bytes, offset: int
) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(mark + b"before\xe9 after")
    with pytest.raises(UserError, match=f"byte 0xe9 at offset {offset} ") as caught:
        read_text(path)
    assert str(path) in str(caught.value)


def test_utf_16_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "wide.txt"
    path.write_text("hello", encoding="utf-16")
    with pytest.raises(UserError, match="begins as UTF-16"):
        read_text(path)


@pytest.mark.skipif(os.name != "posix", reason="pipes with a path are a POSIX matter")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(UserError, match="device or a pipe"):
        read_text(path)


@settings(deadline=None)
@given(st.text("aé\u4e00😀\r\n", min_size=1, max_size=30), st.integers(1, 5))
def test_pieces_are_the_text_wherever_they_are_cut(text: str, piece: int) -> None:
    """In the middle of a character's bytes and between the two of a line end too."""
    whole = text.replace("\r\n", "\n").replace("\r", "\n")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "text.txt"
        path.write_bytes(text.encode())
        patch.setattr(texts, "PIECE", piece)
        assert read_text(path) == whole
        vocabulary, codes = encoded(read_pieces(path), most=7)
        assert vocabulary.decode(codes.tolist()) == whole[:7]
        path.write_bytes(b"abc" + text.encode() + b"\xe9")
        with pytest.raises(UserError, match=f"byte 0xe9 at offset {3 + len(text.encode())} "):
            read_text(path)


@given(st.text(min_size=1))
def test_vocabulary_round_trip(text: str) -> None:
    vocabulary, codes = encoded([text])
    numbers = vocabulary.encode(text)
    assert codes.tolist() == numbers.tolist()
    assert vocabulary.characters == "".join(sorted(set(text)))
    assert vocabulary.decode(numbers.tolist()) == text


def test_unknown_characters_are_all_named_with_those_that_are_known() -> None:
    with pytest.raises(UserError, match=r"never saw: ! é\. Known: ' ' a b") as caught:
        Vocabulary(" ab").encode("aé!b")
    assert caught.value.exit_code == 2


def test_an_unreadable_character_is_shown_escaped() -> None:
    with pytest.raises(UserError, match=r"never saw: \\t"):
        Vocabulary("ab").encode("a\t")


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(
        UserError, match=r"cannot look up x+: File name too long; give the path of a file or folder"
    ):
        list(read_pieces(Path("x" * 300)))


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b").touch()
    (tmp_path / "a").touch()
    assert [path.name for path in listed_folder(tmp_path)] == ["a", "b"]

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    for read in (listed_folder, Seq2Seq().load):
        with pytest.raises(UserError, match=f"cannot read {tmp_path}: Permission denied; give a folder"):
            read(tmp_path)
