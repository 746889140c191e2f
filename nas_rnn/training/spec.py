"""What a run is told and what it tells: plain data that travels between processes as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from nas_rnn.errors import UserError
from nas_rnn.outside import check_plain, check_text
from nas_rnn.training.options import TrainingOptions
from nas_rnn.training.plain_data import from_plain, to_plain

Role = Literal["candidate", "control", "baseline", "selection", "tuning", "final", "timing", "supernet"]
"""A run of the role "timing" trains nothing: it measures how long training steps of other runs take. One of the role
"supernet" trains weights that the cells of a space share."""
Status = Literal["finished", "stopped", "diverged", "failed"]
EndedBecause = Literal["converged", "overfitted", "cap", "budget", "stopped", "diverged", "failed"]


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One training run: a cell at a size, on a task, with options and seeds.

    ``cell`` is its text, ``name`` what to call it. ``seed`` fixes the initial weights and dropout,
    ``data_seed`` the order of the training data, equal in runs that are to be compared in pairs. The test
    part is read only with ``read_test``, which only a final run may have: nothing is chosen by it.

    Raises:
        UserError: for a value out of its range.
        ValueError: when a run that is not final is to read the test part.
    """

    id: str
    role: Role
    name: str
    cell: str
    hidden_size: int
    task: str
    task_options: dict[str, int | float | str | bool] = field(default_factory=dict)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    seed: int
    data_seed: int
    read_test: bool = False

    def __post_init__(self) -> None:
        _require_whole("hidden_size", self.hidden_size, 1)
        _require_whole("seed", self.seed, 0)
        _require_whole("data_seed", self.data_seed, 0)
        _require_one_of("role", self.role, get_args(Role))
        for name in ("id", "name", "task"):
            check_text(getattr(self, name), f"{name} of a run")
        check_plain(self.task_options, "task_options of a run")
        if self.read_test and self.role != "final":
            raise ValueError(f"only final runs read the test part; {self.id!r} is a {self.role} run")

    def to_dict(self) -> dict[str, Any]:
        return to_plain(self)

    @classmethod
    def from_dict(cls, data: object) -> RunSpec:
        """Read what `to_dict` gave; unknown and missing keys raise a UserError."""
        return from_plain(cls, _with(data, "training", TrainingOptions.from_dict))


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch of training, and validation after it.

    ``train_loss`` and ``valid_loss`` are in nats, ``metric`` is the task's monitor on the validation part, in its
    units. ``seconds`` covers both, ``units_per_second`` training alone: real targets, of which there were ``targets``
    in ``steps`` steps (0: an earlier version did not count them). ``gradient_norm`` is the mean norm before clipping,
    ``clipped`` the share of steps in which it was clipped. ``epoch`` counts from 1.
    """

    epoch: int
    train_loss: float
    valid_loss: float
    metric: float
    seconds: float
    units_per_second: float
    gradient_norm: float
    clipped: float
    targets: int = 0
    steps: int = 0

    def to_dict(self) -> dict[str, Any]:
        return to_plain(self)

    @classmethod
    def from_dict(cls, data: object) -> EpochRecord:
        return from_plain(cls, data)


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended.

    ``best_metric`` is the monitor on validation data after ``best_epoch``, None where no epoch was completed.
    ``test_statistics`` has by name what adds up over the N items of the test part, N numbers or N lists of k, at
    the weights of the best epoch, where the spec asked for them: what metrics are computed from. ``backend`` is the
    one that ran the cell, None where none did; ``fallback`` says why that is not the fused one although it was wanted.
    ``ended_because`` is "converged" or "overfitted" where the run ended by its curve (`nas_rnn.training.ending`), "cap"
    at the most epochs that it might have, "budget" after a fixed number of them, else "stopped", "diverged" or
    "failed"; a run that diverged *after* it had stopped improving is finished, because "diverged". ``converged_epoch``
    is where its curve said first that it has stopped improving, also in runs of a fixed budget.
    """

    id: str
    status: Status
    reason: str | None
    epochs: list[EpochRecord]
    best_epoch: int | None
    best_metric: float | None
    parameters: int
    test_statistics: dict[str, list[Any]] | None
    seconds: float
    backend: str | None = None
    fallback: str | None = None
    ended_because: EndedBecause | None = None
    converged_epoch: int | None = None

    @property
    def converged(self) -> bool:
        """Whether the run has stopped improving: its curve is at an end, however long it was trained."""
        return self.converged_epoch is not None

    def to_dict(self) -> dict[str, Any]:
        return to_plain(self)

    @classmethod
    def from_dict(cls, data: object) -> RunResult:
        """Read what `to_dict` gave; unknown and missing keys raise a UserError.

        Earlier files have the metric of each item, as ``test_values``, and ``test_weights``: these become the
        statistics `nas_rnn.tasks.metric.EARLIER`, whose quotient any `Mean` is.
        """
        read = _with(data, "epochs", lambda rows: [EpochRecord.from_dict(row) for row in rows])
        return from_plain(cls, _without_item_values(read))


def _without_item_values(data: object) -> object:
    """Return ``data`` with statistics in the place of items' values and weights, where it has these."""
    if not isinstance(data, Mapping) or not {"test_values", "test_weights"} <= data.keys():
        return data
    from nas_rnn.tasks.metric import EARLIER  # loads numpy, which a command's --help must not wait for

    values, weights = data["test_values"], data["test_weights"]
    statistics = None
    if values is not None and weights is not None:
        products = [value * weight if weight else 0.0 for value, weight in zip(values, weights, strict=True)]
        statistics = dict(zip(EARLIER, (products, list(weights)), strict=True))
    kept = {name: value for name, value in data.items() if name not in ("test_values", "test_weights")}
    return {"test_statistics": statistics, **kept}


def _with(data: object, key: str, read: Any) -> object:
    """Return ``data`` with the value at ``key``, where there is one, replaced by ``read`` of it."""
    return {**data, key: read(data[key])} if isinstance(data, Mapping) and key in data else data


def _require_whole(name: str, value: object, lowest: int) -> None:
    if type(value) is not int or value < lowest:
        raise UserError(f"{name} must be a whole number of at least {lowest}; got {value!r}")


def _require_one_of(name: str, value: object, words: tuple[str, ...]) -> None:
    if value not in words:
        raise UserError(f"{name} must be one of {', '.join(words)}; got {value!r}")
