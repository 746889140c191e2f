"""The end: the best few on fresh seeds, equal tuning, everyone on paired seeds, and the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from nas_rnn.comparison import (
    ALPHA,
    Comparison,
    Cost,
    Entry,
    FinalPlan,
    Look,
    chart,
    cost_of,
    final_specs,
    judge,
    looks,
    pick_winner,
    selection_specs,
    sentence,
    settled,
)
from nas_rnn.engine import RunList, RunSource
from nas_rnn.experiment.session import Bench
from nas_rnn.run_folder.environment import ENVIRONMENT, environment
from nas_rnn.experiment.events import Notice, Phase, PhaseStarted
from nas_rnn.experiment.flow import keep_flow
from nas_rnn.publishing.report_data import keep_report
from nas_rnn.run_folder.holdout import read_before, settle
from nas_rnn.run_folder.trials import sign_of
from nas_rnn.experiment.stages.tuning import TuneSource
from nas_rnn.tasks import PreviewOptions
from nas_rnn.training import EpochRecord, RunResult, RunSpec

TOP, SELECTION_SEEDS = 3, 2
PARTS = ("search", "control", "selection", "tuning")

OnChange = Callable[[RunSpec, RunResult | None], None]


@dataclass(frozen=True)
class _Watch:
    """Tells the news of a phase's runs."""

    bench: Bench
    on_change: OnChange

    def on_start(self, spec: RunSpec) -> None:
        self.bench.tell(self.bench.started(spec))
        self.on_change(spec, None)

    def on_epoch(self, spec: RunSpec, record: EpochRecord) -> None:
        self.bench.tell(self.bench.epoch_done(spec, record))
        self.on_change(spec, None)

    def on_done(self, spec: RunSpec, result: RunResult) -> None:
        self.bench.store_result(result)
        if spec.role in ("selection", "tuning"):
            self.bench.workspace.store(spec.id).drop_checkpoint()
        self.bench.tell(self.bench.ended(spec, result, None))
        self.on_change(spec, result)


class Final:
    """The stages that end a search or a comparison; ``comparison`` is there once they have run."""

    def __init__(self, bench: Bench, on_change: OnChange) -> None:
        self._bench = bench
        self._watch = _Watch(bench, on_change)
        self._spent: dict[str, dict[str, RunResult]] = {}
        self.comparison: Comparison | None = None

    def spend(self, part: str, results: Iterable[RunResult]) -> None:
        """Count what the runs of an earlier part took."""
        self._spent.setdefault(part, {}).update({result.id: result for result in results})

    def _costs(self) -> list[Cost]:
        """Return what the earlier parts cost, in their order."""
        store = self._bench.workspace.store
        specs = {part: [store(id).read_spec() for id in results] for part, results in self._spent.items()}
        return [
            cost_of(part, filter(None, specs[part]), self._spent[part]) for part in PARTS if part in specs
        ]

    def select(
        self, candidates: Sequence[Entry], control: str = ""
    ) -> Generator[RunSource, None, Entry | None]:
        """Pick the best of ``candidates`` by fresh seeds on validation data; those of a ``control`` bear its name."""
        bench = self._bench
        plan = selection_specs(
            candidates,
            bench.measures.monitor,
            task=bench.models.choice,
            seed=bench.config.seed,
            top=TOP,
            seeds=SELECTION_SEEDS,
            control=control,
        )
        runs = self._phase("selection", [spec for planned in plan for spec in planned.specs])
        yield runs
        self.spend("selection", runs.results.values())
        winner = pick_winner(plan, runs.results, bench.measures.monitor)
        if winner.entry is None:
            bench.tell(Notice(message=f"there is no {control or 'final'}: {winner.reason}"))
        return winner.entry

    def contest(
        self,
        baseline: Entry,
        contenders: Sequence[Entry],
        deadline: float | None,
        *,
        keep_best: bool = True,
        say: Callable[[Comparison], str] = sentence,
    ) -> Iterator[RunSource]:
        """Tune everyone, train everyone on paired seeds, read the test part once, keep comparison and chart.

        After ``deadline`` (of `time.monotonic`) no more seeds are added where their number is "auto".
        With ``keep_best`` also the first contender's best weights and everyone's gradient flow.
        """
        bench = self._bench
        for contender in contenders:
            bench.warn_of_mismatch(contender)
        entries = [baseline, *contenders]
        if bench.config.tune:
            tuned = yield from self._tune([entry for entry in entries if not entry.members])
            entries = _tuned_entries(entries, tuned)
        settle(bench.workspace, bench.models.data, entries)
        before = read_before(bench.workspace)
        if before:
            bench.warn(f"the test part of these data was read before, in {_listed(before)}")
        plan, results = yield from self._looks(entries, deadline)
        assert self.comparison is not None
        if keep_best:
            _keep_best(bench, plan, results)
        _keep(bench, plan, self.comparison, say(self.comparison))

    def _looks(
        self, entries: Sequence[Entry], deadline: float | None
    ) -> Generator[RunSource, None, tuple[FinalPlan, dict[str, RunResult]]]:
        """Train on so many seeds, or on more and more of them until all is settled or the time is over; judge."""
        bench, config = self._bench, self._bench.config
        results: dict[str, RunResult] = {}
        for look in looks(config.most_seeds) if config.seeds == "auto" else (Look(int(config.seeds), ALPHA),):
            plan = final_specs(
                entries[0], entries[1:], task=bench.models.choice, seed=config.seed, seeds=look.seeds
            )
            runs = self._phase("final", self._unsettled(plan))
            yield runs
            results |= runs.results
            self.comparison = judge(
                bench.measures.metric,
                plan,
                results,
                item=bench.task.item,
                alpha=look.alpha,
                earlier=self.comparison,
                costs=self._costs(),
                counted=bench.task.unit,
            )
            if all(map(settled, self.comparison.contenders)):
                break
            if deadline is not None and time.monotonic() > deadline:
                bench.warn(f"the time is over: no more than {look.seeds} seeds")
                break
        return plan, results

    def _unsettled(self, plan: FinalPlan) -> list[RunSpec]:
        """Return the plan's runs without those of cells that need no more seeds: they keep the verdict they have."""
        rows = () if self.comparison is None else self.comparison.rows
        asked = sorted(plan.contenders, key=lambda planned: bool(planned.entry.control))  # as the rows stand
        settled_ones = [planned for planned, row in zip(asked, rows, strict=False) if settled(row)]
        done = {spec.id for planned in settled_ones for spec in planned.specs}
        return [spec for spec in plan.specs if spec.id not in done]

    def _tune(self, entries: Sequence[Entry]) -> Generator[RunSource, None, list[Entry]]:
        source = TuneSource(self._bench, self._watch, entries, self._bench.config.tune)
        done = sum(
            self._bench.workspace.store(folder.name).read_result() is not None
            for folder in self._bench.workspace.trials.glob("tune-*")
        )
        self._bench.tell(PhaseStarted(phase="tuning", runs=source.runs, before=done))
        yield source
        self.spend("tuning", source.results)
        return source.best()

    def _phase(self, phase: Phase, specs: Sequence[RunSpec]) -> RunList:
        runs = self._bench.unfinished(specs, self._watch)
        self._bench.tell(PhaseStarted(phase=phase, runs=len(specs), before=len(runs.results)))
        return runs


