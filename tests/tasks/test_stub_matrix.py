"""Every kind of task, by small stubs, through all that a search does with it: one process, no cluster.

Kinds are two recurrent nets in one model, unequal lengths, real values in units of their own, several metrics and a
monitor, a sampled loss and score, several references for an item, items that span chunks, items in groups, restarts
inside a batch, and trivial baselines.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import nas_rnn
from nas_rnn import plugins
from nas_rnn.comparison import judge
from nas_rnn.engine import Next
from nas_rnn.experiment.stages.tuning import TuneSource
from nas_rnn.export import export_files
from nas_rnn.tasks import Batch, Batching, Mean, PreviewOptions, TaskData, TaskModel
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.tasks.metric import totals_of
from nas_rnn.testing import check_task
from nas_rnn.training import RunStore
from nas_rnn.training.flow import GradientFlow
from nas_rnn.training.loop import scoring_pass, validation_pass
from tests.export.cases import LOAD_AND_COMPARE, ROOT, alone, write_whole
from tests.tasks.stub_runs import OPTIONS, SEEDS, STUBS, Finals, entry
from tests.tasks.stubs.reversing import EncoderDecoder
from tests.tasks.stubs.temperatures import LENGTH, Forecaster

Made = Callable[[str], Finals]

NETS = {
    "stub-reversing": ["reader", "writer.layers"],
    "stub-temperatures": ["net.cells"],
    "stub-choosing": ["core"],
    "stub-answers": ["encoder"],
    "stub-sessions": ["memory"],
}
EVERY = pytest.mark.parametrize("name", STUBS)


@pytest.fixture(scope="module")
def finals(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made: dict[str, Finals] = {}

    def of(name: str) -> Finals:
        if name not in made:
            made[name] = Finals(name, tmp_path_factory.mktemp(name))
        return made[name]

    return of


def batches_of(found: Finals, part: Any, batching: Batching = EVALUATION) -> list[Batch]:
    return list(found.task.batches(found.data, part, batching))


def items_of(found: Finals, part: Any) -> int:
    return len({item for batch in batches_of(found, part) for item in batch.items.tolist()})  # type: ignore[union-attr]


@EVERY
def test_it_keeps_the_contract(name: str) -> None:
    assert check_task(STUBS[name]) == []


@EVERY
def test_the_trainer_learns_it_by_its_monitor_and_scores_every_test_item(finals: Made, name: str) -> None:
    found = finals(name)
    monitor = found.measures.monitor
    for run in found.runs.values():
        records = run.trainer.records
        assert run.result.status == "finished"
        assert records[-1].train_loss < records[0].train_loss
        assert run.result.best_epoch == 1 + next(
            number for number, r in enumerate(records) if r.metric == run.result.best_metric
        )
        assert not any(
            monitor.better(record.metric, run.result.best_metric or math.nan) for record in records
        )
        statistics = run.result.test_statistics
        assert statistics is not None
        assert set(statistics) == {s for metric in found.measures.metrics for s in metric.statistics}
        assert {len(values) for values in statistics.values()} == {items_of(found, "test")}


@EVERY
def test_the_comparison_reads_it(finals: Made, name: str) -> None:
    found = finals(name)
    floors = found.task.floors(found.data)
    metric, *others = found.measures.metrics
    comparison = judge(
        found.measures.metrics,
        found.plan,
        found.results,
        item=found.task.item,
        groups=found.data.groups.get("test"),
        floors=floors,
        counted=found.task.unit,
    )
    (row,) = comparison.contenders
    assert row.pairs == SEEDS
    assert row.ci95 is not None and row.difference is not None
    assert row.ci95[0] <= row.difference <= row.ci95[1]
    for standing, planned in (
        (comparison.baseline, found.plan.baseline),
        (row.standing, found.plan.contenders[0]),
    ):
        for number, spec in enumerate(planned.specs):
            own = found.results[spec.id].test_statistics
            totals = totals_of({key: np.asarray(values) for key, values in (own or {}).items()})
            assert standing.values[number] == pytest.approx(metric.value(totals))
            for other in others:
                assert standing.others[other.name].values[number] == pytest.approx(other.value(totals))
    assert [floor.name for floor in comparison.floors] == list(floors)
    for floor in comparison.floors:
        assert floor.values[metric.name] == pytest.approx(metric.value(totals_of(floors[floor.name])))
        assert floor.difference is not None
    (cost,) = comparison.costs
    assert (cost.runs, comparison.counted) == (2 * SEEDS, found.task.unit)
    assert cost.units == sum(r.targets for result in found.results.values() for r in result.epochs)


@EVERY
def test_gradient_flows_through_each_of_its_nets(finals: Made, name: str) -> None:
    kept = finals(name).first.store.read_flow()
    assert kept is not None and kept["problem"] is None
    flows = [GradientFlow.from_dict(flow) for flow in kept["flows"]]
    nets = NETS[name] if len(NETS[name]) > 1 else [""]
    assert [(flow.weights, flow.net) for flow in flows] == [
        (weights, net) for weights in ("fresh", "trained") for net in nets
    ]
    for flow in flows:
        assert [path.path for path in flow.paths] == ["h", "c"]
        assert all((path.norms[1] or 0.0) > 0.0 for path in flow.paths)


@EVERY
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    finals: Made, name: str, tmp_path: Path
) -> None:
    found = finals(name)
    spec, store = found.plan.baseline.specs[0], RunStore(tmp_path)
    found.trainer(spec, store).run_epoch()
    resumed = found.trainer(spec, store)
    assert resumed.epoch == 1
    while not resumed.finished:
        resumed.run_epoch()
    whole = found.first
    clockless = [
        [replace(record, seconds=0.0, units_per_second=0.0) for record in trainer.records]
        for trainer in (resumed, whole.trainer)
    ]
    assert clockless[0] == clockless[1]
    assert resumed.result().test_statistics == whole.result.test_statistics
    weights = whole.trainer.best_weights
    assert all(torch.equal(tensor, weights[key]) for key, tensor in resumed.best_weights.items())


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the stubs as plugins; whatever is loaded from it is forgotten afterwards."""
    monkeypatch.setattr(plugins, "_registry", None)
    monkeypatch.syspath_prepend(str(ROOT))
    folder = tmp_path / "plugins"
    folder.mkdir()
    lines = [f"from {kind.__module__} import {kind.__name__}" for kind in STUBS.values()]
    (folder / "stubs.py").write_text("\n".join(lines) + "\n")
    return folder


