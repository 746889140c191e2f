"""What a search or a comparison gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nas_rnn.comparison import Comparison
from nas_rnn.tasks import Measures


@dataclass(frozen=True, kw_only=True)
class BestCell:
    """The best cell of a search: its text, and where it stands on validation data."""

    name: str
    digest: str
    cell: str
    equations: str
    hidden_size: int
    parameters: int
    trial: int | None
    value: float | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a search (or, without ``best`` and trials, a comparison) ended.

    ``status`` is "complete" or "interrupted"; ``trials`` counts them by ending (finished, stopped, diverged, failed,
    reused, unfinished). ``baseline`` is the baseline's validation metric in the search. ``comparison`` and ``verdict``
    (a sentence) are None where it did not come to the final. ``ablation`` has the rows of an ablation, the greatest
    loss first.
    """

    kind: str
    name: str
    folder: str
    status: str
    measures: Measures
    trials: dict[str, int]
    best: BestCell | None
    baseline: float | None
    comparison: Comparison | None
    verdict: str | None
    notices: tuple[str, ...]
    seconds: float
    dashboard: str
    ablation: tuple[dict[str, Any], ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as ``--json`` prints them; a comparison's own stand among them."""
        values = {
            **self._measured(),
            **{
                key: value
                for key, value in vars(self).items()
                if key not in ("measures", "best", "comparison", "notices", "ablation")
            },
            **({} if self.ablation is None else {"ablation": list(self.ablation)}),
            "best": None if self.best is None else dict(vars(self.best)),
            "comparison": None if self.comparison is None else self.comparison.to_dict(),
            "notices": list(self.notices),
        }
        if self.kind != "search" and values["comparison"] is not None:
            values |= values.pop("comparison")
        return values

    def _measured(self) -> dict[str, str]:
        decides, monitor = self.measures.metric, self.measures.monitor
        return {
            "metric": decides.name,
            "unit": decides.unit,
            "monitor": monitor.name,
            "monitor_unit": monitor.unit,
        }
