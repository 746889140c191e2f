"""Where a run's files lie: a folder of this machine, or somewhere that others reach by the same few words."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from nas_rnn.training.errors import CannotStore

_TEMPORARY = ".writing-"


class Files(Protocol):
    """A few named files; ``write`` replaces one as a whole or not at all. All raise `CannotStore`."""

    @property
    def place(self) -> str:
        """Where they are, for messages."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None where there is none."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Make ``content`` the file's content: a reader, even after a crash, sees the old or the new."""
        ...

    def append(self, name: str, content: bytes) -> None:
        """Add to the end of a file; a crash may leave a part of ``content``."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def clear_leftovers(self) -> None:
        """Remove what writers that were killed left unfinished."""
        ...


class LocalFiles:
    """The files of one folder of this machine, on disk when a call returns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def place(self) -> str:
        return str(self.folder)

    def read(self, name: str) -> bytes | None:
        path = self.folder / name
        with _explained("read", path):
            return path.read_bytes() if path.exists() else None

    def write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        temporary: Path | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(prefix=_TEMPORARY, dir=self.folder, delete=False) as file:
                temporary = Path(file.name)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(self.folder)
        except OSError as error:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    temporary.unlink()
            raise CannotStore(f"cannot write {path}: {error.strerror or error}") from error

    def append(self, name: str, content: bytes) -> None:
        path = self.folder / name
        with _explained("write", path):
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())

    def remove(self, name: str) -> None:
        path = self.folder / name
        with _explained("remove", path):
            path.unlink(missing_ok=True)

    def clear_leftovers(self) -> None:
        for path in self.folder.glob(f"{_TEMPORARY}*"):
            with _explained("remove", path):
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def _explained(what: str, path: Path) -> Iterator[None]:
    """Raise an OSError as `CannotStore`, with ``what`` could not be done and why."""
    try:
        yield
    except OSError as error:
        raise CannotStore(f"cannot {what} {path}: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` outlive a power cut; only POSIX systems can and need to."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
