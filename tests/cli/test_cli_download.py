"""Data sets that are fetched from a server: what arrives, and what is said where something is wrong."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nas_rnn.catalogue import downloads
from nas_rnn.catalogue.downloads import bring, offers
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.tasks import Download, RemoteFile
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.word_lm import WordLM
from tests.cli.conftest import Run


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Give a folder and the address that it is served at."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def remote(served: tuple[Path, str], file: str, content: bytes, **more: object) -> RemoteFile:
    (served[0] / file).write_bytes(content)
    checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return RemoteFile(**{"url": f"{served[1]}/{file}", "checksum": checksum, **more})  # type: ignore[arg-type]


def data_set(*files: RemoteFile, use: str = "") -> Download:
    return Download(name="toy", summary="a toy", licence="public domain", source="here", files=files, use=use)


def zipped(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, own in members.items():
            archive.writestr(name, own)
    return content.getvalue()


def tarred(members: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, own in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.type = len(own) if kind == tarfile.REGTYPE else 0, kind
            info.linkname = "/etc/passwd" if kind == tarfile.SYMTYPE else ""
            archive.addfile(info, io.BytesIO(own))
    return content.getvalue()


def test_the_licence_is_told_first_and_the_use_last(
    run: Run, served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = data_set(remote(served, "a.txt", b"text " * 100, name="b.txt"), use="b.txt")
    monkeypatch.setattr(CharLM, "downloads", (own,))
    folder = tmp_path / "my data"
    outcome = run("download", "toy", "--to", folder)
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[:3] == ["a toy", "Licence: public domain", "Source: here"]
    assert lines[3] == f"Fetching {served[1]}/a.txt"
    assert lines[-1] == f"  nas-rnn search --task char-lm --data '{folder}/b.txt'"
    assert (folder / "b.txt").read_bytes() == b"text " * 100
    assert [path.name for path in folder.iterdir()] == ["b.txt"]
    again = run("download", "toy", "--to", folder)
    assert again.code == 0
    assert "Fetching" not in again.out


def test_without_a_name_all_are_listed(run: Run) -> None:
    outcome = run("download")
    assert outcome.code == 0
    for word in ("tinyshakespeare", "text8", "mnist", "fashion-mnist", "CC BY-SA", "char-lm", "glimpses"):
        assert word in outcome.out


def test_an_unknown_name_is_told_with_the_nearest(run: Run) -> None:
    outcome = run("download", "tinyshakespear")
    assert outcome.code == 2
    assert "unknown data set 'tinyshakespear'; did you mean 'tinyshakespeare'?" in outcome.err


def test_declared_data_sets_are_sound() -> None:
    """Checksums of the right length, names and uses that stay in the folder, and none twice."""
    found = [offer.download for offer in offers()]
    assert len({download.name for download in found}) == len(found) >= 4
    for download in found:
        assert download.licence and download.source.startswith("http")
        assert ".." not in download.use and not download.use.startswith("/")
        for file in download.files:
            kind, digest = file.checksum.split(":")
            assert len(digest) == hashlib.new(kind).digest_size * 2
            assert downloads._plain_name(file)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_only_named_members_are_unpacked(served: tuple[Path, str], tmp_path: Path, pack: object) -> None:
    content = pack({"d/train.txt": b"train", "d/other.txt": b"other", "d/test.txt": b"test"})  # type: ignore[operator]
    packed = remote(served, "all.bin", content, members=("d/train.txt", "d/test.txt"), unpack=True)
    brought = bring(data_set(packed, use="d"), tmp_path / "to")
    assert brought.data == tmp_path / "to" / "d"
    assert sorted(path.name for path in brought.data.iterdir()) == ["test.txt", "train.txt"]
    assert (brought.data / "train.txt").read_bytes() == b"train"
    bring(data_set(packed, use="d"), tmp_path / "to")  # all is there
    (brought.data / "test.txt").write_bytes(b"mine")
    with pytest.raises(
        UserError, match=r"test\.txt is there already and is another file than the one in all\.bin"
    ):
        bring(data_set(packed, use="d"), tmp_path / "to")
    assert (brought.data / "test.txt").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "name", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "C:\\out.txt", "..\\out.txt"]
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_no_member_leaves_the_folder(
    served: tuple[Path, str], tmp_path: Path, pack: object, name: str
) -> None:
    packed = remote(served, "all.bin", pack({name: b"bad"}), unpack=True)  # type: ignore[operator]
    with pytest.raises(NasRnnError, match="would lie outside of its folder; it is not unpacked"):
        bring(data_set(packed), tmp_path / "in" / "to")
    assert [path.name for path in (tmp_path / "in").rglob("*")] == ["to", "all.bin"]
    assert not (tmp_path / "out.txt").exists()


def test_links_are_not_unpacked_and_none_is_followed(served: tuple[Path, str], tmp_path: Path) -> None:
    packed = remote(served, "a.tgz", tarred({"d": b""}, tarfile.SYMTYPE), unpack=True)
    bring(data_set(packed), tmp_path / "to")
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["a.tgz"]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "to" / "d").symlink_to(tmp_path / "elsewhere")
    other = remote(served, "b.zip", zipped({"d/x.txt": b"x"}), unpack=True)
    with pytest.raises(NasRnnError, match="leads out of"):
        bring(data_set(other), tmp_path / "to")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_is_unpacked_is_bounded(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MOST_BYTES", 1000)
    packed = remote(served, "a.zip", zipped({"zeros": bytes(5000)}), unpack=True)
    with pytest.raises(NasRnnError, match=r"more than 100,000 files or 1,000 bytes"):
        bring(data_set(packed), tmp_path / "to")


def test_missing_members_and_no_archive(served: tuple[Path, str], tmp_path: Path) -> None:
    packed = remote(served, "a.zip", zipped({"x": b"x"}), members=("y",), unpack=True)
    with pytest.raises(NasRnnError, match=r"a\.zip has no y; it is not the archive that was expected"):
        bring(data_set(packed), tmp_path / "to")
    with pytest.raises(NasRnnError, match=r"b\.zip cannot be unpacked"):
        bring(data_set(remote(served, "b.zip", b"no archive", unpack=True)), tmp_path / "to")


def test_a_wrong_checksum_keeps_nothing(served: tuple[Path, str], tmp_path: Path) -> None:
    wrong = remote(served, "a.txt", b"text", checksum="md5:" + "0" * 32)
    with pytest.raises(NasRnnError, match="is not what it was: its checksum is not md5:000") as caught:
        bring(data_set(wrong), tmp_path / "to")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "to").iterdir()) == []


def test_no_file_no_server_no_network(
    served: tuple[Path, str], tmp_path: Path, run: Run, monkeypatch
) -> None:
    here = remote(served, "a.txt", b"text")
    gone = RemoteFile(url=f"{served[1]}/gone.txt", checksum=here.checksum)
    with pytest.raises(NasRnnError, match=r"gone\.txt cannot be had: the server answered 404"):
        bring(data_set(gone), tmp_path / "to")
    nowhere = RemoteFile(url="http://127.0.0.1:9/a.txt", checksum=here.checksum)
    monkeypatch.setattr(CharLM, "downloads", (data_set(nowhere),))
    outcome = run("download", "toy", "--to", tmp_path / "to")
    assert outcome.code == 1
    assert "127.0.0.1:9/a.txt cannot be reached" in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_another_file_in_its_place_stays(served: tuple[Path, str], tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "a.txt").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"a\.txt is there already and is another file: its sha256 is"):
        bring(data_set(remote(served, "a.txt", b"text")), tmp_path / "to")
    assert (tmp_path / "to" / "a.txt").read_bytes() == b"mine"
    with pytest.raises(UserError, match="is a file; give a folder"):
        bring(data_set(remote(served, "a.txt", b"text")), tmp_path / "to" / "a.txt")


def test_a_full_disk_is_one_line(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pooch

    def full(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", full)
    with pytest.raises(NasRnnError, match=r"cannot write .*a\.txt: No space left on device; make room"):
        bring(data_set(remote(served, "a.txt", b"text")), tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize("url", ["http://x/", "http://x/..", "http://x/a%2Fb/.."])
def test_a_file_has_a_plain_name(url: str, tmp_path: Path) -> None:
    with pytest.raises(NasRnnError, match="no plain name of a file"):
        bring(data_set(RemoteFile(url=url, checksum="md5:0")), tmp_path / "to")


def test_a_data_set_of_several_tasks_is_there_once_with_all_of_them(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    shared = [offer for offer in offers() if offer.download.name == "mnist"]
    assert [offer.tasks for offer in shared] == [("draw", "glimpses")]
    assert shared[0].row["task"] == "draw, glimpses"
    ours = data_set(remote(served, "a.txt", b"text"), use="a.txt")
    monkeypatch.setattr(CharLM, "downloads", (ours,))
    monkeypatch.setattr(WordLM, "downloads", (ours,))
    printed = run("download", "toy", "--to", tmp_path / "to").out
    for task in ("char-lm", "word-lm"):
        assert f"nas-rnn search --task {task} --data {tmp_path / 'to' / 'a.txt'}" in printed
    other = remote(served, "b.txt", b"another")
    monkeypatch.setattr(WordLM, "downloads", (data_set(other),))
    refused = run("download", "toy")
    assert refused.code == 2 and "the tasks char-lm and word-lm have different data sets" in refused.err
