"""Task `draw`: draw pictures one piece at a time, measured in bits per dimension."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.data import Batching, Part, TaskData, symbol_dtype
from nas_rnn.tasks.download import Download
from nas_rnn.tasks.draw import net
from nas_rnn.tasks.draw.floors import after_the_left, by_position
from nas_rnn.tasks.draw.model import Drawer
from nas_rnn.tasks.draw.net import DrawNet
from nas_rnn.tasks.draw.pieces import WAYS, Pieces, levels_of, pieces, quantised
from nas_rnn.tasks.draw.showing import show
from nas_rnn.tasks.metric import Mean, Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.options import option
from nas_rnn.tasks.picture_sets.downloads import DOWNLOADS
from nas_rnn.tasks.picture_sets.examples import kept
from nas_rnn.tasks.picture_sets.sets import WITHOUT_LABELS, embedded_digits, read_folder, split
from nas_rnn.tasks.task import MakeRnn, PlainNet, Preview, PreviewOptions, Regularisation, Task

BITS = Mean("bits_per_dim", "bits per dimension", "minimize", 0.01, "relative", of="bits", per="pixels")
EVALUATED = 1024
"""Pieces of a picture in a batch of an evaluated part: nothing is kept for gradients there. Of smaller pictures there
are more, up to so many pixels in the place of one."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `draw`."""

    by: str = option("pixel", "what is drawn at a time", choices=WAYS)
    side: int = option(
        0, "of a patch, in pixels; 0: what fits, 4 if it can", low=0, high=1024, only={"by": ("patch",)}
    )
    levels: int = option(
        0, "greys that pictures are brought to; 0: as many as they have up to 32, else 16", low=0, high=256
    )
    size: int = option(0, "pictures are brought to size x size; 0: left as they are", low=0, high=1024)
    place: int = option(16, "features of the row and column where a piece belongs", low=1, high=1024)
    train: int = option(0, "pictures to train and validate on; 0: all there are", low=0, high=2**31)
    valid: float = option(0.125, "share of these that validates", low=0.001, high=0.5)


