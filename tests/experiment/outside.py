"""Studies whose runs have the values that a test gives them, and small real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nas_rnn.experiment.evaluate import OutsideStudy
from nas_rnn.training import EpochRecord, RunResult, RunSpec, RunStore
from tests.experiment_runs import write_text

TINY: dict[str, Any] = {"params": 2500, "batch": 8, "length": 16, "epochs": 2, "seed": 1, "most_seeds": 4}
"""Options of studies whose epochs take a fraction of a second."""

Values = Mapping[str, Sequence[float | None]]


def cell_text(name: str, extra: int = 0) -> str:
    """Return the text of a cell; each number of ``extra`` terms is another cell."""
    return f"@cell\ndef {name}(x, h):\n    return tanh(linear(x, h){' + x' * 0}){' + 0.5 * h' * extra}\n"


def result_of(spec: RunSpec, value: float | None, epochs: int = 2) -> RunResult:
    """Return a run that ended with ``value``, or diverged in its second epoch."""
    records = [
        EpochRecord(
            epoch=number,
            train_loss=2.0 / number,
            valid_loss=2.0 / number,
            metric=(value or 9.0) + 0.1 * (epochs - number),
            seconds=0.5,
            units_per_second=10.0,
            gradient_norm=1.0,
            clipped=0.0,
            targets=100,
        )
        for number in range(1, (epochs if value is not None else 1) + 1)
    ]
    return RunResult(
        id=spec.id,
        status="finished" if value is not None else "diverged",
        reason=None if value is not None else "loss became nan in epoch 2, step 3",
        epochs=records,
        best_epoch=len(records),
        best_metric=records[-1].metric,
        parameters=2500,
        test_statistics=None,
        seconds=0.5 * len(records),
        ended_because="budget" if value is not None else "diverged",
    )


@contextmanager
def simulated(values: Values) -> Iterator[list[str]]:
    """Have runs end with the ``values`` of their cell by seed; yields the runs that were trained, in order."""
    trained: list[str] = []

    def run(
        spec: RunSpec, data: object, folder: Path, *, should_stop: Callable[[], bool], **more: object
    ) -> RunResult | None:
        if should_stop():
            return None
        pair = int(spec.id.rpartition("-s")[2])
        trained.append(f"{spec.name} {pair}")
        result = result_of(spec, values[spec.name][pair])
        RunStore(folder / spec.id).write_result(result)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas_rnn.experiment.challenge.run_in_process", run)
        patch.setattr("nas_rnn.experiment.challenge.Runs._keep_flow", lambda runs, spec: None)
        yield trained


def open_study(place: Path, **options: Any) -> OutsideStudy:
    """Return a study in ``place`` on a small text."""
    text = place / "text.txt"
    if not text.exists():
        write_text(text)
    return OutsideStudy.open("s", runs=place / "runs", **{**TINY, "data": text, **options})
