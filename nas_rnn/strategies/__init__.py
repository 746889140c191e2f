"""Strategies propose candidates; the study records what became of them. Optuna is used only here; no torch."""

from nas_rnn.strategies.base import Exhausted, ParetoStrategy, Strategy
from nas_rnn.strategies.evolution import Evolution
from nas_rnn.strategies.local_search import LocalSearch
from nas_rnn.strategies.nsga2 import NSGA2
from nas_rnn.strategies.predictor import Predictor
from nas_rnn.strategies.random_search import RandomSearch
from nas_rnn.strategies.seen_cells import SeenCells
from nas_rnn.strategies.study import Ending, Study, Trial
from nas_rnn.strategies.tpe import TPE

__all__ = [
    "NSGA2",
    "TPE",
    "Ending",
    "Evolution",
    "Exhausted",
    "LocalSearch",
    "ParetoStrategy",
    "Predictor",
    "RandomSearch",
    "SeenCells",
    "Strategy",
    "Study",
    "Trial",
]
