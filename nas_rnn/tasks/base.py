"""What a task is: everything about a measurement that is not the recurrent cell.

A task brings the data, the layers before and after the recurrent ones, the loss, the metric and what one item
of a test result is. A new task is one file with one subclass of `Task`; nothing else needs to know it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError, unknown

if TYPE_CHECKING:  # torch takes over a second to import; listing tasks and judging results need none of it
    from torch import Tensor, nn

Part = Literal["train", "valid", "test"]
Option = int | float | str | bool

TRAINING_NAMES = ("layers", "dropout", "batch", "length", "learning_rate", "decay", "clip", "epochs")
"""The training options for which a task may have its own defaults."""


@dataclass(frozen=True)
class Metric:
    """How results of a task are measured and when two of them count as equal.

    ``margin`` is the difference that does not matter: a fraction of the baseline where ``margin_kind`` is
    "relative" (0.01 is one per cent), else a number in the metric's own units.
    """

    name: str
    unit: str
    direction: Literal["minimize", "maximize"]
    margin: float
    margin_kind: Literal["relative", "absolute"]

    def better(self, a: float, b: float) -> bool:
        """Return whether ``a`` is strictly better than ``b``; a NaN is worse than every number."""
        if math.isnan(a) or math.isnan(b):
            return math.isnan(b) and not math.isnan(a)
        return a < b if self.direction == "minimize" else a > b

    def margin_at(self, baseline: float) -> float:
        """Return the margin in the metric's own units, for a baseline that measured ``baseline``."""
        return self.margin * abs(baseline) if self.margin_kind == "relative" else self.margin

    def gap(self, value: float, baseline: float) -> float:
        """Return the relative difference of ``value`` to ``baseline``; negative is always better.

        At a baseline of 0 it is 0 for an equal value and infinite for any other.
        """
        difference = value - baseline if self.direction == "minimize" else baseline - value
        if baseline == 0.0:
            return 0.0 if difference == 0.0 else math.copysign(math.inf, difference)
        return difference / abs(baseline)


@dataclass(frozen=True, eq=False)
class TaskData:
    """A task's loaded data in a form that travels to workers: arrays by name, and plain JSON beside them."""

    arrays: dict[str, NDArray[Any]]
    meta: dict[str, Any]


