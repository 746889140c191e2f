"""The rows of the page's tables, as texts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nas_rnn.cells import gate_bias, parse_cell
from nas_rnn.comparison import ContenderRow, LearningSpeed, Standing
from nas_rnn.comparison.sentences import decimals, percent, verdict_remark
from nas_rnn.comparison.speed_sentences import ratio_text, times
from nas_rnn.comparison.spreads import spread_text
from nas_rnn.comparison.suite import SuiteComparison
from nas_rnn.report.facts import Report, Run
from nas_rnn.report.figures import chance, duration, figure, gap, signed
from nas_rnn.run_folder.front import step_quartiles

SHAPES = {"better": "▲", "equivalent": "=", "worse": "▼", "undecided": "?", "baseline": "■"}
"""What stands beside each verdict, for those who do not see its colour."""


OF_CONTROL = "select-random-search-"
"""How the ids of those selection runs begin that belong to the random search beside the strategy."""


ENDED = {"stopped": "stopped early"}
"""Words for endings, where they are not their own."""


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column names its rows. ``words`` are the columns of words, the rest are figures."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ()
    chosen: frozenset[int] = frozenset()

    @property
    def of_chosen(self) -> Table:
        """The table of the chosen rows alone, without how they ended: they were chosen because they came to a score."""
        kept = [place for place, column in enumerate(self.columns) if column != "ended"]
        rows = tuple(tuple(self.rows[n][place] for place in kept) for n in sorted(self.chosen))
        return replace(
            self, columns=tuple(self.columns[place] for place in kept), rows=rows, chosen=frozenset()
        )


def results(report: Report) -> Table | None:
    """Return the comparison, the baseline first; columns that say nothing here are left out."""
    comparison = report.comparison
    if comparison is None:
        return None
    rows = [
        _result(report, comparison.baseline, None),
        *(_result(report, row.standing, row) for row in report.rows),
    ]
    same_tuning = len({row["tuned"] for row in rows}) == 1
    columns = [
        name for name in rows[0] if any(row[name] for row in rows) and not (name == "tuned" and same_tuning)
    ]
    return Table(
        tuple(columns),
        tuple(tuple(row[name] for name in columns) for row in rows),
        words=("cell", "verdict", "tuned"),
        chosen=frozenset({1}) if report.kind == "search" else frozenset(),
    )


def _result(report: Report, standing: Standing, row: ContenderRow | None) -> dict[str, str]:
    assert report.comparison is not None
    level = percent(report.comparison.level)
    shown = {"cell": report.changes.get(standing.name, standing.name)}
    if row is None:
        shown |= {"verdict": f"{SHAPES['baseline']}\N{NO-BREAK SPACE}baseline", "mean ± std": _mean(standing)}
        shown |= dict.fromkeys((f"difference [{level}]", "relative", "p", "p (equivalence)"), "")
    else:
        digits = decimals(report.comparison, row)
        low, high = row.ci95 or (None, None)
        interval = "" if row.ci95 is None else f" [{signed(low, digits)}, {signed(high, digits)}]"
        shown |= {
            "verdict": f"{SHAPES[row.verdict]}\N{NO-BREAK SPACE}{row.verdict}{verdict_remark(row)}",
            "mean ± std": _mean(standing),
            f"difference [{level}]": signed(row.difference, digits) + interval,
            "relative": gap(row.relative_difference),
            "p": chance(row.p_value if row.p_adjusted is None else row.p_adjusted),
            "p (equivalence)": chance(
                row.p_equivalence if row.p_equivalence_adjusted is None else row.p_equivalence_adjusted
            ),
        }
    size = "" if row is None else f" ({gap(standing.mismatch)})"
    return {
        **shown,
        "parameters": f"{standing.parameters:,}{size}",
        "tuned": "tuned" if standing.tuned else "untuned",
    }


def _mean(standing: Standing) -> str:
    if standing.diverged:
        return f"{standing.diverged} of {len(standing.seeds)} diverged"
    return f"{figure(standing.mean)}{spread_text(standing)}"


def suite(found: SuiteComparison) -> Table:
    """Return a row for every cell on every task, in the suite's order."""
    columns = (
        "task", "cell", "verdict", "metric", "baseline", "mean", "difference [95 %]", "margins", "p", "p (equivalence)"
    )  # fmt: skip
    rows = []
    for part, comparison in found.comparisons.items():
        for row in comparison.contenders:
            digits = decimals(comparison, row)
            low, high = row.ci95 or (None, None)
            interval = "" if row.ci95 is None else f" [{signed(low, digits)}, {signed(high, digits)}]"
            spread = f"{row.standing.diverged} of {len(row.standing.seeds)} diverged"
            rows.append(
                (
                    part,
                    row.standing.name,
                    f"{SHAPES[row.verdict]}\N{NO-BREAK SPACE}{row.verdict}{verdict_remark(row)}",
                    f"{comparison.metric}, {comparison.unit}",
                    figure(comparison.baseline.mean),
                    spread if row.standing.diverged else figure(row.standing.mean),
                    signed(row.difference, digits) + interval,
                    "" if row.in_margins is None else f"{row.in_margins.difference:+.2f}".replace("-", "−"),
                    chance(row.p_adjusted),
                    chance(row.p_equivalence_adjusted),
                )
            )
    return Table(columns, tuple(rows), words=("task", "cell", "verdict", "metric"))


