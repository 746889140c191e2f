"""How a search, a comparison or an ablation begins in a folder of its own, and how it is resumed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from nas_rnn.errors import UserError
from nas_rnn.run_folder.config import CompareConfig, SearchConfig, load_toml
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import NAMES, Kind, Manifest, go_on
from nas_rnn.run_folder.provenance import identities
from nas_rnn.run_folder.reader import MANIFEST, RunReader

C = TypeVar("C", SearchConfig, CompareConfig)


def without_none(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``options`` that were given: None stands for one that was not."""
    return {name: value for name, value in options.items() if value is not None}


def merged(config: Path | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a TOML file with those of ``options`` that were given in their place.

    Raises UserError for a TOML file that cannot be read, and for options that contradict each other.
    """
    given = without_none(options)
    if "most_epochs" in given and given.get("epochs", "auto") != "auto":
        raise UserError(
            f"most_epochs {given['most_epochs']} is for epochs auto, whose runs it bounds; "
            f"leave it out with epochs {given['epochs']}"
        )
    return {**(load_toml(config) if config else {}), **given}


@contextmanager
def create(
    kind: Kind, config: C, runs: Path, stem: str, keep: Callable[[RunFolder], None]
) -> Iterator[tuple[RunFolder, C]]:
    """Make and hold the folder of a new one, named ``stem-N`` where no name was given.

    ``keep`` writes what a resume needs besides; the configuration comes last: without it nothing has begun.
    """
    folder = RunFolder.create(runs, config.name, stem)
    with folder.held(kind, new=True):
        folder.keep_checkpoints_at(config.storage)
        config = replace(config, name=folder.name)
        began = int(time.time() * 1000)
        manifest = Manifest(id=uuid.uuid4().hex, kind=kind, began_ms=began, plugins=identities(config))
        folder.write_json(MANIFEST, manifest.to_dict())
        keep(folder)
        folder.write_config(config)
        yield folder, config


OF_MACHINE = frozenset({"address", "gpus_per_trial", "workers"})
"""Options that any resume may change."""
CHANGEABLE = OF_MACHINE | {"plugins", "time", "trials"}
"""Options that the resume of a search may change."""


def resumable(
    runs: Path, name: str, kind: Kind, changed: Collection[str], may_change: Collection[str]
) -> RunFolder:
    """Return the folder of the ``kind`` named ``name``, without holding it.

    Raises UserError where it is of another kind or an earlier format, or one of the ``changed`` options is not among
    ``may_change``.
    """
    folder = RunFolder.open_existing(runs, name)
    reader = RunReader(folder)
    found = reader.manifest().kind
    if found != kind:
        raise UserError(f"{name!r} is no {NAMES[kind]}; resume it with `{go_on(found, name)}`")
    reader.require_this_format()
    refused = sorted(set(changed) - set(may_change))
    if refused:
        raise UserError(
            f"a resumed {NAMES[kind]} keeps its own configuration; {', '.join(refused)} cannot be changed "
            f"(only {', '.join(sorted(may_change))} can); begin a new {NAMES[kind]} for that"
        )
    return folder


@contextmanager
def resume(kind: Kind, folder: RunFolder, storage: str | None) -> Iterator[None]:
    """Hold the folder of an earlier one again."""
    with folder.hold().held(kind, new=False):
        folder.keep_checkpoints_at(storage)
        yield
