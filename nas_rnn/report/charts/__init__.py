"""The page's own pictures, one file each: lists of panels that stand side by side, or one below another."""

from nas_rnn.report.charts.anytime import anytime
from nas_rnn.report.charts.front import front_panels
from nas_rnn.report.charts.learning import learning_curves
from nas_rnn.report.charts.pareto import pareto
from nas_rnn.report.charts.suite import suite_gaps
from nas_rnn.report.charts.tuning import tuning

__all__ = ["anytime", "front_panels", "learning_curves", "pareto", "suite_gaps", "tuning"]