@EVERY
def test_a_folder_gives_the_same_model_back(finals: Made, name: str, tmp_path: Path, plugin: Path) -> None:
    found = finals(name)
    exported = found.exported()
    for path, content in export_files(exported, "torch", tmp_path / "model").items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    loaded = nas_rnn.load_model(tmp_path / "model", plugins=[plugin])
    assert isinstance(loaded, TaskModel) and exported.task_model is not None
    one, two = (
        scoring_pass(model, batches_of(found, "test"), seed=5).statistics
        for model in (exported.task_model.model, loaded)
    )
    assert {key: values.tolist() for key, values in one.items()} == {
        key: v.tolist() for key, v in two.items()
    }


def test_a_net_of_torch_alone_is_exported_as_python(finals: Made, tmp_path: Path) -> None:
    write_whole(finals("stub-temperatures").exported(), tmp_path)
    assert "MEAN = 2" in (tmp_path / "mine.py").read_text()
    assert int(alone(LOAD_AND_COMPARE, tmp_path)) == 2


@EVERY
def test_a_preview_repeats_and_needs_the_meta_alone(finals: Made, name: str) -> None:
    found = finals(name)
    model = found.first.trainer.best_model()
    for known in (found.data.without("test"), TaskData({}, json.loads(json.dumps(found.data.meta)))):
        one, again = (found.task.preview(model, known, seed=3, options=PreviewOptions()) for _ in range(2))
        assert one == again
    if name == "stub-reversing":
        other = found.task.preview(model, known, seed=4, options=PreviewOptions())
        assert len(one.text.splitlines()) == 3 and other.text != one.text


