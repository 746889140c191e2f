"""At which size a cell is compared with the baseline: of equal parameters, equal hidden size, or equal time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.comparison import Entry, Match, mismatch_warning
from nas_rnn.errors import UserError
from nas_rnn.experiment.events import Notifier
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.selection import TOP
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.run_folder.front import front_of
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import SIZES, RunReader
from nas_rnn.run_folder.trials import ranked
from nas_rnn.strategies import Study
from nas_rnn.training import Diverged

STEPS = 4
"""How often a size is measured and corrected."""
GROWTH = 1.5
"""About which power of the hidden size the time of a step grows with: between 1 (overhead, elementwise code) and 2."""


def matched(
    models: Models,
    folder: RunFolder,
    notify: Notifier,
    cell: Cell,
    baseline: Entry,
    score: float | None = None,
) -> Entry:
    """Return ``cell`` as it enters a comparison, as large as ``--match`` says."""
    if models.config.match != "time":
        return models.entry(cell, baseline, score=score)
    sizes = folder.read_json(SIZES) or {}
    key = f"{cell.digest} {baseline.digest}"
    if key not in sizes:
        try:
            sizes[key] = _timed(models, notify, cell, baseline)
        except Diverged as error:
            notify.warn(f"{cell.name} is matched by parameters, since its time cannot be measured: {error}")
            sizes[key] = models.match(cell, baseline.parameters).hidden_size
        folder.write_json(SIZES, sizes)
    return models.entry_of_size(cell, sizes[key], baseline, score=score)


def _timed(models: Models, notify: Notifier, cell: Cell, baseline: Entry) -> int:
    """Return the hidden size at which a step of ``cell`` takes about as long as one of ``baseline``; tell how long."""
    from nas_rnn.training.timing import seconds_per_step

    tried = dict[int, tuple[float, float]]()
    step = models.size_step(cell)
    size = models.match(cell, baseline.parameters).hidden_size
    standard = models.spec_of(baseline)
    while size not in tried and len(tried) < STEPS:
        spec = models.spec("timing", "candidate", cell, size)
        theirs, ours = seconds_per_step([standard, spec], models.task, models.data)
        tried[size] = ours, theirs
        size = max(step, round(size * (theirs / ours) ** (1 / GROWTH) / step) * step)
    best = min(tried, key=lambda size: abs(tried[size][0] / tried[size][1] - 1))
    ours, theirs = tried[best]
    notify.warn(
        f"{cell.name}: with hidden size {best} a training step takes {ours * 1000:.3g} ms, "
        f"one of {baseline.name} {theirs * 1000:.3g} ms"
    )
    return best


def reference_entries(
    models: Models, folder: RunFolder, notify: Notifier, entries: Sequence[Entry]
) -> list[Entry]:
    """Return the references of a final of ``entries``, the baseline first, without those that are among them."""
    found = []
    for cell in map(parse_cell, RunReader(folder).references()):
        if cell.digest in {entry.digest for entry in entries}:
            continue
        try:
            found.append(replace(matched(models, folder, notify, cell, entries[0]), reference=True))
        except UserError as error:
            notify.warn(f"the reference {cell.name} is left out: {error}")
    return found


def warn_of_mismatch(match: str, notify: Notifier, entry: Entry) -> None:
    """Warn where ``entry`` was to ``match`` the baseline's parameters, and does not within one per cent."""
    if match == "params" and not entry.members:  # of several cells each is matched by itself
        warning = mismatch_warning(Match(entry.hidden_size, entry.parameters, entry.mismatch))
        if warning:
            notify.warn(f"{entry.name}: {warning}")


def best_entries(
    models: Models,
    folder: RunFolder,
    notify: Notifier,
    study: Study,
    baseline: Entry,
    *,
    control: bool = False,
) -> list[Entry]:
    """Return the best few trials of a study as they enter the selection, with the settings of the ``baseline``.

    Where there are several objectives they are the best of the front. ``control``: of the random search's study.
    """
    trials = study.trials()
    best = ranked(trials, models.measures.monitor)
    objectives = models.config.objectives if isinstance(models.config, SearchConfig) else ()
    front = front_of(folder, trials, models.measures.monitor, objectives, control=control)
    if front is not None:
        numbers = {member.trial for member in front.best}
        best = [trial for trial in best if trial.number in numbers]
    best = best[:TOP]
    entries = [
        matched(models, folder, notify, trial.candidate.cell, baseline, score=trial.value) for trial in best
    ]
    return [replace(entry, training=baseline.training) for entry in entries]
