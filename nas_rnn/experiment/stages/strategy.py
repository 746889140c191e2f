"""The strategy of a search, made from its configuration."""

from __future__ import annotations

from collections.abc import Sequence

from nas_rnn import plugins
from nas_rnn.comparison import derived_seed
from nas_rnn.errors import UserError
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.spaces import Decisions, Infeasible, constrained, parse_constraints
from nas_rnn.strategies import OneShot, Strategy

FIRST_CONTROL_SEED = 1 << 17

CONTROL = "random"
"""The strategy that every other one is measured against."""

CONSTRAINED_SECONDS = 600.0
"""How long a proposal may take where a space has constraints: a thousand candidates may be drawn for one. As long may a
one-shot strategy take to look at a space: it builds a hundred."""


def has_random_search(config: SearchConfig) -> bool:
    """Return whether a random search stands beside the search, which is none itself."""
    return config.controls in ("all", "lstm-all") and config.strategy != CONTROL


def require_candidates(strategy: Strategy, config: SearchConfig) -> None:
    """Raise `Infeasible` where hardly anything in the space keeps the constraints."""
    if config.constraints:
        space = plugins.registry().find("space", config.space)
        with plugins.running(space, seconds=CONSTRAINED_SECONDS, passing=(Infeasible,)):
            strategy.space.sample(config.seed)


def make_strategy(
    config: SearchConfig, earlier_trials: int, *, control: bool = False, best: Sequence[Decisions] = ()
) -> Strategy:
    """Return the strategy that ``config`` names; its seed moves on with the trials there are already.

    With ``control`` it is the random one, with a seed of its own. A one-shot strategy proposes ``best`` first.

    Raises `UserError` for constraints that cannot be read, or a space that the strategy cannot search; `PluginError`
    where it fails.
    """
    plugin = plugins.registry().find("space", config.space)
    kind = plugins.registry().find("strategy", CONTROL if control else config.strategy)
    seed = derived_seed(config.seed, "search", FIRST_CONTROL_SEED - 1) if control else config.seed
    space = constrained(plugin.value, parse_constraints(config.constraints))
    builds_many = isinstance(kind.value, type) and issubclass(kind.value, OneShot)
    seconds = CONSTRAINED_SECONDS if builds_many else None
    with plugins.running(kind, plugin, seconds=seconds, passing=(UserError,)):
        strategy = kind.value(space, seed + earlier_trials)
        if not isinstance(strategy, Strategy):
            raise TypeError("a strategy is a subclass of nas_rnn.strategies.Strategy")
        if isinstance(strategy, OneShot):
            strategy.take(best)
    return strategy
