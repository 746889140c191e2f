"""What a comparison found, as plain values that go to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from nas_rnn.comparison.course import Course
from nas_rnn.comparison.verdict import Verdict

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A metric's name, its unit, and whether to "minimize" or to "maximize" it."""

    name: str
    unit: str
    direction: str


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A metric over the seeds of one cell; ``values``, ``mean`` and ``std`` are as in a `Standing`."""

    values: tuple[float | None, ...]
    mean: float | None
    std: float | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one cell did on the test part; ``values`` has each seed's metric, None for an unfinished run.

    ``mean`` is None when a run diverged (its loss is infinite) or none finished; ``std`` is over
    seeds (n - 1), and None for fewer than two of them. ``diverged`` counts the runs that did.
    ``tried`` counts the settings that tuning tried (0: none, or nobody knows). ``training`` has the options that tuning
    may set, by their names, and ``second`` those that every second run had, where there are two settings. ``control``
    says what stands here for scale ("the mean of random cells"); it is empty for a cell somebody asked about.
    ``reference`` says that it is a well-known cell beside the baseline. ``others`` has the metrics that decide nothing,
    by name.

    ``epochs`` has how long each seed's run was trained, ``ended_because`` why no longer
    (`nas_rnn.training.RunResult`), ``converged`` whether it had stopped improving: None where nobody knows, as of
    runs with a decaying rate, and of those that never began to learn.

    The mean of a metric that is compared by its ratio is the geometric one: differences are those of such means.
    """

    name: str
    digest: str
    hidden_size: int
    parameters: int
    mismatch: float
    tuned: bool
    seeds: tuple[int, ...]
    values: tuple[float | None, ...]
    mean: float | None
    std: float | None
    diverged: int
    training: dict[str, Any] = field(default_factory=dict)
    second: dict[str, Any] = field(default_factory=dict)
    control: str = ""
    others: dict[str, Reading] = field(default_factory=dict)
    epochs: tuple[int, ...] = ()
    ended_because: tuple[str | None, ...] = ()
    converged: tuple[bool | None, ...] = ()
    reference: bool = False
    tried: int = 0

    @property
    def several_cells(self) -> bool:
        """Whether every run is of another cell: of random ones, which stand here for scale."""
        return bool(self.control) and not self.digest


@dataclass(frozen=True, kw_only=True)
class Against:
    """A contender against a reference, over the pairs of their runs; ``difference`` and ``ci95`` are as in a row.

    ``p_value`` tests that there is no difference, ``p_equivalence`` that it is the margin or more.
    ``better_than_both`` says that the contender is better than the
    baseline and than this reference: it takes both tests (`nas_rnn.comparison.judging.against`). ``within`` is the
    limit that then holds, as in a row.
    """

    name: str
    difference: float | None = None
    ci95: Interval | None = None
    p_value: float | None = None
    p_equivalence: float | None = None
    better_than_both: bool = False
    within: str = ""


@dataclass(frozen=True, kw_only=True)
class LearningSpeed:
    """When a cell's validation comes to where the baseline's ends: a second answer, of which the verdict knows nothing.

    ``plateau`` is where the baseline's curves end, the mean over its seeds in the monitor ``metric``, in ``unit``;
    ``level`` is worse than that by the metric's margin. ``within`` is the limit that holds for it ("within 4 epochs,
    still improving"), "" where the baseline's runs had stopped improving.

    ``targets`` has for each pair how many training targets the cell had learned from when its curve first came to the
    level, None where it never did; ``baseline_targets`` the same of the baseline. ``ratio`` is the geometric mean over
    the pairs of the one by the other, ``ci95`` its interval; both are None where there is none, which ``reason``
    explains. ``seconds_per_target`` and ``baseline_seconds_per_target`` are those of training steps, measured in turns
    when nothing else ran; None where nobody measured them.
    """

    metric: str
    unit: str
    plateau: float
    level: float
    within: str
    targets: tuple[float | None, ...]
    baseline_targets: tuple[float | None, ...]
    ratio: float | None = None
    ci95: Interval | None = None
    reason: str = ""
    seconds_per_target: float | None = None
    baseline_seconds_per_target: float | None = None

    @property
    def reached(self) -> tuple[int, int]:
        """In how many pairs the cell came to the level, and in how many the baseline did."""
        own, theirs = (
            sum(count is not None for count in each) for each in (self.targets, self.baseline_targets)
        )
        return own, theirs

    @property
    def seconds_ratio(self) -> float | None:
        """``ratio``, of seconds of training steps."""
        if self.ratio is None or self.seconds_per_target is None or self.baseline_seconds_per_target is None:
            return None
        return self.ratio * self.seconds_per_target / self.baseline_seconds_per_target

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LearningSpeed:
        """Return what ``asdict`` described, also after a trip through JSON."""
        own = _known(cls, values)
        counts = {name: tuple(own[name]) for name in ("targets", "baseline_targets")}
        return cls(**{**own, **counts, "ci95": _pair(own.get("ci95"))})


