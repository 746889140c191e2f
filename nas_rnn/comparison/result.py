"""What a comparison found, as plain values that go to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nas_rnn.comparison.verdict import Verdict

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one cell did on the test part; ``values`` has each seed's metric, None for an unfinished run.

    ``mean`` is None when a run diverged (its loss is infinite) or none finished; ``std`` is over
    seeds (n - 1), and None for fewer than two of them. ``diverged`` counts the runs that did.
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


@dataclass(frozen=True, kw_only=True)
class ContenderRow:
    """One cell against the baseline; differences in the metric's units, signed so that negative is better.

    ``difference`` and ``ci95`` are None where nothing could be compared; ``relative_difference`` is the
    difference divided by the baseline (0.01: one per cent worse). ``seed_differences`` has one number per
    pair, None where a run of it is missing. ``pairs`` counts those compared, ``covers`` says what the
    interval speaks for, ``reason`` what else to know.
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

    def to_dict(self) -> dict[str, Any]:
        """Return one flat JSON object: the standing's fields and the row's own."""
        own = asdict(self)
        return {**own.pop("standing"), **own}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ContenderRow:
        """Return the row that ``to_dict`` described."""
        ci95 = values["ci95"]
        return cls(
            standing=_standing(values),
            difference=values["difference"],
            ci95=None if ci95 is None else (ci95[0], ci95[1]),
            relative_difference=values["relative_difference"],
            seed_differences=tuple(values["seed_differences"]),
            pairs=values["pairs"],
            covers=values["covers"],
            verdict=values["verdict"],
            reason=values["reason"],
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Contenders against one baseline on one task: the whole answer.

    ``metric`` is the metric's name, ``unit`` its unit, ``margin`` the equivalence margin in that unit at
    the baseline's mean (None when that diverged). ``spent`` gives the seconds of computing by what they
    went into.
    """

    metric: str
    unit: str
    direction: str
    margin: float | None
    baseline: Standing
    contenders: tuple[ContenderRow, ...]
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """All that was spent, in seconds."""
        return sum(self.spent.values())

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values (no infinities, no NaN)."""
        return {
            "metric": self.metric,
            "unit": self.unit,
            "direction": self.direction,
            "margin": self.margin,
            "baseline": asdict(self.baseline),
            "contenders": [row.to_dict() for row in self.contenders],
            "spent": dict(self.spent),
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Comparison:
        """Return the comparison that ``to_dict`` described, also after a trip through JSON."""
        return cls(
            metric=values["metric"],
            unit=values["unit"],
            direction=values["direction"],
            margin=values["margin"],
            baseline=_standing(values["baseline"]),
            contenders=tuple(ContenderRow.from_dict(row) for row in values["contenders"]),
            spent=dict(values["spent"]),
        )


def _standing(values: Mapping[str, Any]) -> Standing:
    """Return the standing in a JSON object that may hold more."""
    return Standing(
        name=values["name"],
        digest=values["digest"],
        hidden_size=values["hidden_size"],
        parameters=values["parameters"],
        mismatch=values["mismatch"],
        tuned=values["tuned"],
        seeds=tuple(values["seeds"]),
        values=tuple(values["values"]),
        mean=values["mean"],
        std=values["std"],
        diverged=values["diverged"],
    )
