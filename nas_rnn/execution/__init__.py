"""How a cell runs over time: `RNN`, used as torch's own recurrent layers are."""

from nas_rnn.execution.layout import Layout, make_layout, parameter_count
from nas_rnn.execution.repacking import repacked
from nas_rnn.execution.rnn import RNN

__all__ = ["RNN", "Layout", "make_layout", "parameter_count", "repacked"]
