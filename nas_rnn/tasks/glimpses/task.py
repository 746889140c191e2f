"""Task `glimpses`: say what a picture shows after a series of looks at it, measured in per cent correct."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.errors import UserError
from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.classes import commonest
from nas_rnn.tasks.data import PARTS, Arrays, Batching, Part, TaskData, symbol_dtype
from nas_rnn.tasks.download import Download
from nas_rnn.tasks.glimpses.looks import ORDERS, looks
from nas_rnn.tasks.glimpses.places import (
    FEATURES,
    LOOKS,
    ORDERS_OF_PLACES,
    SPREAD,
    side_of_look,
)
from nas_rnn.tasks.glimpses.reading import Boxes, InOrder, Reading, Wandering
from nas_rnn.tasks.glimpses.showing import Example, describe
from nas_rnn.tasks.metric import Mean, Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.notices import unlearnable
from nas_rnn.tasks.options import option
from nas_rnn.tasks.picture_sets.downloads import DOWNLOADS
from nas_rnn.tasks.picture_sets.examples import examples, kept
from nas_rnn.tasks.picture_sets.sets import Pictures, embedded_digits, read_folder, split
from nas_rnn.tasks.pictures import moments
from nas_rnn.tasks.task import MakeRnn, PlainNet, Preview, PreviewOptions, Regularisation, Task

SHOWN_PLACES = 8
"""Pictures on which learned or random places are drawn."""

ACCURACY = Mean("accuracy", "% correct", "maximize", 0.5, "absolute", of="correct")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `glimpses`."""

    order: str = option(
        "rows",
        "how a picture is read; learned: where a policy looks next; random: anywhere",
        choices=(*ORDERS, *ORDERS_OF_PLACES),
    )
    patch: int = option(0, "rows or columns of a look, or a square's side; 0: what fits", low=0, high=4096)
    overlap: int = option(
        0,
        "pixels that neighbouring looks share, in a fixed order",
        low=0,
        high=4095,
        only={"order": tuple(ORDERS)},
    )
    looks: int = option(
        0,
        f"looks at a picture, learned or random; 0: {LOOKS}",
        low=0,
        high=1024,
        only={"order": ORDERS_OF_PLACES},
    )
    scales: int = option(
        1,
        "learned or random: squares of a look, each seeing twice as far with half the detail",
        low=1,
        high=8,
        only={"order": ORDERS_OF_PLACES},
    )
    size: int = option(0, "pictures are brought to size x size; 0: left as they are", low=0, high=1024)
    embedding: int = option(
        0,
        f"size of a linear embedding of a look, 0: none; learned or random: features of one, 0: {FEATURES}",
        low=0,
        high=65536,
    )
    answer: str = option(
        "last", "read after the last look, or from the mean over looks", choices=("last", "mean")
    )
    train: int = option(0, "pictures to train and validate on; 0: all there are", low=0, high=2**31)
    valid: float = option(0.125, "share of these that validates", low=0.001, high=0.5)


