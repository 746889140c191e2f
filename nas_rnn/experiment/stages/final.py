"""The final: everyone on paired seeds at equal size; the test part is read once, and each contender is judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

from nas_rnn.comparison import (
    ALPHA,
    Comparison,
    Course,
    Entry,
    FinalPlan,
    Look,
    final_specs,
    interim_analyses,
    is_decided,
    judge,
    sentence,
)
from nas_rnn.comparison.sentences import readers
from nas_rnn.engine import RunSource
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.costs import Costs
from nas_rnn.experiment.stages.keeping import keep_best, keep_comparison
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.experiment.stages.speed import learning_speeds
from nas_rnn.run_folder.holdout import lock_final_plan, read_before
from nas_rnn.training import RunResult, RunSpec


@dataclass
class Final:
    """The last stage; ``comparison`` is what it has found so far.

    After ``deadline`` (of `time.monotonic`) no more seeds are added where their number is "auto". With ``keep_best``
    the first contender's best weights are kept, and everyone's gradient flow. ``say`` puts the answer into words.
    """

    models: Models
    listener: RunListener
    costs: Costs
    deadline: float | None = None
    keep_best: bool = True
    say: Callable[[Comparison], str] = sentence
    comparison: Comparison | None = field(default=None, init=False)

    def run(self, entries: Sequence[Entry], course: Course | None = None) -> Generator[RunSource, None, None]:
        """Train the baseline, the first of ``entries``, and the others; judge, and keep what was found.

        ``course`` is how it came to these entries.
        """
        models, folder, notify = self.models, self.listener.folder, self.listener.notify
        lock_final_plan(folder, models.measured_data, list(entries), counts=not models.config.smoke)
        before = read_before(folder)
        if before:
            notify.warn(f"the test part of these data was read before, in {readers(before)}")
        plan, results = yield from self._judged(entries, before)
        assert self.comparison is not None
        self.comparison = yield from learning_speeds(models, self.listener, plan, results, self.comparison)
        self.comparison = replace(self.comparison, course=course)
        if self.keep_best:
            keep_best(models, folder, notify, plan, results)
        keep_comparison(models.task, folder, notify, plan, self.comparison, self.say(self.comparison))

    def _judged(
        self, entries: Sequence[Entry], read_before: tuple[str, ...]
    ) -> Generator[RunSource, None, tuple[FinalPlan, dict[str, RunResult]]]:
        """Train on so many seeds, or on more and more of them until all is decided or the time is over; judge."""
        models, config = self.models, self.models.config
        results: dict[str, RunResult] = {}
        floors = models.floors()
        auto = config.seeds == "auto"
        for look in interim_analyses(config.most_seeds) if auto else (Look(int(config.seeds), ALPHA),):
            plan = final_specs(
                entries[0], entries[1:], task=models.choice, seed=config.seed, seeds=look.seeds
            )
            runs = self.listener.stage("final", self._undecided(plan))
            yield runs
            results |= runs.results
            judged = judge(
                models.measures.metrics,
                plan,
                results,
                item=models.task.item,
                groups=models.measured_data.groups.get("test"),
                floors=floors,
                alpha=look.alpha,
                earlier=self.comparison,
                costs=self.costs.parts(),
                counted=models.task.unit,
            )
            self.comparison = replace(judged, read_before=read_before)
            if all(map(is_decided, self.comparison.contenders)):
                break
            if self.deadline is not None and time.monotonic() > self.deadline:
                self.listener.notify.warn(f"time limit reached: no more than {look.seeds} seeds")
                break
        return plan, results

    def _undecided(self, plan: FinalPlan) -> list[RunSpec]:
        """Return the plan's runs without those of cells that need no more seeds: they keep the verdict they have.

        A reference, or the baseline's cell as a control, is trained as long as anybody is to be held against it.
        """
        rows = () if self.comparison is None else (*self.comparison.contenders, *self.comparison.controls)
        judged = [planned for planned in plan.contenders if not planned.entry.reference]
        judged.sort(key=lambda planned: bool(planned.entry.control))  # as the rows stand
        decided = [planned for planned, row in zip(judged, rows, strict=False) if is_decided(row)]
        own = plan.baseline.entry.digest
        done = {spec.id for planned in decided if planned.entry.digest != own for spec in planned.specs}
        return [spec for spec in plan.specs if spec.id not in done]
