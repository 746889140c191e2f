"""How a model is trained: the options of training, each declared once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from nas_rnn.errors import UserError
from nas_rnn.options import BUDGET, TRAINING, Option, declared
from nas_rnn.training.plain_data import from_plain, to_plain

Decay = Literal["cosine", "linear", "none"]
Backend = Literal["auto", "fused", "eager", "reference"]
"""The names that `nas_rnn.execution.backends` takes, which this module does not import: it loads torch."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a model is trained.

    Each field says what it is, and what it may be (`nas_rnn.options`); searches and comparisons have them all
    (`nas_rnn.run_folder.config`).

    The defaults are a compromise found by hand, for small models and few epochs. An LSTM of 61k parameters came
    in 3 epochs to 1.72 nats with batch 32, and to 1.53 with 16, which takes longer an epoch; with 16 and twice
    the rate to 1.43 (means of 4 seeds). A plain tanh RNN did much worse at twice the rate (one run, batch 32).

    Raises:
        UserError: for a value out of its range.
    """

    layers: Annotated[int, Ge(1), Le(100), Option("Stacked recurrent layers.", TRAINING)] = 1
    dropout: Annotated[
        float,
        Ge(0),
        Lt(1),
        Option("Probability of dropping a value between layers, 0 to 1.", TRAINING),
    ] = 0.0
    batch: Annotated[int, Ge(1), Option("Sequences per optimiser step (Adam).", TRAINING)] = 32
    length: Annotated[int, Ge(1), Option("Time steps per training sequence.", TRAINING)] = 32
    learning_rate: Annotated[
        float, Gt(0), Option("Peak learning rate.", TRAINING, rule="greater than 0, such as 0.01")
    ] = 0.01
    decay: Annotated[Decay, Option("Learning-rate decay over all epochs.", TRAINING)] = "cosine"
    clip: Annotated[
        float,
        Ge(0),
        Option(
            "Maximum gradient norm; 0: no clipping.", TRAINING, rule="greater than 0, or 0 for no clipping"
        ),
    ] = 1.0
    epochs: Annotated[int, Ge(1), Option("Passes over the training data in a full run.", BUDGET)] = 4
    threads: Annotated[int, Ge(1), Option("CPU cores per run.", TRAINING)] = 1
    device: Annotated[
        str,
        Option(
            "Device to train on: cpu, cuda, cuda:1 or auto (a GPU if there is one).",
            TRAINING,
            metavar="DEVICE",
            rule="auto, cpu, cuda or cuda:<number>",
            pattern=r"auto|cpu|cuda(:\d+)?",
        ),
    ] = "auto"
    backend: Annotated[
        Backend,
        Option("How cells are executed: fused is compiled code; auto uses the fastest available.", TRAINING),
    ] = "auto"

    def __post_init__(self) -> None:
        for name, option in declared(TrainingOptions).items():
            rule = option.broken_rule(value := getattr(self, name))
            if rule is not None:
                raise UserError(f"{name} must be {rule}; got {value!r}")

    def to_dict(self) -> dict[str, Any]:
        return to_plain(self)

    @classmethod
    def from_dict(cls, data: object) -> TrainingOptions:
        return from_plain(cls, data)
