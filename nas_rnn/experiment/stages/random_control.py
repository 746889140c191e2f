"""What stands beside the winner for scale: the best of a random search as large, and the mean of random cells."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from nas_rnn.cells import Cell
from nas_rnn.comparison import Entry
from nas_rnn.engine import RunSource
from nas_rnn.errors import NasRnnError, UserError
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.candidates import Candidates
from nas_rnn.experiment.stages.costs import Costs
from nas_rnn.experiment.stages.filtering import Filter
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.experiment.stages.proposals import SearchSource
from nas_rnn.experiment.stages.random_cells import mean_of_random
from nas_rnn.experiment.stages.selection import select
from nas_rnn.experiment.stages.sizes import best_entries, matched
from nas_rnn.experiment.stages.strategy import has_random_search
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.run_folder.reader import CONTROL_JOURNAL, STUDY
from nas_rnn.spaces import Candidate
from nas_rnn.strategies import Study


@dataclass(frozen=True)
class RandomControl:
    """The controls of a search; ``on_source`` hears of the source of the random search, where there is one.

    ``starts`` are as in `nas_rnn.experiment.stages.strategy.space_of`.
    """

    config: SearchConfig
    models: Models
    listener: RunListener
    costs: Costs
    on_source: Callable[[SearchSource], None]
    starts: Sequence[Cell] = ()

    def run(
        self, baseline: Entry, trained: int, length: int | None
    ) -> Generator[RunSource, None, list[Entry]]:
        """Return the controls that are asked for; the random search trains as many cells as the search has.

        They have the settings of the ``baseline``, which needs ``length`` epochs where that is known.
        """
        found = []
        if has_random_search(self.config):
            best = yield from self._random_search(baseline, trained, length)
            if best is not None:
                name = f"random search: {best.name}"
                found.append(replace(best, name=name, control=f"random search, {trained} trials"))
        if self.config.controls != "none":
            models, folder, notify = self.models, self.listener.folder, self.listener.notify

            candidate_filter = Filter(self.config, models, folder, "random cells")

            def entry_of(cell: Cell) -> Entry:
                candidate_filter.require_some_kept()
                entry = matched(models, folder, notify, cell, baseline)
                if candidate_filter.drops(Candidate(cell), entry.hidden_size):
                    raise UserError("a cell that explodes as it starts stands for nothing")
                return entry

            try:
                found.append(mean_of_random(self.config, baseline, entry_of, self.starts))
            except NasRnnError as error:  # what was found is worth more than what stands beside it
                notify.warn(f"the mean of random cells is left out: {error}")
        return found

    def _random_search(
        self, baseline: Entry, trials: int, length: int | None
    ) -> Generator[RunSource, None, Entry | None]:
        listener, models, study = self.listener, self.models, self._study()
        candidates = Candidates(
            config=self.config,
            models=models,
            listener=listener,
            costs=self.costs,
            study=study,
            standard=baseline,
            on_source=self.on_source,
            length=length,
            control=True,
            starts=self.starts,
        )
        yield from candidates.run(trials)
        best = best_entries(models, listener.folder, listener.notify, study, baseline, control=True)
        selected = yield from select(models, listener, self.costs, best, control="random search")
        return None if selected is None else selected.entry

    def _study(self) -> Study:
        path = self.listener.folder.path / CONTROL_JOURNAL
        if not path.is_file() or b"\n" not in path.read_bytes():  # a kill may leave an empty one
            path.unlink(missing_ok=True)
            Study.create(path, STUDY, self.models.measures.monitor.direction)
        return Study.resume(path, STUDY)
