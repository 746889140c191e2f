"""A record: what one checkout computed, as one JSON file."""

from __future__ import annotations

import json
import platform
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from unchanged.comparing import Record
from unchanged.reading import read_folder
from unchanged.running import RUNS, Checkout, RunFailed, run

_VERSIONS = (
    "from importlib.metadata import version; print(version('torch'), version('numpy'), version('optuna'))"
)

ATTEMPTS = 10
USER_MISTAKE = 2
"""The exit code of a command that would fail again, such as one of a commit that lacks an option."""


class Unreadable(Exception):
    """A file is no record."""


def make_record(
    checkout: Checkout,
    *,
    jobs: int = 1,
    names: tuple[str, ...] = tuple(RUNS),
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run everything that `RUNS` names with the code of ``checkout``, ``jobs`` commands at once; return the record.

    Raises `RunFailed` or `NothingFound`.
    """
    with tempfile.TemporaryDirectory(prefix="golden-") as folder, ThreadPoolExecutor(jobs) as pool:

        def one(name: str) -> tuple[str, Any]:
            entries = read_folder(_run_until_it_ends(checkout, name, Path(folder), say))
            say(f"  {name}: {len(entries)} entries")
            return name, entries

        runs = dict(pool.map(one, names))
    return {"machine": _machine(checkout.python), "runs": runs}


def _run_until_it_ends(checkout: Checkout, name: str, folder: Path, say: Callable[[str], None]) -> Path:
    """Run one command, again where it fails: Ray gives up starting where the machine is too busy."""
    for attempt in range(1, ATTEMPTS):
        try:
            return run(checkout, RUNS[name], name, folder / f"{name}-{attempt}")
        except RunFailed as error:
            if error.code == USER_MISTAKE:
                raise
            say(f"  {name}: once more, after {str(error)[-200:]}")
    return run(checkout, RUNS[name], name, folder / f"{name}-{ATTEMPTS}")


def _machine(python: str) -> dict[str, str]:
    """Return what the last bits of a result depend on besides the code."""
    versions = subprocess.run([python, "-c", _VERSIONS], capture_output=True, text=True, check=True).stdout
    words = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    processor = next((line.partition(":")[2].strip() for line in words if line.startswith("model name")), "")
    return {
        "torch, numpy, optuna": versions.strip(),
        "processor": processor or platform.machine(),
        "system": platform.system(),
    }


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write the record whole or not at all."""
    made = path.with_name(path.name + ".part")
    made.write_text(json.dumps(record, indent=0) + "\n", encoding="utf-8")
    made.replace(path)


def read_record(path: Path) -> dict[str, Any]:
    """Return the record in a file; `Unreadable` where there is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read as a record: {error}") from None
    if not isinstance(record, dict) or not isinstance(record.get("runs"), dict):
        raise Unreadable(f"{path} is no record; make one with `golden.py record`")
    return record


def runs_of(record: dict[str, Any]) -> Record:
    """Return the entries of a record's runs."""
    runs: Record = record["runs"]
    return runs
