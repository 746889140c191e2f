"""Selection: the best few of a search are trained anew with fresh seeds, and the best mean goes to the final.

The best score of a search is flattered by luck; fresh seeds are not.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from nas_rnn.comparison import Entry, pick_winner, selection_specs
from nas_rnn.engine import RunSource
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.costs import Costs
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.training import RunResult

TOP, SEEDS = 3, 2


@dataclass(frozen=True)
class Selected:
    """The candidate that was picked, and its mean validation value on fresh seeds (None: one of its runs diverged)."""

    entry: Entry
    fresh: float | None


def select(
    models: Models,
    listener: RunListener,
    costs: Costs,
    candidates: Sequence[Entry],
    control: str = "",
) -> Generator[RunSource, None, Selected | None]:
    """Return the best of ``candidates`` by fresh seeds on validation data; runs of a ``control`` bear its name."""
    monitor = models.measures.monitor
    plan = selection_specs(
        candidates,
        monitor,
        task=models.choice,
        seed=models.config.seed,
        top=TOP,
        seeds=SEEDS,
        control=control,
    )
    results: dict[str, RunResult] = {}
    if plan:
        runs = listener.stage("selection", [spec for planned in plan for spec in planned.specs])
        yield runs
        results = runs.results
    costs.add("selection", results.values())
    costs.add_unchosen("selection", "select-")
    winner = pick_winner(plan, results, monitor)
    if winner.entry is None:
        listener.notify.warn(f"there is no {control or 'final'}: {winner.reason}")
        return None
    mean = next(
        mean for planned, mean in zip(plan, winner.means, strict=True) if planned.entry is winner.entry
    )
    return Selected(winner.entry, mean)
