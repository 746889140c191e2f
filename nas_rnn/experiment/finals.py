"""The final: the best few on fresh seeds, then the winner and the baseline on paired seeds, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nas_rnn.cells import parse_cell
from nas_rnn.comparison import (
    Comparison,
    Entry,
    FinalPlan,
    chart,
    final_specs,
    judge,
    pick_winner,
    selection_specs,
    sentence,
)
from nas_rnn.engine import Engine
from nas_rnn.experiment.bench import Bench
from nas_rnn.experiment.events import Notice, Phase, PhaseStarted
from nas_rnn.training import EpochRecord, RunResult, RunSpec

TOP, SELECTION_SEEDS = 3, 2

OnChange = Callable[[RunSpec, RunResult | None], None]


@dataclass
class _Watch:
    """Tells the news of a phase's runs."""

    bench: Bench
    on_change: OnChange
    records: dict[str, list[EpochRecord]] = field(default_factory=dict)

    def on_start(self, spec: RunSpec) -> None:
        self.bench.tell(self.bench.started(spec))
        self.on_change(spec, None)

    def on_epoch(self, spec: RunSpec, record: EpochRecord) -> None:
        self.bench.tell(self.bench.epoch_done(spec, record))
        self.on_change(spec, None)

    def on_done(self, spec: RunSpec, result: RunResult) -> None:
        self.bench.store_result(result)
        if spec.role == "selection":
            self.bench.workspace.store(spec.id).drop_checkpoint()
        self.bench.tell(self.bench.ended(spec, result, None))
        self.on_change(spec, result)


def _run_phase(
    bench: Bench, engine: Engine, phase: Phase, specs: Sequence[RunSpec], on_change: OnChange
) -> dict[str, RunResult]:
    before = sum(bench.workspace.store(spec.id).read_result() is not None for spec in specs)
    bench.tell(PhaseStarted(phase=phase, runs=len(specs), before=before))
    return bench.run_all(engine, specs, _Watch(bench, on_change))


def select(bench: Bench, engine: Engine, candidates: Sequence[Entry], on_change: OnChange) -> Entry | None:
    """Return the best of the top candidates by fresh seeds on validation data; None where all fail."""
    plan = selection_specs(
        candidates,
        bench.task.metric,
        task=bench.choice,
        seed=bench.config.seed,
        top=TOP,
        seeds=SELECTION_SEEDS,
    )
    specs = [spec for planned in plan for spec in planned.specs]
    results = _run_phase(bench, engine, "selection", specs, on_change) if specs else {}
    winner = pick_winner(plan, results, bench.task.metric)
    if winner.entry is None:
        bench.tell(Notice(message=f"no cell was picked: {winner.reason}"))
    return winner.entry


def decide(
    bench: Bench,
    engine: Engine,
    baseline: Entry,
    contenders: Sequence[Entry],
    spent: dict[str, float],
    on_change: OnChange,
) -> Comparison:
    """Train everyone on paired seeds, read the test part once, and keep comparison, chart and best weights."""
    plan = final_specs(
        baseline, contenders, task=bench.choice, seed=bench.config.seed, seeds=bench.config.seeds
    )
    results = _run_phase(bench, engine, "final", plan.specs, on_change)
    comparison = judge(bench.task.metric, plan, results, item=bench.task.item, spent=spent)
    _keep(bench, plan, results, comparison)
    return comparison


def _keep(bench: Bench, plan: FinalPlan, results: dict[str, RunResult], comparison: Comparison) -> None:
    """Write what the comparison found, and the final weights of the first contender."""
    workspace = bench.workspace
    picture = chart(comparison)
    workspace.write("comparison.png", picture.png)
    workspace.write("comparison.svg", picture.svg)
    winner = plan.contenders[0]
    usable = [s for s in winner.specs if s.id in results and results[s.id].best_metric is not None]
    if usable:
        best = min(usable, key=lambda spec: bench.sign * (results[spec.id].best_metric or 0.0))
        _keep_weights(bench, best)
    for spec in plan.specs:
        workspace.store(spec.id).drop_checkpoint()
    workspace.write_json("comparison.json", {**comparison.to_dict(), "sentence": sentence(comparison)})


def _keep_weights(bench: Bench, spec: RunSpec) -> None:
    """Put the model of ``spec``, at its best epoch, into ``best/``."""
    import safetensors.torch

    checkpoint = bench.workspace.store(spec.id).read_checkpoint()
    if checkpoint is None:
        return  # a resumed final whose weights were kept before
    workspace = bench.workspace
    workspace.write("best/weights.safetensors", safetensors.torch.save(dict(checkpoint.best)))
    workspace.write("best/cell.cell", parse_cell(spec.cell).to_text())
    workspace.write_json("best/model.json", {"spec": spec.to_dict(), "meta": bench.data.meta})
