"""What a search or a comparison gives back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nas_rnn.comparison import Comparison, sentence
from nas_rnn.run_folder.front import Front, stored_front
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.run_folder.trials import BASELINE_ID, count_endings, ranked, trial_id
from nas_rnn.strategies import Trial
from nas_rnn.tasks import Measures, Metric


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
    (a sentence) are None where it did not come to the final; where a complete search has none, ``no_final`` says why,
    and what to change. ``ablation`` has the rows of an ablation, the greatest loss first. ``front`` is there where the
    search had several objectives. ``dropped`` are candidates that were not trained, each with its reason.
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
    front: Front | None = None
    no_final: str | None = None
    dropped: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as ``--json`` prints them; a comparison's own stand among them."""
        values = {
            **self._measured(),
            **{
                key: value
                for key, value in vars(self).items()
                if key not in ("measures", "best", "comparison", "notices", "ablation", "front", "dropped")
            },
            **({"dropped": list(self.dropped)} if self.kind == "search" else {}),
            **({} if self.ablation is None else {"ablation": list(self.ablation)}),
            **({} if self.front is None else {"front": self.front.to_dict()}),
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


def search_result(
    folder: RunFolder,
    measures: Measures,
    status: str,
    comparison: Comparison | None,
    trials: list[Trial],
    notices: Iterable[str],
    dashboard: str,
    seconds: float,
) -> Result:
    """Return how a search ended, from what lies in its folder."""
    baseline = folder.store(BASELINE_ID).read_result()
    return Result(
        kind="search",
        name=folder.name,
        folder=str(folder.path),
        status=status,
        measures=measures,
        trials=count_endings(trials),
        best=_best_cell(folder, measures.monitor, trials, comparison),
        baseline=None if baseline is None else baseline.best_metric,
        comparison=comparison,
        verdict=None if comparison is None else sentence(comparison),
        notices=tuple(dict.fromkeys(notices)),
        seconds=seconds,
        dashboard=dashboard,
        front=stored_front(RunReader(folder), measures.monitor),
        no_final=RunReader(folder).no_final() or None,
        dropped=tuple(one.to_dict() for one in RunReader(folder).dropped()),
    )


def _best_cell(
    folder: RunFolder, monitor: Metric, trials: list[Trial], comparison: Comparison | None
) -> BestCell | None:
    """Return the comparison's contender, or else the trial with the best value of the ``monitor``."""
    found = ranked(trials, monitor)
    if comparison is not None:
        digest = comparison.contenders[0].standing.digest
        found = [trial for trial in found if trial.digest == digest]
    if not found:
        return None
    best = found[0]
    store = folder.store(trial_id(best.number))
    spec, result = store.read_spec(), store.read_result()
    cell = best.candidate.cell
    return BestCell(
        name=cell.name,
        digest=cell.digest,
        cell=cell.to_text(),
        equations=str(cell),
        hidden_size=spec.hidden_size if spec else 0,
        parameters=result.parameters if result else 0,
        trial=best.number,
        value=best.value,
    )
