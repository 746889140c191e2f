"""Task `forecast`: read a window of a time series and say how it goes on, measured by the mean absolute error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nas_rnn.errors import UserError, unknown
from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.columns import open_source
from nas_rnn.tasks.corpus import Rmse
from nas_rnn.tasks.data import EVALUATION, Arrays, Batching, Part, TaskData
from nas_rnn.tasks.download import Download
from nas_rnn.tasks.forecast import net, showing
from nas_rnn.tasks.forecast.embedded import FILL, TARGET, laguardia
from nas_rnn.tasks.forecast.ett import ETT
from nas_rnn.tasks.forecast.floors import forecasts, naive_error, seasonal_naive, statistics
from nas_rnn.tasks.forecast.model import Forecaster
from nas_rnn.tasks.forecast.net import ForecastNet, RecursiveNet
from nas_rnn.tasks.forecast.notices import told_of
from nas_rnn.tasks.forecast.options import Options, cycles_of, moments, parts_of, season_of, window_of
from nas_rnn.tasks.forecast.regular import Series, regular
from nas_rnn.tasks.forecast.table import Reading, listed, read_table
from nas_rnn.tasks.forecast.windows import (
    Rows,
    Shape,
    batches,
    clock_of,
    evaluated,
    inputs_at,
    scale,
    training_rows,
)
from nas_rnn.tasks.metric import Mean, Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.notices import SAID
from nas_rnn.tasks.options import picked, require_no_reading
from nas_rnn.tasks.task import MakeRnn, Measures, PlainNet, Preview, PreviewOptions, Regularisation, Task

MARGIN = 0.02
DEVIATIONS = "standard deviations"
EVALUATED: tuple[Part, ...] = ("valid", "test")


def measured_in(unit: str) -> Measures:
    """Return the metrics of errors in ``unit``: MAE decides."""
    mae = Mean("mae", unit, "minimize", MARGIN, "relative", of="absolute", per="count")
    mase = Mean(
        "mase", "errors of the seasonal naive", "minimize", MARGIN, "relative", of="scaled", per="count"
    )
    return Measures((mae, Rmse("rmse", unit, "minimize", MARGIN, "relative", instead="mae"), mase), mae)


class Forecast(Task):
    """The next steps of a series with one or several variables; by default a year of hourly weather.

    The parts follow one another in time: the last fifth of the rows tests, a tenth before it validates (options
    ``test`` and ``valid``, shares or numbers of rows). Variables are brought to mean 0 and deviation 1 by the training
    part's known values alone. Training windows begin at random places of the training part. The windows of the other
    parts follow one another, so that every value is forecast once, from what came before: rows of earlier parts too,
    and of the same part, whose truth is known when the next window begins. Items are blocks of two windows.

    The mean absolute error decides: in the target's own units, or of several targets in deviations of the training
    part, as is usual on ETT (Zhou et al. 2021, Informer). RMSE and MASE (Hyndman & Koehler 2006) stand beside it.

    The margin is two per cent of the baseline's error: about as much as two seeds of one LSTM lay apart on ETTh1
    (docs/tasks/forecast.md).
    """

    name: ClassVar[str] = "forecast"
    summary: ClassVar[str] = "say how a time series goes on, one or many steps ahead"
    metrics: ClassVar[tuple[Metric, ...]] = measured_in(DEVIATIONS).metrics
    monitor: ClassVar[Metric] = metrics[0]
    unit: ClassVar[str] = "values"
    item: ClassVar[str] = "block"
    Options: ClassVar[type] = Options
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 32, "learning_rate": 0.005, "layers": 1}
    )
    downloads: ClassVar[tuple[Download, ...]] = ETT

    def measures(self, meta: Mapping[str, Any]) -> Measures:
        """Return the metrics in the target's own units, or in deviations."""
        if meta["standardised"]:
            return measured_in(DEVIATIONS)
        names = [meta["variables"][place] for place in meta["targets"]]
        return measured_in(f"units of {', '.join(names)}"[:80])

    def load(self, source: Path | None) -> TaskData:
        """Read a CSV or parquet file, or the embedded weather of LaGuardia airport.

        Raises:
            UserError: for a file, an option or a series that cannot be used; the message says what would work.
        """
        own: Options = self.options
        if source is None:
            require_no_reading(own, ("time", "time_format", "columns", "separator", "decimal", "encoding"))
            table = laguardia(own.rows)
        else:
            reading = picked(Reading, own)
            table = read_table(open_source(source, reading), reading)
        series = regular(table, FILL if source is None and own.fill == "none" else own.fill)
        targets = self._targets(series, TARGET if source is None else "all")
        places = parts_of(len(series.times), own, series.source)
        parts: dict[Part, Arrays] = {
            part: {"values": series.values[rows], "known": series.known[rows], "times": series.times[rows]}
            for part, rows in places.items()
        }
        train = places["train"].stop
        season = season_of(series.clock, own, train)
        meta: dict[str, Any] = {
            "source": series.source,
            "variables": series.names,
            "targets": targets,
            "standardised": own.standardised == "yes" or (own.standardised == "auto" and len(targets) > 1),
            "step": series.clock.step,
            "months": series.clock.months,
            "dated": series.clock.dated,
            "season": season,
            "window": window_of(season, own, train, series.source),
            "calendar": cycles_of(series.clock, own, train),
        }
        data = _scaled(TaskData(parts, meta))
        shape = self._shape(meta)
        for part in EVALUATED:
            if not len(evaluated(data, part, shape).starts):  # a window before the first may not fit
                raise UserError(
                    f"no window fits the {part} part of {series.source}; use a shorter window or horizon"
                )
        _require_targets(data, shape)
        training_rows(data, shape, EVALUATION)
        examples = showing.kept_examples(evaluated(data, "valid", shape), shape)
        return TaskData(parts, {**data.meta, "examples": examples})

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> Forecaster:
        """Build a `ForecastNet`, or a `RecursiveNet` where ``decoding`` says so, with its loss."""
        made: nn.Module = self._class()(make_rnn, **self._sizes(meta), dropout=regularisation.dropout)
        places = meta["targets"] if self._recursive else ()
        return Forecaster(made, places, _units(meta), meta["naive"])

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give windows (T, B, V + C) and what follows them; ``length`` means nothing, option ``window`` says T."""
        shape = self._shape(data.meta)
        rows = training_rows(data, shape, batching) if part == "train" else evaluated(data, part, shape)
        return batches(rows, shape, data.meta, batching)

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training rows; the others alone give mean and deviation.

        The validation part then reads its own first rows before its first window: those before it are not known.

        Raises:
            UserError: for a validation part that is too short for that.
        """
        cut = data.with_fresh_test(begins, ends)
        fresh = _scaled(TaskData(cut.parts, {**cut.meta, "test_follows": "train"}))
        shape = self._shape(fresh.meta)
        if not len(evaluated(fresh, "valid", shape).starts):
            raise UserError(
                f"the validation part has {len(data.part('valid')['times']):,} rows, and with a fresh test part right "
                f"before it {shape.before} of them are read before its first horizon of {shape.horizon}; set a larger "
                "part (option valid), or a shorter window or horizon"
            )
        _require_targets(fresh, shape)
        return fresh

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Tell of filled values, values beyond all that was trained on, few items, and a season that is none."""
        shape = self._shape(data.meta)
        return told_of(data, shape, str(self.options.fill), len(evaluated(data, "test", shape).starts))

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return the last value, a line through the window's ends, and with a season the last and the mean one."""
        shape, meta = self._shape(data.meta), data.meta
        rows = evaluated(data, "test", shape)
        deviation = scale(meta, shape.targets)[1]
        said = forecasts(rows, shape, meta, data.part("train"))
        return {
            name: statistics(said_SBK, rows, shape, _units(meta), meta["naive"], deviation)
            for name, said_SBK in said.items()
        }

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return forecasts over what came in a few validation windows, at most ``length``.

        The prompt names a target. Files are ``forecast.png``, the same as a picture, and of loaded data ``steps.png``,
        the validation part's error at every step ahead.

        Raises:
            UserError: for a target that is not known, or a negative length.
        """
        assert isinstance(model, Forecaster)
        meta, shape = data.meta, self._shape(data.meta)
        names = [meta["variables"][place] for place in shape.targets]
        if options.prompt and options.prompt not in names:
            raise unknown("target", options.prompt, names)
        if options.length < 0:
            raise UserError(f"the length of a preview must be at least 0; got {options.length!r}")
        target = names.index(options.prompt) if options.prompt else 0
        rows = showing.example_rows(meta, shape)
        if not len(rows.starts) or not options.length:
            return Preview()
        said_SEK = self._said(model, rows, meta)
        found = showing.examples_of(rows, shape, meta, said_SEK, target)[: options.length]
        naive = showing.naive_name(shape)
        files = self._figures(model, data, found, target, naive) if options.files else {}
        return Preview(text=showing.table(found, meta, naive), files=files)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the net, and what brings a series to its units and back."""
        more = (
            f" then calendar, and {self.options.horizon} rows of calendar below"
            if self._recursive
            else ", then calendar"
        )
        return PlainNet(
            modules=(net,),
            name=self._class().__name__,
            arguments=self._sizes(meta),
            constants={
                "VARIABLES": list(meta["variables"]),
                "TARGETS": list(meta["targets"]),
                "MEAN": list(meta["mean"]),
                "DEVIATION": list(meta["deviation"]),
                "CALENDAR": list(meta["calendar"]),
            },
            usage=f"window = standardised(values, MEAN, DEVIATION)  # (T, B, V){more}",
        )

    @property
    def _recursive(self) -> bool:
        return bool(self.options.decoding == "recursive")

    def _class(self) -> type[ForecastNet] | type[RecursiveNet]:
        return RecursiveNet if self._recursive else ForecastNet

    def _sizes(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        sizes = {
            "variables": len(meta["variables"]),
            "calendar": 2 * len(meta["calendar"]),
            "horizon": int(self.options.horizon),
            "anchored": self.options.anchor == "last",
        }
        return sizes if self._recursive else {**sizes, "targets": list(meta["targets"])}

    def _shape(self, meta: Mapping[str, Any]) -> Shape:
        return Shape(
            window=meta["window"],
            horizon=int(self.options.horizon),
            season=meta["season"],
            targets=tuple(meta["targets"]),
            calendar=tuple(meta["calendar"]),
            ahead=self._recursive,
        )

    def _targets(self, series: Series, default: str) -> list[int]:
        """Return the places of the columns to forecast."""
        wanted, names = self.options.target or default, series.names
        if wanted in ("all", "last") and wanted not in names:
            return list(range(len(names))) if wanted == "all" else [len(names) - 1]
        found = list[int]()
        for name in listed(wanted, names):
            if name not in names:
                raise unknown(f"target of {series.source}:", name, [*names, "all", "last"])
            found.append(names.index(name))
        return list(dict.fromkeys(found))

    @torch.no_grad()
    def _said(self, model: Forecaster, rows: Rows, meta: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return forecasts in the targets' own units, (S, B, K)."""
        shape = self._shape(meta)
        was_training = model.training
        model.eval()
        device = next(model.parameters()).device
        mean, deviation = scale(meta, shape.targets)
        said = [
            model.said(inputs_at(rows, shape, meta, starts_B).to(device)).double().cpu().numpy()
            for starts_B in np.array_split(rows.starts, -(-len(rows.starts) // 256))
        ]
        model.train(was_training)
        return np.asarray(np.concatenate(said, axis=1) * deviation + mean)

    def _figures(
        self, model: Forecaster, data: TaskData, examples: list[showing.Example], target: int, naive: str
    ) -> dict[str, bytes]:
        from nas_rnn.tasks.forecast.figures import by_step, over_truth

        clock, shape = clock_of(data.meta), self._shape(data.meta)
        files = {"forecast.png": over_truth(examples, clock, naive)}
        if "valid" in data.parts and "train" in data.parts:
            rows = evaluated(data, "valid", shape)
            truth_SBK, known_SBK = rows.ahead(shape, rows.starts)
            last_SBK = np.broadcast_to(rows.values[rows.starts - 1][:, list(shape.targets)], truth_SBK.shape)
            said = {
                "model": self._said(model, rows, data.meta),
                naive: seasonal_naive(rows, shape),
                "last value": last_SBK,
            }
            errors = {
                name: _mean_error(said_SBK[..., target] - truth_SBK[..., target], known_SBK[..., target])
                for name, said_SBK in said.items()
            }
            files["steps.png"] = by_step(errors, examples[0].target, clock)
        return files


def _mean_error(error_SB: NDArray[np.float64], known_SB: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(np.where(known_SB, np.abs(error_SB), 0.0).sum(1) / np.maximum(known_SB.sum(1), 1))


def _units(meta: Mapping[str, Any]) -> list[float]:
    """Return what one deviation of each target is in the metric's units, (K,)."""
    return [1.0 if meta["standardised"] else meta["deviation"][place] for place in meta["targets"]]


def _require_targets(data: TaskData, shape: Shape) -> None:
    """Raise `UserError` for an evaluated part in which nothing that is forecast is known."""
    for part in EVALUATED:
        rows = evaluated(data, part, shape)
        if not rows.ahead(shape, rows.starts)[1].any():
            names = ", ".join(ascii(data.meta["variables"][place]) for place in shape.targets)
            raise UserError(
                f"the {SAID[part]} part of {data.meta['source']} has no known value of {names[:80]}, so no forecast "
                "can be scored; give a series that has some there, or name other columns (option target)"
            )


def _scaled(data: TaskData) -> TaskData:
    """Return the data with what their meta has of the training part: moments, and what MASE divides by.

    Raises:
        UserError: for a variable without a known value there, or a target that never changes.
    """
    train, meta = data.part("train"), data.meta
    # What is never known there would be filled from the future.
    for place in np.flatnonzero(~train["known"].any(axis=0)).tolist():
        raise UserError(
            f"column {meta['variables'][place]!a} of {meta['source']} has no known value in the training part, its "
            f"first {len(train['known']):,} rows; leave the column out (option columns)"
        )
    mean, deviation = moments(train["values"], train["known"])
    naive = list[float]()
    for place in meta["targets"]:
        error = naive_error(train["values"][:, place], train["known"][:, place], meta["season"])
        if error == 0.0:
            raise UserError(
                f"column {meta['variables'][place]!a} of {meta['source']} never changes in the training part, so there "
                "is nothing to forecast; name other columns (option target)"
            )
        naive.append(error / deviation[place])
    return TaskData(data.parts, {**meta, "mean": mean, "deviation": deviation, "naive": naive})
