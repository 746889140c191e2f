"""Strategies that ask for it hear how far candidates have come."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from nas_rnn import plugins
from nas_rnn.experiment.stages.curves import CurvesSoFar
from nas_rnn.plugins import load_space
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import RandomSearch

gated = load_space("gated")


class Hearing(RandomSearch):
    """Keeps what it hears."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.heard: list[tuple[str, Sequence[float]]] = []

    def hear(self, candidate: Candidate, losses: Sequence[float]) -> None:
        self.heard.append((candidate.digest, losses))


def curves(strategy: RandomSearch, sign: int = 1) -> CurvesSoFar:
    return CurvesSoFar(strategy, plugins.registry().find("strategy", "random"), sign)


def record(epoch: int, metric: float) -> Any:
    return SimpleNamespace(epoch=epoch, metric=metric)


def test_after_each_epoch_all_losses_so_far_are_told() -> None:
    strategy, candidate = Hearing(gated, 0), gated.sample(0)
    told = curves(strategy, sign=-1)
    for epoch, metric in enumerate((0.5, 0.7), start=1):
        told.on_epoch(candidate, record(epoch, metric))
    assert strategy.heard == [(candidate.digest, (-0.5,)), (candidate.digest, (-0.5, -0.7))]


def test_epochs_that_come_again_or_follow_unknown_ones_are_not_told() -> None:
    strategy, candidate, other = Hearing(gated, 0), gated.sample(0), gated.sample(1)
    told = curves(strategy)
    for epoch in (1, 1, 2):
        told.on_epoch(candidate, record(epoch, float(epoch)))
    told.on_epoch(other, record(5, 1.0))
    assert [losses for _, losses in strategy.heard] == [(1.0,), (1.0, 2.0)]


def test_a_strategy_that_fails_at_it_is_named() -> None:
    class Broken(Hearing):
        def hear(self, candidate: Candidate, losses: Sequence[float]) -> None:
            raise ZeroDivisionError

    told = curves(Broken(gated, 0))
    with pytest.raises(plugins.PluginError, match=r"the strategy 'random' .* failed: ZeroDivisionError"):
        told.on_epoch(gated.sample(0), record(1, 1.0))


def test_a_strategy_that_does_not_ask_hears_nothing() -> None:
    curves(RandomSearch(gated, 0)).on_epoch(gated.sample(0), record(1, 1.0))
