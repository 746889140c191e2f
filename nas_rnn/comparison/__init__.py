"""Comparison: plans the runs that a fair answer needs, and judges their results; runs nothing itself.

``matching`` finds hidden sizes of equal parameters, ``seeds`` and ``plan`` the runs, ``stopping`` how many;
``outcomes`` reads how they ended, ``statistics`` has the interval, ``corpus`` that of metrics that are no means,
``contrast`` takes the one or the other, ``testing`` has its p-values, ``verdict`` the word for them, ``scope``
what it speaks of, ``power`` what more seeds would do, ``floors`` the trivial baselines; ``judging`` puts results
together, ``course`` says how it came to the final, ``costs`` adds up, ``sentences`` and ``chart`` show them.
``learning_speed`` is a second answer beside the verdict, and ``speed_sentences`` its words.
"""

from nas_rnn.comparison.chart import Chart, chart
from nas_rnn.comparison.costs import cost_of
from nas_rnn.comparison.course import Course, Rung, Way
from nas_rnn.comparison.course_sentences import course_lines
from nas_rnn.comparison.judging import judge
from nas_rnn.comparison.learning_speed import with_learning_speeds, with_seconds
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
from nas_rnn.comparison.power import Levels, Spread, more_seeds, power
from nas_rnn.comparison.ranking import ranked_rows, ranking_sentence
from nas_rnn.comparison.result import (
    Comparison,
    ContenderRow,
    Cost,
    Floor,
    LearningSpeed,
    Measure,
    Reading,
    Standing,
)
from nas_rnn.comparison.scale import scale_lines
from nas_rnn.comparison.seeds import derived_seed, few_seeds
from nas_rnn.comparison.sentences import answer_lines, cost_sentence, sentence
from nas_rnn.comparison.speed_sentences import speed_lines
from nas_rnn.comparison.statistics import PairedInterval, paired_interval
from nas_rnn.comparison.stopping import ALPHA, Look, interim_analyses, is_decided
from nas_rnn.comparison.testing import PValues, holm, p_values
from nas_rnn.comparison.verdict import Verdict, verdict_of

__all__ = [
    "ALPHA",
    "Chart",
    "Comparison",
    "ContenderRow",
    "Cost",
    "Course",
    "Entry",
    "FinalPlan",
    "Floor",
    "LearningSpeed",
    "Levels",
    "Look",
    "Match",
    "Measure",
    "Member",
    "PValues",
    "PairedInterval",
    "Planned",
    "Reading",
    "Rung",
    "Spread",
    "Standing",
    "TaskChoice",
    "Verdict",
    "Way",
    "Winner",
    "answer_lines",
    "chart",
    "cost_of",
    "cost_sentence",
    "course_lines",
    "derived_seed",
    "few_seeds",
    "final_specs",
    "holm",
    "interim_analyses",
    "is_decided",
    "judge",
    "mismatch_warning",
    "more_seeds",
    "nearest_hidden_size",
    "p_values",
    "paired_interval",
    "pick_winner",
    "power",
    "ranked_rows",
    "ranking_sentence",
    "scale_lines",
    "selection_specs",
    "sentence",
    "speed_lines",
    "tuning_spec",
    "verdict_of",
    "with_learning_speeds",
    "with_seconds",
]
