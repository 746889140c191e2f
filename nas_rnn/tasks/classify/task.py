"""Task `classify`: name the class of a time series or a sensor recording after reading it, in per cent correct."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.classify.csv_file import Naming
from nas_rnn.tasks.classify.loading import load_parts
from nas_rnn.tasks.corpus import MacroF1
from nas_rnn.tasks.data import PARTS, Batching, Part, TaskData
from nas_rnn.tasks.metric import Mean, Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.notices import unlearnable
from nas_rnn.tasks.options import option, option_fields, picked, require_no_reading, require_unset
from nas_rnn.tasks.series import net
from nas_rnn.tasks.series.batching import series_batches
from nas_rnn.tasks.series.bundled import NAMES
from nas_rnn.tasks.series.examples import examples, read
from nas_rnn.tasks.series.floors import class_floors
from nas_rnn.tasks.series.model import SeriesClassifier
from nas_rnn.tasks.series.net import SeriesModel
from nas_rnn.tasks.series.parts import scale
from nas_rnn.tasks.series.showing import describe
from nas_rnn.tasks.shares import Shares
from nas_rnn.tasks.task import LOSS, MakeRnn, PlainNet, Preview, PreviewOptions, Regularisation, Task

ACCURACY = Mean("accuracy", "% correct", "maximize", 0.5, "absolute", of="correct")
F1 = MacroF1("macro F1", "%", "maximize", 0.5, "absolute", instead="accuracy")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `classify`."""

    dataset: str = option(NAMES[0], "the embedded data set, where no data are given", choices=NAMES)
    layout: str = option(
        "auto", "of a .csv: a row a step, or a row a series", choices=("auto", "long", "wide")
    )
    series: str = option("", "column of a long .csv that says which rows are one series")
    time: str = option("", "column by which the rows of a series are ordered; without one, as they stand")
    label: str = option("", "column of the class; in a wide .csv without a header: first or last")
    group: str = option("", "column of whom a series belongs to, who stays in one part; none: no groups")
    variables: str = option("", "columns to read, with commas between; without any, all others")
    short_rows: bool = option(
        False, "rows of a wide .csv may end early: empty cells at their end are no steps"
    )
    pool: int = option(1, "steps that are averaged into one", low=1, high=1_000_000)
    answer: str = option(
        "last", "read after the last step, or from the mean over steps", choices=("last", "mean")
    )
    bidirectional: bool = option(False, "recurrent layers read from both ends")
    embedding: int = option(0, "size of a linear embedding of a step; 0: none", low=0, high=65536)
    test: float = option(
        0.2, "share that tests, where the data have no test part of their own", low=0.01, high=0.5
    )
    valid: float = option(0.2, "share of the other series that validates", low=0.01, high=0.5)


