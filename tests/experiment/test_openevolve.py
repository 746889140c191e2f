"""The adapter for OpenEvolve: scores, artifacts, and OpenEvolve's own evaluator where it is installed."""

from __future__ import annotations

import asyncio
import math
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

from nas_rnn.errors import UserError
from nas_rnn.experiment.feedback import Feedback, Gap
from nas_rnn.experiment.openevolve import evaluator, metrics_of, score_of
from tests.experiment.outside import TINY, cell_text, open_study, simulated

LSTM = [2.30, 2.32, 2.28, 2.30]
VALUES = {"lstm": LSTM, "good": [v - 0.2 for v in LSTM], "poor": [9.0], "wild": [None]}


def feedback(difference: float, verdict: str, leading: float | None = None) -> Feedback:
    """Return feedback on a cell that lies so far from the first incumbent, of 2.0, and from the one that leads."""
    gap = lambda value: Gap(name="x", digest="c1-0", value=2.0, seeds=4, difference=value, relative=value / 2)
    return Feedback(
        source="",
        status="measured",
        verdict=verdict,  # type: ignore[arg-type]
        values=(2.0,) * 4,
        against_baseline=gap(difference),
        against_incumbent=gap(difference if leading is None else leading),
    )


def test_scores_rise_with_quality_and_only_what_is_shown_to_be_better_leads() -> None:
    assert score_of(feedback(-0.2, "better")) == pytest.approx(math.exp(0.1))
    assert score_of(feedback(-0.2, "undecided")) == pytest.approx(1.0)
    assert score_of(feedback(-0.2, "undecided", leading=-0.1)) == pytest.approx(math.exp(0.05))
    assert score_of(feedback(0.4, "worse")) == pytest.approx(math.exp(-0.2))
    assert score_of(Feedback(source="", status="diverged", verdict="worse")) == 0.0
    assert score_of(Feedback(source="", status="measured", verdict="baseline")) == 1.0
    assert score_of(feedback(1e9, "behind")) > 0.0 and math.isfinite(score_of(feedback(-1e9, "better")))
    assert set(metrics_of(feedback(0.1, "worse"))) == {"combined_score", "seeds"}


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openevolve.evaluation_result", None)
    with pytest.raises(UserError, match="pip install openevolve"):
        evaluator("s")


def test_a_program_s_file_becomes_metrics_and_artifacts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass
    class EvaluationResult:
        metrics: dict[str, float]
        artifacts: dict[str, str]

    stand_in = types.ModuleType("openevolve.evaluation_result")
    stand_in.EvaluationResult = EvaluationResult  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "openevolve", types.ModuleType("openevolve"))
    monkeypatch.setitem(sys.modules, "openevolve.evaluation_result", stand_in)
    open_study(tmp_path)
    evaluate = evaluator("s", runs=tmp_path / "runs", **TINY)
    program = tmp_path / "program.cell"
    with simulated(VALUES):
        program.write_text(f"# EVOLVE-BLOCK-START\n{cell_text('good')}# EVOLVE-BLOCK-END\n")
        found = evaluate(str(program))
        assert found.metrics["combined_score"] > 1.0 and found.metrics["seeds"] == 4
        assert "better than the LSTM" in found.artifacts["feedback"]
        assert found.artifacts["incumbent"].startswith("@cell\ndef good")
        program.write_bytes(b"\xff\xfe no cell")
        assert evaluate(str(program)).metrics["combined_score"] == 0.0


def test_openevolve_s_own_evaluator_takes_it(tmp_path: Path) -> None:
    """Good, poor, diverging and unreadable cells, and one that was seen before; no language model takes part."""
    config = pytest.importorskip("openevolve.config")
    from openevolve.evaluator import Evaluator

    open_study(tmp_path)
    file = tmp_path / "evaluator.py"
    file.write_text(
        "from nas_rnn.experiment.openevolve import evaluator\n"
        f"evaluate = evaluator('s', runs={str(tmp_path / 'runs')!r})\n"
    )
    theirs = Evaluator(config.EvaluatorConfig(cascade_evaluation=False), str(file), suffix=".cell")
    texts = {
        "good": cell_text("good"),
        "poor": cell_text("poor", 1),
        "wild": cell_text("wild", 2),
        "unread": "import os\n",
        "again": cell_text("good"),
    }
    with simulated(VALUES) as trained:
        found = {name: asyncio.run(theirs.evaluate_program(text, name)) for name, text in texts.items()}
    scores = {name: metrics["combined_score"] for name, metrics in found.items()}
    assert scores["good"] > 1.0 > scores["poor"] > scores["wild"] == scores["unread"] == 0.0
    assert found["again"] == found["good"] and trained.count("good 0") == 1
    told = {name: theirs.get_pending_artifacts(name)["feedback"] for name in texts}
    assert "diverged on seed 1" in told["wild"] and "line 1" in told["unread"]
