"""The candidates of a search, or of the random search beside it: trained to a rung, the best of them to the end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from nas_rnn.cells import Cell
from nas_rnn.comparison import Entry, Rung
from nas_rnn.engine import RunSource
from nas_rnn.experiment.events import PhaseStarted
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.costs import Costs
from nas_rnn.experiment.stages.earlier import Earlier
from nas_rnn.experiment.stages.filtering import Filter
from nas_rnn.experiment.stages.halving import best_of, halve
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.experiment.stages.objectives import chosen_by
from nas_rnn.experiment.stages.proposals import SearchSource
from nas_rnn.experiment.stages.strategy import make_strategy
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.run_folder.trials import BASELINE_ID, sign_of, trial_id
from nas_rnn.spaces import Decisions
from nas_rnn.strategies import Study


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Trains the candidates of ``study``; ``on_source`` hears of the source that has them.

    ``standard`` is the baseline, with whose settings they are trained, ``length`` how many epochs it needs (None: that
    is found here). ``earlier`` are trials of another search, ``best`` what a supernet ranks first; a space that walks
    from cell to cell begins at ``starts``. ``control`` says that they are the random search beside a search.
    """

    config: SearchConfig
    models: Models
    listener: RunListener
    costs: Costs
    study: Study
    standard: Entry
    on_source: Callable[[SearchSource], None]
    length: int | None = None
    control: bool = False
    earlier: Sequence[Earlier] = ()
    starts: Sequence[Cell] = ()
    best: Sequence[Decisions] = ()

    def run(self, trials: int) -> Generator[RunSource, None, list[Rung]]:
        """Train so many candidates; return how the rungs of the halving decided."""
        listener, control = self.listener, self.control
        before = sum(trial.ending is not None for trial in self.study.trials())
        listener.notify(PhaseStarted(phase="control" if control else "search", runs=trials, before=before))
        candidate_filter = Filter(
            self.config, self.models, listener.folder, "random search" if control else "search"
        )
        source = SearchSource(
            config=self.config,
            models=self.models,
            folder=listener.folder,
            notify=listener.notify,
            study=self.study,
            strategy=make_strategy(
                self.config,
                len(self.study.trials()),
                control=control,
                starts=self.starts,
                best=self.best,
            ),
            standard=self.standard,
            trials=trials,
            on_change=listener.on_change,
            length=self.length,
            control=control,
            earlier=self.earlier,
            filter=candidate_filter,
        )
        self.on_source(source)
        yield source
        listener.notify.warn_once(filter(None, [candidate_filter.notice]))
        rungs = yield from halve(
            listener,
            "control-halving" if control else "halving",
            source.to_be_compared(),
            source.rungs or (),
            sign_of(self.models.measures.monitor),
            source.on_taken_on,
            chosen_by(self.config, source.result_of) if len(self.config.objectives) > 1 else best_of,
        )
        source.settle()
        self.costs.add_stored("control" if control else "search", self.runs())
        return rungs

    def runs(self) -> list[str]:
        """Return the ids of all runs, the baseline's first where it is among them."""
        trials = [trial_id(trial.number, control=self.control) for trial in self.study.trials()]
        return trials if self.control else [BASELINE_ID, *trials]

    def trained(self) -> int:
        """Return how many candidates were trained: as many get the random search beside a search."""
        return sum(trial.hidden_size is not None for trial in self.study.trials())
