"""A measured gradient flow as plain values: what is kept, shown and drawn of it. Knows no torch.

`nas_rnn.training.gradient_flow` says what is measured, and measures it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from nas_rnn.training.plain_data import from_plain, to_plain

REMEMBERED = 0.01
"""The share of the gradient that still counts as remembered."""

Weights = Literal["fresh", "trained"]


@dataclass(frozen=True, kw_only=True)
class PathFlow:
    """One state path of one layer (from 0): ``norms[k]`` at lag k, 0 .. T; None where it is not finite."""

    path: str
    layer: int
    norms: list[float | None]

    @property
    def first(self) -> int | None:
        """The smallest lag at which there is a gradient; None where there is none at all."""
        return next((lag for lag, norm in enumerate(self.norms) if norm is None or norm > 0.0), None)

    @property
    def relative(self) -> list[float | None]:
        """The norms as multiples of the first that is not zero."""
        start = None if self.first is None else self.norms[self.first]
        return [None if norm is None or not start else norm / start for norm in self.norms]

    @property
    def factors(self) -> list[float | None]:
        """By which factor the norm changes from lag k to k + 1, T numbers; None where that says nothing."""
        return [
            None if before is None or after is None or before == 0.0 else after / before
            for before, after in zip(self.norms, self.norms[1:], strict=False)
        ]

    @property
    def growth(self) -> float | None:
        """The factor a step: the geometric mean of `factors`, as far as there is a gradient; None without any."""
        logarithms = [math.log(factor) for factor in self.factors if factor]
        return math.exp(math.fsum(logarithms) / len(logarithms)) if logarithms else None

    @property
    def horizon(self) -> int | None:
        """The memory horizon: the lag from which on the norm stays at or below 1 % of its first; None beyond T."""
        if self.first is None:
            return 0
        start = self.norms[self.first]
        above = [
            lag
            for lag, norm in enumerate(self.norms)
            if norm is None or start is None or norm > REMEMBERED * start
        ]
        return above[-1] + 1 if above[-1] + 1 < len(self.norms) else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, with what follows from the norms."""
        return {**to_plain(self), "factors": self.factors, "growth": self.growth, "horizon": self.horizon}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PathFlow:
        return from_plain(cls, {key: data.get(key) for key in ("path", "layer", "norms")})


@dataclass(frozen=True, kw_only=True)
class GradientFlow:
    """The gradient flow of one model over ``steps`` steps: one entry a layer and state path.

    ``net`` is the recurrent net's path in the model, "" where there is only one.
    ``clip`` is the norm to which training clipped (0: never) and ``clipped`` the share of steps in which it did, by
    epoch; both say nothing of the measurement itself, where nothing is clipped.
    """

    cell: str
    weights: Weights
    net: str = ""
    steps: int
    batch: int
    paths: list[PathFlow]
    clip: float = 0.0
    clipped: list[float] = field(default_factory=list)

    @property
    def clipped_share(self) -> float | None:
        """The share of all steps of training that were clipped; None for weights that were not trained."""
        return math.fsum(self.clipped) / len(self.clipped) if self.clipped else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**vars(self), "paths": [path.to_dict() for path in self.paths], "clipped": list(self.clipped)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> GradientFlow:
        """Return what `to_dict` described."""
        return from_plain(cls, {**data, "paths": [PathFlow.from_dict(row) for row in data["paths"]]})
