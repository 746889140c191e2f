"""Several objectives within a search: which ones, what the strategy hears of them, and who goes on in the halving."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from nas_rnn import plugins
from nas_rnn.errors import UserError
from nas_rnn.experiment.models import Models
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.run_folder.front import best_spread, costs_of
from nas_rnn.run_folder.objectives import PARAMETERS, QUALITY, STEP_TIME
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import ParetoStrategy, Strategy
from nas_rnn.training import RunResult


def with_objectives(config: SearchConfig, models: Models) -> tuple[SearchConfig, Models]:
    """Return configuration and models with the objectives of the strategy, where none are given.

    Raises UserError where the strategy, or how cells are matched, contradicts them.
    """
    strategy = plugins.registry().find("strategy", config.strategy).value
    several = isinstance(strategy, type) and issubclass(strategy, ParetoStrategy)
    objectives = config.objectives
    if several and not objectives:
        objectives = (QUALITY, PARAMETERS if config.match == "hidden" else STEP_TIME)
    if objectives and QUALITY not in objectives:
        raise UserError(
            f"objectives {', '.join(objectives)}: quality must be among them, the final goes by it"
        )
    if len(objectives) > 1 and not several:
        raise UserError(
            f"objectives {', '.join(objectives)}: the strategy {config.strategy!r} goes by quality alone; nsga2 takes "
            "several objectives, or leave objectives out"
        )
    if several and len(objectives) < 2:
        raise UserError(
            f"the strategy {config.strategy!r} is for several objectives: give quality,step-time, or leave objectives "
            "out"
        )
    if PARAMETERS in objectives and config.match != "hidden":
        raise UserError(
            f"objectives {', '.join(objectives)}: with match {config.match} all candidates have as many parameters; "
            "match hidden gives them the LSTM's hidden size instead"
        )
    if STEP_TIME in objectives and config.match == "time":
        raise UserError(
            f"objectives {', '.join(objectives)}: with match time the final makes all cells equally fast; give match "
            "params or match hidden"
        )
    if objectives == config.objectives:
        return config, models
    config = replace(config, objectives=objectives)
    return config, replace(models, config=config)


def tell(
    strategy: Strategy,
    candidate: Candidate,
    loss: float | None,
    objectives: Sequence[str],
    result_of: Callable[[], RunResult | None],
) -> None:
    """Tell ``strategy`` how ``candidate`` ended; one for several objectives also what its run says of their costs."""
    if not isinstance(strategy, ParetoStrategy):
        strategy.tell(candidate, loss)
        return
    result = None if loss is None else result_of()
    costs = None if result is None else costs_of(result, objectives)
    strategy.tell_all(candidate, None if loss is None or costs is None else (loss, *costs))


def chosen_by(
    config: SearchConfig, result_of: Callable[[int], RunResult | None]
) -> Callable[[Mapping[int, float | None], int], list[int]]:
    """Return what chooses, among losses by number, so many that go on: the front by all objectives first."""

    def choose(losses: Mapping[int, float | None], count: int) -> list[int]:
        known = {}
        for number, loss in losses.items():
            result = None if loss is None else result_of(number)
            costs = None if result is None else costs_of(result, config.objectives)
            if loss is not None and costs is not None:
                known[number] = (loss, *costs)
        return best_spread(known, count)

    return choose
