"""The strategy of a search, made from its configuration."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence

from nas_rnn import plugins
from nas_rnn.cells import Cell
from nas_rnn.cells.graph.verify import verify
from nas_rnn.comparison import derived_seed
from nas_rnn.errors import UserError
from nas_rnn.plugins.records import place
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.spaces import Candidate, Decisions, Infeasible, Space, constrained, parse_constraints
from nas_rnn.strategies import Exhausted, OneShot, Strategy

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


def proposal_of(strategy: Strategy, plugin: plugins.Plugin, config: SearchConfig) -> Candidate:
    """Return what ``strategy``, of ``plugin``, proposes; `PluginError` where it or the space fails or hangs.

    `Exhausted` and `Infeasible` pass.
    """
    space = plugins.registry().find("space", config.space)
    seconds = CONSTRAINED_SECONDS if config.constraints else None
    with plugins.running(space, plugin, seconds=seconds, passing=(Exhausted, Infeasible)):
        candidate = strategy.ask()
        if isinstance(candidate, Candidate):
            verify(candidate.cell)
    if not isinstance(candidate, Candidate):
        where = place(plugin.origin, plugin.line)
        raise plugins.PluginError(
            f"the strategy {plugin.name!r} ({where}) proposed {candidate!r:.80}, which is no candidate"
        )
    return candidate


def replayed(config: SearchConfig, strategy: Strategy, candidate: Candidate) -> Candidate:
    """Return ``candidate`` with its space's questions, which files do not keep; as it is where the space has none."""
    replay = getattr(strategy.space, "replay", None)
    if replay is None or candidate.decisions is None:
        return candidate
    try:
        with plugins.running(plugins.registry().find("space", config.space)):
            again = replay(candidate.decisions)
    except plugins.PluginError:
        return candidate
    return again if isinstance(again, Candidate) else candidate


def space_of(config: SearchConfig, starts: Sequence[Cell] = ()) -> Space:
    """Return the space that ``config`` names, with its constraints.

    One that walks from cell to cell begins at ``starts``, if there are any.
    """
    plugin = plugins.registry().find("space", config.space)
    space, starting_from = plugin.value, getattr(plugin.value, "starting_from", None)
    if starts and starting_from is not None:
        with plugins.running(plugin):
            space = starting_from(starts)
    return constrained(space, parse_constraints(config.constraints))


def ask_again(
    strategy: Strategy,
    plugin: plugins.Plugin,
    config: SearchConfig,
    asked: Sequence[str],
    dropped: Collection[str],
) -> None:
    """Bring a new strategy that `repeats` to where an earlier instance was, so that a resume changes nothing.

    ``asked`` has the digests of the trials that were its proposals, in their order; what was ``dropped`` came between
    them. Where it proposes anything else, as after a change of the space, it goes on from there.
    """
    if not strategy.repeats:
        return
    left = list(reversed(asked))
    with contextlib.suppress(Exhausted, Infeasible):
        while left:
            digest = proposal_of(strategy, plugin, config).digest
            if digest == left[-1]:
                left.pop()
            elif digest not in dropped:
                return


def make_strategy(
    config: SearchConfig,
    earlier_trials: int,
    *,
    control: bool = False,
    asked_again: bool = True,
    starts: Sequence[Cell] = (),
    best: Sequence[Decisions] = (),
) -> Strategy:
    """Return the strategy that ``config`` names; its seed moves on with the trials that there are already.

    That of one which repeats itself stays, where it is ``asked_again`` for these trials (`ask_again`). With ``control``
    it is the random one, with a seed of its own. ``starts`` are as in `space_of`. A one-shot strategy proposes ``best``
    first.

    Raises `UserError` for constraints that cannot be read, or a space that the strategy cannot search; `PluginError`
    where it fails.
    """
    plugin = plugins.registry().find("space", config.space)
    kind = plugins.registry().find("strategy", CONTROL if control else config.strategy)
    seed = derived_seed(config.seed, "search", FIRST_CONTROL_SEED - 1) if control else config.seed
    space = space_of(config, starts)
    builds_many = isinstance(kind.value, type) and issubclass(kind.value, OneShot)
    seconds = CONSTRAINED_SECONDS if builds_many else None
    with plugins.running(kind, plugin, seconds=seconds, passing=(UserError,)):
        stays = asked_again and getattr(kind.value, "repeats", False)
        strategy = kind.value(space, seed if stays else seed + earlier_trials)
        if not isinstance(strategy, Strategy):
            raise TypeError("a strategy is a subclass of nas_rnn.strategies.Strategy")
        if isinstance(strategy, OneShot):
            strategy.take(best)
    return strategy
