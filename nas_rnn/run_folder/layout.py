"""The folder of one search or comparison under ``runs/``: who may write it, and what lies where."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock

from nas_rnn.errors import NasRnnError, UserError, unknown
from nas_rnn.outside import require_reachable
from nas_rnn.run_folder.config import CompareConfig, SearchConfig, dump_toml
from nas_rnn.run_folder.manifest import Kind, damaged, go_on, parse_json
from nas_rnn.run_folder.values import is_folder_name
from nas_rnn.training import RunResult, RunSpec, RunStore
from nas_rnn.training.files import LocalFiles
from nas_rnn.training.storage import StoredFiles, make_stored_folder, open_storage

REPORT = "report.html"
SUITE = "suite.json"
"""Says what a suite is made of; its comparisons lie in folders of their own."""
FINAL = "final.json"
"""Says who is measured on the test part, from before the first of them is."""
_HOLDER = ".holder"
"""Says who holds the folder, where others wait for it."""


class RunFolder:
    """``runs/<name>/``; made by `create` or `open_existing`, and held by one process at a time."""

    def __init__(self, runs: Path, name: str) -> None:
        self.runs = runs.resolve()
        self.name = name
        self.path = self.runs / name
        self.trials = self.path / "trials"
        self.study_path = self.path / "study.journal"
        self.config_path = self.path / "config.toml"
        self.best = self.path / "best"
        self.storage: str | None = None
        self._lock = filelock.FileLock(self.path / ".lock", timeout=0)

    @classmethod
    def create(cls, runs: Path, name: str | None, stem: str) -> RunFolder:
        """Make the folder of ``name``, or of the next free ``stem-N``, and hold it.

        Raises UserError where the name is taken or ``runs`` is no folder, NasRnnError where it cannot be written.
        """
        make_folder(runs)
        folder = cls(runs, name) if name else _next_free(runs, stem)
        if (folder.path / SUITE).exists():
            raise UserError(
                f"there is already a suite {name!r} under {str(runs)!r}; go on with it with "
                f"`nas-rnn compare --resume {shlex.quote(folder.name)}`, or give another --name"
            )
        if folder.config_path.exists():
            raise UserError(
                f"there is already a search or comparison {name!r} under {str(runs)!r}; resume a search with "
                f"`nas-rnn search --resume {shlex.quote(folder.name)}`, or give another --name"
            )
        try:
            # A folder without a configuration was left by a process that was killed before it began.
            folder.trials.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder.path, error) from error
        return folder.hold()

    @classmethod
    def open_existing(cls, runs: Path, name: str) -> RunFolder:
        """Return the folder of ``name`` without holding it; `UserError` with the names there are otherwise."""
        require_reachable(runs)
        folder = cls(runs, name)
        if not is_folder_name(name) or not folder.config_path.is_file():
            raise unknown("search", name, names(runs))
        return folder

    def keep_checkpoints_at(self, uri: str | None) -> None:
        """Have checkpoints lie at ``uri``, in a folder of this search's name; `UserError` where that cannot be."""
        if uri is not None:
            open_storage(uri)
            self.storage = f"{uri.rstrip('/')}/{self.name}"
            make_stored_folder(self.storage)

    @contextlib.contextmanager
    def held(self, kind: Kind, *, new: bool) -> Iterator[RunFolder]:
        """Release the folder after the block; remove a ``new`` one where nothing was trained before a failure.

        A failure after that says how to resume.
        """
        try:
            yield self
        except NasRnnError as error:
            if new and not any(self.trials.glob("*/*")):
                self.release()
                shutil.rmtree(self.path, ignore_errors=True)
            elif not isinstance(error, UserError):
                raise NasRnnError(
                    f"{error}. Finished work is kept: once this is fixed, resume it with `{go_on(kind, self.name)}`"
                ) from error
            raise
        finally:
            self.release()

    def hold(self) -> RunFolder:
        """Hold the folder until `release` or the end of the process; `UserError` where another process does."""
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise UserError(
                f"{self.name!r} is being run by another process; wait for it, or stop it first"
            ) from None
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return self

    def hold_in_turn(self, on_wait: Callable[[str], None]) -> RunFolder:
        """Hold the folder as `hold` does, but wait for another process; ``on_wait`` hears once who has it."""
        try:
            self._lock.acquire()
        except filelock.Timeout:
            holder = self.path / _HOLDER
            on_wait(holder.read_text(encoding="utf-8") if holder.is_file() else "another process")
            self._lock.acquire(timeout=-1)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self.write(_HOLDER, f"process {os.getpid()}")
        return self

    def release(self) -> None:
        """Let others hold the folder."""
        self._lock.release()

    def store(self, run: str) -> RunStore:
        """Return the files of one run; its checkpoint lies at ``storage``, if that is set."""
        files = LocalFiles(self.trials / run)
        return RunStore(files if self.storage is None else StoredFiles(files, self.storage, run))

    def earlier_result(self, spec: RunSpec, *, retry: bool = True) -> RunResult | None:
        """Return the result that an earlier process left of this very run, or None.

        What another run of the same name left is removed. A failed run is to be tried again unless ``retry`` is False,
        or the final has begun: what was chosen before it stays chosen.
        """
        store = self.store(spec.id)
        if store.read_spec() not in (None, spec):
            if spec.read_test:
                raise NasRnnError(f"{store.place} holds another final run, and the test part is read once")
            store.clear()
            return None
        result = store.read_result()
        if result is not None and result.status == "failed" and retry:
            chosen = spec.role != "final" and (self.path / FINAL).is_file()
            return result if chosen else None
        return result

    def keep_result(self, result: RunResult) -> None:
        """Keep a result that the worker could not write itself."""
        store = self.store(result.id)
        if store.read_result() is None:
            store.write_result(result)

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
        path = self.path / name
        data = content.encode() if isinstance(content, str) else content
        LocalFiles(path.parent).write(path.name, data)

    def write_config(self, config: SearchConfig | CompareConfig) -> None:
        """Put the resolved configuration into the folder: with it the folder counts as one."""
        self.write(self.config_path.name, dump_toml(config))

    def write_json(self, name: str, value: Any) -> None:
        """Put plain data into the folder as JSON."""
        self.write(name, json.dumps(value, indent=1, allow_nan=False) + "\n")

    def read_json(self, name: str) -> Any:
        """Return the plain data of a JSON file, None where there is none; NasRnnError where it is damaged."""
        path = self.path / name
        if not path.is_file():
            return None
        try:
            return parse_json(path.read_text(encoding="utf-8"), str(path))
        except UnicodeDecodeError as error:
            raise damaged(str(path), f"it is not UTF-8 ({error})") from error
        except OSError as error:
            raise NasRnnError(f"cannot read {path}: {error.strerror or error}") from error


def make_folder(runs: Path) -> None:
    """Make the folder of searches where there is none.

    Raises UserError where it is a file, or one of its parents is; NasRnnError where it cannot be made.
    """
    require_reachable(runs)
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
    require_reachable(runs)
    if runs.exists() and not runs.is_dir():
        raise _no_folder(runs)
    return sorted(path.parent.name for path in runs.glob("*/config.toml"))


def _next_free(runs: Path, stem: str) -> RunFolder:
    """Make the folder of the next free ``stem-N``: of two that begin at once each has its own."""
    number = 1
    while True:
        folder = RunFolder(runs, f"{stem}-{number}")
        try:
            folder.path.mkdir()
            return folder
        except FileExistsError:
            number += 1
        except OSError as error:
            raise _unwritable(folder.path, error) from error
