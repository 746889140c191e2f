"""What the parts of a search or a comparison cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nas_rnn.comparison.result import Cost
from nas_rnn.training import RunResult, RunSpec


def cost_of(part: str, specs: Iterable[RunSpec], results: Mapping[str, RunResult]) -> Cost:
    """Return what those of ``specs`` that have a result cost: core-seconds, and real targets in every epoch they did.

    ``results`` are by run id.
    """
    done = [(spec, results[spec.id]) for spec in specs if spec.id in results]
    return Cost(
        part=part,
        runs=len(done),
        seconds=sum(result.seconds * spec.training.threads for spec, result in done),
        units=sum(record.targets for _, result in done for record in result.epochs),
    )