class Glimpses(Task):
    """Pictures of one size, each read look by look and named once at the end; by default handwritten digits.

    Sub-folders of pictures and the embedded digits are mixed so that the parts have the same share of every
    class; IDX files stay in their order. Four fifths train and validate, or as many as option ``train`` says,
    or all but the files' own test part; the last ``valid`` of them, an eighth, validate. Pixels are brought
    to mean 0 and deviation 1 by the training part's own.

    The training defaults suit the embedded digits: an LSTM of 20k parameters comes to 98.6 % of the test part (mean
    of three seeds), in 10 epochs at a rate of 0.01 to 97.7 %. For thousands of larger pictures twice the batch at
    half the rate was better: two layers of 128 trained on 7,000 of MNIST's came to 98.4 % in 10 epochs.

    The margin is half a percentage point, one picture in 200: less than seeds alone move one LSTM's test result
    on the embedded digits (by two points among three seeds), and more than an interval's width on some thousand
    test pictures, so that there it can be decided. It is absolute because a relative margin would mean the
    correct share, which hardly changes between 90 % and 99 %, while errors fall tenfold.

    With the order "learned" the net chooses where to look (`nas_rnn.tasks.glimpses.attention`); "random" gives the same
    net without the policy random places, which are drawn anew in every epoch and stay the same in evaluation.
    """

    name: ClassVar[str] = "glimpses"
    summary: ClassVar[str] = (
        "say what a picture shows after looks at it: rows, patches or where a policy says"
    )
    metrics: ClassVar[tuple[Metric, ...]] = (ACCURACY,)
    monitor: ClassVar[Metric] = ACCURACY
    unit: ClassVar[str] = "pictures"
    item: ClassVar[str] = "picture"
    Options: ClassVar[type] = Options
    input_axes: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({"pictures": ("batch",)})
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 16, "learning_rate": 0.006, "layers": 1}
    )
    downloads: ClassVar[tuple[Download, ...]] = DOWNLOADS

    def load(self, source: Path | None) -> TaskData:
        """Read a folder of IDX files or of one sub-folder per class, or scikit-learn's digits.

        Raises:
            UserError: when the folder cannot be used, the looks do not fit its pictures, or a library that
                reads them is missing.
        """
        size = int(self.options.size)
        pictures = embedded_digits(size) if source is None else read_folder(source, size)
        parts = split(pictures, int(self.options.train), float(self.options.valid))
        data = _parts(pictures, parts)
        meta = {
            **_meta(pictures, data["train"]["pictures"]),
            "examples": kept(data["valid"]["pictures"], data["valid"]["labels"]),
        }
        self._reading(meta)  # a patch that does not fit is said before anything is trained
        return TaskData(data, meta)

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> TaskModel:
        """Build a model of a `GlimpseModel`, or of an `AttentionModel` where the places are learned or random."""
        return self._reading(meta).model(make_rnn, len(meta["classes"]), regularisation.dropout)

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give looks (T, B, P) and labels (B,), or pictures (B, H, W), with places (T, B, 2) where they are random.

        The last batch may be smaller, and the length means nothing.
        """
        pixels, labels = data.part(part)["pictures"], data.part(part)["labels"]
        reading = self._reading(data.meta)
        order = np.arange(len(labels))
        seed: tuple[int, ...] = (PARTS.index(part),)
        if part == "train" and batching.seed is not None:
            seed = (batching.seed, batching.epoch)
            np.random.default_rng(seed).shuffle(order)
        inputs = reading.inputs(pixels, seed)
        for first in range(0, len(order), batching.batch):
            chosen = order[first : first + batching.batch]
            yield Batch(
                inputs=inputs(chosen),
                targets=torch.from_numpy(labels[chosen].astype(np.int64)),
                items=torch.from_numpy(chosen),
            )

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training pictures; the others alone say what is grey."""
        cut = data.with_fresh_test(begins, ends)
        mean, deviation = moments(cut.part("train")["pictures"])
        return TaskData(cut.parts, {**cut.meta, "mean": mean, "deviation": deviation})

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Name the classes that the training part lacks."""
        labels = {part: data.part(part)["labels"] for part in PARTS}
        return unlearnable(data.meta["classes"], labels, what="classes", items="pictures")

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return what always answering the commonest class comes to."""
        answer = commonest(data.part("train")["labels"])
        return {"commonest class": {"correct": (data.part("test")["labels"] == answer) * 100.0}}

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return a few validation pictures with the model's answer after each look, at most ``length``.

        The prompt names a class, of which they then are. The temperature divides the logits before they are shown as
        per cent. Files are ``confusion.png`` of the validation part, and ``looks.png``: the looks on one of its
        pictures, or on some where each has its own.

        Raises:
            UserError: for a class that is not known or of which no picture is kept, or a negative temperature
                or length.
        """
        meta = data.meta
        pixels, labels = examples(meta)
        shown = [Example(*both) for both in zip(pixels, labels, strict=True)]
        was_training = model.training
        model.eval()
        try:
            text = describe(
                lambda chosen: self._looked(model, meta, pixels, np.array(chosen))[0],
                shown,
                meta,
                seed=seed,
                options=options,
            )
            files = self._figures(model, data, seed) if options.files and "valid" in data.parts else {}
        finally:
            model.train(was_training)
        return Preview(text=text, files=files)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the net, and what turns pictures into its inputs."""
        return self._reading(meta).plain_net(list(meta["classes"]))

    def _figures(self, model: TaskModel, data: TaskData, seed: int) -> dict[str, bytes]:
        from nas_rnn.tasks.figures import confusion
        from nas_rnn.tasks.glimpses.figures import looks_on, places_on

        pixels = data.part("valid")["pictures"]
        labels, classes = data.part("valid")["labels"].astype(np.int64), data.meta["classes"]
        answers = self._answers(model, data)
        mixed = np.random.default_rng(seed).permutation(len(labels))
        _, boxes = self._looked(model, data.meta, pixels, mixed[:SHOWN_PLACES])
        order = str(self.options.order)
        if order in ORDERS_OF_PLACES:
            told = [(classes[labels[place]], classes[answers[place]]) for place in mixed[: len(boxes)]]
            drawn = places_on(pixels[mixed[: len(boxes)]], boxes, told, order)
        else:
            drawn = looks_on(pixels[mixed[0]], boxes[0], order)
        return {"confusion.png": confusion(labels, answers, classes, "pictures"), "looks.png": drawn}

    @torch.no_grad()
    def _answers(self, model: TaskModel, data: TaskData) -> NDArray[np.int64]:
        """Return what the model answers on the validation part, (N,)."""
        device = next(model.parameters()).device
        batches = (batch.to(device) for batch in self.batches(data, "valid", Batching(batch=256, length=1)))
        return np.concatenate([model(batch.inputs)[0].argmax(-1).cpu().numpy() for batch in batches])

    @torch.no_grad()
    def _looked(
        self, model: TaskModel, meta: Mapping[str, Any], pixels: NDArray[np.uint8], chosen: NDArray[np.int64]
    ) -> tuple[Tensor, list[Boxes]]:
        """Return what would be answered after each look at the chosen pictures, and where the looks are."""
        reading, device = self._reading(meta), next(model.parameters()).device
        inputs = reading.inputs(pixels, (PARTS.index("valid"),))(chosen)
        batch = Batch(inputs=inputs, targets=torch.from_numpy(chosen)).to(device)
        return reading.after_each_look(model, batch.inputs)

    def _reading(self, meta: Mapping[str, Any]) -> Reading:
        """Return how pictures are read.

        Raises:
            UserError: where the options do not fit the pictures.
        """
        own, height, width = self.options, meta["height"], meta["width"]
        scaled = {"mean": meta["mean"], "deviation": meta["deviation"], "over_looks": own.answer == "mean"}
        if own.order in ORDERS_OF_PLACES:
            return Wandering(
                learned=own.order == "learned",
                patch=side_of_look(height, width, own.patch, own.scales),
                scales=own.scales,
                looks=own.looks or LOOKS,
                features=own.embedding or FEATURES,
                spread=SPREAD,
                **scaled,
            )
        looks_TP = looks(height, width, order=own.order, patch=own.patch, overlap=own.overlap)
        return InOrder(looks_TP=looks_TP, width=width, embedding=own.embedding, **scaled)


def _parts(pictures: Pictures, parts: Mapping[Part, slice]) -> dict[Part, Arrays]:
    labels = pictures.labels.astype(symbol_dtype(len(pictures.classes)))
    return {
        part: {"pictures": pictures.pixels[places], "labels": labels[places]}
        for part, places in parts.items()
    }


def _meta(pictures: Pictures, train: NDArray[np.uint8]) -> dict[str, Any]:
    mean, deviation = moments(train)
    if deviation == 0.0:
        raise UserError(f"all training pictures of {pictures.source} are of one even grey; give others")
    return {
        "source": pictures.source,
        "height": train.shape[1],
        "width": train.shape[2],
        "classes": pictures.classes,
        "white": pictures.white,
        "mean": mean,
        "deviation": deviation,
    }
