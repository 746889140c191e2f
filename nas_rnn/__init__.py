"""nas_rnn searches for recurrent cells and says honestly whether any of them beats an LSTM on your data.

Public names are loaded on first use, so that ``import nas_rnn`` costs nothing that is not asked for.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "nas_rnn.cells": (
        "Cell",
        "CellError",
        "antisymmetric",
        "cell",
        "diagonal",
        "layer_norm",
        "linear",
        "parse_cell",
        "project",
        "scalar",
        "state",
        "vector",
    ),
    "nas_rnn.cells.graph.operations": (
        "Operation",
        "blend",
        "exp",
        "identity",
        "leaky_relu",
        "log_sigmoid",
        "maximum",
        "minimum",
        "operation",
        "relu",
        "sigmoid",
        "softplus",
        "sqrt",
        "tanh",
    ),
    "nas_rnn.errors": ("NasRnnError", "UserError"),
    "nas_rnn.spaces": ("Candidate", "search_space"),
    "nas_rnn.plugins": ("load_cell", "load_space"),
    "nas_rnn.execution": ("RNN",),
    "nas_rnn.tasks": (
        "Batch",
        "Batching",
        "Loss",
        "Mean",
        "Metric",
        "Preview",
        "Probe",
        "Task",
        "TaskData",
        "TaskModel",
        "option",
    ),
    "nas_rnn.export": ("load_model",),
    "nas_rnn.experiment": ("OutsideStudy", "ablate", "compare", "compare_suite", "search"),
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_WHERE, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'nas_rnn' has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