@EVERY
def test_tuning_keeps_the_settings_that_were_best_by_the_monitor(finals: Made, name: str) -> None:
    """Also where the monitor is to be large, and whatever the metrics of the final are."""
    found, trials = finals(name), 3
    quiet: Callable[..., None] = lambda *_, **__: None
    listener = SimpleNamespace(
        folder=SimpleNamespace(earlier_result=lambda spec, retry: None),
        on_start=quiet,
        on_epoch=quiet,
        on_done=quiet,
        notify=SimpleNamespace(warn_once=quiet),
    )
    models = SimpleNamespace(
        measures=found.measures,
        config=SimpleNamespace(seed=1),
        choice=SimpleNamespace(name=name, options={}),
    )
    source = TuneSource(models, listener, [entry("rnn")], trials)  # type: ignore[arg-type]
    results = {}
    while isinstance(spec := source.next(), nas_rnn.training.RunSpec):
        trainer = found.trainer(spec, epochs=1)
        trainer.run_epoch()
        results[spec.training.learning_rate] = trainer.result()
        assert results[spec.training.learning_rate].test_statistics is None
        source.on_done(spec, results[spec.training.learning_rate])
    assert spec is Next.END and len(results) == trials
    metric = found.measures.monitor
    wanted = (min if metric.direction == "minimize" else max)(
        results, key=lambda rate: results[rate].best_metric
    )
    (best,) = source.best()
    assert best.tuned and best.training.learning_rate == wanted


# ---- several metrics, and a monitor like the loss


def test_nothing_is_decoded_before_the_end_of_a_run(finals: Made) -> None:
    found = finals("stub-reversing")
    trainer = found.trainer(found.plan.baseline.specs[0])
    EncoderDecoder.decoded = 0
    while not trainer.finished:
        trainer.run_epoch()
    assert EncoderDecoder.decoded == 0
    assert trainer.records[-1].metric == pytest.approx(trainer.records[-1].valid_loss)
    trainer.result()
    assert EncoderDecoder.decoded == len(batches_of(found, "test")) > 0


def test_a_second_metric_changes_nothing_of_the_decision(finals: Made) -> None:
    found = finals("stub-reversing")
    both, one = (
        judge(metrics, found.plan, found.results)
        for metrics in (found.measures.metrics, found.measures.metrics[:1])
    )
    (wide,), (narrow,) = both.contenders, one.contenders
    assert list(wide.standing.others) == ["exact"] and not narrow.standing.others
    assert replace(wide, standing=narrow.standing) == narrow


# ---- sequences of unequal length


def measured(model: TaskModel, batch: Batch) -> dict[str, Any]:
    model = copy.deepcopy(model).eval()
    loss, _ = model.loss(batch, None)
    loss.total.backward()  # type: ignore[no-untyped-call]
    scores, _ = model.score(batch, None, generator=torch.Generator())
    gradients = {key: parameter.grad for key, parameter in model.named_parameters()}
    return {"total": loss.total.detach(), "count": loss.count, **gradients, **scores}


def test_padding_changes_nothing(finals: Made) -> None:
    """Neither what stands there, nor how much of it there is, nor which others a column is beside."""
    found = finals("stub-reversing")
    model = found.first.trainer.best_model()
    batch = batches_of(found, "valid")[0]
    assert isinstance(batch.inputs, Tensor) and isinstance(batch.targets, Tensor)
    assert isinstance(batch.lengths, Mapping)
    assert int(batch.lengths["inputs"].min()) < len(batch.inputs)
    assert not torch.equal(batch.lengths["inputs"], batch.lengths["targets"])
    padded = {}
    for key, tensor in (("inputs", batch.inputs), ("targets", batch.targets)):
        longer = torch.cat([tensor, torch.full((3, tensor.shape[1]), 4)])
        padded[key] = torch.where(torch.arange(len(longer))[:, None] < batch.lengths[key], longer, 3)
    one, two = measured(model, batch), measured(model, replace(batch, **padded))  # type: ignore[arg-type]
    assert one["count"] == two["count"] == int(batch.lengths["targets"].sum())
    for key, value in one.items():
        torch.testing.assert_close(two[key], value, msg=key)
    alone_B = [
        scoring_pass(model, batches_of(found, "test", Batching(batch=size, length=1)), seed=0).statistics
        for size in (1, 40)
    ]
    for key in ("wrong", "exact", "symbols"):
        assert alone_B[0][key].tolist() == alone_B[1][key].tolist()


