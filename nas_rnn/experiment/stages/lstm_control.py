"""A control for what a search is worth: the LSTM tuned with all that search, selection and tuning took together."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from nas_rnn.comparison import Entry
from nas_rnn.comparison.plan import file_safe
from nas_rnn.engine import RunSource
from nas_rnn.experiment.models import Models
from nas_rnn.experiment.stages.costs import Costs
from nas_rnn.experiment.stages.halving import tuning_epochs
from nas_rnn.experiment.stages.listening import RunListener
from nas_rnn.experiment.stages.tuning import Tuning, tune
from nas_rnn.run_folder.trials import BASELINE_ID

NAME = "LSTM tuned with all"
RUNS = f"tune-{file_safe(NAME)}-"
"""How the ids of its runs begin."""


def lstm_with_all(
    models: Models, listener: RunListener, costs: Costs, given: Entry, tuned: Tuning
) -> Generator[RunSource, None, Entry]:
    """Return the LSTM, of the size of ``given``, tuned over as many settings as the training targets allow.

    They are those of all parts but the controls. ``tuned`` is the tuning of all cells: how long the baseline needs is
    known from it.
    """
    trials = max(1, models.config.tune, _settings(models, listener, costs, tuned))
    number = "1 setting" if trials == 1 else f"{trials} settings"
    entry = replace(
        given, name=NAME, control=f"{number}: as much training as search, selection and tuning took"
    )
    found = yield from tune(models, listener, costs, [entry], "lstm-all", trials=trials)
    return found.entries[0]


def _settings(models: Models, listener: RunListener, costs: Costs, tuned: Tuning) -> int:
    result = listener.folder.store(BASELINE_ID).read_result()
    if result is None or not result.epochs or not result.epochs[0].targets:
        return 0
    spent = sum(cost.units for cost in costs.parts() if cost.part != "control")
    length = tuned.length or len(result.epochs)
    return round(spent / result.epochs[0].targets / tuning_epochs(models.config.training(), length))
