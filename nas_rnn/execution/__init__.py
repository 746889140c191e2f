"""How a cell runs over time: `RNN`, used as torch's own recurrent layers are."""

from nas_rnn.execution.layout import Layout, make_layout, parameter_count
from nas_rnn.execution.rnn import RNN
from nas_rnn.execution.state_dicts import mark_weights, repacked

__all__ = ["RNN", "Layout", "make_layout", "mark_weights", "parameter_count", "repacked"]
