"""All strategies keep the rules, and the check of the rules finds those that do not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from nas_rnn.plugins import Registry, load_space
from nas_rnn.spaces import Candidate, FiniteSpace
from nas_rnn.strategies import (
    NSGA2,
    TPE,
    Evolution,
    Exhausted,
    LocalSearch,
    Predictor,
    RandomSearch,
    Strategy,
)
from nas_rnn.testing.strategies import check_strategy
from tests.strategies.small_spaces import Drawn, Mutable, alone, conditional, idle, uneven

gated = load_space("gated")
OF_DECISIONS = [uneven, alone, idle, conditional, gated, load_space("lstm_ablations")]


@pytest.mark.parametrize("space", OF_DECISIONS, ids=lambda space: space.name)
@pytest.mark.parametrize(
    "kind", [RandomSearch, Evolution, TPE, LocalSearch, Predictor, NSGA2], ids=lambda kind: kind.name
)
def test_every_strategy_keeps_the_rules_on_spaces_of_decisions(kind, space):
    assert check_strategy(kind, [space]) == []


@pytest.mark.parametrize(
    ("kind", "space"),
    [
        (RandomSearch, Drawn()),
        (RandomSearch, Mutable()),
        (Evolution, Mutable()),
        (LocalSearch, Mutable()),
        (NSGA2, Mutable()),
        (Predictor, Drawn()),
        (Predictor, Mutable()),
        (Predictor, FiniteSpace("drawn", [gated.sample(seed).cell for seed in range(25)])),
        (RandomSearch, FiniteSpace("drawn", [gated.sample(seed).cell for seed in range(25)])),
    ],
)
def test_strategies_for_cells_keep_the_rules_too(kind, space):
    assert check_strategy(kind, [space], seed=1) == []


def test_the_example_in_the_documentation_keeps_the_rules(tmp_path):
    page = (Path(__file__).parents[2] / "docs/plugins.md").read_text(encoding="utf-8")
    (example,) = (
        text for text in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "(Strategy)" in text
    )
    (tmp_path / "climb.py").write_text(example, encoding="utf-8")
    climb = Registry([tmp_path]).find("strategy", "climb").value
    assert check_strategy(climb, [conditional, idle]) == []


class Bad(Strategy):
    """Draws with replacement; the others change one thing each."""

    name = "bad"

    def __init__(self, space, seed):
        super().__init__(space, seed)
        self.rng = np.random.default_rng(seed)

    def ask(self):
        return self.space.sample(self.rng)

    def tell(self, candidate, loss):
        pass


class Unseeded(RandomSearch):
    name = "unseeded"
    made = 0

    def __init__(self, space, seed):
        Unseeded.made += 1
        super().__init__(space, Unseeded.made)


class Fragile(RandomSearch):
    name = "fragile"

    def tell(self, candidate, loss):
        super().tell(candidate, loss + 1.0)


class Foreign(RandomSearch):
    name = "foreign"

    def ask(self):
        candidate = super().ask()
        return Candidate(load_space("gated").sample(0).cell, candidate.decisions, candidate.choices)


class Forgetful(RandomSearch):
    name = "forgetful"

    def tell(self, candidate, loss):
        pass

    def expect(self, candidate):
        pass


class Hasty(RandomSearch):
    name = "hasty"
    asked = 0

    def ask(self):
        self.asked += 1
        if self.asked > 3:
            raise Exhausted("enough")
        return super().ask()


class Sequential(RandomSearch):
    name = "sequential"
    running = False

    def ask(self):
        assert not self.running, "one at a time"
        self.running = True
        return super().ask()

    def tell(self, candidate, loss):
        self.running = False
        super().tell(candidate, loss)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Bad, "after 600 candidates ask() had not raised Exhausted"),
        (Bad, "candidates a second time"),
        (Unseeded, "gave other candidates the second time"),
        (Fragile, "It copes with losses of None, however many: TypeError"),
        (Foreign, "give another cell than the candidate's"),
        (Forgetful, "a second time after a resume"),
        (Hasty, "it proposed 3 of the space's 9 cells before it raised Exhausted"),
        (Sequential, "It has several candidates under way, which end in any order: AssertionError"),
    ],
)
def test_a_strategy_that_breaks_a_rule_is_found_out(kind, message):
    problems = check_strategy(kind, [load_space("lstm_ablations")])
    assert any(message in problem for problem in problems), problems
    assert all(problem.startswith(f"{kind.name} on lstm_ablations: ") for problem in problems)


def test_a_space_that_a_strategy_refuses_is_a_problem():
    assert any("it refuses the space" in problem for problem in check_strategy(TPE, [Drawn()]))
