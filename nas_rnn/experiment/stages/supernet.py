"""The supernet of a one-shot strategy: trained before the candidates, of which it says which come first."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace

from nas_rnn import plugins
from nas_rnn.comparison import Entry, derived_seed
from nas_rnn.engine import RunSource
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.costs import Costs
from nas_rnn.experiment.stages.dead_end import calmer
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.experiment.stages.strategy import FIRST_CONTROL_SEED, make_strategy
from nas_rnn.oneshot import Ranking, SupernetPlan
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.trials import targets_of
from nas_rnn.spaces import Decisions
from nas_rnn.strategies import OneShot
from nas_rnn.training import RunSpec

ID = "supernet"
LEAST_RANKED, FOR_EACH = 100, 4
"""So many cells are ranked at least, and so many for each candidate that is to be trained by itself."""
_SEED, _DATA_SEED = FIRST_CONTROL_SEED - 2, 1


def one_shot(config: SearchConfig) -> type[OneShot] | None:
    """Return the one-shot strategy that ``config`` names; None where it names another.

    Raises `UserError` where an option is given that is for these alone.
    """
    kind = plugins.registry().find("strategy", config.strategy).value
    if isinstance(kind, type) and issubclass(kind, OneShot):
        return kind
    if config.supernet_epochs is not None:
        raise UserError(
            f"supernet_epochs is for the strategies 'weight-sharing' and 'differentiable', and the strategy is "
            f"{config.strategy!r}; leave it out"
        )
    return None


def passes(kind: type[OneShot] | None) -> int:
    """Return how often an epoch of the supernet goes over as many targets as the training part has: 0 without one."""
    return 0 if kind is None else 1 + kind.mixes


def train_supernet(
    config: SearchConfig, models: Models, listener: RunListener, costs: Costs, standard: Entry
) -> Generator[RunSource, None, list[Decisions]]:
    """Return the cells that the supernet ranks, the best first; none where the strategy has no supernet.

    It is trained as a candidate would be, with the settings of the ``standard`` and to its own end, unless the
    configuration says for how many epochs. Raises `NasRnnError` where it ends without a ranking.
    """
    strategy = make_strategy(config, 0) if one_shot(config) else None
    if not isinstance(strategy, OneShot):
        return []
    spec = _spec(config, models, strategy, standard)
    runs, store = listener.stage("supernet", [spec]), listener.folder.store(ID)
    plan = SupernetPlan(
        space=config.space,
        constraints=config.constraints,
        mixes=strategy.mixes,
        ranked=max(LEAST_RANKED, FOR_EACH * config.trials),
    )
    store.write_supernet(plan.to_dict())
    yield runs
    result = runs.results[ID]
    costs.add("supernet", [result])
    kept = store.read_ranking()
    ranking = Ranking() if kept is None else Ranking.from_dict(kept)
    if not ranking.cells:
        raise NasRnnError(
            f"the supernet of the space {config.space!r} {result.status} before it could rank any cell "
            f"({result.reason or 'no value of one was finite'}); begin a new search with {calmer(config)}"
        )
    return [dict(cell.decisions) for cell in ranking.cells]


def _spec(config: SearchConfig, models: Models, strategy: OneShot, standard: Entry) -> RunSpec:
    training = standard.training
    if config.supernet_epochs is not None:
        training = replace(training, epochs=config.supernet_epochs, longer=1.0)
    spec = models.spec(
        ID,
        "supernet",
        strategy.cell,
        models.entry(strategy.cell, standard).hidden_size,
        derived_seed(config.seed, "search", _SEED),
        derived_seed(config.seed, "search", _DATA_SEED),
        training,
    )
    return replace(spec, name=f"supernet of {config.space}")


def worth(folder: RunFolder, runs: Iterable[str]) -> int:
    """Return how many candidates could have been trained instead: each with as many targets as ``runs`` had on average.

    0 where there is no supernet, or none of ``runs`` was trained.
    """
    result = folder.store(ID).read_result()
    found = [
        one for one in (folder.store(run).read_result() for run in runs) if one is not None and one.epochs
    ]
    if result is None or not found:
        return 0
    each = sum(targets_of(one.epochs) for one in found) / len(found)
    return round(targets_of(result.epochs) / each)
