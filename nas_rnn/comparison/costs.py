"""What the parts of a search or a comparison cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from nas_rnn.comparison.result import Cost
from nas_rnn.training import RunResult, RunSpec

UnitsOf = Callable[[RunSpec], int]
"""How many targets a run learns from in one epoch."""


def cost_of(
    part: str, specs: Iterable[RunSpec], results: Mapping[str, RunResult], units_of: UnitsOf | None = None
) -> Cost:
    """Return what those of ``specs`` that have a result cost: core-seconds, and targets in every epoch they did.

    ``results`` are by run id. Without ``units_of`` targets are not counted.
    """
    done = [(spec, results[spec.id]) for spec in specs if spec.id in results]
    return Cost(
        part=part,
        runs=len(done),
        seconds=sum(result.seconds * spec.training.threads for spec, result in done),
        units=0 if units_of is None else sum(len(result.epochs) * units_of(spec) for spec, result in done),
    )