@dataclass(frozen=True, kw_only=True)
class InMargins:
    """A difference as it was tested, in margins: what other tasks' differences may be held against.

    ``difference`` and its standard ``error``, with the ``degrees_of_freedom`` of Student's t. Of a metric that is
    compared by its ratio it is the logarithm that is divided by the margin's.
    """

    difference: float
    error: float
    degrees_of_freedom: float


@dataclass(frozen=True, kw_only=True)
class ContenderRow:
    """One cell against the baseline; differences in the metric's units, signed so that negative is better.

    ``difference`` and ``ci95`` are None where nothing could be compared; ``relative_difference`` is the
    difference divided by the baseline (0.01: one per cent worse). ``seed_differences`` has one number per
    pair, None where a run of it is missing. ``pairs`` counts those compared, ``covers`` says what the
    interval speaks for, ``reason`` what else to know. ``ci95`` is one interval of ``level``: 0.95, or more
    for one look of several, which together leave out the true difference with a chance of 5 %.

    ``p_value`` tests that there is no difference, ``p_equivalence`` that it is the margin or more; the
    ``adjusted`` ones hold for all contenders together (see `nas_rnn.comparison.testing`), and decide the verdict.
    Where that is "undecided", ``more_seeds`` says how many more seeds per cell would decide it, at the difference
    and the spread seen, with a chance of 80 %; ``more_seeds_reason`` why no number does. ``within`` is the limit
    that holds for the verdict ("within 4 epochs, still improving"), "" where the runs that could change it had
    stopped improving; ``weak_baseline`` names a trivial baseline that the baseline does not clearly beat, where that
    stands in the way of "better". ``against`` has the references that it was held against. A row that the metric
    cannot decide on so few test items has a difference, no interval, and p-values of 1. ``learning_speed`` is no part
    of the verdict.
    """

    standing: Standing
    difference: float | None
    ci95: Interval | None
    relative_difference: float | None
    seed_differences: tuple[float | None, ...]
    pairs: int
    covers: str
    verdict: Verdict
    reason: str | None
    level: float = 0.95
    p_value: float | None = None
    p_adjusted: float | None = None
    p_equivalence: float | None = None
    p_equivalence_adjusted: float | None = None
    more_seeds: int | None = None
    more_seeds_reason: str = ""
    within: str = ""
    weak_baseline: str = ""
    against: tuple[Against, ...] = ()
    learning_speed: LearningSpeed | None = None
    in_margins: InMargins | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return one flat JSON object: the standing's fields and the row's own."""
        own = asdict(self)
        if self.learning_speed is not None:
            own["learning_speed"]["seconds_ratio"] = self.learning_speed.seconds_ratio
        return {**own.pop("standing"), **own}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ContenderRow:
        """Return the row that ``to_dict`` described."""
        own = _known(cls, values)
        own["ci95"] = _pair(own["ci95"])
        own["seed_differences"] = tuple(own["seed_differences"])
        own["against"] = tuple(
            Against(**{**_known(Against, one), "ci95": _pair(one["ci95"])}) for one in own.get("against", ())
        )
        if own.get("learning_speed") is not None:
            own["learning_speed"] = LearningSpeed.from_dict(own["learning_speed"])
        if own.get("in_margins") is not None:
            own["in_margins"] = InMargins(**_known(InMargins, own["in_margins"]))
        return cls(standing=_standing(values), **own)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one part of the whole took: how many runs, their core-seconds, the targets they learned from.

    ``part`` is "supernet", "search", "control", "selection", "tuning" or "final". Core-seconds are seconds times
    threads. Each epoch counts its targets anew; ``units`` is 0 where nobody counted them.
    """

    part: str
    runs: int
    seconds: float
    units: int = 0


