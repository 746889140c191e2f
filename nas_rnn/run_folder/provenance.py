"""Which plugins a search was made with: their versions and contents, kept with it and with every trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from nas_rnn import plugins
from nas_rnn.cells import Cell
from nas_rnn.cells.graph.nodes import Apply
from nas_rnn.cells.graph.operations import BUILT_IN
from nas_rnn.errors import UserError
from nas_rnn.run_folder.config import CompareConfig, SearchConfig
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import Identities
from nas_rnn.run_folder.reader import MANIFEST, RunReader

_SHOWN = 12


def identities(config: SearchConfig | CompareConfig) -> Identities:
    """Return what is registered now of all that ``config`` names, and the operations that plugins added."""
    registry = plugins.registry()
    names = [(kind, getattr(config, kind)) for kind in ("space", "task", "strategy") if hasattr(config, kind)]
    found = [registry.find(kind, name) for kind, name in names]
    for name in registry.names("operation"):
        if name not in BUILT_IN:
            try:
                found.append(registry.find("operation", name))
            except UserError:  # two of one name; told of already
                continue
    return {
        f"{plugin.kind} {plugin.name}": {
            "origin": plugin.origin,
            "version": plugin.version,
            "digest": plugin.digest,
        }
        for plugin in found
    }


def used_by(found: Identities, cell: Cell) -> Identities:
    """Return ``found`` without the operations that ``cell`` does not use."""
    used = {f"operation {name}" for name in _operations(cell)}
    return {key: value for key, value in found.items() if not key.startswith("operation ") or key in used}


def require_unchanged(folder: RunFolder, config: SearchConfig, *, allowed: bool) -> None:
    """Raise `UserError` where a plugin that the search depends on has another content than when it was last run.

    Operations count where a trial's cell has them. With ``allowed``, or where nothing changed, the present ones are
    recorded as the search's own.
    """
    reader = RunReader(folder)
    if reader.is_complete():
        return  # complete: nothing will run
    manifest = reader.manifest()
    cells = [trial.candidate.cell for trial in reader.trials()]
    before, now = manifest.plugins, identities(config)
    changed = [
        key for key in _that_matter(before, cells) if _content(before[key]) != _content(now.get(key, {}))
    ]
    if changed and not allowed:
        lines = [_difference(key, before[key], now.get(key)) for key in changed]
        raise UserError(
            "\n".join(
                [
                    f"the search {folder.name!r} began with different plugins:",
                    *lines,
                    "restore the earlier plugins, or add --changed-plugins to resume with the current ones",
                ]
            )
        )
    folder.write_json(MANIFEST, replace(manifest, plugins={**before, **now}).to_dict())


def tags(found: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return ``found`` as tags: ``plugin.space`` -> name, version and content of the space."""
    lines: dict[str, list[str]] = {}
    for key, identity in sorted(found.items()):
        kind, _, name = key.partition(" ")
        lines.setdefault(f"plugin.{kind}", []).append(f"{name} {_shown(identity)}")
    return {tag: "; ".join(texts) for tag, texts in lines.items()}


def _that_matter(before: Identities, cells: Iterable[Cell]) -> list[str]:
    used = {f"operation {name}" for cell in cells for name in _operations(cell)}
    return [key for key in before if not key.startswith("operation ") or key in used]


def _operations(cell: Cell) -> set[str]:
    return {node.operation for node in cell.nodes if isinstance(node, Apply)}


def _content(identity: Mapping[str, str]) -> str | None:
    return identity.get("digest")


def _difference(key: str, before: Mapping[str, str], now: Mapping[str, str] | None) -> str:
    kind, _, name = key.partition(" ")
    then = f"  the {kind} {name!r} of {before['origin']} was {_shown(before)}"
    if now is None:
        return f"{then} and is gone"
    elsewhere = "" if now["origin"] == before["origin"] else f" (of {now['origin']})"
    return f"{then} and is now {_shown(now)}{elsewhere}"


def _shown(identity: Mapping[str, str]) -> str:
    version = f"{identity['version']}, " if identity.get("version") else ""
    return f"({version}sha256 {identity['digest'][:_SHOWN]})"
