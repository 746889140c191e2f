"""The folder of a study that is driven from outside: begun once, found again with the options that it began with."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from nas_rnn import plugins
from nas_rnn.catalogue.cells import find_cell
from nas_rnn.cells import Cell
from nas_rnn.errors import UserError, unknown
from nas_rnn.experiment.models import Models
from nas_rnn.options import declared
from nas_rnn.run_folder.config import absolute, read_config, smoked
from nas_rnn.run_folder.data_digests import data_digest
from nas_rnn.run_folder.dataset import keep_facts
from nas_rnn.run_folder.evaluate_config import EvaluateConfig
from nas_rnn.run_folder.journal import Journal, JournalEvent
from nas_rnn.run_folder.layout import SUITE, RunFolder, make_folder, names
from nas_rnn.run_folder.lifecycle import without_none
from nas_rnn.run_folder.manifest import NAMES, Manifest, go_on
from nas_rnn.run_folder.provenance import identities
from nas_rnn.run_folder.reader import CELLS, MANIFEST, RunReader
from nas_rnn.run_folder.values import folder_name
from nas_rnn.tasks.options import begun_before, read_options, typed


def begin_study(
    runs: Path, name: str, values: Mapping[str, Any], on_wait: Callable[[str], None]
) -> tuple[RunFolder, EvaluateConfig, Models | None]:
    """Return the new study ``name`` with its models, or, without them, one that another process has just begun.

    Raises UserError for a mistake in ``values``; nothing is left of the folder then.
    """
    config = absolute(read_config(EvaluateConfig, smoked(EvaluateConfig, {**values, "name": name})))
    _require_device(config)
    config, models = prepared(config, values)
    first = find_cell(config.baseline, runs)
    size = models.match(first, config.params).hidden_size  # too few parameters show here
    make_folder(runs)
    folder = folder_of(runs, name)
    if (folder.path / SUITE).exists():
        raise UserError(f"there is already a suite {name!r} under {str(runs)!r}; give another --study")
    folder.trials.mkdir(parents=True, exist_ok=True)
    with folder.hold_in_turn(on_wait).held("evaluate", new=not folder.config_path.is_file()):
        if folder.config_path.is_file():
            return folder, found_study(folder, values), None
        began = int(time.time() * 1000)
        manifest = Manifest(id=uuid.uuid4().hex, kind="evaluate", began_ms=began, plugins=identities(config))
        folder.write_json(MANIFEST, manifest.to_dict())
        folder.write_json(CELLS, [first.to_text()])
        keep_facts(folder, models.task, models.data, config.data)
        Journal(folder).add(begun(first, size))
        folder.write_config(config)
    return folder, config, models


def begun(cell: Cell, hidden_size: int) -> JournalEvent:
    """Return the event that a cell is about to be trained at this size."""
    details = {"hidden_size": hidden_size}
    return JournalEvent(
        kind="begun", digest=cell.digest, name=cell.name, cell=cell.to_text(), details=details
    )


def folder_of(runs: Path, name: str) -> RunFolder:
    """Return the folder that a study of this name has, or would have; UserError for what is no name."""
    try:
        folder_name(name)
    except ValueError as error:
        raise UserError(f"--study: {error}") from None
    return RunFolder(runs, name)


def find_study(runs: Path, name: str) -> RunFolder:
    """Return the folder of a study; `UserError` where there is none of this name, or it is something else."""
    folder = folder_of(runs, name)
    if not folder.config_path.is_file():
        raise unknown("study", name, [one for one in names(runs) if _is_study(RunFolder(runs, one))])
    return folder


def found_study(folder: RunFolder, values: Mapping[str, Any]) -> EvaluateConfig:
    """Return the options of a study, and have its plugins known.

    Raises UserError where ``values``, those that were given now, contradict them, or the folder is no study's.
    """
    reader = RunReader(folder)
    kind = reader.manifest().kind
    if kind != "evaluate":
        raise UserError(
            f"{folder.name!r} is a {NAMES[kind]}, no study; go on with it with `{go_on(kind, folder.name)}`, or "
            "give another --study"
        )
    reader.require_this_format()
    stored = reader.settings()
    config = read_config(EvaluateConfig, stored)
    plugins.use_folders(config.plugins)
    given = {name: value for name, value in values.items() if name != "name"}
    if given:
        _require_same(folder.name, config, given, stored)
    return config


def prepared(config: EvaluateConfig, given: Mapping[str, Any]) -> tuple[EvaluateConfig, Models]:
    """Return the configuration with what the task recommends, and its models; see `Models.prepare`."""
    found, models = Models.prepare(config, without_none(given))
    assert isinstance(found, EvaluateConfig)
    return found, models


def models_of(folder: RunFolder, config: EvaluateConfig) -> Models:
    """Return the models of a study that was begun before; `UserError` where its data are others by now."""
    _require_device(config)
    with begun_before():
        _, models = prepared(config, {field.name: True for field in fields(config)})
    facts = RunReader(folder).data() or {}
    if facts.get("digest") != data_digest(models.data):
        place = facts.get("source") or "what comes with the task"
        raise UserError(
            f"the data of the study {folder.name!r} ({place}) have changed since it began, so new figures could not be "
            "compared with those that it has; put them back, or begin another study"
        )
    return models


def _require_device(config: EvaluateConfig) -> None:
    from nas_rnn.training.device import resolve_device  # loads torch

    resolve_device(config.device)


def _is_study(folder: RunFolder) -> bool:
    content = folder.read_json(MANIFEST)
    return isinstance(content, dict) and content.get("kind") == "evaluate"


def _require_same(
    name: str, config: EvaluateConfig, given: Mapping[str, Any], stored: Mapping[str, Any]
) -> None:
    """Raise UserError where one of the ``given`` options is not what the study has."""
    given = {key: value for key, value in given.items() if value is not None}
    if given.get("smoke") and config.smoke:
        given = smoked(EvaluateConfig, {**stored, **given})
    options = {**config.task_options, **given.get("task_options", {})}
    asked = absolute(read_config(EvaluateConfig, {**stored, **given, "task_options": options}))
    if "task_options" in given:
        kind = plugins.registry().find("task", config.task).value.Options
        now, then = (
            read_options(kind, typed(kind, one.task_options), config.task) for one in (asked, config)
        )
        asked = replace(asked, task_options=config.task_options if now == then else options)
    differing = [
        f"{declared(EvaluateConfig)[key].flag} {_shown(getattr(config, key))} there, {_shown(getattr(asked, key))} here"
        for key in sorted(given)
        if key in declared(EvaluateConfig) and getattr(asked, key) != getattr(config, key)
    ]
    if differing:
        raise UserError(
            f"the study {name!r} keeps the options that it began with ({'; '.join(differing)}); leave them out, or "
            "begin another --study"
        )


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={one}" for key, one in value.items()) or "none"
    return "none" if value in (None, ()) else str(value)
