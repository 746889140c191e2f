"""Feedback in sentences, for people and for language models: the same facts as its values."""

from __future__ import annotations

from collections.abc import Sequence

from nas_rnn.comparison.sentences import cell_name, four_digits, percent, signed
from nas_rnn.experiment.feedback import CurvePoint, Feedback, Gap, Problem, Reach, TrainingCost
from nas_rnn.training import RunResult

MOST_POINTS = 8
"""So many points of a curve are told, the first and the last among them."""

_CLAIMS = {
    "better": "{own} is better than {other}, and is the incumbent from here on",
    "equivalent": "{own} is equivalent to {other}: what lies between them is smaller than the margin",
    "worse": "{own} is worse than {other}",
    "behind": "{own} was given up against {other}",
    "undecided": "It is undecided whether {own} beats {other}, which therefore stays the incumbent",
}


def words_of(
    feedback: Feedback, first: RunResult | None, baseline: RunResult | None, reach: Reach | None
) -> tuple[str, ...]:
    """Return the sentences about a cell that was trained.

    ``first`` is its first run, ``baseline`` the first incumbent's on the same seed, whose gradient reaches as far as
    ``reach`` says.
    """
    own = f"`{feedback.name}`"
    against, lstm = feedback.against_incumbent, feedback.against_baseline
    told = [_claim(feedback, own)]
    if lstm is not None and (against is None or lstm.digest != against.digest):
        told.append(f"Against {cell_name(lstm.name)}, the first incumbent: {_figures(feedback, lstm)}.")
    if feedback.curve and first is not None:
        told.append(_curve(feedback, first, None if lstm is None else lstm.name, baseline))
    if feedback.gradient is not None:
        told.append(_gradient(feedback.gradient, reach, None if lstm is None else lstm.name))
    if feedback.cost is not None:
        told.append(_cost(feedback.cost, None if lstm is None else lstm.name))
    return tuple(told)


def problem_words(name: str, problem: Problem, *, read: bool = False) -> tuple[str, ...]:
    """Return the sentences about a cell that cannot be read, or was ``read`` and cannot be trained."""
    where = "" if problem.line is None else f"line {problem.line}"
    if problem.text:
        where += f", `{problem.text}`"
    what = "trained" if read else "read"
    told = f"{name} cannot be {what}: {f'{where}: ' if where else ''}{problem.rule.rstrip('.')}."
    hint = problem.hint.rstrip(".")
    asks = hint.startswith("did you mean")
    return told, f"{hint[:1].upper()}{hint[1:]}." if asks else f"What would work: {hint}."


def _claim(feedback: Feedback, own: str) -> str:
    gap = feedback.against_incumbent
    if feedback.verdict == "baseline":
        seeds = len(feedback.values)
        value = "" if feedback.value is None else f": {four_digits(feedback.value)} {feedback.unit}"
        return f"{own} is the first incumbent itself{value} on validation data, the mean of {seeds} seeds."
    if feedback.status == "unfinished":
        return f"{own} is not decided yet: {feedback.reason}; evaluate it again to go on."
    if feedback.status == "failed":
        return f"{own} could not be trained: {feedback.reason}."
    if feedback.diverged is not None and feedback.verdict == "worse":
        seed, after = feedback.diverged.seed, feedback.diverged.epochs
        when = f"after {after} epoch{'s' if after > 1 else ''}" if after else "in its first epoch"
        return f"{own} is worse than the incumbent: it diverged on seed {seed}, {when} ({feedback.diverged.reason})."
    if gap is None or feedback.verdict is None:
        return f"{own}: {feedback.reason}." if feedback.reason else f"{own} has no result."
    claim = _CLAIMS[feedback.verdict].format(own=own, other=_incumbent_name(feedback, gap))
    reason = f"; {feedback.reason}" if feedback.reason else ""
    return f"{claim}: {_figures(feedback, gap)}{reason}."


