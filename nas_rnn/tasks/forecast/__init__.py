"""Task `forecast`: read a window of a time series and say how it goes on."""

from nas_rnn.tasks.forecast.task import Forecast

__all__ = ["Forecast"]
