"""A study as the evaluator of OpenEvolve (the package ``openevolve``), which has a language model write cells.

OpenEvolve calls ``evaluate(program_path)`` of a Python file. With this module such a file is

    from nas_rnn.experiment.openevolve import evaluator

    evaluate = evaluator("mine", params=30_000, epochs=20)

and a program is the text of a cell, in a file that ends in ``.cell``. Cells are parsed, never executed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Unpack

from nas_rnn.errors import UserError
from nas_rnn.experiment.evaluate import OutsideStudy
from nas_rnn.experiment.feedback import Feedback
from nas_rnn.experiment.keywords import EvaluateOptions


def evaluator(
    study: str,
    *,
    runs: str | Path = "runs",
    seconds: float | str | None = None,
    **options: Unpack[EvaluateOptions],
) -> Callable[[str], Any]:
    """Return a function for OpenEvolve: from the path of a cell's file to its ``EvaluationResult``.

    ``study`` and ``options`` are those of `OutsideStudy.open`, ``seconds`` of `OutsideStudy.evaluate`. Of a result
    `metrics_of` are the metrics; the artifacts are feedback in words, and the text of the incumbent.

    Raises UserError where the package ``openevolve`` is not installed.
    """
    try:
        from openevolve.evaluation_result import EvaluationResult
    except ImportError:
        raise UserError("the package openevolve is not installed; pip install openevolve") from None

    @cache
    def opened() -> OutsideStudy:
        return OutsideStudy.open(study, runs=runs, **options)

    def evaluate(program_path: str) -> Any:
        text = Path(program_path).read_bytes().decode("utf-8", errors="replace")
        found = opened().evaluate(text, source="the program", seconds=seconds)
        artifacts = {"feedback": "\n".join(found.words), "incumbent": opened().incumbent.to_text()}
        return EvaluationResult(metrics=metrics_of(found), artifacts=artifacts)

    return evaluate


def metrics_of(feedback: Feedback) -> dict[str, float]:
    """Return feedback as numbers, of which OpenEvolve maximises ``combined_score``.

    The score is exp(-gap), gap being the relative one to the first incumbent: 1 for that itself, more for what is
    better, 0 for what cannot be read or trained, or diverges. A cell that looks better than the incumbent and was not
    shown to be has the incumbent's: so a lucky run does not lead there, either.
    """
    found = {"combined_score": score_of(feedback), "seeds": float(len(feedback.values))}
    if feedback.value is not None:
        found["value"] = feedback.value
    if feedback.cost is not None:
        found["parameters"] = float(feedback.cost.parameters)
        if feedback.cost.seconds_per_epoch is not None:
            found["seconds_per_epoch"] = feedback.cost.seconds_per_epoch
    return {name: value for name, value in found.items() if math.isfinite(value)}


def score_of(feedback: Feedback) -> float:
    """Return the score of `metrics_of`."""
    if feedback.verdict == "baseline":
        return 1.0
    first, leading = feedback.against_baseline, feedback.against_incumbent
    if feedback.status != "measured" or first is None:
        return 0.0
    difference = first.difference
    if feedback.verdict != "better" and leading is not None:
        difference -= min(0.0, leading.difference)
    return math.exp(-max(-50.0, min(700.0, difference / (abs(first.value) or 1.0))))
