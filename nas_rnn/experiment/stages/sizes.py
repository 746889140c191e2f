"""At which size a cell is compared with the baseline: of equal parameters, equal hidden size, or equal time."""

from __future__ import annotations

from nas_rnn.cells import Cell
from nas_rnn.comparison import Entry
from nas_rnn.experiment.session import Bench
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
            sizes[key] = _timed(bench, cell, baseline)
        except Diverged as error:
            bench.warn(f"{cell.name} gets the baseline's parameters: its time cannot be measured, {error}")
            sizes[key] = models.match(cell, baseline.parameters).hidden_size
        bench.workspace.write_json(SIZES, sizes)
    return models.entry_of_size(cell, sizes[key], baseline, score=score)


def _timed(bench: Bench, cell: Cell, baseline: Entry) -> int:
    """Return the hidden size at which a step of ``cell`` takes about as long as one of ``baseline``; tell how long."""
    from nas_rnn.training.timing import seconds_per_step

    models, tried = bench.models, dict[int, tuple[float, float]]()
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
    bench.warn(
        f"{cell.name}: with hidden size {best} a training step takes {ours * 1000:.3g} ms, "
        f"one of {baseline.name} {theirs * 1000:.3g} ms"
    )
    return best
