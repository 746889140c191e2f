"""The mean of random cells: what a search is worth shows beside what no search at all comes to.

Yang, Esperança & Carlucci 2020, "NAS evaluation is frustratingly hard", compare every method with this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

from nas_rnn import plugins
from nas_rnn.cells import Cell
from nas_rnn.cells.graph.verify import verify
from nas_rnn.comparison import Entry, Member, derived_seed
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.experiment.stages.strategy import CONSTRAINED_SECONDS, space_of
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.spaces import Infeasible

_FIRST_SEED = 1 << 16
_MOST_DRAWS = 1000


def mean_of_random(
    config: SearchConfig, baseline: Entry, entry_of: Callable[[Cell], Entry], starts: Sequence[Cell] = ()
) -> Entry:
    """Return an entry of which every run trains another random cell of the space.

    ``entry_of`` gives a cell as it enters a comparison with ``baseline``; a `UserError` of it passes the cell over.

    Raises NasRnnError where hardly a cell of the space can have as many parameters as ``baseline``, and what
    ``entry_of`` raises where hardly one can be trained (`Infeasible`).
    """
    # Another one in every run, also where it is not known beforehand how many runs there will be.
    count = config.seeds if isinstance(config.seeds, int) else config.most_seeds
    known = "" if config.seeds == "auto" else f"{count} "
    entries = _random_entries(config, count, baseline.parameters, entry_of, starts)
    parameters = round(fmean(entry.parameters for entry in entries))
    return replace(
        entries[0],
        name="1 random cell" if count == 1 else f"mean of {known}random cells",
        digest="",
        hidden_size=round(fmean(entry.hidden_size for entry in entries)),
        parameters=parameters,
        mismatch=parameters / baseline.parameters - 1,
        control="random cells, a different one in each run, trained with the settings of the best",
        members=tuple(Member(name=e.name, cell=e.cell, hidden_size=e.hidden_size) for e in entries),
    )


def _random_entries(
    config: SearchConfig,
    count: int,
    parameters: int,
    entry_of: Callable[[Cell], Entry],
    starts: Sequence[Cell],
) -> list[Entry]:
    plugin = plugins.registry().find("space", config.space)
    space = space_of(config, starts)
    entries: list[Entry] = []
    for number in range(_MOST_DRAWS):
        seed = derived_seed(config.seed, "search", _FIRST_SEED + number)
        with plugins.running(plugin, seconds=CONSTRAINED_SECONDS, passing=(Infeasible,)):
            candidate = space.sample(seed)
            verify(candidate.cell)
        try:
            entries.append(entry_of(candidate.cell))
        except Infeasible:
            raise
        except UserError:  # no hidden size of it has so few parameters, or it was dropped
            continue
        if len(entries) == count:
            return entries
    raise NasRnnError(
        f"of {_MOST_DRAWS} random cells of the space {config.space!r} only {len(entries)} can have about "
        f"{parameters} parameters and be trained"
    )
