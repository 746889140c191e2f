"""The program's table of contents: a search or a comparison assembled out of the parts."""

from nas_rnn.experiment.ablate import ablate
from nas_rnn.experiment.compare import compare
from nas_rnn.experiment.evaluate import OutsideStudy
from nas_rnn.experiment.results import Result
from nas_rnn.experiment.search import search
from nas_rnn.experiment.suite import SuiteResult, compare_suite

__all__ = ["OutsideStudy", "Result", "SuiteResult", "ablate", "compare", "compare_suite", "search"]
