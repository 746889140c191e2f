"""What is known of a run, as far as the checklist of good practice asks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from nas_rnn import __version__
from nas_rnn.comparison.checklist import Facts, OnTest
from nas_rnn.comparison.spreads import random_text
from nas_rnn.errors import NasRnnError
from nas_rnn.run_folder.holdout import read_before
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.reader import ABLATION, RunReader
from nas_rnn.training.options import TUNED

if TYPE_CHECKING:
    from nas_rnn.report import Draw, Report


RANDOM_SEARCH = "random search"
"""How it begins what the control is that the best of a random search is."""


def run_facts(report: Report, folder: RunFolder) -> Facts:
    """Return what the checklist asks of the run in ``folder``, whose ``report`` has the rest already."""
    contenders = () if report.comparison is None else report.comparison.contenders
    asked = [*report.standings[:1], *(row.standing for row in contenders)]
    used = [run for run in report.runs if run.spec.role != "control"]
    return Facts(
        kind=report.kind,
        name=report.name,
        task=report.task,
        own_data=report.settings.get("data") is not None,
        version=__version__,
        own_plugins=_own_plugins(report.plugins),
        space=report.settings.get("space"),
        strategy=report.strategy,
        seed=report.settings.get("seed", 0),
        candidates=len(report.draws),
        trained=sum(draw.ending != "reused" for draw in report.draws),
        control=len(report.control),
        found=_against_random(report),
        typical=_median_gap(report, report.draws if report.strategy == "random" else report.control),
        ablations=_ablations_of(folder),
        final_seeds=len(asked[0].seeds) if asked else 0,
        match=report.settings.get("match", "params"),
        mismatch=max((abs(standing.mismatch) for standing in asked), default=0.0),
        read_before=read_before(folder),
        tuned=tuple(standing.tuned for standing in asked),
        tuning=tuple(report.tuning_runs().values()),
        options=_options(report.settings),
        parts=tuple((part.part, part.runs or 0, part.seconds) for part in report.parts),
        hosts=_hosts(folder, [run.spec.id for run in used]),
        backends=tuple(sorted({run.result.backend for run in used if run.result.backend})),
        environment=", ".join(f"{name} {value}" for name, value in report.environment.items()),
        complete=report.comparison is not None,
        until_end=bool(asked) and all(standing.converged and all(standing.converged) for standing in asked),
    )


def _against_random(report: Report) -> OnTest:
    """Return how the cell that was found and the controls did against the baseline on the test part."""
    if report.comparison is None or not report.comparison.contenders:
        return OnTest()
    cells = [row for row in report.comparison.controls if row.standing.several_cells]
    search = [row for row in report.comparison.controls if row.standing.control.startswith(RANDOM_SEARCH)]
    lost = [f"{row.standing.diverged} of {len(row.standing.seeds)}" for row in cells if row.standing.diverged]
    return OnTest(
        winner=report.comparison.contenders[0].relative_difference,
        random_search=search[0].relative_difference if search else None,
        random_cells="".join(random_text(report.comparison, row.standing) for row in cells[:1]),
        random_diverged="".join(lost[:1]),
    )


def _median_gap(report: Report, draws: Sequence[Draw]) -> float | None:
    """Return the median gap of random candidates; those that were stopped early count with the value they had."""
    gaps = [gap for draw in draws if (gap := report.gap(draw.value)) is not None]
    return median(gaps) if gaps else None


def _own_plugins(found: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return the plugins that do not come with nas_rnn."""
    package = Path(__file__).resolve().parents[1]
    ours = {package / "search_spaces", package.parent / "search_spaces"}
    origins = {name: identity.get("origin", "") for name, identity in found.items()}
    return tuple(
        name
        for name, origin in origins.items()
        if not origin.startswith("nas_rnn ") and Path(origin).parent not in ours
    )


def _ablations_of(folder: RunFolder) -> tuple[str, ...]:
    """Return the finished ablations of this search's cell that lie beside it."""
    found = []
    for path in sorted(folder.runs.glob(f"*/{ABLATION}")):
        other = RunFolder(folder.runs, path.parent.name)
        with contextlib.suppress(NasRnnError):  # somebody's damaged folder is no reason to fail
            reader = RunReader(other)
            if reader.settings().get("baseline") == folder.name and reader.answer():
                found.append(other.name)
    return tuple(found)


def _options(settings: Mapping[str, Any]) -> str:
    """Return the training options that tuning would have chosen."""
    return ", ".join(f"{name.replace('_', ' ')} {settings[name]:g}" for name in TUNED if name in settings)


def _hosts(folder: RunFolder, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the machines on which the runs were trained."""
    places = [place for id in ids for place in folder.store(id).read_workers()]
    return tuple(sorted({str(place["host"]) for place in places if place.get("host")}))
