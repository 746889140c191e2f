"""Checkpoints at a URI (``s3://bucket/folder``, ``gs://...``, ``file:///shared/folder``), everything else elsewhere."""

from __future__ import annotations

import contextlib
from typing import Any

from nas_rnn.errors import UserError
from nas_rnn.training.errors import CannotStore
from nas_rnn.training.files import Files

AT_URI = frozenset({"checkpoint.safetensors"})
"""The files that are large and that workers read and write: these go to the URI."""


def open_storage(uri: str) -> tuple[Any, str]:
    """Return pyarrow's file system for ``uri`` and the path in it; `UserError` where there is none."""
    from pyarrow import ArrowException, fs

    try:
        return fs.FileSystem.from_uri(uri)  # type: ignore[no-any-return]
    except (ArrowException, ValueError, OSError) as error:
        raise UserError(
            f"--storage takes a URI such as s3://bucket/folder, gs://bucket/folder or file:///shared/folder; "
            f"{uri!r} is none: {error}"
        ) from None


def make_stored_folder(uri: str) -> None:
    """Make the folder ``uri``; `UserError` where it is no URI, or nothing can be written there."""
    system, folder = open_storage(uri)
    try:
        system.create_dir(folder, recursive=True)
    except OSError as error:
        raise UserError(f"--storage: cannot write at {uri!r}: {error}") from None


class StoredFiles:
    """Files of which the checkpoint lies at ``uri`` and the rest with ``others``."""

    def __init__(self, others: Files, uri: str, run: str) -> None:
        self._others = others
        self._system, folder = open_storage(uri)
        self._folder = f"{folder.rstrip('/')}/{run}"
        self._uri = f"{uri.rstrip('/')}/{run}"

    @property
    def place(self) -> str:
        return self._uri

    def read(self, name: str) -> bytes | None:
        if name not in AT_URI:
            return self._others.read(name)
        try:
            with self._system.open_input_stream(f"{self._folder}/{name}") as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotStore(f"cannot read {self._uri}/{name}: {error}") from error

    def write(self, name: str, content: bytes) -> None:
        if name not in AT_URI:
            self._others.write(name, content)
            return
        path = f"{self._folder}/{name}"
        try:
            self._system.create_dir(self._folder, recursive=True)
            with self._system.open_output_stream(f"{path}.writing") as stream:
                stream.write(content)
            self._system.move(f"{path}.writing", path)
        except OSError as error:
            raise CannotStore(f"cannot write {self._uri}/{name}: {error}") from error

    def append(self, name: str, content: bytes) -> None:
        self._others.append(name, content)

    def remove(self, name: str) -> None:
        if name not in AT_URI:
            self._others.remove(name)
            return
        try:
            self._system.delete_file(f"{self._folder}/{name}")
        except FileNotFoundError:
            pass
        except OSError as error:
            raise CannotStore(f"cannot remove {self._uri}/{name}: {error}") from error

    def clear_leftovers(self) -> None:
        self._others.clear_leftovers()


class Probe:
    """A small file at ``uri`` that shows whether all see the same place."""

    def __init__(self, uri: str, name: str) -> None:
        self._uri = uri
        self._name = name

    def write(self) -> None:
        """Write it; `UserError` where that is not possible."""
        system, folder = open_storage(self._uri)
        try:
            system.create_dir(folder, recursive=True)
            with system.open_output_stream(f"{folder}/{self._name}") as stream:
                stream.write(b"nas_rnn")
        except OSError as error:
            raise UserError(f"--storage: cannot write at {self._uri!r}: {error}") from None

    def exists(self) -> bool:
        """Return whether it is there, seen from this machine; `CannotStore` where one cannot tell."""
        system, folder = open_storage(self._uri)
        try:
            with system.open_input_stream(f"{folder}/{self._name}") as stream:
                return bool(stream.read() == b"nas_rnn")
        except FileNotFoundError:
            return False
        except OSError as error:
            raise CannotStore(f"cannot read at {self._uri!r}: {error}") from error

    def remove(self) -> None:
        """Remove it where that is possible."""
        system, folder = open_storage(self._uri)
        with contextlib.suppress(OSError):
            system.delete_file(f"{folder}/{self._name}")
