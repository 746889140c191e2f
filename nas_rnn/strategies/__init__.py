"""Strategies propose candidates; the study records what became of them. Optuna is used only here; no torch."""

from nas_rnn.strategies.base import Exhausted, ParetoStrategy, Strategy
from nas_rnn.strategies.differentiable import Differentiable
from nas_rnn.strategies.evolution import Evolution
from nas_rnn.strategies.local_search import LocalSearch
from nas_rnn.strategies.nsga2 import NSGA2
from nas_rnn.strategies.one_shot import OneShot
from nas_rnn.strategies.predictor import Predictor
from nas_rnn.strategies.random_search import RandomSearch
from nas_rnn.strategies.seen_cells import SeenCells
from nas_rnn.strategies.study import Ending, Study, Trial
from nas_rnn.strategies.tpe import TPE
from nas_rnn.strategies.weight_sharing import WeightSharing

__all__ = [
    "NSGA2",
    "TPE",
    "Differentiable",
    "Ending",
    "Evolution",
    "Exhausted",
    "LocalSearch",
    "OneShot",
    "ParetoStrategy",
    "Predictor",
    "RandomSearch",
    "SeenCells",
    "Strategy",
    "Study",
    "Trial",
    "WeightSharing",
]
