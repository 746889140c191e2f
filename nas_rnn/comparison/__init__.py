"""Comparison: plans the runs that a fair answer needs, and judges their results; runs nothing itself.

``matching`` finds hidden sizes of equal parameters, ``seeds`` and ``plan`` the runs, ``statistics`` the
interval, ``verdict`` the word for it, ``judging`` puts results together, ``wording`` and ``chart`` show
them.
"""

from nas_rnn.comparison.chart import Chart, chart
from nas_rnn.comparison.judging import judge
from nas_rnn.comparison.matching import Match, mismatch_warning, nearest_hidden_size
from nas_rnn.comparison.plan import (
    Entry,
    FinalPlan,
    Member,
    Planned,
    TaskChoice,
    Winner,
    final_specs,
    pick_winner,
    selection_specs,
    tuning_spec,
)
from nas_rnn.comparison.ranking import ranked_rows, ranking_sentence
from nas_rnn.comparison.result import Comparison, ContenderRow, Standing
from nas_rnn.comparison.seeds import derived_seed
from nas_rnn.comparison.statistics import PairedInterval, paired_interval
from nas_rnn.comparison.verdict import Verdict, verdict_of
from nas_rnn.comparison.wording import sentence

__all__ = [
    "Chart",
    "Comparison",
    "ContenderRow",
    "Entry",
    "FinalPlan",
    "Match",
    "Member",
    "PairedInterval",
    "Planned",
    "Standing",
    "TaskChoice",
    "Verdict",
    "Winner",
    "chart",
    "derived_seed",
    "final_specs",
    "judge",
    "mismatch_warning",
    "nearest_hidden_size",
    "paired_interval",
    "pick_winner",
    "ranked_rows",
    "ranking_sentence",
    "selection_specs",
    "sentence",
    "tuning_spec",
    "verdict_of",
]
