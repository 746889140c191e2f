"""What a task is: everything about a measurement that is not the recurrent cell.

A task brings the data, the model around the recurrent nets (which owns the loss and the scores), the metrics, trivial
baselines, and something to look at. A new task is one subclass of `Task`; nothing else needs to know it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from nas_rnn.errors import UserError
from nas_rnn.tasks.data import Batching, Part, TaskData
from nas_rnn.tasks.download import Download
from nas_rnn.tasks.metric import Mean, Metric, Statistics
from nas_rnn.tasks.options import NoOptions, Option, read_options

if TYPE_CHECKING:  # torch takes over a second to import; listing tasks and judging results need none of it
    from torch import nn

    from nas_rnn.tasks.batch import Batch
    from nas_rnn.tasks.model import TaskModel

LOSS = Mean("loss", "nats", "minimize", 0.01, "relative", of="loss", per="targets")
"""The loss itself as a monitor, per target: the trainer adds up what it needs, so that no model has to give it.

A metric of a final run is judged item by item; one of the same kind needs a model that scores its items."""


class MakeRnn(Protocol):
    """Gives recurrent layers, time first as `torch.nn.LSTM`; a model may ask for several."""

    def __call__(self, input_size: int, *, bidirectional: bool = False) -> nn.Module:
        """Return ``(T, B, input_size), state -> (T, B, rnn.hidden_size), state``; twice as wide in both directions."""
        ...


@dataclass(frozen=True, kw_only=True)
class Regularisation:
    """What keeps a model from learning its training data by heart; ``dropout`` is a probability.

    It is for layers of the model's own: recurrent layers that ``make_rnn`` gave have theirs, of every kind.
    """

    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PreviewOptions:
    """How a preview is asked for: so long, after a ``prompt``, at a ``temperature`` that divides logits.

    Where ``files`` is False, only the text is looked at, and a task need not take the time that pictures take.
    """

    length: int = 1000
    prompt: str = ""
    temperature: float = 1.0
    files: bool = True


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a model does, to look at: a text, and files by name ("sample.txt", "confusion.png")."""

    text: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PlainNet:
    """A model's ``net`` for an exported file that must do without nas_rnn.

    ``modules`` import torch alone; their source is copied. ``name`` is the net's class, called with ``make_rnn`` and
    ``arguments``. ``constants`` are plain values (numbers, texts, lists) that stand in the file by name;
    ``usage`` is a line that shows how inputs are made; like the names, it is the task's own and never data.
    """

    modules: tuple[ModuleType, ...]
    name: str
    arguments: Mapping[str, Any]
    constants: Mapping[str, Any] = field(default_factory=dict)
    usage: str = ""


@dataclass(frozen=True)
class Measures:
    """What is measured: ``metrics``, of which the first decides, and the ``monitor`` that steers what comes before."""

    metrics: tuple[Metric, ...]
    monitor: Metric

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        return self.metrics[0]


class Task(ABC):
    """One thing to learn; a subclass states the class variables and the methods below.

    ``unit`` is what one target is ("characters"), in the plural; throughput and costs count them. ``item`` is what the
    statistics of a metric belong to ("block"); intervals resample items. The first of ``metrics`` decides a comparison,
    the others are reported. ``monitor`` steers all that comes before: early stopping, halving, selection and tuning; it
    is computed from validation after every epoch, so it must need no decoding. ``Options`` is a frozen dataclass of
    `option` fields. ``training_defaults`` are training options (docs/options.md; not threads, device, backend) that
    suit the task better than the general ones, for whoever sets none. ``raw_meta`` names the entries of the data's meta
    that are data themselves, such as a vocabulary: in all others, control characters are refused. ``downloads`` are
    standard data sets that `nas-rnn download` brings. ``input_axes`` says by name what the first axes of an input count
    that are not ("time", "batch"): where a model reads several inputs, its export to ONNX leaves these axes free.
    """

    plugin_kind: ClassVar[str] = "task"

    name: ClassVar[str]
    summary: ClassVar[str]
    unit: ClassVar[str]
    item: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]
    monitor: ClassVar[Metric] = LOSS
    Options: ClassVar[type] = NoOptions
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType({})
    raw_meta: ClassVar[frozenset[str]] = frozenset()
    downloads: ClassVar[tuple[Download, ...]] = ()
    input_axes: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})

    def __init__(self, **options: Option) -> None:
        """Take the options; unset options use defaults.

        Raises:
            UserError: for an unknown option, a value of another type than the default's, or one out of range.
        """
        self.options: Any = read_options(self.Options, options, self.name)

    def recommended_training(self) -> Mapping[str, int | float | str]:
        """Return the training options that suit these options best; by default ``training_defaults``."""
        return self.training_defaults

    def measures(self, meta: Mapping[str, Any]) -> Measures:
        """Return what is measured on data with this ``meta``: as the class says, unless units follow from the data."""
        return Measures(self.metrics, self.monitor)

    @abstractmethod
    def load(self, source: Path | None) -> TaskData:
        """Read the data from ``source``, or return the embedded data for None; only the driver calls it.

        Raises:
            UserError: when ``source`` cannot be used; the message names it and says what would work.
        """

    @abstractmethod
    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> TaskModel:
        """Build the model around recurrent layers that ``make_rnn`` gives, for data with this ``meta``.

        It is also built on the meta device, only to count its parameters.
        """

    @abstractmethod
    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give the batches of one pass over a part, on the CPU.

        The order of "train" depends on the seed and epoch of ``batching`` and on nothing else, and every epoch has as
        many batches; the other parts give every item once in a fixed order, and name it (`Batch.items`).

        Raises:
            UserError: when the training part is too small for one batch.
        """

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Return ``data`` with the training part's rows ``begins`` to ``ends`` as the test part, for `--fresh-test`.

        A task whose rows may be cut anywhere returns ``data.with_fresh_test(begins, ends)``, and makes anew what in
        ``meta`` was computed from the training part.

        Raises:
            UserError: by default, since a task may keep its data in other ways.
        """
        raise UserError(
            f"the task {self.name!r} does not say how to cut a fresh test part (Task.fresh_test, docs/plugins.md); "
            "leave out --fresh-test, or give data that nothing has read"
        )

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Return what somebody should know of loaded data before they read a figure of it, a sentence each.

        None by default. `nas_rnn.tasks.unlearnable` makes one of symbols or classes that the training part lacks.
        """
        return ()

    def floors(self, data: TaskData) -> Mapping[str, Statistics]:
        """Return trivial baselines, fitted on the training part: each item's statistics on the test part, by name.

        None by default. A recurrent net that does not beat them has learned nothing of time.
        """
        return {}

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Show what the model does, the same for the same ``seed``, and never by the test part.

        Of a saved model ``data`` has only its ``meta``, so a task leaves out what it cannot show then. By default there
        is nothing to see.

        Raises:
            UserError: when the prompt or the temperature cannot be used.
        """
        return Preview()

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet | None:
        """Return the model's ``net`` for an exported file of torch alone; None where the model has none."""
        return None
