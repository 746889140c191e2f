"""Databases of MLflow's: the first is made as the program makes it, the others are its copies."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from nas_rnn.tracking import default_uri
from nas_rnn.tracking.store import open_store


def make_store(folder: Path) -> Path:
    """Make an empty database in ``folder``; return its path."""
    open_store(default_uri(folder), folder / "artifacts")
    return folder / "mlflow.db"


def copy_store(database: Path, runs: Path) -> Path:
    """Put a copy of an empty database where the program looks for that of ``runs``; return ``runs``."""
    runs.mkdir(parents=True, exist_ok=True)
    shutil.copy(database, runs / database.name)
    relocate(runs / database.name, database.parent, runs)
    return runs


def relocate(database: Path, old: Path, new: Path) -> None:
    """Have all that a database says to lie in the folder ``old`` lie in ``new``."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
                if kind.startswith(("VARCHAR", "TEXT")):
                    change = (
                        f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE "{column}" LIKE ?'
                    )
                    connection.execute(change, (old.as_uri(), new.as_uri(), f"%{old.as_uri()}%"))
