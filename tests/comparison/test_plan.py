"""The runs that selection and final need: fresh seeds, pairs, safe names; and the winner that is picked."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_rnn.comparison import (
    Entry,
    Planned,
    TaskChoice,
    derived_seed,
    final_specs,
    pick_winner,
    selection_specs,
)
from nas_rnn.errors import UserError
from nas_rnn.tasks import Mean, Metric
from nas_rnn.training import RunResult, RunSpec, TrainingOptions

BITS = Mean("bits_per_char", "bits per character", "minimize", 0.005, "relative")
ACCURACY = Mean("accuracy", "share", "maximize", 0.01, "absolute")
TASK = TaskChoice("char-lm", {"embedding": 16})


def entry(name: str, score: float | None = None, *, digest: str = "", parameters: int = 1000) -> Entry:
    training = TrainingOptions(epochs=7)
    return Entry(
        name=name,
        cell=f"cell {name}",
        digest=digest or name,
        hidden_size=32 + len(name),
        parameters=parameters,
        training=training,
        score=score,
    )


def result(spec: RunSpec, metric: float | None, status: str = "finished") -> RunResult:
    return RunResult(
        id=spec.id,
        status=status,  # type: ignore[arg-type]
        reason=None,
        epochs=[],
        best_epoch=None if metric is None else 1,
        best_metric=metric,
        parameters=1000,
        test_statistics=None,
        seconds=1.0,
    )


def winner(
    plan: tuple[Planned, ...], metric: Metric, *outcomes: list[float | str | None]
) -> tuple[str | None, str]:
    """Pick from runs that each have a validation metric, diverged, failed, or (None) never ran."""
    results = {}
    for planned, values in zip(plan, outcomes, strict=True):
        for spec, value in zip(planned.specs, values, strict=True):
            if isinstance(value, str):
                results[spec.id] = result(spec, 0.0 if value == "diverged" else None, value)
            elif value is not None:
                results[spec.id] = result(spec, value)
    picked = pick_winner(plan, results, metric)
    return (picked.entry.name if picked.entry else None), picked.reason or ""


def names(plan: tuple[Planned, ...]) -> list[str]:
    return [planned.entry.name for planned in plan]


def test_selection_takes_the_best_by_the_metrics_direction() -> None:
    candidates = [
        entry("a", 2.3),
        entry("b", 2.1),
        entry("c", None),
        entry("d", float("nan")),
        entry("e", 2.2),
    ]
    assert names(selection_specs(candidates, BITS, task=TASK, seed=1, top=2)) == ["b", "e"]
    assert names(selection_specs(candidates, ACCURACY, task=TASK, seed=1, top=2)) == ["a", "e"]
    assert names(selection_specs(candidates, BITS, task=TASK, seed=1)) == ["b", "e", "a"]


def test_selection_counts_equal_cells_once_and_prefers_the_smaller_at_a_tie() -> None:
    candidates = [
        entry("big", 2.1, parameters=9),
        entry("small", 2.1, parameters=8),
        entry("twin", 2.2, digest="big"),
    ]
    assert names(selection_specs(candidates, BITS, task=TASK, seed=1)) == ["small", "big"]


def test_selection_runs_say_what_to_do() -> None:
    (planned,) = selection_specs([entry("a", 2.3)], BITS, task=TASK, seed=1)
    assert [spec.id for spec in planned.specs] == ["select-a-s0", "select-a-s1"]
    for spec in planned.specs:
        assert (spec.role, spec.read_test, spec.task, spec.task_options) == ("selection", False, *_task())
        assert (spec.cell, spec.hidden_size, spec.training.epochs) == ("cell a", 33, 7)


def _task() -> tuple[str, dict[str, int]]:
    return "char-lm", {"embedding": 16}


def test_final_runs_are_pairs_with_one_data_order_and_weights_of_their_own() -> None:
    plan = final_specs(entry("lstm"), [entry("a"), entry("bb")], task=TASK, seed=1)
    everyone = (plan.baseline, *plan.contenders)
    assert [spec.id for spec in plan.contenders[1].specs] == [f"final-bb-s{run}" for run in range(5)]
    for run in range(5):
        assert len({planned.specs[run].data_seed for planned in everyone}) == 1
    assert len({planned.specs[run].seed for planned in everyone for run in range(5)}) == 15
    assert all(spec.role == "final" and spec.read_test for spec in plan.specs)
    assert [spec.id for spec in plan.specs[:4]] == [
        "final-lstm-s0",
        "final-a-s0",
        "final-bb-s0",
        "final-lstm-s1",
    ]
    assert plan.contenders[1].specs[0].hidden_size == 34


def test_more_seeds_or_contenders_leave_earlier_runs_as_they_were() -> None:
    small = final_specs(entry("lstm"), [entry("a")], task=TASK, seed=1, seeds=2)
    large = final_specs(entry("lstm"), [entry("a"), entry("b")], task=TASK, seed=1, seeds=6)
    assert large.baseline.specs[:2] == small.baseline.specs
    assert large.contenders[0].specs[:2] == small.contenders[0].specs


def test_search_selection_and_final_never_share_a_seed() -> None:
    entries = [entry(f"c{number}", float(number)) for number in range(20)]
    selection = selection_specs(entries, BITS, task=TASK, seed=7, top=20, seeds=10)
    final = final_specs(entries[0], entries[1:], task=TASK, seed=7, seeds=10)
    used = [
        {derived_seed(7, "search", trial) for trial in range(1000)},
        {derived_seed(7, "tuning", trial) for trial in range(1000)},
        {seed for planned in selection for spec in planned.specs for seed in (spec.seed, spec.data_seed)},
        {seed for spec in final.specs for seed in (spec.seed, spec.data_seed)},
    ]
    assert [len(seeds) for seeds in used] == [1000, 1000, 210, 210]
    assert len(set().union(*used)) == 2420


@given(st.integers(0, 2**40), st.integers(0, 2**18 - 1))
def test_seeds_fit_32_bits_and_repeat(seed: int, index: int) -> None:
    assert 0 <= derived_seed(seed, "final", index) < 2**32
    assert derived_seed(seed, "final", index) == derived_seed(seed, "final", index)


def test_another_search_has_other_seeds() -> None:
    drawn = [[derived_seed(seed, "search", index) for index in range(8)] for seed in range(50)]
    assert len({tuple(seeds) for seeds in drawn}) == 50


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1), (0, 2**18)])
def test_seeds_out_of_range_are_refused(seed: int, index: int) -> None:
    with pytest.raises(UserError):
        derived_seed(seed, "search", index)


@given(
    st.lists(
        st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs")), max_size=60),
        min_size=1,
        max_size=8,
    )
)
def test_ids_are_distinct_and_safe_as_file_names_whatever_the_cells_are_called(cells: list[str]) -> None:
    plan = final_specs(entry("lstm"), [entry(name) for name in cells], task=TASK, seed=1, seeds=2)
    ids = [spec.id for spec in plan.specs]
    assert len({id.lower() for id in ids}) == len(ids) == 2 * (1 + len(cells))
    assert all(re.fullmatch(r"final-[A-Za-z0-9_][A-Za-z0-9_.-]*-s[01]", id) and len(id) < 80 for id in ids)


def test_contenders_of_one_name_get_ids_of_their_own() -> None:
    cells = [entry("lstm"), entry("LSTM"), entry("lstm-2")]
    plan = final_specs(entry("lstm"), cells, task=TASK, seed=1, seeds=1)
    assert [spec.id for spec in plan.specs] == [
        "final-lstm-s0",
        "final-lstm-2-s0",
        "final-LSTM-3-s0",
        "final-lstm-2-2-s0",
    ]


def test_nonsense_is_refused() -> None:
    with pytest.raises(UserError, match="top must be at least 1, got 0"):
        selection_specs([entry("a", 1.0)], BITS, task=TASK, seed=1, top=0)
    with pytest.raises(UserError, match="seeds must be at least 1, got 0"):
        final_specs(entry("lstm"), [], task=TASK, seed=1, seeds=0)
    with pytest.raises(UserError, match="at most 254"):
        final_specs(entry("lstm"), [entry("a")] * 255, task=TASK, seed=1)


def selected(*parameters: int) -> tuple[Planned, ...]:
    entries = [entry(name, 2.0, parameters=size) for name, size in zip("abc", parameters, strict=False)]
    plan = selection_specs(entries, BITS, task=TASK, seed=1)
    return tuple(sorted(plan, key=lambda planned: planned.entry.name))


def test_the_winner_has_the_best_mean_over_its_fresh_seeds() -> None:
    plan = selected(10, 10)
    assert winner(plan, BITS, [2.0, 2.4], [2.1, 2.2]) == ("b", "")
    assert winner(plan, ACCURACY, [2.0, 2.4], [2.1, 2.2]) == ("a", "")


def test_at_a_tie_the_smaller_wins_and_then_the_earlier() -> None:
    assert winner(selected(11, 10, 10), BITS, [2.0, 2.0], [2.0, 2.0], [2.0, 2.0]) == ("b", "")


def test_one_that_diverged_loses_to_any_that_did_not() -> None:
    plan = selected(10, 10)
    assert winner(plan, BITS, [1.0, "diverged"], [9.0, 9.0]) == ("b", "")
    assert winner(plan, BITS, [1.0, float("nan")], [9.0, 9.0]) == ("b", "")
    assert winner(plan, BITS, ["diverged", "diverged"], [9.0, "diverged"]) == ("b", "")


def test_runs_that_failed_or_are_missing_are_left_out_of_the_mean() -> None:
    assert winner(selected(10, 10), BITS, [2.0, "failed"], [2.1, None]) == ("a", "")


def test_nobody_wins_where_all_diverged() -> None:
    name, reason = winner(selected(10, 10), BITS, ["diverged", "diverged"], ["failed", None])
    assert name is None
    assert "a, b" in reason
    assert winner((), BITS)[0] is None


def test_the_means_show_who_was_close() -> None:
    plan = selected(10, 10)
    runs = [spec for planned in plan for spec in planned.specs]
    results = {spec.id: result(spec, value) for spec, value in zip(runs, [2.0, 2.5, 3.0, 3.0], strict=True)}
    assert pick_winner(plan, results, BITS).means == (2.25, 3.0)
    broken = {**results, runs[0].id: replace(results[runs[0].id], status="diverged")}
    assert pick_winner(plan, broken, BITS).means == (None, 3.0)