@dataclass(frozen=True, kw_only=True)
class Floor:
    """A trivial baseline on the same test part: its ``values`` by metric (None: not finite).

    ``difference`` and ``ci95`` are those of the comparison's baseline to it in the first metric, negative where
    the baseline is better; None where there is no interval, which ``reason`` explains.
    """

    name: str
    values: dict[str, float | None]
    difference: float | None = None
    ci95: Interval | None = None
    reason: str = ""

    @property
    def beaten(self) -> bool | None:
        """Whether the baseline is better and the interval excludes zero; None where there is no interval."""
        return None if self.ci95 is None else self.ci95[1] < 0

    @property
    def as_good(self) -> bool:
        """Whether the baseline, as far as one can tell at all, is no better than it on average."""
        return self.beaten is False and (self.difference or 0.0) >= 0.0


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Contenders against one baseline on one task: the whole answer.

    ``metric`` is the metric's name, ``unit`` its unit, ``margin`` the equivalence margin in that unit at
    the baseline's mean (None when that diverged). ``references`` and ``controls`` are judged as the contenders are,
    but nobody asked about them: they do not count among the contenders of Holm's method. ``level`` is that of an
    interval: of the last look, where there were several. ``costs`` has the parts in their order, ``counted``
    the word for what their units are ("characters"). ``others`` are the metrics that every cell's standing has
    beside the first, which alone decides; ``floors`` are trivial baselines, ``course`` is how it came to the final.
    ``read_before`` names the finals that had read the same test part before this one, whatever their data were called.
    """

    metric: str
    unit: str
    direction: str
    margin: float | None
    baseline: Standing
    contenders: tuple[ContenderRow, ...]
    references: tuple[ContenderRow, ...] = ()
    controls: tuple[ContenderRow, ...] = ()
    level: float = 0.95
    costs: tuple[Cost, ...] = ()
    counted: str = "targets"
    others: tuple[Measure, ...] = ()
    floors: tuple[Floor, ...] = ()
    course: Course | None = None
    read_before: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[ContenderRow, ...]:
        """The contenders, then the references, then the controls."""
        return (*self.contenders, *self.references, *self.controls)

    @property
    def seconds(self) -> float:
        """All core-seconds."""
        return sum(cost.seconds for cost in self.costs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values (no infinities, no NaN)."""
        return {
            "metric": self.metric,
            "unit": self.unit,
            "direction": self.direction,
            "margin": self.margin,
            "level": self.level,
            "baseline": asdict(self.baseline),
            "contenders": [row.to_dict() for row in self.contenders],
            "references": [row.to_dict() for row in self.references],
            "controls": [row.to_dict() for row in self.controls],
            "costs": [asdict(cost) for cost in self.costs],
            "counted": self.counted,
            "others": [asdict(measure) for measure in self.others],
            "floors": [{**asdict(floor), "beaten": floor.beaten} for floor in self.floors],
            "course": None if self.course is None else asdict(self.course),
            "read_before": list(self.read_before),
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Comparison:
        """Return the comparison that ``to_dict`` described, also after a trip through JSON.

        Files from before there were costs have the seconds of each part alone, as ``spent``.
        """
        own = _known(cls, values)
        for name in ("contenders", "references", "controls"):
            own[name] = tuple(ContenderRow.from_dict(row) for row in own.get(name, ()))
        own["costs"] = tuple(Cost(**cost) for cost in own.get("costs", ())) or tuple(
            Cost(part=part, runs=0, seconds=seconds) for part, seconds in values.get("spent", {}).items()
        )
        own["others"] = tuple(Measure(**measure) for measure in own.get("others", ()))
        own["course"] = None if own.get("course") is None else Course.from_dict(own["course"])
        own["floors"] = tuple(_floor(floor) for floor in own.get("floors", ()))
        own["read_before"] = tuple(own.get("read_before", ()))
        return cls(**{**own, "baseline": _standing(values["baseline"])})


def _known(cls: type[DataclassInstance], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``values`` that are fields of ``cls``; what older files lack, they lack here."""
    return {field.name: values[field.name] for field in fields(cls) if field.name in values}


def _standing(values: Mapping[str, Any]) -> Standing:
    """Return the standing in a JSON object that may hold more."""
    own = _known(Standing, values)
    others = {name: _reading(reading) for name, reading in own.get("others", {}).items()}
    lists = ("seeds", "values", "epochs", "ended_because", "converged")
    return Standing(**{**own, **{name: tuple(own[name]) for name in lists if name in own}, "others": others})


def _reading(values: Mapping[str, Any]) -> Reading:
    own = _known(Reading, values)
    return Reading(**{**own, "values": tuple(own["values"])})


def _floor(values: Mapping[str, Any]) -> Floor:
    own = _known(Floor, values)
    return Floor(**{**own, "ci95": _pair(own["ci95"])})


def _pair(ends: Sequence[float] | None) -> Interval | None:
    """Return an interval that JSON holds as a list."""
    return None if ends is None else (ends[0], ends[1])
