"""The folder of one search or comparison under ``runs/``: who may write it, and what lies where."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from nas_rnn.errors import NasRnnError, UserError, unknown
from nas_rnn.training import RunStore
from nas_rnn.training.files import LocalFiles
from nas_rnn.training.storage import StoredFiles, make_stored_folder, open_storage

REPORT = "report.html"
FINAL = "final.json"
"""Says who is measured on the test part, from before the first of them is."""


class Workspace:
    """``runs/<name>/``; made by `create` or `open_existing`, and held by one process at a time."""

    def __init__(self, runs: Path, name: str) -> None:
        self.runs = runs.resolve()
        self.name = name
        self.folder = self.runs / name
        self.trials = self.folder / "trials"
        self.study_path = self.folder / "study.journal"
        self.config_path = self.folder / "config.toml"
        self.best = self.folder / "best"
        self.storage: str | None = None
        self._lock = filelock.FileLock(self.folder / ".lock", timeout=0)

    @classmethod
    def create(cls, runs: Path, name: str | None, stem: str) -> Workspace:
        """Make the folder of ``name``, or of the next free ``stem-N``, and hold it.

        Raises UserError where the name is taken or ``runs`` is no folder, NasRnnError where it cannot be written.
        """
        make_folder(runs)
        workspace = cls(runs, name) if name else _next_free(runs, stem)
        if workspace.config_path.exists():
            raise UserError(
                f"there is a search or comparison {name!r} already under {str(runs)!r}; a search "
                f"goes on with `nas-rnn search --resume {name}`, anything else needs another --name"
            )
        try:
            # A folder without a configuration was left by a process that was killed before it began.
            workspace.trials.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(workspace.folder, error) from error
        return workspace.hold()

    @classmethod
    def open_existing(cls, runs: Path, name: str) -> Workspace:
        """Return the folder of ``name`` without holding it; `UserError` with the names there are otherwise."""
        workspace = cls(runs, name)
        if not workspace.config_path.is_file():
            raise unknown("search", name, names(runs))
        return workspace

    def keep_checkpoints_at(self, uri: str | None) -> None:
        """Have checkpoints lie at ``uri``, in a folder of this search's name; `UserError` where that cannot be."""
        if uri is not None:
            open_storage(uri)
            self.storage = f"{uri.rstrip('/')}/{self.name}"
            make_stored_folder(self.storage)

    @contextlib.contextmanager
    def held(self, *, new: bool) -> Iterator[Workspace]:
        """Release the folder after the block; remove a ``new`` one where nothing was trained before a failure.

        A failure after that says how to go on.
        """
        try:
            yield self
        except NasRnnError as error:
            if new and not any(self.trials.glob("*/*")):
                self.release()
                shutil.rmtree(self.folder, ignore_errors=True)
            elif not isinstance(error, UserError):
                kind = (self.read_json("search.json") or {}).get("kind", "search")
                raise NasRnnError(
                    f"{error}. What is finished is kept: once that is put right, go on with "
                    f"`nas-rnn {kind} --resume {self.name}`"
                ) from error
            raise
        finally:
            self.release()

    def hold(self) -> Workspace:
        """Hold the folder until `release` or the end of the process; `UserError` where another process does."""
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise UserError(
                f"{self.name!r} is being run by another process; wait for it, or stop it first"
            ) from None
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        return self

    def release(self) -> None:
        """Let others hold the folder."""
        self._lock.release()

    def store(self, run: str) -> RunStore:
        """Return the files of one run; its checkpoint lies at ``storage``, if that is set."""
        files = LocalFiles(self.trials / run)
        return RunStore(files if self.storage is None else StoredFiles(files, self.storage, run))

    def ended(self) -> list[str]:
        """Return the runs that have a result."""
        return [
            run.name
            for run in sorted(self.trials.iterdir())
            if self.store(run.name).read_result() is not None
        ]

    def changed_ms(self, run: str, name: str) -> int | None:
        """Return when a file of a run was last written, in milliseconds since 1970."""
        path = self.trials / run / name
        return int(path.stat().st_mtime * 1000) if path.exists() else None

    def write(self, name: str, content: str | bytes) -> None:
        """Put a file into the folder, whole or not at all."""
        path = self.folder / name
        data = content.encode() if isinstance(content, str) else content
        LocalFiles(path.parent).write(path.name, data)

    def write_json(self, name: str, value: Any) -> None:
        """Put plain data into the folder as JSON."""
        self.write(name, json.dumps(value, indent=1, allow_nan=False) + "\n")

    def read_json(self, name: str) -> Any:
        """Return the plain data of a JSON file, or None where there is none."""
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def make_folder(runs: Path) -> None:
    """Make the folder of searches where there is none.

    Raises UserError where it is a file, or one of its parents is; NasRnnError where it cannot be made.
    """
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise _no_folder(runs) from None
    except OSError as error:
        raise _unwritable(runs, error) from error


def _no_folder(runs: Path) -> UserError:
    return UserError(f"--runs (or NAS_RNN_RUNS) takes a folder of searches; {str(runs)!r} is none")


def _unwritable(folder: Path, error: OSError) -> NasRnnError:
    return NasRnnError(
        f"cannot write in {str(folder)!r}: {error.strerror or error}; make room or give write permission there, "
        "or choose another folder with --runs"
    )


def names(runs: Path) -> list[str]:
    """Return the names of the searches and comparisons under ``runs``; `UserError` where that is no folder."""
    if runs.exists() and not runs.is_dir():
        raise _no_folder(runs)
    return sorted(path.parent.name for path in runs.glob("*/config.toml"))


def _next_free(runs: Path, stem: str) -> Workspace:
    number = 1
    while (runs / f"{stem}-{number}").exists():
        number += 1
    return Workspace(runs, f"{stem}-{number}")
