"""Seeds are added at fixed looks, and looking more often is not being wrong more often."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from nas_rnn.comparison import Comparison, Entry, TaskChoice, final_specs, interim_analyses, is_decided, judge
from nas_rnn.errors import UserError
from nas_rnn.tasks import Mean
from nas_rnn.training import RunResult, TrainingOptions

METRIC = Mean("loss", "nats", "minimize", 0.02, "absolute")
ITEMS = 48


@pytest.mark.parametrize(
    ("most", "seeds"),
    [
        (2, [2]),
        (4, [4]),
        (5, [4, 5]),
        (8, [4, 8]),
        (10, [4, 8, 10]),
        (32, [4, 8, 16, 32]),
        (100, [4, 8, 16, 32, 64, 100]),
    ],
)
def test_the_looks_double_up_to_the_most_and_share_alpha(most: int, seeds: list[int]) -> None:
    found = interim_analyses(most)
    assert [look.seeds for look in found] == seeds
    assert sum(look.alpha for look in found) == pytest.approx(0.05)
    assert all(before.alpha < after.alpha for before, after in pairwise(found))


def test_one_seed_cannot_be_added_to() -> None:
    with pytest.raises(UserError, match="at least 2"):
        interim_analyses(1)


class Runs:
    """Runs of cells whose losses are known but for noise of seeds and items."""

    def __init__(self, shifts: dict[str, float], *, spread: float, item_spread: float, seed: int = 1) -> None:
        self._shifts, self._spread = shifts, spread
        rng = np.random.default_rng(seed)
        names = ["lstm", *shifts]
        self._items = {name: rng.normal(0, item_spread, ITEMS) for name in names}

    def result(self, name: str, id: str, seed: int) -> RunResult:
        rng = np.random.default_rng(seed)
        noise = rng.normal(0, self._spread) + rng.normal(0, self._spread, ITEMS)
        values = 2.0 + self._items[name] + self._shifts.get(name, 0.0) + noise
        return RunResult(
            id=id,
            status="finished",
            reason=None,
            epochs=[],
            best_epoch=1,
            best_metric=2.0,
            parameters=1,
            test_statistics={"value": values.tolist()},
            seconds=1.0,
        )

    def judged(self, most: int) -> list[Comparison]:
        """Return the comparison of each look until all is settled."""
        told: list[Comparison] = []
        for look in interim_analyses(most):
            plan = final_specs(
                entry("lstm"),
                [entry(name) for name in self._shifts],
                task=TaskChoice("char-lm", {}),
                seed=0,
                seeds=look.seeds,
            )
            open_ones = [
                planned
                for planned, row in zip(
                    plan.contenders,
                    told[-1].contenders if told else [None] * len(plan.contenders),
                    strict=True,
                )
                if row is None or not is_decided(row)
            ]
            results = {
                spec.id: self.result(spec.name, spec.id, spec.seed)
                for planned in (plan.baseline, *open_ones)
                for spec in planned.specs
            }
            told.append(judge((METRIC,), plan, results, alpha=look.alpha, earlier=told[-1] if told else None))
            if all(is_decided(row) for row in told[-1].contenders):
                break
        return told


def entry(name: str) -> Entry:
    training = TrainingOptions()
    return Entry(name=name, cell="", digest=name, hidden_size=1, parameters=1, training=training)


def test_it_stops_as_soon_as_it_is_settled() -> None:
    told = Runs({"bad": 1.0}, spread=0.1, item_spread=0.1).judged(32)
    assert len(told) == 1 and told[0].contenders[0].verdict == "worse"
    assert told[0].level == pytest.approx(1 - interim_analyses(32)[0].alpha) == told[0].contenders[0].level


def test_an_undecided_one_gets_more_seeds_until_it_is_decided() -> None:
    told = Runs({"close": 0.1}, spread=0.15, item_spread=0.0).judged(64)
    assert [len(each.contenders[0].seed_differences) for each in told] == [4, 8, 16, 32, 64][: len(told)]
    assert len(told) > 1
    assert all(each.contenders[0].verdict == "undecided" for each in told[:-1])
    assert told[-1].contenders[0].verdict == "worse"


def test_who_is_settled_gets_no_more_and_keeps_its_row() -> None:
    told = Runs({"bad": 1.0, "close": 0.1}, spread=0.15, item_spread=0.0).judged(64)
    first, last = told[0].contenders[0], told[-1].contenders[0]
    assert len(told) > 1 and first.verdict == "worse"
    assert replace(first, standing=last.standing) == last
    assert len(last.seed_differences) == 4 < len(told[-1].contenders[1].seed_differences)


def test_where_seeds_cannot_help_it_stops() -> None:
    told = Runs({"same": 0.0}, spread=0.01, item_spread=0.5).judged(64)
    row = told[-1].contenders[0]
    assert len(told) == 1 and row.verdict == "undecided" and row.more_seeds is None
    assert row.more_seeds_reason == "the test part has too few items"