def speed(report: Report) -> Table | None:
    """Return when each contender's validation came to the baseline's level; None where nobody knows."""
    if report.comparison is None:
        return None
    rows = [
        _speed(report, row.standing, row.learning_speed)
        for row in report.rows
        if row.learning_speed is not None
    ]
    if not rows:
        return None
    kept = [name for name in rows[0] if any(row[name] for row in rows)]
    return Table(
        tuple(kept), tuple(tuple(row[name] for name in kept) for row in rows), words=("cell", "why no ratio")
    )


def _speed(report: Report, standing: Standing, found: LearningSpeed) -> dict[str, str]:
    assert report.comparison is not None
    own, theirs = found.reached
    return {
        "cell": report.changes.get(standing.name, standing.name),
        "came to it": f"{own} of {len(found.targets)} seeds",
        f"{report.comparison.baseline.name} did": f"{theirs} of {len(found.targets)} seeds",
        f"times as many {report.comparison.counted} [95 %]": ratio_text(found),
        "times the seconds": "" if found.seconds_ratio is None else times(found.seconds_ratio),
        "why no ratio": found.reason,
    }


def selection(report: Report) -> Table | None:
    """Return how the best of the search did on fresh seeds; None where there was no selection."""
    of_cell: dict[str, list[Run]] = {}
    for run in report.of_role("selection"):
        if not run.spec.id.startswith(OF_CONTROL):
            of_cell.setdefault(run.spec.name, []).append(run)
    if not of_cell:
        return None
    searched = {draw.name: draw.value for draw in report.draws}
    chosen = {standing.name for standing in report.standings}
    rows, picked = [], set()
    sign = 1 if report.monitor.direction == "minimize" else -1
    means = {name: _mean_of(runs) for name, runs in of_cell.items()}
    for number, (name, mean) in enumerate(
        sorted(means.items(), key=lambda item: sign * item[1] if item[1] is not None else float("inf"))
    ):
        runs = of_cell[name]
        if name in chosen:
            picked.add(number)
        fresh = ", ".join(figure(run.result.best_metric) for run in runs)
        went = "for the final" if number in picked else ""
        rows.append((name, figure(searched.get(name)), fresh, figure(mean), went))
    columns = ("candidate", "in the search", "on fresh seeds", "mean", "chosen")
    return Table(columns, tuple(rows), words=("candidate", "chosen"), chosen=frozenset(picked))


def dropped(report: Report) -> Table | None:
    """Return the candidates that were dropped before training, and why; None where there are none."""
    rows = tuple((one.name, one.by, str(one.hidden_size), one.reason) for one in report.dropped)
    columns = ("candidate", "proposed by", "hidden size", "why")
    return Table(columns, rows, words=("candidate", "proposed by", "why")) if rows else None


def _mean_of(runs: list[Run]) -> float | None:
    values = [run.result.best_metric for run in runs if run.result.best_metric is not None]
    return sum(values) / len(values) if values else None


