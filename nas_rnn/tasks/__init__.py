"""Tasks: data, models around the recurrent nets, metrics; `Task` is the interface, and each task has a folder."""

from typing import TYPE_CHECKING, Any

from nas_rnn.tasks.corpus import MacroF1, Perplexity, Rmse
from nas_rnn.tasks.data import Arrays, Batching, Part, TaskData
from nas_rnn.tasks.download import Download, RemoteFile
from nas_rnn.tasks.meta import check_meta
from nas_rnn.tasks.metric import Corpus, Mean, Metric, Statistics
from nas_rnn.tasks.notices import unlearnable
from nas_rnn.tasks.options import Option, option
from nas_rnn.tasks.task import (
    LOSS,
    MakeRnn,
    Measures,
    PlainNet,
    Preview,
    PreviewOptions,
    Regularisation,
    Task,
)

if TYPE_CHECKING:
    from nas_rnn.tasks.batch import Batch, at_last_step, real_steps
    from nas_rnn.tasks.model import Loss, Probe, TaskModel

__all__ = [
    "LOSS",
    "Arrays",
    "Batch",
    "Batching",
    "Corpus",
    "Download",
    "Loss",
    "MacroF1",
    "MakeRnn",
    "Mean",
    "Measures",
    "Metric",
    "Option",
    "Part",
    "Perplexity",
    "PlainNet",
    "Preview",
    "PreviewOptions",
    "Probe",
    "Regularisation",
    "RemoteFile",
    "Rmse",
    "Statistics",
    "Task",
    "TaskData",
    "TaskModel",
    "at_last_step",
    "check_meta",
    "option",
    "real_steps",
    "unlearnable",
]

_WITH_TORCH = {
    "Batch": "batch",
    "at_last_step": "batch",
    "real_steps": "batch",
    "Loss": "model",
    "Probe": "model",
    "TaskModel": "model",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch only when it is asked for: that takes over a second."""
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_WITH_TORCH[name]}"), name)
