"""How a model is trained: the options of training, each declared once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from nas_rnn.errors import UserError
from nas_rnn.options import BUDGET, TRAINING, Option, declared
from nas_rnn.training.plain_data import from_plain, to_plain

Decay = Literal["cosine", "linear", "none"]
Init = Literal["uniform", "glorot", "orthogonal"]
Backend = Literal["auto", "fused", "eager", "reference"]
"""The names that `nas_rnn.execution` takes, which this module does not import: it loads torch."""

TUNED = ("learning_rate", "variational_dropout", "weight_decay")
"""The training options that tuning always sets, besides the bias of gates."""
TUNED_IF_ASKED = ("batch", "length", "clip", "dropout", "weight_drop", "init")
"""Those that it sets as well where it is asked to."""


def _epochs(value: object) -> object:
    if value == "auto" or (type(value) is int and value >= 1):
        return value
    raise ValueError(f"a whole number of at least 1, or auto, is needed, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a model is trained.

    Each field says what it is, and what it may be (`nas_rnn.options`); searches and comparisons have them all
    (`nas_rnn.run_folder.config`).

    A run keeps its learning rate after a short warm-up, and its result are weights averaged over the last part of the
    training: then it needs no length that is known beforehand. ``epochs`` "auto" ends it when its curve says so
    (`nas_rnn.training.ending`); a number is a fixed budget, over which the rate may fall.

    ``variational_dropout`` (Gal & Ghahramani 2016) and ``weight_drop`` (Merity, Keskar & Socher 2018) draw their masks
    anew for each batch, which in truncated back-propagation is a chunk of a longer sequence.

    Raises:
        UserError: for a value out of its range, or a rate that is to fall over an unknown number of epochs.
    """

    layers: Annotated[int, Ge(1), Le(100), Option("Stacked recurrent layers.", TRAINING)] = 1
    dropout: Annotated[
        float,
        Ge(0),
        Lt(1),
        Option("Probability of dropping a value between layers, 0 to 1.", TRAINING),
    ] = 0.0
    variational_dropout: Annotated[
        float,
        Ge(0),
        Lt(1),
        Option(
            "Probability of dropping an input or output of recurrent layers for a whole sequence, 0 to 1.",
            TRAINING,
        ),
    ] = 0.0
    weight_drop: Annotated[
        float,
        Ge(0),
        Lt(1),
        Option("Probability of dropping a recurrent weight for a whole sequence, 0 to 1.", TRAINING),
    ] = 0.0
    init: Annotated[
        Init,
        Option(
            "How matrices of recurrent layers start: uniform (as torch's), glorot, or orthogonal where states pass.",
            TRAINING,
        ),
    ] = "uniform"
    batch: Annotated[int, Ge(1), Option("Sequences per optimiser step (Adam).", TRAINING)] = 32
    length: Annotated[int, Ge(1), Option("Time steps per training sequence.", TRAINING)] = 32
    learning_rate: Annotated[
        float, Gt(0), Option("Peak learning rate.", TRAINING, rule="greater than 0, such as 0.01")
    ] = 0.01
    decay: Annotated[
        Decay, Option("Learning-rate decay over all epochs, which must be a number then.", TRAINING)
    ] = "none"
    average: Annotated[
        float,
        Ge(0),
        Lt(1),
        Option(
            "Share of the steps so far over which the weights are averaged, 0 to 1; 0: no averaging.",
            TRAINING,
        ),
    ] = 0.1
    weight_decay: Annotated[
        float, Ge(0), Lt(1), Option("Decoupled weight decay of matrices (AdamW).", TRAINING)
    ] = 0.0
    clip: Annotated[
        float,
        Ge(0),
        Option(
            "Maximum gradient norm; 0: no clipping.", TRAINING, rule="greater than 0, or 0 for no clipping"
        ),
    ] = 1.0
    epochs: Annotated[
        int | Literal["auto"],
        Option(
            "Passes over the training data in a full run; auto: until it has stopped improving.",
            BUDGET,
            rule="a whole number of at least 1, or auto",
            read=_epochs,
        ),
    ] = "auto"
    most_epochs: Annotated[int, Ge(1), Option("Most epochs of a run with --epochs auto.", BUDGET)] = 100
    longer: Annotated[
        float,
        Ge(1),
        Le(100),
        Option("Train final runs this many times as long as --epochs auto says.", BUDGET),
    ] = 1.0
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
        if self.epochs == "auto" and self.decay != "none":
            raise UserError(
                f"decay {self.decay} needs a number of epochs, such as epochs 20; with epochs auto it is none"
            )

        if self.epochs != "auto" and self.longer != 1.0:
            raise UserError(
                f"longer {self.longer:g} needs epochs auto, which it multiplies; with {self.epochs} epochs give more"
            )

    @property
    def cap(self) -> int:
        """The most epochs that a run may have."""
        return math.ceil(self.most_epochs * self.longer) if self.epochs == "auto" else self.epochs

    def to_dict(self) -> dict[str, Any]:
        return to_plain(self)

    @classmethod
    def from_dict(cls, data: object) -> TrainingOptions:
        return from_plain(cls, data)
