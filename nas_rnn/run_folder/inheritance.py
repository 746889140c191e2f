"""What a comparison or an ablation takes over from the searches it names: the task, the data, how cells are trained.

What depends on the machine, and the random seed, are not taken over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nas_rnn.errors import UserError
from nas_rnn.options import declared
from nas_rnn.run_folder.config import CompareConfig
from nas_rnn.run_folder.fresh_test import stored_cut
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import FORMAT
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.training import TrainingOptions

_OF_MACHINE = {"threads", "device", "backend"}
_TRAINING = tuple(one.name for one in fields(TrainingOptions) if one.name not in _OF_MACHINE)
_OF_TASK = ("data", "task_options", *_TRAINING)
_TAKEN = ("task", *_OF_TASK, "params", "match", "tune", "tune_over", "seeds", "most_seeds")
_LENGTH = {"most_epochs", "longer", "decay"}
"""Options that only fit the ``epochs`` they were given with."""
_OWN_DATA = "the task's own"


@dataclass(frozen=True)
class Inherited:
    """Options taken over from ``runs``, by name, and a line that says so ("" where there is nothing to say)."""

    runs: tuple[RunFolder, ...]
    values: Mapping[str, Any]
    notice: str

    @property
    def all_of_data(self) -> bool:
        """Whether task, data and the task's options are all taken over."""
        return {"task", "data", "task_options"} <= self.values.keys()

    def notices(self, folder: RunFolder) -> list[str]:
        """Return what to say in ``folder``: what was taken over, and each of the runs whose data are others there."""
        return [self.notice, *filter(None, (self._of_data(run, folder) for run in self.runs))]

    def _of_data(self, run: RunFolder, folder: RunFolder) -> str:
        """Return how the data of ``run`` differ from what ``folder`` has found in their place; "" where they do not."""
        if not self.all_of_data or RunReader(run).manifest().format != FORMAT:
            return ""
        theirs, ours = stored_cut(run), stored_cut(folder)
        if theirs != ours:  # digests are those of all parts as they were cut, so they say nothing here
            if ours:
                return f"the test part is cut with --fresh-test, so it is not that of {run.name}"
            cut = f"that of {run.name} was cut with --fresh-test, and is trained on here"
            return f"the test part is the task's own: {cut}"
        if (RunReader(run).data() or {}).get("digest") == (RunReader(folder).data() or {}).get("digest"):
            return ""
        data = _shown("data", self.values["data"])
        return f"the data are not what they were for {run.name}: {data} has changed since"


def inherit(
    kind: type[CompareConfig],
    runs: Sequence[RunFolder],
    given: Mapping[str, Any],
    *,
    but: Collection[str] = (),
) -> Inherited:
    """Return what a ``kind`` of comparison takes over from ``runs``, where it is not among the ``given`` options.

    Options named in ``but`` are not taken over. A run on another task than the one given gives no more than sizes and
    numbers of runs. Raises UserError where the runs disagree, and where their data or plugins are not there any more.
    """
    runs = tuple({run.name: run for run in runs}.values())
    if not runs:
        return Inherited((), {}, "")
    defaults = {one.name: one.default for one in fields(kind)} | {"data": None, "task_options": {}}
    settings = {run.name: {**defaults, **RunReader(run).settings()} for run in runs}
    wanted = [name for name in _TAKEN if name not in given and name not in but]
    if given.get("tune", defaults["tune"] if "tune" in but else None) == 0:  # nothing that could be widened
        wanted = [name for name in wanted if name != "tune_over"]
    if "epochs" in given:
        wanted = [name for name in wanted if name not in _LENGTH]
    values: dict[str, Any] = {}
    disagreed: list[str] = []
    for name in wanted:
        known = {
            run.name: settings[run.name][name]
            for run in runs
            if name not in _OF_TASK
            or settings[run.name]["task"] == given.get("task", settings[run.name]["task"])
        }
        if not known:
            continue
        values[name] = next(iter(known.values()))
        if not _agree(name, known, runs):
            disagreed.append(name)
    if disagreed:
        raise _disagreement(kind, runs, settings, disagreed)
    if values.get("data") is not None and not Path(values["data"]).exists():
        raise UserError(
            f"the data of {runs[0].name!r}, {values['data']!r}, are not there any more; give their place with --data"
        )
    if given.get("clip", 1.0) == 0 and "tune_over" in values:
        values["tune_over"] = [name for name in values["tune_over"] if name != "clip"]
    notice = (
        f"taken over from {' and '.join(settings)}: {', '.join(_lines(values, defaults))}" if values else ""
    )
    if "plugins" not in given:
        values["plugins"] = _plugins(settings)
    return Inherited(runs, values, notice)


def _agree(name: str, known: Mapping[str, Any], runs: Sequence[RunFolder]) -> bool:
    first, *others = known.values()
    if all(other == first for other in others):
        return True
    if name != "data":
        return False
    digests = [(RunReader(run).data() or {}).get("digest") for run in runs if run.name in known]
    return None not in digests and len(set(digests)) == 1  # the same content under several names


def _disagreement(
    kind: type,
    runs: Sequence[RunFolder],
    settings: Mapping[str, Mapping[str, Any]],
    disagreed: Sequence[str],
) -> UserError:
    if "task" in disagreed:  # what follows from the task is decided with it
        disagreed = [name for name in disagreed if name not in _OF_TASK or name == "data"]
    flags = [declared(kind)[name].flag for name in disagreed]
    each = "; ".join(
        f"{run}: {', '.join(_shown(name, of[name]) for name in disagreed)}" for run, of in settings.items()
    )
    hint = ""
    if "data" in disagreed and any(
        of["data"] is None for of in settings.values()
    ):  # no --data stands for these
        named = next(run for run in runs if settings[run.name]["data"] is not None)
        hint = f", or give a cell by its file, from which nothing is taken over: {named.best / 'cell.cell'}"
    return UserError(
        f"{' and '.join(settings)} disagree on what to take over ({each}); decide it with {' and '.join(flags)}{hint}"
    )


def _plugins(settings: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the folders of plugins of all runs: their cells may need them."""
    found = {str(folder): run for run, of in settings.items() for folder in of["plugins"]}
    for folder, run in found.items():
        if not Path(folder).is_dir():
            raise UserError(
                f"{run!r} has plugins of {folder!r}, which is no folder any more; give their place with --plugins"
            )
    return tuple(found)


def _lines(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """Return the task and the data, and whatever else is not as it is by default."""
    return [
        _shown(name, value)
        for name, value in values.items()
        if name in ("task", "data") or (tuple(value) if isinstance(value, list) else value) != defaults[name]
    ]


def _shown(name: str, value: Any) -> str:
    if name == "data":
        return f"data {_OWN_DATA if value is None else value}"
    if name == "params":
        return f"{value:,} parameters"
    if name == "task_options":
        return f"task options {', '.join(f'{key}={one}' for key, one in value.items()) or 'none'}"
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value)) or "nothing else"
    return f"{name.replace('_', ' ')} {value}"
