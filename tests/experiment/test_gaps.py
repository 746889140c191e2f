"""The gap to the baseline: after as many targets while a run goes on, of both at their ends once both have finished."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nas_rnn.publishing.mlflow_sync import MlflowSync
from nas_rnn.run_folder.config import SearchConfig
from nas_rnn.run_folder.layout import RunFolder
from nas_rnn.run_folder.manifest import FORMAT
from nas_rnn.run_folder.trials import BASELINE_ID, Gap, gap_to_baseline
from nas_rnn.tasks import Mean
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tracking import RunView
from nas_rnn.training import EpochRecord, RunResult, RunSpec

BITS = Mean("bits_per_char", "bits", "minimize", 0.01, "relative", of="bits", per="characters")
CELL = "@cell\ndef one(x, h):\n    return tanh(linear(x, h))\n"


def curve(*values: float, targets: int = 100) -> list[EpochRecord]:
    more = {"train_loss": 1.0, "valid_loss": 1.0, "seconds": 1.0, "units_per_second": 1.0}
    return [
        EpochRecord(epoch=n, metric=value, gradient_norm=1.0, clipped=0.0, targets=targets, **more)
        for n, value in enumerate(values, start=1)
    ]


def result(epochs: Sequence[EpochRecord], status: Any = "finished", id: str = "t0000") -> RunResult:
    return RunResult(
        id=id,
        status=status,
        reason=None,
        epochs=list(epochs),
        best_epoch=1,
        best_metric=min(record.metric for record in epochs),
        parameters=10,
        test_statistics=None,
        seconds=1.0,
    )


BASELINE = curve(4.0, 3.0, 2.0, 2.5)
TWO = curve(3.0, 2.4)


@pytest.mark.parametrize(
    ("run", "ended", "baseline", "baseline_ended", "gap"),
    [
        (TWO, None, BASELINE, None, Gap(-0.2, False)),  # 2.4 against 3.0 after 200 targets
        (TWO, "finished", BASELINE, None, Gap(-0.2, False)),
        (TWO, None, BASELINE, "finished", Gap(-0.2, False)),
        (TWO, "stopped", BASELINE, "finished", Gap(-0.2, False)),
        (TWO, "finished", BASELINE, "finished", Gap(0.2, True)),  # 2.4 against 2.0, the best of all
        (
            curve(3.0, targets=200),
            "stopped",
            BASELINE,
            "finished",
            Gap(0.0, False),
        ),  # one epoch of as many as two
        (TWO, "finished", BASELINE[:1], None, None),  # not as far yet
        (TWO, "finished", BASELINE[:1], "diverged", None),  # and never will be
        (TWO, "stopped", BASELINE[:1], "finished", Gap(-0.4, False)),
        (curve(3.0, 2.4, targets=0), None, curve(4.0, 3.0, 2.0, targets=0), None, Gap(-0.2, False)),
        ([], None, BASELINE, "finished", None),
    ],
)
def test_the_gap(
    run: list[EpochRecord],
    ended: str | None,
    baseline: list[EpochRecord],
    baseline_ended: str | None,
    gap: Gap | None,
) -> None:
    results = [
        None if how is None else result(of, how) for of, how in ((run, ended), (baseline, baseline_ended))
    ]
    found = gap_to_baseline(BITS, run, results[0], baseline, results[1])
    assert found == (None if gap is None else (pytest.approx(gap.value), gap.at_end))


def test_mlflow_has_the_gap_at_the_end_once_the_baseline_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The candidate ends first; when the baseline has ended it is shown again, with what it comes to in the end."""
    folder = RunFolder.create(tmp_path, "mine", "mine")
    folder.write_json("search.json", {"id": "1", "kind": "search", "began_ms": 1, "format": FORMAT})
    shown: list[RunView] = []

    class Recorder:
        problems = notices = pending = ()

        def put(self, view: RunView) -> None:
            shown.append(view)

    def ends(id: str, role: Any, epochs: list[EpochRecord]) -> None:
        spec = RunSpec(
            id=id, role=role, name=id, cell=CELL, hidden_size=2, task="char-lm", seed=0, data_seed=0
        )
        store = folder.store(id)
        store.write_spec(spec)
        store.write_result(result(epochs, id=id))
        sync.run_changed(spec, result(epochs, id=id))
        sync._thread.submit(int).result()  # all before it is shown

    sync = MlflowSync(folder, CharLM(), SearchConfig())
    monkeypatch.setattr(sync, "_tracker", Recorder(), raising=False)
    sync.baseline_records = BASELINE[:2]
    ends("t0000", "candidate", curve(3.0, 2.4))
    assert [view.metrics.get("gap_to_lstm") for view in shown] == [-0.2]
    assert "better than the LSTM, after as much training" in shown[-1].note
    sync.baseline_records = BASELINE
    ends(BASELINE_ID, "baseline", BASELINE)
    assert [view.metrics.get("gap_to_lstm") for view in shown] == [-0.2, 0.0, 0.2]
    assert "worse than the LSTM, both trained to their end" in shown[-1].note
