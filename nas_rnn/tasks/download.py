"""Standard data sets that a task can fetch: what they are, their licence, and the checksum that knows them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file at ``url``, whose bytes ``checksum`` knows ("sha256:..." or "md5:...").

    It is kept as ``name`` in the data set's folder (by default the last part of the address). Of an archive (.zip,
    .tar, .tar.gz, .tgz) only ``members`` are unpacked, all of them where there are none named, beside ``name``.
    """

    url: str
    checksum: str
    name: str = ""
    members: tuple[str, ...] = ()
    unpack: bool = False


@dataclass(frozen=True, kw_only=True)
class Download:
    """A data set that `nas-rnn download` brings.

    ``use`` is what ``--data`` is then given, a path within the data set's folder ("" for the folder itself).
    ``licence`` is told before anything is fetched, and ``source`` is where the data are described.
    """

    name: str
    summary: str
    licence: str
    source: str
    files: tuple[RemoteFile, ...]
    use: str = ""
