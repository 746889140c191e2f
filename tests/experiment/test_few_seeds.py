"""One or two seeds: what they cannot say is told at the beginning, and it is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nas_rnn
from nas_rnn.comparison import few_seeds, paired_interval
from nas_rnn.experiment.session import Session
from tests.experiment_runs import write_text


@pytest.mark.parametrize("call", [nas_rnn.search, lambda **options: nas_rnn.compare("gru", **options)])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"seeds": 1}, "1 seed per cell"),
        ({"seeds": 2}, "2 seeds per cell"),
        ({"seeds": "auto", "most_seeds": 2}, "2 seeds per cell"),
        ({"seeds": 3}, None),
        ({"seeds": "auto"}, None),
    ],
)
def test_it_is_told_once_at_the_start(
    call: Any, options: dict[str, Any], told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "conduct", lambda *_, **__: ("interrupted", None))  # nothing is trained
    result = call(**options, data=write_text(tmp_path / "text.txt"), runs=tmp_path / "runs")
    found = [notice for notice in result.notices if "per cell" in notice]
    assert [notice.partition(":")[0] for notice in found] == ([] if told is None else [told])
    assert all("give --seeds 5 (the default) or --seeds auto" in notice for notice in found)


def test_what_it_says_is_what_intervals_do() -> None:
    """One seed covers the items alone; two give several times the width of three and five."""
    assert "covers the test items alone" in few_seeds(1) and "intervals are wide" in few_seeds(2)
    rng = np.random.default_rng(0)
    widths: dict[int, list[float]] = {seeds: [] for seeds in (1, 2, 3, 5)}
    for _ in range(200):
        seeds_SN = rng.normal(size=(5, 1)) + 0.1 * rng.normal(size=(5, 100))
        for seeds, found in widths.items():
            interval = paired_interval(seeds_SN[:seeds], np.zeros((seeds, 100)), np.ones(100), item="block")
            assert interval.ci95 is not None
            assert interval.covers == ("test blocks only" if seeds == 1 else "seeds and test blocks")
            found.append(interval.ci95[1] - interval.ci95[0])
    one, two, three, five = (float(np.median(found)) for found in widths.values())
    assert one < five / 10, "what it leaves out"
    assert two > 2 * three > 2 * five
