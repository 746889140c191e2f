"""The one reader of what lies in a run folder: typed, for folders of this format and of earlier ones."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from nas_rnn.comparison import Comparison
from nas_rnn.errors import UserError
from nas_rnn.run_folder.config import CompareConfig, SearchConfig, load_toml, read_config
from nas_rnn.run_folder.dropped import Dropped
from nas_rnn.run_folder.evaluate_config import EvaluateConfig
from nas_rnn.run_folder.layout import FINAL, RunFolder
from nas_rnn.run_folder.manifest import FORMAT, NAMES, FinalKind, Manifest, damaged, parse_manifest
from nas_rnn.strategies import Study, Trial
from nas_rnn.training import RunResult, RunSpec

MANIFEST, COMPARISON, ABLATION, CELLS = "search.json", "comparison.json", "ablation.json", "cells.json"
REFERENCES, EARLIER = "references.json", "earlier.json"
DATA, ENVIRONMENT, SIZES, FLOW = "data.json", "environment.json", "sizes.json", "best/gradient_flow.json"
CONTROL_JOURNAL = "control.journal"
DROPPED = "dropped.json"
NO_FINAL = "no_final.json"
"""Says why a search that has ended came to no final."""

STUDY = "search"
"""The study's name in its journal."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class AblationRecord:
    """What an ablation trains: the text of the whole cell, and variants with ``element``, ``what`` and ``cell``."""

    cell: str
    variants: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class RunReader:
    """Reads a run folder; every method reads anew, and raises NasRnnError naming the file that is damaged."""

    folder: RunFolder

    def manifest(self) -> Manifest:
        """Return what the folder says of itself."""
        content = self.folder.read_json(MANIFEST)
        if content is None:
            raise damaged(self._place(MANIFEST), "it is missing")
        return parse_manifest(content, self._place(MANIFEST))

    def require_this_format(self) -> None:
        """Raise UserError where an earlier version wrote the folder: it can be looked at, and not resumed."""
        manifest = self.manifest()
        if manifest.format < FORMAT:
            name, kind = self.folder.name, NAMES[manifest.kind]
            raise UserError(
                f"the {kind} {name!r} was made by an earlier version of nas_rnn (run folder format {manifest.format}, "
                f"now {FORMAT}), so it cannot be resumed; show, report and export still read it, and `nas-rnn "
                f"{manifest.kind} --config {shlex.quote(str(self.folder.config_path))} --name "
                f"{shlex.quote(f'{name}-2')}` begins a new one like it"
            )

    def final_kind(self) -> FinalKind:
        """Return the kind of the folder; UserError for a study that is driven from outside, which has no final."""
        kind = self.manifest().kind
        if kind == "evaluate":
            name = self.folder.name
            raise UserError(
                f"{name!r} is a study of proposed cells; `nas-rnn promote --study {shlex.quote(name)}` runs its final, "
                "a comparison, which has a report, pages and trained models"
            )
        return kind

    def settings(self) -> dict[str, Any]:
        """Return the configuration as plain values, whatever version wrote it."""
        return load_toml(self.folder.config_path)

    def config(self) -> SearchConfig | CompareConfig:
        """Return the checked configuration."""
        kind: type[SearchConfig | CompareConfig]
        match self.manifest().kind:
            case "search":
                kind = SearchConfig
            case "evaluate":
                kind = EvaluateConfig
            case _:
                kind = CompareConfig
        return read_config(kind, self.settings())

    def is_complete(self) -> bool:
        """Return whether there is an answer, without reading it."""
        return (self.folder.path / COMPARISON).is_file()

    def comparison(self) -> Comparison | None:
        """Return the answer in figures, None before there is one."""
        return self._read(COMPARISON, Comparison.from_dict)

    def answer(self) -> str:
        """Return the answer in words, "" before there is one."""
        return self._read(COMPARISON, lambda values: str(values["sentence"])) or ""

    def no_final(self) -> str:
        """Return why a search that has ended came to no final, and what to change; "" for all others."""
        return self._read(NO_FINAL, lambda values: str(values["reason"])) or ""

    def ablation(self) -> AblationRecord | None:
        """Return what an ablation trains, None for other kinds."""
        return self._read(ABLATION, lambda v: AblationRecord(str(v["cell"]), tuple(map(dict, v["variants"]))))

    def cells(self) -> list[str]:
        """Return the texts of a comparison's cells, the baseline first."""
        return self._read(CELLS, lambda texts: list(map(str, texts))) or []

    def references(self) -> list[str]:
        """Return the texts of the cells that stand beside the baseline in the final."""
        return self._read(REFERENCES, lambda texts: list(map(str, texts))) or []

    def final_cells(self) -> list[str]:
        """Return the texts of the cells whose final has begun, as they were found; the baseline first."""
        return self._read(FINAL, lambda plan: [str(entry["cell"]) for entry in plan["entries"]]) or []

    def final_data(self) -> str | None:
        """Return the digest of the data whose test part the final reads, None before it has begun."""
        return self._read(FINAL, lambda plan: str(plan["data"]))

    def final_test(self) -> str | None:
        """Return the digest of the test part itself, None also where an earlier version began the final."""
        return self._read(FINAL, lambda plan: str(plan["test"]) if "test" in plan else None)

    def data(self) -> dict[str, Any] | None:
        """Return the facts of the data (`nas_rnn.run_folder.dataset`)."""
        return self._read(DATA, dict)

    def environment(self) -> dict[str, str]:
        """Return versions and hardware of the machine that ran the final."""
        return self._read(ENVIRONMENT, lambda values: {str(k): str(v) for k, v in values.items()}) or {}

    def flows(self) -> list[dict[str, Any]]:
        """Return the gradient flows kept with the best model, by model."""
        return self._read(FLOW, lambda rows: [dict(row) for row in rows]) or []

    def previews(self) -> dict[str, bytes]:
        """Return the files that show what the best model does, pictures (.png) and texts (.txt), by name."""
        if not self.folder.best.is_dir():
            return {}
        paths = [path for path in sorted(self.folder.best.iterdir()) if path.suffix in (".png", ".txt")]
        return {path.name: path.read_bytes() for path in paths if path.stem != Path(FLOW).stem}

    def trials(self, journal: str = "study.journal") -> list[Trial]:
        """Return the trials of the search, or of the random search beside it; none where there was none."""
        path = self.folder.path / journal
        return Study.open(path, STUDY).trials() if path.is_file() else []

    def dropped(self) -> list[Dropped]:
        """Return the candidates that were dropped before they were trained, in the order in which they were."""
        return self._read(DROPPED, lambda rows: list(map(Dropped.from_dict, rows))) or []

    def runs(self) -> list[tuple[RunSpec, RunResult]]:
        """Return the runs that have ended, in the order of their ids."""
        folders = sorted(self.folder.trials.iterdir()) if self.folder.trials.is_dir() else []
        stores = [self.folder.store(path.name) for path in folders if path.is_dir()]
        found = [(store.read_spec(), store.read_result()) for store in stores]
        return [(spec, result) for spec, result in found if spec is not None and result is not None]

    def _read(self, name: str, parse: Callable[[Any], Found]) -> Found | None:
        content = self.folder.read_json(name)
        if content is None:
            return None
        try:
            return parse(content)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise damaged(self._place(name), f"{type(error).__name__} {error}") from error

    def _place(self, name: str) -> str:
        return str(self.folder.path / name)
