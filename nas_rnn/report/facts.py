"""What a report is made from: plain values about one search, comparison or ablation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from nas_rnn.cells import Cell
from nas_rnn.comparison import Comparison, ContenderRow, Standing, ranked_rows
from nas_rnn.comparison.checklist import Answer
from nas_rnn.run_folder.dropped import Dropped
from nas_rnn.run_folder.front import Front
from nas_rnn.run_folder.trials import is_stopped
from nas_rnn.tasks.metric import Quantity
from nas_rnn.training import RunResult, RunSpec

if TYPE_CHECKING:
    from nas_rnn.training.flow import GradientFlow

Kind = Literal["search", "compare", "ablate"]


@dataclass(frozen=True)
class Run:
    """One run that has ended."""

    spec: RunSpec
    result: RunResult

    def ending(self, epochs: object) -> str:
        """Return how it ended, where runs have ``epochs`` (a number, or "auto"): "stopped" is at a rung."""
        return "stopped" if is_stopped(self.result, epochs) else self.result.status

    @property
    def epoch_seconds(self) -> float | None:
        """The median time of an epoch, validation included."""
        seconds = sorted(record.seconds for record in self.result.epochs)
        return seconds[len(seconds) // 2] if seconds else None


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One candidate as it was proposed, in order.

    ``value`` is its best validation metric, ``ending`` how it ended ("reused": a known cell, not trained again),
    ``seconds`` of training were spent on it.
    """

    name: str
    value: float | None
    ending: str
    seconds: float
    parameters: int | None = None
    epoch_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a part of the whole cost; ``runs`` and ``units`` (of the task, such as characters) where known."""

    part: str
    seconds: float
    runs: int | None = None
    units: int | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything on the page. What was not done or not kept is empty or None, and its section is left out.

    ``sentence`` is the answer in words, ``no_final`` why there will be none. ``changes`` says what was changed in each
    of an ablation's variants; ``draws`` are the search's candidates and ``control`` those of the random search beside
    it, ``dropped`` those that were not trained; ``baseline_value`` is the baseline's best validation metric in the
    search, ``front`` the candidates that no other one beats, where it had several objectives. ``cells`` has the
    baseline first, then the contenders. ``previews`` are pictures and texts of what the model that was kept does,
    files by name.
    """

    name: str
    kind: Kind
    metric: Quantity
    monitor: Quantity
    task: str
    unit: str
    began: str
    settings: Mapping[str, Any]
    config: str
    command: str
    comparison: Comparison | None = None
    sentence: str = ""
    no_final: str = ""
    changes: Mapping[str, str] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    strategy: str | None = None
    trials: Mapping[str, int] = field(default_factory=dict)
    draws: tuple[Draw, ...] = ()
    control: tuple[Draw, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    baseline_value: float | None = None
    front: Front | None = None
    cells: tuple[Cell, ...] = ()
    previews: Mapping[str, bytes] = field(default_factory=dict)
    flows: tuple[tuple[str, list[GradientFlow]], ...] = ()
    parts: tuple[Part, ...] = ()
    checklist: tuple[Answer, ...] = ()
    plugins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[ContenderRow, ...]:
        """All that was compared with the baseline: contenders and controls; of an ablation the greatest loss first."""
        if self.comparison is None:
            return ()
        return ranked_rows(self.comparison) if self.kind == "ablate" else self.comparison.rows

    @property
    def standings(self) -> tuple[Standing, ...]:
        """Everybody in the final, the baseline first."""
        if self.comparison is None:
            return ()
        return (self.comparison.baseline, *(row.standing for row in self.rows))

    def of_role(self, *roles: str) -> list[Run]:
        """Return the runs of the given roles, in order."""
        return [run for run in self.runs if run.spec.role in roles]

    def of_standing(self, standing: Standing) -> list[Run]:
        """Return the final runs of one that was compared; a standing may be that of several cells."""
        return [run for run in self.of_role("final") if run.spec.seed in standing.seeds]

    def tuning_runs(self) -> dict[str, int]:
        """Return how many tuning runs each cell had; controls have budgets of their own, and are left out."""
        held = {standing.name for standing in self.standings if not standing.control}
        names = [run.spec.name for run in self.of_role("tuning")]
        return Counter(name for name in names if name in held or not held)

    def tuned_to(self, runs: Sequence[Run]) -> list[Run]:
        """Return which of one cell's tuning runs its settings come from, the best first; none where all diverged.

        They are two where every second final run had settings of its own. A run that was stopped at a rung decided
        nothing, nor did one that diverged, however good it was before.
        """
        ended = [run for run in runs if run.ending(self.settings.get("epochs")) == "finished"]
        known = [run for run in ended if run.result.best_metric is not None]
        sign = 1 if self.monitor.direction == "minimize" else -1
        known.sort(key=lambda run: sign * (run.result.best_metric or 0.0))
        names = {run.spec.name for run in runs}
        two = any(standing.second for standing in self.standings if standing.name in names)
        return known[: 2 if two else 1]

    def gap(self, value: float | None) -> float | None:
        """Return a validation metric relative to the baseline's in the search; negative is better."""
        if value is None or self.baseline_value is None:
            return None
        return self.monitor.gap(value, self.baseline_value)