def test_real_targets_are_what_costs_count(finals: Made) -> None:
    found = finals("stub-reversing")
    real = int(((found.data.part("train")["lengths"] + 1) // 2).sum())
    assert {r.targets for result in found.results.values() for r in result.epochs} == {real}
    assert real < found.data.part("train")["written"].size


# ---- real values in units of their own


def test_errors_are_in_the_units_of_the_data(finals: Made) -> None:
    found = finals("stub-temperatures")
    off, rmse = found.measures.metrics
    assert (off.unit, rmse.unit, found.measures.monitor.unit) == ("kelvin",) * 3
    model, values_NL = found.first.trainer.best_model(), found.data.part("test")["values"]
    mean, deviation = found.data.meta["mean"], found.data.meta["deviation"]
    x_LB1 = torch.from_numpy(((values_NL - mean) / deviation).astype(np.float32)).T[:-1, :, None]
    with torch.no_grad():
        said_NL = model(x_LB1)[0].T.double().numpy() * deviation + mean
    totals = totals_of(scoring_pass(model, batches_of(found, "test"), seed=0).statistics)
    errors = said_NL - values_NL[:, 1:]
    assert off.value(totals) == pytest.approx(np.abs(errors).mean(), rel=1e-4)
    assert rmse.value(totals) == pytest.approx(np.sqrt(np.square(errors).mean()), rel=1e-4)
    assert 0.5 < off.value(totals) < 8.0  # kelvin; the noise alone is 1


# ---- items that span chunks, and belong together


def test_an_item_that_spans_chunks_is_one_item(finals: Made) -> None:
    found = finals("stub-temperatures")
    model = found.first.trainer.best_model()
    chunks = batches_of(found, "test")
    assert [len(batch.targets) for batch in chunks] == [64, 64, LENGTH - 1 - 128]
    cut, whole, narrow = (
        validation_pass(model, batches_of(found, "test", Batching(batch=size, length=length))).statistics
        for size, length in ((32, 64), (32, LENGTH), (7, 30))
    )
    assert cut["count"].tolist() == [LENGTH - 1.0] * 18
    for other in (whole, narrow):
        np.testing.assert_allclose(other["off"], cut["off"], rtol=1e-4)


def test_groups_of_items_reach_the_judge(finals: Made) -> None:
    """Series of one station are alike, so that an interval over stations is another than one over series."""
    found = finals("stub-temperatures")
    groups = found.data.groups["test"]
    rows = [
        judge(found.measures.metrics, found.plan, found.results, item="series", groups=given).contenders[0]
        for given in (None, groups, groups[::-1] * 0 + np.arange(len(groups)))
    ]
    assert rows[0].difference == rows[1].difference
    assert rows[0].ci95 != rows[1].ci95
    assert rows[2].ci95 == pytest.approx(rows[0].ci95)


# ---- what is drawn


@pytest.mark.parametrize("name", ["stub-choosing", "stub-answers"])
def test_validating_more_often_leaves_weights_and_scores_bit_identical(finals: Made, name: str) -> None:
    """Of a loss that samples, and of one with dropout."""
    found = finals(name)
    trainer = found.trainer(found.plan.baseline.specs[0])
    while not trainer.finished:
        trainer.run_epoch()
        for _ in range(2):
            with trainer._aside():
                validation_pass(trainer._model, trainer._evaluation_batches("valid"))
        trainer.result("stopped")
    whole = found.first
    weights = whole.trainer.best_weights
    assert all(torch.equal(tensor, weights[key]) for key, tensor in trainer.best_weights.items())
    assert trainer.result().test_statistics == whole.result.test_statistics


def test_a_sampled_score_repeats_at_its_seed_whatever_else_draws(finals: Made) -> None:
    found = finals("stub-choosing")
    model, batches = found.first.trainer.best_model(), batches_of(found, "test")
    drawn = []
    for seed, other in ((1, 10), (1, 11), (2, 10)):
        torch.manual_seed(other)
        drawn.append(scoring_pass(model, batches, seed=seed).statistics["reward"].tolist())
    assert drawn[0] == drawn[1] != drawn[2]
    assert set(drawn[0]) == {0.0, 100.0}


# ---- several references for one item


def test_every_reference_counts_and_none_twice(finals: Made) -> None:
    found = finals("stub-answers")
    model = found.first.trainer.best_model()
    batch = batches_of(found, "test")[0]
    assert isinstance(batch.targets, Mapping)
    right_BR = batch.targets["references"]

    def of(references: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            loss, _ = model.loss(replace(batch, targets={"references": references}), None)
        return loss.total, loss.statistics["right"]

    (loss, right), (turned, same), (twice, again) = map(
        of, (right_BR, right_BR.flip(1), right_BR[:, [0, 1, 1, 0]])
    )
    torch.testing.assert_close(torch.stack([turned, twice]), loss.expand(2))
    assert right.tolist() == same.tolist() == again.tolist()
    first, last = (of(right_BR[:, [place]]) for place in (0, 1))
    assert loss < first[0] and loss < last[0]
    assert right.tolist() == torch.maximum(first[1], last[1]).tolist()
    assert first[1].tolist() != last[1].tolist()


# ---- sessions that begin anew inside a batch


def test_a_session_is_read_as_if_it_stood_alone(finals: Made) -> None:
    found = finals("stub-sessions")
    model = found.first.trainer.best_model()
    batch = batches_of(found, "test")[0]
    assert batch.restarts is not None and isinstance(batch.inputs, Tensor)
    with torch.no_grad():
        whole_TBV, _ = model.logits(batch.inputs, batch.restarts, None)  # type: ignore[operator]
        without_TBV, _ = model.logits(batch.inputs, torch.zeros_like(batch.restarts), None)  # type: ignore[operator]
        for column in range(3):
            begins = batch.restarts[:, column].nonzero()[:, 0].tolist()
            assert len(begins) > 3
            for first, end in zip(begins, [*begins[1:], len(batch.inputs)], strict=True):
                own = batch.inputs[first:end, column, None]
                alone_TBV, _ = model.logits(own, torch.zeros_like(own, dtype=torch.bool), None)  # type: ignore[operator]
                torch.testing.assert_close(whole_TBV[first:end, column], alone_TBV[:, 0])
    assert not torch.allclose(whole_TBV, without_TBV)


def test_no_gradient_passes_a_restart(finals: Made) -> None:
    """As far back as the last sessions of the columns reach, and not a step further."""
    found = finals("stub-sessions")
    kept = found.first.store.read_flow()
    assert kept is not None
    (fresh, trained) = (GradientFlow.from_dict(flow) for flow in kept["flows"])
    batch = next(found.task.batches(found.data, "train", Batching(batch=OPTIONS.batch, length=64)))
    assert batch.restarts is not None and batch.restarts.shape == (64, OPTIONS.batch)
    reach = max(64 - int(column.nonzero()[-1]) for column in batch.restarts.T)
    assert reach < 12
    for flow in (fresh, trained):
        assert flow.steps == 64
        for path in flow.paths:
            norms = [norm or 0.0 for norm in path.norms]
            assert norms[reach - 1] > 0.0 and not any(norms[reach:])


# ---- trivial baselines


def test_floors_are_what_they_are_called(finals: Made) -> None:
    values = {}
    for name in ("stub-temperatures", "stub-choosing", "stub-answers"):
        found = finals(name)
        for floor, statistics in found.task.floors(found.data).items():
            values[floor] = found.measures.metric.value(totals_of(statistics))
    assert values["at random"] == pytest.approx(100 / 3)
    test_NL = finals("stub-temperatures").data.part("test")["values"]
    assert values["last value"] == pytest.approx(np.abs(np.diff(test_NL)).mean())
    assert values["mean"] == pytest.approx(
        np.abs(test_NL[:, 1:] - finals("stub-temperatures").data.meta["mean"]).mean()
    )
    question_NT = finals("stub-answers").data.part("test")["question"]
    assert values["commonest answer"] == pytest.approx(
        ((question_NT[:, 0] == 0) | (question_NT[:, -1] == 0)).mean() * 100
    )


# ---- metrics that are no means over items (`nas_rnn.tasks.Corpus`)


def test_a_metric_that_is_no_mean_decides_where_it_is_the_first(finals: Made) -> None:
    found = finals("stub-temperatures")
    off, rmse = found.measures.metrics
    assert isinstance(off, Mean) and not isinstance(rmse, Mean)
    turned = judge(
        (rmse, off), found.plan, found.results, item="series", floors=found.task.floors(found.data)
    )
    (row,) = turned.contenders
    assert turned.metric == "rmse" and list(row.standing.others) == ["off"]
    assert row.difference is not None and row.ci95 is not None
    assert row.ci95[0] <= row.difference <= row.ci95[1]
    assert {floor.name for floor in turned.floors} == {"last value", "mean"}


def test_the_stubs_are_of_the_kinds_that_they_stand_for(finals: Made) -> None:
    """So that what is shown above speaks of them."""
    model = finals("stub-reversing").first.trainer.best_model()
    assert isinstance(model, EncoderDecoder) and not hasattr(model, "net")
    assert isinstance(finals("stub-temperatures").first.trainer.best_model(), Forecaster)
    assert {kind.monitor.direction for kind in STUBS.values()} == {"minimize", "maximize"}
    assert finals("stub-temperatures").data.groups.keys() == {"train", "valid", "test"}
