"""Learning speed in plain words, which are none of the verdict's."""

from __future__ import annotations

from nas_rnn.comparison.result import Comparison, ContenderRow, LearningSpeed
from nas_rnn.comparison.sentences import baseline_name


def speed_lines(comparison: Comparison) -> list[str]:
    """Return a sentence for each contender whose learning speed is known, and one on all of them; none where none is.

    For example: "`gated` reaches the LSTM's plateau (2.04 bits per character on validation, margin included) after 0.71
    [0.60, 0.84] times as many characters (95 %, over 5 seeds), 0.90 times the seconds of training."
    """
    told = [speed_sentence(comparison, row) for row in comparison.contenders if row.learning_speed]
    return [*told, speed_remark(comparison)] if told else []


def speed_sentence(comparison: Comparison, row: ContenderRow) -> str:
    """Return one contender's sentence, "" where its learning speed is not known."""
    speed = row.learning_speed
    if speed is None:
        return ""
    subject, other = f"`{row.standing.name}`", baseline_name(comparison.baseline)
    if speed.ratio is None:
        own, theirs = speed.reached
        seeds = len(speed.targets)
        counts = f"in {own} of {seeds} seeds, {other} in {theirs} of {seeds}"
        return f"{subject} reached {_level(speed, other)} {counts} ({speed.reason})."
    text = f"{subject} reaches {_level(speed, other)} after {ratio_text(speed)} times as many {comparison.counted}"
    text += f" (95 %, over {len(speed.targets)} seeds)"
    if speed.seconds_ratio is not None:
        text += f", {times(speed.seconds_ratio)} times the seconds of training"
    return f"{text}."


def speed_remark(comparison: Comparison) -> str:
    """Say how learning speed was measured, and for what the cells were tuned."""
    tuned = comparison.baseline.tuned or any(row.standing.tuned for row in comparison.contenders)
    settings = "were tuned for the end of training, not for speed" if tuned else "were not tuned"
    timed = any(row.learning_speed and row.learning_speed.seconds_ratio for row in comparison.contenders)
    seconds = "; seconds are those of training steps, measured when nothing else ran" if timed else ""
    told = "How fast a cell learns is measured on validation data alone, and is no part of the verdict"
    return f"{told}; settings {settings}{seconds}."


def ratio_text(speed: LearningSpeed) -> str:
    """Return the ratio with its interval, "" where there is none: ``0.71 [0.60, 0.84]``."""
    if speed.ratio is None or speed.ci95 is None:
        return ""
    return f"{times(speed.ratio)} [{times(speed.ci95[0])}, {times(speed.ci95[1])}]"


def times(ratio: float) -> str:
    """Return a ratio with two digits or more."""
    return f"{ratio:.2f}" if 0.1 <= ratio < 100 else f"{ratio:.2g}" if ratio < 0.1 else f"{ratio:,.0f}"


def _level(speed: LearningSpeed, other: str) -> str:
    """Name the level: a plateau only where the baseline had stopped improving."""
    figures = f"({speed.level:.4g} {speed.unit} on validation, margin included)"
    if speed.within:
        return f"what {other} comes to {speed.within} {figures},"
    return f"{other}'s plateau {figures}"
