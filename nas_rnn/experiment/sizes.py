"""At which size a cell is compared with the baseline: of equal parameters, equal hidden size, or equal time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nas_rnn.cells import Cell
from nas_rnn.comparison import Entry
from nas_rnn.experiment.bench import Bench
from nas_rnn.experiment.models import Models
from nas_rnn.training import Diverged

SIZES = "sizes.json"
"""Where measured sizes are kept: another measurement would come out a little different."""
STEPS = 4
"""How often a size is measured and corrected."""
GROWTH = 1.5
"""About which power of the hidden size the time of a step grows with: between 1 (overhead, elementwise code) and 2."""


def matched(bench: Bench, cell: Cell, baseline: Entry, score: float | None = None) -> Entry:
    """Return ``cell`` as it enters a comparison, as large as ``--match`` says."""
    models = bench.models
    if bench.config.match != "time":
        return models.entry(cell, baseline, score=score)
    sizes = bench.workspace.read_json(SIZES) or {}
    key = f"{cell.digest} {baseline.digest}"
    if key not in sizes:
        try:
            found = _timed(models, cell, baseline)
        except Diverged as error:
            bench.warn(
                f"{cell.name} has as many parameters as the baseline: its time cannot be measured, {error}"
            )
            found = {"hidden_size": models.match(cell, baseline.parameters).hidden_size, "seconds": None}
        sizes[key] = found
        bench.workspace.write_json(SIZES, sizes)
    found = sizes[key]
    entry = models.entry_of_size(cell, int(found["hidden_size"]), baseline, score=score)
    return replace(entry, seconds_per_step=found["seconds"])


def _timed(models: Models, cell: Cell, baseline: Entry) -> dict[str, Any]:
    """Return the hidden size at which a step of ``cell`` takes about as long as one of ``baseline``, and how long."""
    from nas_rnn.training.timing import seconds_per_step

    step = models.size_step(cell)
    size = models.match(cell, baseline.parameters).hidden_size
    tried: dict[int, tuple[float, float]] = {}
    standard = models.spec_of(baseline)
    while size not in tried and len(tried) < STEPS:
        spec = models.spec("timing", "candidate", cell, size)
        theirs, ours = seconds_per_step([standard, spec], models.task, models.data)
        tried[size] = (abs(ours / theirs - 1), ours)
        size = max(step, round(size * (theirs / ours) ** (1 / GROWTH) / step) * step)
    best = min(tried, key=lambda size: tried[size])
    return {"hidden_size": best, "seconds": tried[best][1]}
