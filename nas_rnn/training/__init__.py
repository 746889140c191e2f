"""Training: one model fitted to one task; `RunSpec` says what to do, `RunResult` how it went.

`Trainer` is imported from `nas_rnn.training.trainer`, so that planning and judging runs needs no torch,
and reading the options not even numpy.
"""

from nas_rnn.training.errors import CannotStore, Diverged
from nas_rnn.training.options import TrainingOptions
from nas_rnn.training.spec import EpochRecord, RunResult, RunSpec
from nas_rnn.training.store import RunStore

__all__ = ["CannotStore", "Diverged", "EpochRecord", "RunResult", "RunSpec", "RunStore", "TrainingOptions"]
