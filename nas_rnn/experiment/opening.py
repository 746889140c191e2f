"""How a search, a comparison or an ablation begins in a folder of its own, and how it is taken up again."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from nas_rnn.errors import UserError
from nas_rnn.experiment.session import Bench, check_machine, now_ms
from nas_rnn.run_folder.config import (
    CompareConfig,
    SearchConfig,
    absolute,
    dump_toml,
    load_toml,
    read_config,
)
from nas_rnn.experiment.events import Observer
from nas_rnn.experiment.models import Models
from nas_rnn.run_folder.provenance import identities
from nas_rnn.run_folder.layout import Workspace

C = TypeVar("C", SearchConfig, CompareConfig)

NAMES = {"search": "search", "compare": "comparison", "ablate": "ablation"}
"""What each kind, which is the name of its command, is called."""


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``options`` that were given: None stands for one that was not."""
    return {name: value for name, value in options.items() if value is not None}


def prepared(kind: type[C], values: Mapping[str, Any], runs: Path) -> Models:
    """Return the models of a checked configuration; every `UserError` about it comes from here."""
    settings = absolute(read_config(kind, dict(values)))
    check_machine(settings, runs)
    return Models.prepare(settings)


@contextmanager
def begun(
    kind: str, models: Models, runs: Path, stem: str, observer: Observer, keep: Callable[[Workspace], None]
) -> Iterator[Bench]:
    """Make and hold the folder of a new one, named ``stem-N`` where no name was given.

    ``keep`` writes what a resume needs besides; the configuration comes last: without it nothing has begun.
    """
    workspace = Workspace.create(runs, models.config.name, stem)
    with workspace.held(new=True):
        workspace.keep_checkpoints_at(models.config.storage)
        settings = models.config.model_copy(update={"name": workspace.name})
        facts = {"id": uuid.uuid4().hex, "kind": kind, "began_ms": now_ms()}
        workspace.write_json("search.json", {**facts, "plugins": identities(settings)})
        keep(workspace)
        workspace.write("config.toml", dump_toml(settings))
        yield Bench(settings, workspace, models, observer)


def resumable(
    runs: Path, name: str, kind: str, changed: Collection[str], may_change: Collection[str]
) -> Workspace:
    """Return the folder of the ``kind`` named ``name``, without holding it.

    Raises UserError where it is of another kind, or one of the ``changed`` options is not among ``may_change``.
    """
    workspace = Workspace.open_existing(runs, name)
    found = (workspace.read_json("search.json") or {}).get("kind", "search")
    if found != kind:
        raise UserError(f"{name!r} is no {NAMES[kind]}; it goes on with `nas-rnn {found} --resume {name}`")
    refused = sorted(set(changed) - set(may_change))
    if refused:
        raise UserError(
            f"a resumed {NAMES[kind]} keeps its own configuration; {', '.join(refused)} cannot be changed "
            f"(only {', '.join(sorted(may_change))} can); begin a new {NAMES[kind]} for that"
        )
    return workspace


@contextmanager
def taken_up(
    kind: type[C],
    workspace: Workspace,
    changed: Mapping[str, Any],
    observer: Observer,
    check: Callable[[C], None] = lambda settings: None,
) -> Iterator[Bench]:
    """Hold the folder again, under its own configuration with ``changed`` options; ``check`` may refuse that."""
    values = {**load_toml(workspace.config_path), **changed, "name": workspace.name}
    settings = absolute(read_config(kind, values))
    check_machine(settings, workspace.runs)
    with workspace.hold().held(new=False):
        workspace.keep_checkpoints_at(settings.storage)
        models = Models.prepare(settings)
        check(settings)
        workspace.write("config.toml", dump_toml(settings))
        yield Bench(settings, workspace, models, observer)
