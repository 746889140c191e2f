"""Task `speech`: name what is said in a recording, or who says it; one label, or several in a row."""

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
from nas_rnn.tasks.corpus import MacroF1
from nas_rnn.tasks.data import EVALUATION, PARTS, Arrays, Batching, Part, TaskData
from nas_rnn.tasks.metric import Mean, Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.notices import unlearnable
from nas_rnn.tasks.options import option, option_fields, picked, require_no_reading
from nas_rnn.tasks.series import net
from nas_rnn.tasks.series.batching import series_batches
from nas_rnn.tasks.series.examples import examples, read
from nas_rnn.tasks.series.floors import class_floors
from nas_rnn.tasks.series.model import SeriesClassifier
from nas_rnn.tasks.series.net import SeriesModel
from nas_rnn.tasks.series.parts import scale
from nas_rnn.tasks.series.showing import describe
from nas_rnn.tasks.shares import Shares
from nas_rnn.tasks.speech import ctc
from nas_rnn.tasks.speech.features import Spectra
from nas_rnn.tasks.speech.floors import told_floors
from nas_rnn.tasks.speech.listing import Told
from nas_rnn.tasks.speech.loading import Wanted, load_speech
from nas_rnn.tasks.speech.model import Transcriber
from nas_rnn.tasks.speech.rows import InRows
from nas_rnn.tasks.speech.scores import ERRORS, WHOLE
from nas_rnn.tasks.speech.showing import describe_told, drawn, hearings
from nas_rnn.tasks.speech.transcripts import CUTS, transcript, transcript_batches
from nas_rnn.tasks.task import (
    LOSS,
    MakeRnn,
    Measures,
    PlainNet,
    Preview,
    PreviewOptions,
    Regularisation,
    Task,
)

ACCURACY = Mean("accuracy", "% correct", "maximize", 0.5, "absolute", of="correct")
F1 = MacroF1("macro F1", "%", "maximize", 0.5, "absolute", instead="accuracy")

