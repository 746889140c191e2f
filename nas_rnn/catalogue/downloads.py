"""Bringing the standard data sets that tasks declare: which there are, and fetching one safely."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit

from nas_rnn import plugins
from nas_rnn.errors import NasRnnError, UserError, unknown
from nas_rnn.tasks import Download, RemoteFile

MOST_BYTES = 4 << 30
"""Bytes that are unpacked of an archive at most."""
MOST_MEMBERS = 100_000
TIMEOUT = 30
"""Seconds without an answer after which a server counts as not reached."""
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Offer:
    """A data set, and the tasks that it is for."""

    tasks: tuple[str, ...]
    download: Download

    @property
    def row(self) -> dict[str, str]:
        """What is told of it in a list."""
        return {
            "name": self.download.name,
            "task": ", ".join(self.tasks),
            "licence": self.download.licence,
            "summary": self.download.summary,
            "source": self.download.source,
        }


@dataclass(frozen=True)
class Brought:
    """Where a data set lies now, and what `--data` is given to use it."""

    folder: Path
    data: Path


def offers() -> list[Offer]:
    """Return every data set of every known task; one that several tasks have is there once, with all of them."""
    found = dict[Download, list[str]]()
    for name in plugins.registry().names("task"):
        try:
            task = plugins.registry().find("task", name).value
        except UserError:  # two tasks of one name: `nas-rnn list tasks` says so
            continue
        for download in task.downloads:
            found.setdefault(download, []).append(name)
    return [Offer(tuple(tasks), download) for download, tasks in found.items()]


def find_offer(name: str) -> Offer:
    """Return the data set ``name``.

    Raises:
        UserError: where there is none, or tasks have several of this name.
    """
    found = [offer for offer in offers() if offer.download.name == name]
    if not found:
        raise unknown("data set", name, {offer.download.name for offer in offers()})
    if len(found) > 1:
        tasks = " and ".join(task for offer in found for task in offer.tasks)
        raise UserError(f"the tasks {tasks} have different data sets called {name!r}; rename one of them")
    return found[0]


def bring(
    download: Download, folder: Path, *, on_file: Callable[[RemoteFile], None] = lambda _: None
) -> Brought:
    """Fetch the files of ``download`` that are not in ``folder`` yet, check them, and unpack what is to be unpacked.

    ``on_file`` is told of each file before it is fetched.

    Raises:
        UserError: for a ``folder`` that is a file, or another file in the place of one that is to be fetched.
        NasRnnError: where a file cannot be had, is not what it was, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; give a folder with --to, there or not yet")
    for remote in download.files:
        file = folder / _plain_name(remote)
        if not _is_there(file, remote):
            on_file(remote)
            _fetch(remote, file)
        if remote.unpack:
            _unpack(file, remote)
    return Brought(folder, folder / download.use if download.use else folder)


def _plain_name(remote: RemoteFile) -> str:
    """Return the name that a file is kept under: one name, no path."""
    name = remote.name or PurePosixPath(urlsplit(remote.url).path).name
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        raise NasRnnError(f"{remote.url} is to be kept as {name!r}, which is no plain name of a file")
    return name


def _is_there(file: Path, remote: RemoteFile) -> bool:
    if not file.exists():
        return False
    kind, _, wanted = remote.checksum.partition(":")
    try:
        with file.open("rb") as content:
            found = hashlib.file_digest(content, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}; give another folder with --to") from error
    if found != wanted:
        raise UserError(
            f"{file} is there already and is another file: its {kind} is {found}, where {wanted} was expected; move "
            "it away, or give another folder with --to"
        )
    return True