class Task(ABC):
    """One thing to learn; a subclass states the class variables and the methods below.

    ``unit`` is what one element of the targets is ("characters"), in the plural; throughput counts them.
    ``item`` is what one score of `item_scores` belongs to ("block"); intervals resample items.
    ``carries_state`` says whether a batch goes on where the batch before it ended: the trainer then hands the
    detached state on (truncated back-propagation through time), and all batches of a pass must have one batch
    size. Otherwise every batch starts with the state None.
    ``option_defaults`` names the task's options; an option's type is its default's. ``option_ranges`` gives
    (lowest, highest) for numbers that are bounded, ``option_choices`` the words that a text may be.
    ``training_defaults`` are training options (`TRAINING_NAMES`) that suit the task better than the general
    ones, for whoever sets none. ``raw_meta`` names the entries of the data's meta that are data themselves, such as a
    vocabulary: in all others, control characters are refused.
    """

    plugin_kind: ClassVar[str] = "task"

    name: ClassVar[str]
    summary: ClassVar[str]
    metric: ClassVar[Metric]
    unit: ClassVar[str]
    item: ClassVar[str]
    carries_state: ClassVar[bool]
    option_defaults: ClassVar[Mapping[str, Option]] = MappingProxyType({})
    option_ranges: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType({})
    option_choices: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType({})
    raw_meta: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, **options: Option) -> None:
        """Take the options, with defaults for those not given.

        Raises:
            UserError: for an unknown option, a value of another type than the default's, or one out of range.
        """
        for name, value in options.items():
            self._check_option(name, value)
        self.options: Mapping[str, Option] = MappingProxyType({**self.option_defaults, **options})

    def _check_option(self, name: str, value: Option) -> None:
        if name not in self.option_defaults:
            raise unknown(f"option of task {self.name!r}:", name, self.option_defaults)
        wanted = type(self.option_defaults[name])
        integer_for_float = wanted is float and type(value) is int
        if type(value) is not wanted and not integer_for_float:
            example = self.option_defaults[name]
            raise UserError(
                f"option {name!r} of task {self.name!r} must be of type {wanted.__name__}, "
                f"for example {example!r}; got {value!r}"
            )
        low, high = self.option_ranges.get(name, (-math.inf, math.inf))
        if isinstance(value, int | float) and not low <= value <= high:
            raise UserError(
                f"option {name!r} of task {self.name!r} must lie between {low:g} and {high:g}; got {value!r}"
            )
        if name in self.option_choices and value not in self.option_choices[name]:
            raise unknown(f"{name} of task {self.name!r}:", str(value), self.option_choices[name])

    @abstractmethod
    def load(self, source: Path | None) -> TaskData:
        """Read the data from ``source``, or return the embedded data for None; only the driver calls it.

        Raises:
            UserError: when ``source`` cannot be used; the message names it and says what would work.
        """

    @abstractmethod
    def model(
        self, meta: Mapping[str, Any], make_rnn: Callable[[int], nn.Module], *, dropout: float
    ) -> nn.Module:
        """Build the model around the recurrent layers, for data with this ``meta``.

        ``make_rnn(input_size)`` gives the recurrent layers, called once, as time-first as `torch.nn.LSTM`:
        ``(T, B, input_size), state -> (T, B, rnn.hidden_size), state``. The model keeps them as attribute
        ``rnn``; its forward is ``(inputs, state) -> (outputs, state)``, where a state of None is the cell's
        start. The model is also built on the meta device, only to count its parameters.
        """

    @abstractmethod
    def batches(
        self, data: TaskData, part: Part, *, batch: int, length: int, seed: int | None, epoch: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Give the (inputs, targets) of one pass over a part, on the CPU.

        ``batch`` sequences at a time, ``length`` steps long where the task cuts sequences. For "train" the
        order depends on (``seed``, ``epoch``) and on nothing else, and every epoch has as many batches; the
        other parts ignore both, and give every item once in a fixed order.

        Raises:
            UserError: when the training part is too small for one batch.
        """

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of a batch in nats, a scalar: what training minimises."""

    @abstractmethod
    def item_scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return (values in the metric's units, weights), each 1-D with one element per item of the batch.

        The metric of a part is the weighted mean over all its items; an item of weight 0 counts for nothing.
        """

    @abstractmethod
    def preview(
        self,
        model: nn.Module,
        meta: Mapping[str, Any],
        *,
        seed: int,
        length: int,
        prompt: str,
        temperature: float,
    ) -> str:
        """Show what the model does, as text (generated text, for example), the same for the same ``seed``.

        Raises:
            UserError: when the prompt or the temperature cannot be used.
        """

    def previews(self, model: nn.Module, data: TaskData, seed: int) -> dict[str, bytes]:
        """Return files that show what the model does, by name ("sample.txt", "confusion.png"); none by default.

        They are the same for the same ``seed``, and never show the test part: only final runs read it.
        """
        return {}

    def plain_model(self, meta: Mapping[str, Any]) -> str | None:
        """Return the model in plain torch, for an exported file that must do without nas_rnn; None where it has none.

        It is Python source with a class ``Model(nn.Module)``: ``Model(rnn)`` computes without dropout what `model`
        does, and has its parameters under the same names. In the file ``torch``, ``nn``, ``F`` and ``Tensor`` are
        imported; what turns data into inputs, and outputs into answers, may stand beside it.
        """
        return None


def symbol_dtype(symbols: int) -> type[np.unsignedinteger[Any]]:
    """Return the smallest unsigned integer type for so many symbols, as data travels to every worker."""
    return np.uint8 if symbols <= 1 << 8 else np.uint16 if symbols <= 1 << 16 else np.uint32