TARGETS = ("class", "row", "transcript")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `speech`."""

    target: str = option(
        "class",
        "what is told: one label a recording, those of several put in a row, or a transcript's",
        choices=TARGETS,
    )
    pattern: str = option(
        "", "what file names mean, such as {label}_{speaker}_{take}, or {speaker}/{label}/*"
    )
    speakers: bool = option(False, "whole speakers are drawn to a part, and intervals resample them")
    test_where: str = option("", "a field and its values that are the test part, such as take=0-4")
    valid_where: str = option("", "the same of the validation part")
    features: str = option("log-mel", "what a frame is told by", choices=("log-mel", "mfcc"))
    bands: int = option(40, "mel bands", low=3, high=256)  # Kaldi has no fewer
    cepstra: int = option(
        13, "cepstra of a frame, of features=mfcc", low=2, high=256, only={"features": ("mfcc",)}
    )
    hop: float = option(10.0, "milliseconds from frame to frame", low=1.0, high=1000.0)
    window: float = option(25.0, "milliseconds that a frame looks at", low=10.0, high=4000.0)
    rate: int = option(
        0, "samples a second that all recordings are brought to; 0: that of most", low=0, high=384_000
    )
    row: int = option(4, "most recordings of a row, of target=row", low=2, high=20, only={"target": ("row",)})
    passes: int = option(
        4,
        "rows that a training recording stands in each epoch",
        low=1,
        high=100,
        only={"target": ("row",)},
    )
    by: str = option(
        "word", "what a label of a transcript is", choices=CUTS, only={"target": ("transcript",)}
    )
    beam: int = option(
        1,
        "beginnings of a final run's beam search; 1: greedy",
        low=1,
        high=100,
        only={"target": ("row", "transcript")},
    )
    answer: str = option(
        "auto",
        "one label is read after the last frame, or from the mean over frames; auto: the mean, of sound files",
        choices=("auto", "last", "mean"),
        only={"target": ("class",)},
    )
    bidirectional: bool = option(False, "recurrent layers read from both ends")
    embedding: int = option(0, "size of a linear embedding of a frame; 0: none", low=0, high=65536)
    test: float = option(
        0.2, "share that tests, where the data have no test part of their own", low=0.01, high=0.5
    )
    valid: float = option(0.2, "share of the other recordings that validates", low=0.01, high=0.5)


class Speech(Task):
    """Recordings in frames of features, each with one label, or with several that are told in order (CTC).

    By default the Japanese vowels of Kudo, Toyama and Shimbo (1999), cepstra that come with sktime: which of nine men
    says two vowels. With ``target=row`` 2 to 4 of them are put in a row, and the speakers are to be told in order: rows
    are made within a part, so that no recording stands in two. Recordings of one's own are sound files, whose features
    are computed once, when they are loaded.

    Margins are half a point of the accuracy, or of the label error rate. The loss steers what comes before a final
    run, as in `classify`: nothing is decoded before its end.
    """

    name: ClassVar[str] = "speech"
    summary: ClassVar[str] = "name what is said in a recording, or by whom: one label, or several in a row"
    metrics: ClassVar[tuple[Metric, ...]] = (ACCURACY, F1)
    monitor: ClassVar[Metric] = LOSS
    unit: ClassVar[str] = "labels"
    item: ClassVar[str] = "recording"
    Options: ClassVar[type] = Options
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 16, "learning_rate": 0.006, "layers": 1, "dropout": 0.3}
    )

    def measures(self, meta: Mapping[str, Any]) -> Measures:
        """Return accuracy and macro F1 of one label, or the label error rate and exact matches of several."""
        return Measures((ERRORS, WHOLE) if self._several else self.metrics, self.monitor)

    def load(self, source: Path | None) -> TaskData:
        """Read a folder of sound files, a table that lists them, or the embedded cepstra.

        Raises:
            UserError: when the data cannot be used; the message names the file.
        """
        own = self.options
        if source is None:
            require_no_reading(own, (*option_fields(Told), *option_fields(Spectra), "rate"))
        return load_speech(
            source,
            told=picked(Told, own),
            spectra=picked(Spectra, own),
            rate=int(own.rate),
            wanted=picked(Wanted, own),
            in_rows=self._in_rows,
            shares=Shares.of(own, self.name),
        )

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> TaskModel:
        """Build a `SeriesModel` as the options say, with a blank and an answer after each frame for several labels."""
        model = SeriesModel(make_rnn, **self._sizes(meta), dropout=regularisation.dropout)
        return Transcriber(model, int(self.options.beam)) if self._several else SeriesClassifier(model)

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give scaled features (T, B, V) and labels (B,) or (L, B); the length of ``batching`` means nothing."""
        if self.options.target == "row":
            return self._in_rows.batches(data, part, batching)
        if self.options.target == "transcript":
            return transcript_batches(data, part, batching)
        return series_batches(data, part, batching)

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training recordings; the others alone say how features are scaled."""
        cut = data.with_fresh_test(begins, ends)
        return TaskData(cut.parts, {**cut.meta, **scale(cut.part("train"))})

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Say which labels the training part lacks, and what was found while the data were read."""
        labels = {part: self._labels(data.part(part)) for part in PARTS if part in data.parts}
        unknown = unlearnable(data.meta["classes"], labels, what="labels", items="labels")
        return (*unknown, *data.meta["notices"])

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return `class_floors` of one label, `told_floors` of several."""
        if not self._several:
            return class_floors(data.part("train"), data.part("test"), len(data.meta["classes"]))
        return told_floors(self._said(data, "train"), self._said(data, "test"))

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return a few validation recordings with what the model tells as it hears them, at most ``length``.

        The prompt names a label, with which they then are. The temperature divides the logits before they are shown as
        per cent, of one label. Files are ``recordings.png``, features above the shares of labels, and ``confusion.png``
        of the validation part.

        Raises:
            UserError: for a label that is not known or with which no recording is kept, or a negative temperature or
                length.
        """
        was_training = model.training
        model.eval()
        try:
            if isinstance(model, Transcriber):
                text = describe_told(model, data.meta, seed=seed, options=options)
            else:
                assert isinstance(model, SeriesClassifier)
                text = describe(
                    model.net,
                    data.meta,
                    seed=seed,
                    options=options,
                    item="recording",
                    drawn=drawn(data.meta["variables"]),
                )
            return Preview(
                text=text, files=self._figures(model, data) if options.files and "valid" in data.parts else {}
            )
        finally:
            model.train(was_training)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the `SeriesModel`, what scales features for it, and for several labels what they are told by."""
        return PlainNet(
            modules=(net, ctc) if self._several else (net,),
            name="SeriesModel",
            arguments=self._sizes(meta),
            constants={
                "CLASSES": list(meta["classes"]),
                "VARIABLES": list(meta["variables"]),
                "MEAN": list(meta["mean"]),
                "DEVIATION": list(meta["deviation"]),
                **({"BLANK": len(meta["classes"])} if self._several else {}),
            },
            usage="inputs = scaled(features, MEAN, DEVIATION)  # features (T, B, variables)",
        )

    @property
    def _several(self) -> bool:
        return bool(self.options.target != "class")

    @property
    def _in_rows(self) -> InRows:
        return InRows(int(self.options.row), int(self.options.passes))

    def _sizes(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "variables": len(meta["variables"]),
            "classes": len(meta["classes"]) + self._several,
            "embedding": int(self.options.embedding),
            "mean": self.options.answer == "mean" or (self.options.answer == "auto" and meta["sound"]),
            "bidirectional": bool(self.options.bidirectional),
            "each": self._several,
        }

    def _labels(self, arrays: Arrays) -> NDArray[Any]:
        """Return all labels of a part, in one row."""
        if self.options.target != "transcript":
            return arrays["labels"]
        return np.concatenate([transcript(arrays, place) for place in range(len(arrays["counts"]))])

    def _said(self, data: TaskData, part: Part) -> list[list[int]]:
        """Return the labels of each item of a part, in the order of evaluation."""
        arrays = data.part(part)
        if self.options.target == "transcript":
            return [transcript(arrays, place).tolist() for place in range(len(arrays["counts"]))]
        return [arrays["labels"][row].tolist() for row in self._in_rows.rows(arrays, part)]

    def _figures(self, model: TaskModel, data: TaskData) -> dict[str, bytes]:
        from nas_rnn.tasks.figures import confusion
        from nas_rnn.tasks.series.figures import series_read, typical
        from nas_rnn.tasks.speech.figures import look, told_confusion, told_rows

        meta, heard = data.meta, self._heard(model, data)
        if isinstance(model, Transcriber):
            files = {"confusion.png": told_confusion(heard, self._said(data, "valid"), meta["classes"])}
            known = hearings(model, meta)
            return {**files, "recordings.png": told_rows(known, meta)} if known else files
        assert isinstance(model, SeriesClassifier)
        labels_N = data.part("valid")["labels"].astype(np.int64)
        answers_N = np.array([one for (one,) in heard], dtype=np.int64)
        files = {"confusion.png": confusion(labels_N, answers_N, meta["classes"], "recordings")}
        readings = [read(model.net, example, meta) for example in examples(meta)]
        if not readings:
            return files
        return {**files, "recordings.png": series_read(typical(readings), meta, look(meta["variables"]))}

    @torch.no_grad()
    def _heard(self, model: TaskModel, data: TaskData) -> list[list[int]]:
        """Return what the model tells of each recording of the validation part."""
        device, found = next(model.parameters()).device, list[list[int]]()
        for batch in self.batches(data, "valid", EVALUATION):
            own = batch.to(device)
            assert isinstance(own.inputs, torch.Tensor)
            if isinstance(model, Transcriber):
                assert isinstance(own.lengths, Mapping)
                log_TBK = model.log_probabilities(own.inputs, own.lengths["inputs"])
                found += model.decode(log_TBK, own.lengths["inputs"])
            else:
                assert isinstance(model, SeriesClassifier)
                found += model.net(own.inputs, None, own.lengths)[0].argmax(-1)[:, None].tolist()
        return found
