"""Search by prediction: a model of how well cells learn, and the strategy that asks it."""

from nas_rnn.strategies.predictor.predictor import Predictor

__all__ = ["Predictor"]
