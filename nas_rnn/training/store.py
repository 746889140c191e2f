"""A run's folder: spec, curve, checkpoint and result, readable whenever its writer was killed."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_rnn.errors import NasRnnError
from nas_rnn.training.spec import EpochRecord, RunResult, RunSpec

if TYPE_CHECKING:  # reading curves and results needs no torch
    from nas_rnn.training.checkpoint import Checkpoint

_TEMPORARY = ".writing-"


class RunStore:
    """The files of one run: ``spec.json``, ``metrics.jsonl``, ``checkpoint.safetensors``, ``result.json``.

    Every file but ``metrics.jsonl`` is replaced as a whole or not at all; of ``metrics.jsonl`` only the last
    line can be torn, and readers pass over it. One process writes a folder at a time, any number may read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec_path = folder / "spec.json"
        self.metrics_path = folder / "metrics.jsonl"
        self.checkpoint_path = folder / "checkpoint.safetensors"
        self.result_path = folder / "result.json"

    def write_spec(self, spec: RunSpec) -> None:
        self._write(self.spec_path, _json_bytes(spec.to_dict()))

    def read_spec(self) -> RunSpec | None:
        data = _read_json(self.spec_path)
        return None if data is None else RunSpec.from_dict(data)

    def write_result(self, result: RunResult) -> None:
        self._write(self.result_path, _json_bytes(result.to_dict()))

    def read_result(self) -> RunResult | None:
        data = _read_json(self.result_path)
        return None if data is None else RunResult.from_dict(data)

    def append_record(self, record: EpochRecord) -> None:
        """Add one line to the curve, on disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.metrics_path.open("ab") as file:
            file.write(_line(record))
            file.flush()
            os.fsync(file.fileno())

    def replace_records(self, records: list[EpochRecord]) -> None:
        """Make the curve exactly ``records``, unless it already is."""
        content = b"".join(map(_line, records))
        if not self.metrics_path.exists() or self.metrics_path.read_bytes() != content:
            self._write(self.metrics_path, content)

    def read_records(self) -> list[EpochRecord]:
        """Return the curve so far, without a last line that is still being written or was torn.

        Raises:
            NasRnnError: when an earlier line cannot be read.
        """
        if not self.metrics_path.exists():
            return []
        lines = self.metrics_path.read_bytes().split(b"\n")[
            :-1
        ]  # what follows the last newline is unfinished
        records = []
        for number, line in enumerate(lines, start=1):
            try:
                records.append(EpochRecord.from_dict(json.loads(line)))
            except (ValueError, NasRnnError) as error:
                raise NasRnnError(f"line {number} of {self.metrics_path} cannot be read: {error}") from error
        return records

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        from nas_rnn.training.checkpoint import to_bytes

        self._write(self.checkpoint_path, to_bytes(checkpoint))

    def read_checkpoint(self) -> Checkpoint | None:
        """Return the last checkpoint, or None where there is none.

        Raises:
            NasRnnError: when there is a file that is not a whole checkpoint.
        """
        from nas_rnn.training.checkpoint import read

        return read(self.checkpoint_path) if self.checkpoint_path.exists() else None

    def drop_checkpoint(self) -> None:
        """Remove the checkpoint of a run that will not go on; it takes four times the weights' space."""
        self.checkpoint_path.unlink(missing_ok=True)

    def clear_leftovers(self) -> None:
        """Remove the unfinished files of writers that were killed."""
        for path in self.folder.glob(f"{_TEMPORARY}*"):
            path.unlink(missing_ok=True)

    def _write(self, path: Path, content: bytes) -> None:
        """Put ``content`` at ``path`` so that a reader, even after a crash, sees the old or the new file."""
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
            raise NasRnnError(f"cannot write {path}: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` outlive a power cut; only POSIX systems can and need to."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _json_bytes(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()


def _line(record: EpochRecord) -> bytes:
    return (json.dumps(record.to_dict(), allow_nan=False) + "\n").encode()


def _read_json(path: Path) -> object:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise NasRnnError(f"{path} is not JSON: {error}") from error
