"""What a proposer hears of a cell: plain values, which are also the JSON of ``nas-rnn evaluate --json``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from nas_rnn.comparison.racing import RaceVerdict
from nas_rnn.training import EpochRecord, RunResult
from nas_rnn.training.flow import GradientFlow
from nas_rnn.training.plain_data import from_plain, to_plain

SCHEMA = 1
"""Of the JSON; a field that changes its meaning makes it another."""

EXAMPLE = "@cell\ndef mine(x, h):\n    return tanh(linear(x, h))\n"
"""The smallest text of a cell: what would have worked, where a message names nothing nearer."""

FeedbackStatus = Literal["measured", "diverged", "unparsable", "refused", "failed", "unfinished"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why the text of a cell cannot be read, or its model not be built.

    ``rule`` was broken on ``line`` (None: on no single one), which reads ``text``; ``hint`` is what would have worked.
    """

    line: int | None
    text: str
    rule: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class Gap:
    """How far a cell is from another, which had ``value`` on the same ``seeds``.

    ``difference`` is signed so that negative is better, ``relative`` is it as a share of the other's value (None at 0),
    ``interval`` covers seeds at ``level`` (None: of one seed there is none).
    """

    name: str
    digest: str
    value: float
    seeds: int
    difference: float
    relative: float | None
    interval: tuple[float, float] | None = None
    level: float | None = None


@dataclass(frozen=True, kw_only=True)
class PathReach:
    """How far the gradient reaches through a state path of a layer of a net ("" for the only one), after training.

    ``horizon`` is after how many steps 1 % of it is left (None: more is, as far as was looked), ``growth`` by which
    factor it changes a step (None: there is none).
    """

    net: str
    layer: int
    path: str
    horizon: int | None
    growth: float | None


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far the gradient of the last step's loss reaches back; it was followed for ``steps``."""

    steps: int
    paths: tuple[PathReach, ...]


@dataclass(frozen=True, kw_only=True)
class TrainingCost:
    """What a cell's runs took: ``epochs`` by seed, ``seconds`` in all; the first incumbent's seconds an epoch."""

    hidden_size: int
    parameters: int
    epochs: tuple[int, ...]
    seconds: float
    seconds_per_epoch: float | None
    baseline_seconds_per_epoch: float | None


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """Which seed's run diverged, from 1 on, after how many whole epochs, and what became infinite where."""

    seed: int
    epochs: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """A cell's first run after an epoch; losses are in nats, ``value`` is what decides, on validation data."""

    epoch: int
    train_loss: float
    valid_loss: float
    value: float


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What is known of one cell that was proposed.

    ``status`` says how far it came: "unfinished" where the time was over, and a call with the same cell goes on.
    ``verdict`` is against the incumbent of then (`nas_rnn.comparison.racing`; "baseline" for the first incumbent,
    None where nothing was measured). ``incumbent`` says whether it is the one now, ``known`` whether it was evaluated
    before. ``values`` are those of its seeds on validation data (None: diverged), ``value`` their mean. ``words`` say
    all of it in sentences.
    """

    source: str
    status: FeedbackStatus
    verdict: RaceVerdict | Literal["baseline"] | None = None
    incumbent: bool = False
    known: bool = False
    name: str = ""
    digest: str = ""
    value: float | None = None
    values: tuple[float | None, ...] = ()
    unit: str = ""
    direction: Literal["minimize", "maximize"] = "minimize"
    against_incumbent: Gap | None = None
    against_baseline: Gap | None = None
    curve: tuple[CurvePoint, ...] = ()
    diverged: Divergence | None = None
    gradient: Reach | None = None
    cost: TrainingCost | None = None
    problem: Problem | None = None
    reason: str = ""
    words: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Feedback:
        """Read what `to_dict` gave, or JSON made of it; UserError for keys that are unknown or missing."""
        read = dict(data)
        for key, kind in (
            ("diverged", Divergence),
            ("cost", TrainingCost),
            ("problem", Problem),
            ("against_incumbent", Gap),
            ("against_baseline", Gap),
        ):
            if read.get(key) is not None:
                read[key] = from_plain(kind, _with_tuples(read[key]))
        if read.get("gradient") is not None:
            paths = tuple(from_plain(PathReach, path) for path in read["gradient"]["paths"])
            read["gradient"] = Reach(steps=read["gradient"]["steps"], paths=paths)
        read["curve"] = tuple(from_plain(CurvePoint, point) for point in read.get("curve", ()))
        return from_plain(cls, _with_tuples(read))


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def problem_of(text: str, message: str) -> Problem:
    """Return what ``message``, of an error about the cell's ``text``, says by line, rule and hint."""
    found = re.match(r"(?:\w+, )?line (\d+): ", message)
    line = None if found is None else int(found[1])
    rule = message if found is None else message[found.end() :]
    rule, _, hint = " ".join(rule.split()).partition("; ")
    lines = text.splitlines()
    return Problem(
        line=line,
        text=lines[line - 1].strip() if line is not None and line <= len(lines) else "",
        rule=rule,
        hint=hint or f"the smallest cell is {EXAMPLE!r}",
    )


def curve_of(records: Sequence[EpochRecord]) -> tuple[CurvePoint, ...]:
    """Return a run's epochs as a curve."""
    return tuple(
        CurvePoint(epoch=one.epoch, train_loss=one.train_loss, valid_loss=one.valid_loss, value=one.metric)
        for one in records
    )


def reach_of(flow: Mapping[str, Any] | None) -> Reach | None:
    """Return how far the gradient reaches after training, of what a run's store kept; None where nothing was."""
    flows = [GradientFlow.from_dict(one) for one in (flow or {}).get("flows", ())]
    trained = [one for one in flows if one.weights == "trained"]
    if not trained:
        return None
    paths = tuple(
        PathReach(net=one.net, layer=own.layer, path=own.path, horizon=own.horizon, growth=own.growth)
        for one in trained
        for own in one.paths
    )
    return Reach(steps=max(one.steps for one in trained), paths=paths)


def divergence_of(results: Sequence[RunResult]) -> Divergence | None:
    """Return where the first of a cell's runs diverged that did."""
    for seed, result in enumerate(results, start=1):
        if result.status == "diverged":
            return Divergence(seed=seed, epochs=len(result.epochs), reason=result.reason or "")
    return None


def cost_of_runs(
    hidden_size: int, parameters: int, results: Sequence[RunResult], baseline: Sequence[RunResult]
) -> TrainingCost:
    """Return what a cell's runs took, beside the first incumbent's."""
    return TrainingCost(
        hidden_size=hidden_size,
        parameters=parameters,
        epochs=tuple(len(result.epochs) for result in results),
        seconds=sum(result.seconds for result in results),
        seconds_per_epoch=_per_epoch(results),
        baseline_seconds_per_epoch=_per_epoch(baseline),
    )


def _per_epoch(results: Sequence[RunResult]) -> float | None:
    epochs = sum(len(result.epochs) for result in results)
    return sum(result.seconds for result in results) / epochs if epochs else None


def known_again(feedback: Feedback, source: str, incumbent: str) -> Feedback:
    """Return the feedback of a cell that was evaluated before, as it stands now that ``incumbent`` (a digest) leads."""
    return replace(feedback, source=source, known=True, incumbent=feedback.digest == incumbent)
