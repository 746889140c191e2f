"""The final of a study that is driven from outside: a comparison in a folder of its own, which reads the test part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal, TypedDict

from nas_rnn import plugins
from nas_rnn.cells import Cell, parse_cell
from nas_rnn.errors import UserError
from nas_rnn.experiment.compare import compare
from nas_rnn.experiment.events import Observer
from nas_rnn.experiment.results import Result
from nas_rnn.run_folder.config import plain
from nas_rnn.run_folder.evaluate_config import EvaluateConfig
from nas_rnn.run_folder.journal import Journal, JournalEvent
from nas_rnn.run_folder.layout import FINAL, RunFolder
from nas_rnn.training import TrainingOptions

BASELINE = "baseline.cell"
_TAKEN_OVER = ("task", "data", "task_options", "params", "match", "plugins", "smoke", "seed")
_OF_AUTO = ("most_epochs", "longer")


class PromoteOptions(TypedDict, total=False):
    """What `OutsideStudy.promote` takes by name, as `nas_rnn.compare` does."""

    tune: int
    tune_over: Sequence[str]
    seeds: int | Literal["auto"]
    most_seeds: int
    reference: str
    fresh_test: float | None
    workers: int | None
    time: float | str | None


def promote(
    folder: RunFolder,
    config: EvaluateConfig,
    journal: Journal,
    baseline: Cell,
    again: bool,
    options: Mapping[str, Any],
) -> Callable[[Observer], Result]:
    """Note that the incumbent goes to the final, and return what runs it, or goes on with it.

    Raises UserError where no cell was called better yet, or the final of another has read the test part and neither
    ``again`` nor a fresh test part is given.
    """
    incumbent = journal.incumbent()
    if incumbent is None:
        raise UserError(
            f"no cell of the study {folder.name!r} was called better than {baseline.name} yet, so there is nothing to "
            "measure on the test part; evaluate more cells first"
        )
    given = {name: value for name, value in options.items() if value is not None}
    before = [event for event in journal.events() if event.kind == "promoted"]
    finals = [RunFolder(folder.runs, str(event.details["comparison"])) for event in before]
    anew = again or "fresh_test" in given
    mine = [final for event, final in zip(before, finals, strict=True) if event.digest == incumbent.digest]
    if mine and not anew and mine[-1].config_path.is_file():
        return lambda observer: compare(resume=mine[-1].name, observer=observer, runs=folder.runs, **given)
    read = [final.name for final in finals if (final.path / FINAL).is_file()]
    if read and not anew:
        raise UserError(
            f"the test part was read already, in the final {read[-1]!r} of this study; another final would choose by "
            "what was learned there: --again reads it once more and says so, --fresh-test 0.1 cuts one that nothing "
            "has read"
        )
    name = _free_name(folder)
    details = {"comparison": name}
    journal.add(
        JournalEvent(
            kind="promoted",
            digest=incumbent.digest,
            name=incumbent.name,
            cell=incumbent.cell,
            details=details,
        )
    )
    values = {**_of_study(folder, config, baseline), **given, "name": name}
    cell = parse_cell(incumbent.cell)
    return lambda observer: compare(cell, observer=observer, runs=folder.runs, **values)


def _free_name(folder: RunFolder) -> str:
    """Return the first name of a final that no folder has."""
    number, name = 1, f"{folder.name}-final"
    while RunFolder(folder.runs, name).config_path.exists():
        number += 1
        name = f"{folder.name}-final-{number}"
    return name


def _of_study(folder: RunFolder, config: EvaluateConfig, baseline: Cell) -> dict[str, Any]:
    """Return the options of the final that are the study's."""
    idle = _OF_AUTO if config.epochs != "auto" else ()
    training = [one.name for one in fields(TrainingOptions) if one.name not in idle]
    values = {name: value for name, value in plain(config).items() if name in (*_TAKEN_OVER, *training)}
    known = plugins.registry().names("cell")
    if config.baseline in known and plugins.load_cell(config.baseline).digest == baseline.digest:
        return {**values, "baseline": config.baseline}
    folder.write(BASELINE, baseline.to_text())
    return {**values, "baseline": str(folder.path / BASELINE)}