def _tuned_entries(entries: Sequence[Entry], tuned: Sequence[Entry]) -> list[Entry]:
    """Return ``entries`` as tuning left them; those of several cells have the first contender's settings."""
    of_place = iter(tuned)
    leader = tuned[1]
    return [
        replace(entry, training=leader.training, tuned=leader.tuned) if entry.members else next(of_place)
        for entry in entries
    ]


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _keep(bench: Bench, plan: FinalPlan, comparison: Comparison, answer: str) -> None:
    """Write what the comparison found; checkpoints are not needed any more."""
    workspace = bench.workspace
    picture = chart(comparison)
    workspace.write("comparison.png", picture.png)
    workspace.write("comparison.svg", picture.svg)
    for spec in plan.specs:
        workspace.store(spec.id).drop_checkpoint()
    workspace.write_json(ENVIRONMENT, environment())
    workspace.write_json("comparison.json", {**comparison.to_dict(), "sentence": answer})
    keep_report(bench)


def _keep_best(bench: Bench, plan: FinalPlan, results: dict[str, RunResult]) -> None:
    """Write the final weights of the first contender, and the gradient flow beside them."""
    winner = plan.contenders[0]
    usable = [s for s in winner.specs if s.id in results and results[s.id].best_metric is not None]
    if usable:
        best = min(
            usable, key=lambda spec: sign_of(bench.measures.monitor) * (results[spec.id].best_metric or 0.0)
        )
        # The cell as it was found: where its biases started is no part of it once it is trained.
        _keep_weights(bench, best, replace(best, cell=winner.entry.cell))
        keep_flow(bench, plan, winner.specs.index(best))


def _keep_weights(bench: Bench, run: RunSpec, spec: RunSpec) -> None:
    """Put the model of ``spec``, with the weights of the best epoch of ``run``, into ``best/``."""
    from nas_rnn.export import Learnt, Trained, example_inputs, folder_files
    from nas_rnn.training.model import build_model, recurrent_nets

    checkpoint = bench.workspace.store(run.id).read_checkpoint()
    if checkpoint is None:
        return  # a resumed final whose weights were kept before
    workspace, data = bench.workspace, bench.models.data
    model = build_model(spec, bench.task, data.meta)
    model.load_state_dict(checkpoint.best)
    model.eval()
    first = next(iter(recurrent_nets(model).values()))
    example = example_inputs(bench.task, data)
    learnt = Learnt(task=bench.task, model=model, spec=spec, meta=data.meta, example=example)
    for name, content in folder_files(Trained(name=workspace.name, rnn=first, learnt=learnt)).items():
        workspace.write(f"best/{name}", content)
    preview = bench.task.preview(model, data.without("test"), seed=spec.seed, options=PreviewOptions())
    for name, content in preview.files.items():
        workspace.write(f"best/{name}", content)