class Classify(Task):
    """Series of one or several variables, of equal or unequal length, each named once after its last step.

    By default the Japanese vowels of Kudo, Toyama and Shimbo (1999), which come with sktime: 640 times two vowels by
    nine men, whose voice is to be recognised; 270 to train and validate on, 370 to test on, as the authors cut them.
    Data with a test part of their own keep it. Otherwise the series are mixed so that all parts have the same share of
    every class, or, where they belong to groups, whole groups are drawn for a part. Every variable is brought to mean 0
    and deviation 1 by the training part's own.

    The loss steers what comes before a final run: sets of series are small; the accuracy of 54 that validate moves in
    steps of two points, or stands at 100 % while the test part's still rises.

    The margin is half a percentage point, as in `glimpses`, and absolute for the same reason: near 100 % a relative
    one would hardly change while errors fall tenfold.
    """

    name: ClassVar[str] = "classify"
    summary: ClassVar[str] = "name the class of a time series or sensor recording after reading it"
    metrics: ClassVar[tuple[Metric, ...]] = (ACCURACY, F1)
    monitor: ClassVar[Metric] = LOSS
    unit: ClassVar[str] = "series"
    item: ClassVar[str] = "series"
    Options: ClassVar[type] = Options
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 16, "learning_rate": 0.006, "layers": 1}
    )

    def load(self, source: Path | None) -> TaskData:
        """Read a .ts or .csv file, or two that belong together, or an embedded data set.

        Raises:
            UserError: when the data cannot be used; the message names the file and the line.
        """
        own = self.options
        if source is None:
            require_no_reading(own, option_fields(Naming))
        else:
            require_unset(
                own, ("dataset",), "is read where no data are given; leave it out, or the file (--data)"
            )
        return load_parts(
            source,
            dataset=own.dataset,
            naming=picked(Naming, own),
            pool=int(own.pool),
            shares=Shares.of(own, self.name),
        )

    def build(
        self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation
    ) -> SeriesClassifier:
        """Build a `SeriesModel` as the options say."""
        return SeriesClassifier(SeriesModel(make_rnn, **self._sizes(meta), dropout=regularisation.dropout))

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give scaled series (T, B, V), 0 behind their lengths (B,), and labels (B,).

        T is the longest of a batch; the last batch may be smaller, and the length of ``batching`` means nothing.
        """
        yield from series_batches(data, part, batching)

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training series; the others alone say how variables are scaled."""
        cut = data.with_fresh_test(begins, ends)
        return TaskData(cut.parts, {**cut.meta, **scale(cut.part("train"))})

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Say which classes the training part lacks, and what was found while the data were read."""
        labels = {part: data.part(part)["labels"] for part in PARTS if part in data.parts}
        unknown = unlearnable(data.meta["classes"], labels, what="classes", items="series")
        return (*unknown, *data.meta["notices"])

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return what always answering the commonest class comes to, and what comes of the variables' averages alone.

        The latter answers the class whose mean is nearest, of each variable's average over the steps, in deviations of
        such averages over the training part: it knows nothing of time.
        """
        return class_floors(data.part("train"), data.part("test"), len(data.meta["classes"]))

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return a few validation series with the model's answer after each step, at most ``length``.

        The prompt names a class, of which they then are. The temperature divides the logits before they are shown as
        per cent. Files are ``series.png``, a series of each class with the answers, and ``confusion.png`` of the
        validation part.

        Raises:
            UserError: for a class that is not known or of which no series is kept, or a negative temperature
                or length.
        """
        assert isinstance(model, SeriesClassifier)
        was_training = model.training
        model.eval()
        try:
            text = describe(model.net, data.meta, seed=seed, options=options)
            return Preview(
                text=text, files=self._figures(model, data) if options.files and "valid" in data.parts else {}
            )
        finally:
            model.train(was_training)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the `SeriesModel`, and what scales series for it."""
        return PlainNet(
            modules=(net,),
            name="SeriesModel",
            arguments=self._sizes(meta),
            constants={
                "CLASSES": list(meta["classes"]),
                "VARIABLES": list(meta["variables"]),
                "MEAN": list(meta["mean"]),
                "DEVIATION": list(meta["deviation"]),
            },
            usage="inputs = scaled(series, MEAN, DEVIATION)  # series (T, B, variables)",
        )

    def _sizes(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "variables": len(meta["variables"]),
            "classes": len(meta["classes"]),
            "embedding": int(self.options.embedding),
            "mean": self.options.answer == "mean",
            "bidirectional": bool(self.options.bidirectional),
        }

    def _figures(self, model: SeriesClassifier, data: TaskData) -> dict[str, bytes]:
        from nas_rnn.tasks.figures import confusion
        from nas_rnn.tasks.series.figures import series_read, typical

        answers, labels = self._answers(model, data), data.part("valid")["labels"].astype(np.int64)
        files = {"confusion.png": confusion(labels, answers, data.meta["classes"], "series")}
        readings = [read(model.net, example, data.meta) for example in examples(data.meta)]
        return {**files, "series.png": series_read(typical(readings), data.meta)} if readings else files

    @torch.no_grad()
    def _answers(self, model: SeriesClassifier, data: TaskData) -> NDArray[np.int64]:
        """Return what the model answers on the validation part, (N,)."""
        device = next(model.parameters()).device
        batches = (batch.to(device) for batch in self.batches(data, "valid", Batching(batch=256, length=1)))
        return np.concatenate(
            [model.net(batch.inputs, None, batch.lengths)[0].argmax(-1).cpu().numpy() for batch in batches]
        )