def tuning(report: Report) -> Table | None:
    """Return every tuning run, cell by cell, the best first; of the settings those that were varied."""
    runs = report.of_role("tuning")
    if not runs:
        return None
    settings = {run.spec.id: _settings(run) for run in runs}
    names = dict.fromkeys(name for given in settings.values() for name in given)
    varied = [name for name in names if len({given.get(name) for given in settings.values()}) > 1]
    sign = 1 if report.monitor.direction == "minimize" else -1
    cells = list(dict.fromkeys([*(s.name for s in report.standings), *(run.spec.name for run in runs)]))

    def order(run: Run) -> tuple[int, float]:
        value = run.result.best_metric
        return cells.index(run.spec.name), float("inf") if value is None else sign * value

    rows, best = [], set()
    ordered = sorted(runs, key=order)
    of_cells = [[run for run in runs if run.spec.name == name] for name in cells]
    chosen = [run for own in of_cells for run in report.tuned_to(own)]
    for number, run in enumerate(ordered):
        if run in chosen:
            best.add(number)
        ending = run.ending(report.settings.get("epochs"))
        values = (_option(settings[run.spec.id].get(name)) for name in varied)
        rows.append((run.spec.name, figure(run.result.best_metric), ENDED.get(ending, ending), *values))
    columns = ("cell", report.monitor.unit, "ended", *(name.replace("_", " ") for name in varied))
    return Table(columns, tuple(rows), words=("cell", "ended"), chosen=frozenset(best))


def _settings(run: Run) -> dict[str, object]:
    """Return what a run was trained with, and where the biases of its gates start."""
    return {**run.spec.training.to_dict(), "gate_bias": gate_bias(parse_cell(run.spec.cell))}


def _option(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def front(report: Report) -> Table | None:
    """Return the front of a search with several objectives, the best quality first; None where there is none.

    Below it stands the baseline, for scale.
    """
    if report.front is None or not report.front.best:
        return None
    compared = {standing.name for standing in report.standings}
    rows = [
        _on_front(member.name, member.quality, member.parameters, member.step_seconds)
        | {"": "in the final" if member.name in compared else ""}
        for member in report.front.best
    ]
    for run in report.of_role("baseline"):
        seconds = step_quartiles(run.result.epochs)
        own = _on_front(run.spec.name, run.result.best_metric, run.result.parameters, seconds)
        rows.append(own | {"": "baseline"})
    columns = ("candidate", "quality", "parameters", "ms a step", "")
    heads = ("candidate", report.monitor.unit, "parameters", "ms a step", "")
    return Table(
        heads, tuple(tuple(row[column] for column in columns) for row in rows), words=("candidate", "")
    )


def _on_front(
    name: str, quality: float | None, parameters: int, seconds: tuple[float, float, float] | None
) -> dict[str, str]:
    time = ""
    if seconds is not None:
        low, middle, high = (f"{1000 * each:.3g}" for each in seconds)
        time = f"{middle} ({low} to {high})"
    return {"candidate": name, "quality": figure(quality), "parameters": f"{parameters:,}", "ms a step": time}


def costs(report: Report) -> list[dict[str, str | float]]:
    """Return what each part cost, with its share of the whole, and the sum last."""
    total = sum(part.seconds for part in report.parts)
    rows: list[dict[str, str | float]] = [
        {
            "part": part.part,
            "runs": "" if part.runs is None else f"{part.runs:,}",
            "time": duration(part.seconds),
            "units": "" if part.units is None else f"{part.units:,}",
            "share": part.seconds / total if total else 0.0,
        }
        for part in report.parts
    ]
    if len(rows) > 1:
        runs = [part.runs for part in report.parts if part.runs is not None]
        units = [part.units for part in report.parts if part.units is not None]
        rows.append(
            {
                "part": "all",
                "runs": f"{sum(runs):,}" if len(runs) == len(report.parts) else "",
                "time": duration(total),
                "units": f"{sum(units):,}" if len(units) == len(report.parts) else "",
                "share": 1.0,
            }
        )
    return rows


def flow(report: Report) -> Table | None:
    """Return growth and memory horizon of every model and state path."""
    rows = []
    for title, flows in report.flows:
        for measured in flows:
            layers = len({path.layer for path in measured.paths})
            for path in measured.paths:
                name = path.path if layers == 1 else f"{path.path}, layer {path.layer + 1}"
                growth = "–" if path.growth is None else f"× {path.growth:.3g}"
                reach = f"beyond {measured.steps}" if path.horizon is None else str(path.horizon)
                rows.append((title.partition(":")[0], name, measured.weights, growth, reach))
    columns = ("model", "state path", "weights", "per step", "1 % at lag")
    return Table(columns, tuple(rows), words=columns[:3]) if rows else None
