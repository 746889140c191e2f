"""A run's record: spec, curve, checkpoint and result, readable whenever its writer was killed."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_rnn.errors import NasRnnError
from nas_rnn.outside import json_of
from nas_rnn.training.files import Files, LocalFiles
from nas_rnn.training.spec import EpochRecord, RunResult, RunSpec

if TYPE_CHECKING:  # reading curves and results needs no torch
    from nas_rnn.training.checkpoint import Checkpoint

SPEC, METRICS, CHECKPOINT, RESULT = "spec.json", "metrics.jsonl", "checkpoint.safetensors", "result.json"
WORKERS = "workers.jsonl"
SYSTEM = "system.jsonl"
FLOW = "gradient_flow.json"
TIMED, TIMES = "timed.json", "times.json"
SUPERNET, RANKING = "supernet.json", "ranking.json"


StepTimes = tuple[float, float]
"""Seconds of training that a target takes: of a run, and of the one beside it."""


class RunStore:
    """The files of one run: ``spec.json``, ``metrics.jsonl``, ``checkpoint.safetensors``, ``result.json``, and
    ``workers.jsonl``, which says where the run was trained: one line each time that it began or went on;
    ``system.jsonl``, samples of what it took of its machine; of a final run also ``gradient_flow.json``. A run that
    measures the steps of others has ``timed.json`` and ``times.json`` instead; a supernet's has ``supernet.json``, what
    it is made of, and ``ranking.json``, what it found.

    ``files`` is a folder of this machine, or other `Files`. Every other file is replaced as a whole
    or not at all; of the ``.jsonl`` files only the last line can be torn, and readers pass over it. One process
    writes a run at a time, any number may read.
    """

    def __init__(self, files: Path | Files) -> None:
        self.files: Files = LocalFiles(files) if isinstance(files, Path) else files

    @property
    def place(self) -> str:
        """Where the files are, for messages."""
        return self.files.place

    def write_spec(self, spec: RunSpec) -> None:
        self.files.write(SPEC, _json_bytes(spec.to_dict()))

    def read_spec(self) -> RunSpec | None:
        data = self._read_json(SPEC)
        return None if data is None else RunSpec.from_dict(data)

    def write_result(self, result: RunResult) -> None:
        self.files.write(RESULT, _json_bytes(result.to_dict()))

    def read_result(self) -> RunResult | None:
        data = self._read_json(RESULT)
        return None if data is None else RunResult.from_dict(data)

    def write_flow(self, flow: dict[str, Any]) -> None:
        """Keep the gradient flow: ``flows`` (none where it could not be measured) and the ``problem``, if any."""
        self.files.write(FLOW, _json_bytes(flow))

    def read_flow(self) -> dict[str, Any] | None:
        """Return what `write_flow` kept, or None."""
        data = self._read_json(FLOW)
        return data if isinstance(data, dict) else None

    def write_timed(self, specs: list[RunSpec]) -> None:
        """Keep whose steps are to be measured, the one to compare with first; times of before are removed."""
        self.files.remove(TIMES)
        self.files.write(TIMED, _json_bytes([spec.to_dict() for spec in specs]))

    def read_timed(self) -> list[RunSpec]:
        """Return what `write_timed` kept."""
        data = self._read_json(TIMED)
        return [RunSpec.from_dict(spec) for spec in data] if isinstance(data, list) else []

    def write_times(self, times: list[StepTimes | None]) -> None:
        """Keep what was measured of each spec after the first, beside the first: seconds a target of both."""
        self.files.write(TIMES, _json_bytes(times))

    def read_times(self) -> list[StepTimes | None] | None:
        """Return what `write_times` kept, None where nothing was measured."""
        data = self._read_json(TIMES)
        if not isinstance(data, list):
            return None
        return [None if pair is None else (float(pair[0]), float(pair[1])) for pair in data]

    def write_supernet(self, plan: dict[str, Any]) -> None:
        """Keep what a supernet is made of."""
        self.files.write(SUPERNET, _json_bytes(plan))

    def read_supernet(self) -> dict[str, Any] | None:
        """Return what `write_supernet` kept, or None."""
        data = self._read_json(SUPERNET)
        return data if isinstance(data, dict) else None

    def write_ranking(self, ranking: dict[str, Any]) -> None:
        """Keep how a supernet ranks the cells of its space."""
        self.files.write(RANKING, _json_bytes(ranking))

    def read_ranking(self) -> dict[str, Any] | None:
        """Return what `write_ranking` kept, or None."""
        data = self._read_json(RANKING)
        return data if isinstance(data, dict) else None

    def append_record(self, record: EpochRecord) -> None:
        """Add one line to the curve, on disk when this returns."""
        self.files.append(METRICS, _line(record))

    def replace_records(self, records: list[EpochRecord]) -> None:
        """Make the curve exactly ``records``, unless it already is."""
        content = b"".join(map(_line, records))
        if self.files.read(METRICS) != content:
            self.files.write(METRICS, content)

    def read_records(self) -> list[EpochRecord]:
        """Return the curve so far, without a last line that is still being written or was torn.

        Raises:
            NasRnnError: when an earlier line cannot be read.
        """
        lines = (self.files.read(METRICS) or b"").split(b"\n")[
            :-1
        ]  # what follows the last newline is unfinished
        records = []
        for number, line in enumerate(lines, start=1):
            try:
                records.append(EpochRecord.from_dict(json_of(line)))
            except (ValueError, NasRnnError) as error:
                raise NasRnnError(
                    f"line {number} of {self.place}/{METRICS} cannot be read: {error}"
                ) from error
        return records

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        from nas_rnn.training.checkpoint import to_bytes

        self.files.write(CHECKPOINT, to_bytes(checkpoint))

    def read_checkpoint(self) -> Checkpoint | None:
        """Return the last checkpoint, or None where there is none.

        Raises:
            NasRnnError: when there is a file that is not a whole checkpoint.
        """
        from nas_rnn.training.checkpoint import from_bytes

        content = self.files.read(CHECKPOINT)
        return None if content is None else from_bytes(content, f"{self.place}/{CHECKPOINT}")

    def append_worker(self, worker: dict[str, Any]) -> None:
        """Note where the run begins or resumes."""
        self.files.append(WORKERS, (json.dumps(worker) + "\n").encode())

    def read_workers(self) -> list[dict[str, Any]]:
        """Return where the run was trained, the last place last."""
        places = []
        for line in (self.files.read(WORKERS) or b"").splitlines():
            with contextlib.suppress(ValueError):  # a torn line
                places.append(json_of(line))
        return places

    def append_samples(self, samples: list[dict[str, float]]) -> None:
        """Add samples of the machine, each with its time ``at_ms``."""
        self.files.append(SYSTEM, "".join(json.dumps(sample) + "\n" for sample in samples).encode())

    def read_samples(self) -> dict[int, dict[str, float]]:
        """Return the samples by the number of their line, which stays the same for ever."""
        found = {}
        for number, line in enumerate((self.files.read(SYSTEM) or b"").split(b"\n")[:-1]):
            with contextlib.suppress(ValueError):  # a torn line
                sample = json_of(line)
                if isinstance(sample, dict) and "at_ms" in sample:
                    found[number] = sample
        return found

    def drop_checkpoint(self) -> None:
        """Remove the checkpoint of a run that will not be resumed; it takes five times the weights' space."""
        self.files.remove(CHECKPOINT)

    def clear(self) -> None:
        """Remove everything: what was here belongs to another run."""
        for name in (RESULT, CHECKPOINT, METRICS, FLOW, WORKERS, SYSTEM, RANKING, SUPERNET, SPEC):
            self.files.remove(name)

    def clear_leftovers(self) -> None:
        """Remove the unfinished files of writers that were killed."""
        self.files.clear_leftovers()

    def _read_json(self, name: str) -> object:
        content = self.files.read(name)
        if content is None:
            return None
        try:
            return json_of(content)
        except ValueError as error:
            raise NasRnnError(f"{self.place}/{name} is not JSON: {error}") from error


def _json_bytes(data: object) -> bytes:
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()


def _line(record: EpochRecord) -> bytes:
    return (json.dumps(record.to_dict(), allow_nan=False) + "\n").encode()