class Draw(Task):
    """Pictures of one size, drawn from the top left, each piece from those before it; by default handwritten digits.

    What a model says of a picture is a probability, the product over its pixels, so models compare whatever a piece is:
    the metric is minus its logarithm to base 2 by the number of pixels. Of pictures with fewer levels than they came
    with it is that of the coarser pictures. The parts are those of the task `glimpses`; labels are not needed, and only
    name pictures in previews. Items are pictures.
    """

    name: ClassVar[str] = "draw"
    summary: ClassVar[str] = "draw pictures one pixel, row or patch at a time"
    metrics: ClassVar[tuple[Metric, ...]] = (BITS,)
    monitor: ClassVar[Metric] = BITS
    unit: ClassVar[str] = "pixels"
    item: ClassVar[str] = "picture"
    Options: ClassVar[type] = Options
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 16, "length": 256, "learning_rate": 0.01}
    )
    downloads: ClassVar[tuple[Download, ...]] = DOWNLOADS

    def load(self, source: Path | None) -> TaskData:
        """Read a folder of pictures, of classes' folders or of IDX files, or scikit-learn's digits.

        Raises:
            UserError: when the folder cannot be used, the pieces do not fit its pictures, or a library that reads them
                is missing.
        """
        own = self.options
        size = int(own.size)
        found = (
            embedded_digits(size, WITHOUT_LABELS)
            if source is None
            else read_folder(source, size, labelled=False)
        )
        parts = split(found, int(own.train), float(own.valid), labelled=False)
        own_greys = np.arange(found.white + 1)
        greys = own_greys if source is None else np.unique(found.pixels[parts["train"]])
        levels = levels_of(len(greys), found.white, int(own.levels))
        labels = found.labels.astype(symbol_dtype(len(found.classes)))
        data = {
            part: {"levels": quantised(found.pixels[places], greys, levels), "labels": labels[places]}
            for part, places in parts.items()
        }
        height, width = found.pixels.shape[1:]
        meta = {
            "source": found.source,
            "height": height,
            "width": width,
            "levels": levels,
            "classes": found.classes,
            "examples": kept(data["valid"]["levels"], data["valid"]["labels"]),
        }
        self._pieces(meta)  # what does not fit is said before anything is trained
        return TaskData(data, meta)

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> Drawer:
        """Build a `DrawNet` with its loss."""
        return Drawer(DrawNet(make_rnn, **self._sizes(meta), dropout=regularisation.dropout))

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give pieces before (T, B, P), their places (T, B, 2), and the pieces themselves, as inputs and as targets.

        Pictures of more than ``batching.length`` pieces (in evaluation `EVALUATED`) take several batches in a row;
        ``restarts`` stand on the first of them alone. Of pictures with fewer than `EVALUATED` pixels more than
        ``batching.batch`` are evaluated at once. In the training part pictures are shuffled by seed and epoch.
        """
        own, levels_NHW = self._pieces(data.meta), data.part(part)["levels"]
        order, steps = np.arange(len(levels_NHW)), EVALUATED
        width = batching.batch * max(1, EVALUATED // own.pixels_TP.size)
        if part == "train":
            steps, width = batching.length, batching.batch
            if batching.seed is not None:
                np.random.default_rng((batching.seed, batching.epoch)).shuffle(order)
        places_T12 = torch.from_numpy(own.places_T2)[:, None]
        for first in range(0, len(order), width):
            chosen = order[first : first + width]
            pieces_TBP = torch.from_numpy(own.cut(levels_NHW[chosen]).astype(np.int64))
            nothing_1BP = torch.full_like(pieces_TBP[:1], data.meta["levels"])
            before_TBP = torch.cat([nothing_1BP, pieces_TBP[:-1]])
            for begins in range(0, len(pieces_TBP), steps):
                now = slice(begins, begins + steps)
                pieces_tBP = pieces_TBP[now]
                restarts_tB = torch.zeros(pieces_tBP.shape[:2], dtype=torch.bool)
                restarts_tB[0] = True
                yield Batch(
                    inputs={
                        "before": before_TBP[now],
                        "place": places_T12[now].expand(-1, len(chosen), 2),
                        "piece": pieces_tBP,
                    },
                    targets=pieces_tBP,
                    items=torch.from_numpy(chosen),
                    restarts=None if begins else restarts_tB,
                )

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training pictures."""
        return data.with_fresh_test(begins, ends)

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return what histograms come to: of each position, and after the level of the pixel to the left."""
        train, test = data.part("train")["levels"], data.part("test")["levels"]
        levels = data.meta["levels"]
        return {
            "histogram of each position": by_position(train, test, levels),
            "after the pixel to the left": after_the_left(train, test, levels),
        }

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return pictures that the model draws, and how it goes on from the first halves of validation pictures.

        At most ``length`` of each stand in the text. The prompt names a class, of which the completed ones then are.
        The temperature divides the logits. Files are ``samples.png`` and ``completed.png``.

        Raises:
            UserError: for a class that is not known or of which no picture is kept, or a negative temperature or
                length.
        """
        assert isinstance(model, Drawer)
        was_training = model.training
        model.eval()
        try:
            return show(model.net, self._pieces(data.meta), data.meta, seed=seed, options=options)
        finally:
            model.train(was_training)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the `DrawNet`, and what starts a picture."""
        return PlainNet(
            modules=(net,),
            name="DrawNet",
            arguments=self._sizes(meta),
            constants={"LEVELS": meta["levels"], "PIXELS": self._pieces(meta).pixels_TP.ravel().tolist()},
            usage='inputs = {"before": before, "place": place, "piece": piece}  # before is LEVELS at the first piece',
        )

    def _sizes(self, meta: Mapping[str, Any]) -> dict[str, int]:
        own = self._pieces(meta)
        return {
            "pixels": own.pixels_TP.shape[1],
            "levels": meta["levels"],
            "rows": own.rows,
            "columns": own.columns,
            "features": int(self.options.place),
        }

    def _pieces(self, meta: Mapping[str, Any]) -> Pieces:
        return pieces(meta["height"], meta["width"], self.options.by, int(self.options.side))