def _fetch(remote: RemoteFile, file: Path) -> None:
    """Fetch into a file beside, which takes its name when its checksum is right; whatever fails leaves nothing."""
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")  # what is fetched is told by whoever asked
    get = pooch.HTTPDownloader(timeout=TIMEOUT)
    try:
        pooch.retrieve(remote.url, remote.checksum, fname=file.name, path=file.parent, downloader=get)
    except requests.HTTPError as error:
        answer = error.response
        status = "with an error" if answer is None else f"{answer.status_code} {answer.reason}"
        raise NasRnnError(f"{remote.url} cannot be had: the server answered {status}; {_BY_HAND}") from error
    except requests.RequestException as error:
        raise NasRnnError(
            f"{remote.url} cannot be reached ({type(error).__name__}); is there a network? {_BY_HAND}"
        ) from error
    except ValueError as error:  # pooch's word for a wrong checksum
        raise NasRnnError(
            f"{remote.url} is not what it was: its checksum is not {remote.checksum}; nothing was kept, try again or "
            "take the data from its source"
        ) from error
    except OSError as error:
        raise NasRnnError(
            f"cannot write {file}: {error.strerror or error}; make room, or give --to"
        ) from error


_BY_HAND = "try again, or fetch it by hand and give the folder that it lies in with --to"


def _unpack(archive: Path, remote: RemoteFile) -> None:
    """Unpack the named members beside the archive; no member may lie elsewhere, or be anything but a file."""
    try:
        with archive.open("rb") as content:
            packed = zipfile.is_zipfile(content)
        for name, opened, size in _zipped(archive) if packed else _tarred(archive):
            if remote.members and name not in remote.members:
                continue
            _write_member(archive, name, opened, size)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise NasRnnError(f"{archive} cannot be unpacked: {error}; remove it, and try again") from error
    except OSError as error:
        raise NasRnnError(
            f"cannot unpack {archive}: {error.strerror or error}; make room, or give --to"
        ) from error
    missing = [name for name in remote.members if not (archive.parent / name).is_file()]
    if missing:
        raise NasRnnError(f"{archive} has no {', '.join(missing)}; it is not the archive that was expected")


Opened = Callable[[], IO[bytes] | None]


def _zipped(archive: Path) -> Iterator[tuple[str, Opened, int]]:
    with zipfile.ZipFile(archive) as packed:
        yield from _bounded(
            archive,
            (
                (one.filename, lambda one=one: packed.open(one), one.file_size)
                for one in packed.infolist()
                if not one.is_dir()
            ),
        )


def _tarred(archive: Path) -> Iterator[tuple[str, Opened, int]]:
    with tarfile.open(archive) as packed:
        yield from _bounded(
            archive,
            ((one.name, lambda one=one: packed.extractfile(one), one.size) for one in packed if one.isreg()),
        )


def _bounded(
    archive: Path, members: Iterator[tuple[str, Any, int]] | Any
) -> Iterator[tuple[str, Opened, int]]:
    total = 0
    for number, (name, opened, size) in enumerate(members):
        total += size
        if number >= MOST_MEMBERS or total > MOST_BYTES:
            raise NasRnnError(
                f"{archive} holds more than {MOST_MEMBERS:,} files or {MOST_BYTES:,} bytes; it is not unpacked further"
            )
        yield name.removeprefix("./"), opened, size


def _write_member(archive: Path, name: str, opened: Opened, size: int) -> None:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
        raise NasRnnError(
            f"{archive} has a member {name!r} that would lie outside of its folder; it is not unpacked"
        )
    file = archive.parent.joinpath(*parts)
    if not file.resolve().is_relative_to(archive.parent.resolve()):
        raise NasRnnError(f"{file} leads out of {archive.parent} by a link; remove it, or give --to")
    if file.exists():
        _require_same(archive, file, opened)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.part")
    source = opened()
    assert source is not None  # only regular files were asked for
    try:
        with source, partial.open("wb") as target:
            left = size
            while content := source.read(min(_AT_ONCE, left + 1)):
                left -= len(content)
                if left < 0:
                    raise NasRnnError(
                        f"{archive}: {name} is larger than the archive says; it is not unpacked"
                    )
                target.write(content)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _require_same(archive: Path, file: Path, opened: Opened) -> None:
    source = opened()
    assert source is not None
    if not file.is_file():
        raise UserError(
            f"{file} is there already and is no file; move it away, or give another folder with --to"
        )
    with source, file.open("rb") as kept:
        while (content := source.read(_AT_ONCE)) == kept.read(_AT_ONCE):
            if not content:
                return
    raise UserError(
        f"{file} is there already and is another file than the one in {archive.name}; move it away, or give another "
        "folder with --to"
    )