def _incumbent_name(feedback: Feedback, gap: Gap) -> str:
    first = feedback.against_baseline
    if first is not None and first.digest == gap.digest:
        return cell_name(gap.name)
    return f"the incumbent, {cell_name(gap.name)}"


def _figures(feedback: Feedback, gap: Gap) -> str:
    digits = 4 if feedback.value is None or abs(feedback.value) < 10 else 2
    value = gap.value + (gap.difference if feedback.direction == "minimize" else -gap.difference)
    seeds = f"{gap.seeds} seed" + ("s" if gap.seeds != 1 else "")
    told = (
        f"{four_digits(value)} against {four_digits(gap.value)} {feedback.unit} on validation data, {seeds}, "
        f"difference {signed(gap.difference, digits)}"
    )
    if gap.interval is not None and gap.level is not None:
        low, high = (signed(end, digits) for end in gap.interval)
        told += f" [{low}, {high}] ({percent(gap.level)}, over seeds)"
    return f"{told} (negative is better)" if feedback.direction == "maximize" else told


def _curve(feedback: Feedback, first: RunResult, name: str | None, baseline: RunResult | None) -> str:
    points = _some(feedback.curve)
    told = ", ".join(f"{four_digits(point.value)} after {point.epoch}" for point in points)
    line = f"Its first run on validation data, by epochs: {told}"
    last = feedback.curve[-1]
    if first.best_epoch is not None and first.best_epoch < last.epoch:
        line += f"; best after {first.best_epoch}"
    elif first.status == "finished" and not first.converged:
        line += "; still improving when it ended"
    if baseline is not None and name is not None and feedback.verdict != "baseline":
        values = {record.epoch: record.metric for record in baseline.epochs}
        beside = [f"{four_digits(values[p.epoch])} after {p.epoch}" for p in points if p.epoch in values]
        if beside:
            line += f"; {cell_name(name)}'s: {', '.join(beside)}"
    return f"{line}. Loss at the end: {last.train_loss:.3f} nats in training, {last.valid_loss:.3f} in validation."


def _some(curve: Sequence[CurvePoint]) -> list[CurvePoint]:
    """Return at most `MOST_POINTS` of a curve, evenly by number."""
    if len(curve) <= MOST_POINTS:
        return list(curve)
    places = [round(number * (len(curve) - 1) / (MOST_POINTS - 1)) for number in range(MOST_POINTS)]
    return [curve[place] for place in places]


def _gradient(reach: Reach, baseline: Reach | None, name: str | None) -> str:
    line = f"After training its gradient reaches back {_reached(reach)}"
    if baseline is not None and name is not None and baseline != reach:
        line += f"; {cell_name(name)}'s {_reached(baseline)}"
    return f"{line} (until 1 % of it is left, of {reach.steps} steps that were followed)."


def _reached(reach: Reach) -> str:
    several = len({(path.net, path.layer) for path in reach.paths}) > 1
    told = []
    for path in reach.paths:
        steps = f"over {reach.steps}" if path.horizon is None else str(path.horizon)
        where = f" of layer {path.layer + 1}{f' of {path.net}' if path.net else ''}" if several else ""
        factor = "" if path.growth is None else f", a factor of {path.growth:.3g} a step"
        told.append(f"{steps} steps through {path.path}{where}{factor}")
    return " and ".join(told)


def _cost(cost: TrainingCost, name: str | None) -> str:
    epochs = sorted(set(cost.epochs))
    span = f"{epochs[0]}" if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}" if epochs else "0"
    told = (
        f"Cost: {cost.parameters:,} parameters at hidden size {cost.hidden_size}; {len(cost.epochs)} "
        f"run{'s' if len(cost.epochs) != 1 else ''} of {span} epochs, {cost.seconds:.1f} s in all"
    )
    if cost.seconds_per_epoch is not None:
        told += f", {cost.seconds_per_epoch:.2g} s an epoch"
        if cost.baseline_seconds_per_epoch is not None and name is not None:
            told += f" ({cell_name(name)} takes {cost.baseline_seconds_per_epoch:.2g} s)"
    return f"{told}."
