"""Task `glimpses`: say what a picture shows after a series of looks at it, measured in per cent correct."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from nas_rnn.errors import UserError
from nas_rnn.tasks.base import Metric, Option, Part, Task, TaskData, symbol_dtype
from nas_rnn.tasks.glimpses.looks import ORDERS, looks
from nas_rnn.tasks.glimpses.model import GlimpseModel, plain_source
from nas_rnn.tasks.glimpses.pictures import Pictures, embedded_digits, examples, read_folder, split
from nas_rnn.tasks.glimpses.showing import Example, describe
from nas_rnn.tasks.plain import filled, wrapped

MOST_EXAMPLES, MOST_EXAMPLE_BYTES = 24, 1 << 16
"""How many validation pictures stay with a saved model, so that it can show what it does without the data."""

PLAIN_LOOKS = """


    CLASSES = @classes@

    PIXELS = @pixels@


    def looks(pictures: Tensor) -> Tensor:
        \"""Return the looks (T, B, pixels) at grey pictures (B, @height@, @width@), 0 to @white@ as in training.\"""
        seen = pictures.flatten(1)[:, list(PIXELS)].unflatten(1, (@looks@, -1)).transpose(0, 1)
        return (seen.to(torch.get_default_dtype()) - @mean@) / @deviation@
    """


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
    """

    name: ClassVar[str] = "glimpses"
    summary: ClassVar[str] = "say what a picture shows after looking at it row by row or patch by patch"
    metric: ClassVar[Metric] = Metric("accuracy", "% correct", "maximize", 0.5, "absolute")
    unit: ClassVar[str] = "pictures"
    item: ClassVar[str] = "picture"
    carries_state: ClassVar[bool] = False
    option_defaults: ClassVar[Mapping[str, Option]] = MappingProxyType(
        {
            "order": "rows",
            "patch": 0,
            "overlap": 0,
            "size": 0,
            "embedding": 0,
            "answer": "last",
            "train": 0,
            "valid": 0.125,
        }
    )
    option_ranges: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {
            "patch": (0, 4096),
            "overlap": (0, 4095),
            "size": (0, 1024),
            "embedding": (0, 65536),
            "train": (0, 2**31),
            "valid": (0.001, 0.5),
        }
    )
    option_choices: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"order": tuple(ORDERS), "answer": ("last", "mean")}
    )
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 16, "learning_rate": 0.006, "epochs": 20, "layers": 1}
    )

    def load(self, source: Path | None) -> TaskData:
        """Read a folder of IDX files or of one sub-folder per class, or scikit-learn's digits.

        Raises:
            UserError: when the folder cannot be used, the looks do not fit its pictures, or a library that
                reads them is missing.
        """
        size = int(self.options["size"])
        pictures = embedded_digits(size) if source is None else read_folder(source, size)
        parts = split(pictures, int(self.options["train"]), float(self.options["valid"]))
        arrays = _arrays(pictures, parts)
        meta = {**_meta(pictures, arrays["train.pictures"]), "examples": _examples(arrays)}
        self._looks(meta)  # a patch that does not fit is said before anything is trained
        return TaskData(arrays=arrays, meta=meta)

    def model(
        self, meta: Mapping[str, Any], make_rnn: Callable[[int], nn.Module], *, dropout: float
    ) -> nn.Module:
        """Build a `GlimpseModel`; option ``embedding`` is the size of a linear embedding of a look, 0 for none."""
        return GlimpseModel(
            self._looks(meta).shape[1],
            len(meta["classes"]),
            make_rnn,
            embedding=int(self.options["embedding"]),
            mean=self.options["answer"] == "mean",
            dropout=dropout,
        )

    def batches(
        self, data: TaskData, part: Part, *, batch: int, length: int, seed: int | None, epoch: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Give (looks (T, B, P), labels (B,)); the last batch may be smaller, and ``length`` means nothing."""
        pixels, labels = data.arrays[f"{part}.pictures"], data.arrays[f"{part}.labels"]
        looks_TP = self._looks(data.meta)
        order = np.arange(len(labels))
        if part == "train" and seed is not None:
            np.random.default_rng((seed, epoch)).shuffle(order)
        for first in range(0, len(order), batch):
            chosen = order[first : first + batch]
            targets = torch.from_numpy(labels[chosen].astype(np.int64))
            yield as_looks(pixels[chosen], looks_TP, data.meta), targets

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy in nats of logits (B, C) at labels (B,)."""
        return F.cross_entropy(outputs, targets)

    def item_scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return 100 for every picture that is named correctly and 0 for others, each of weight 1."""
        return (outputs.argmax(-1) == targets) * 100.0, torch.ones_like(targets, dtype=outputs.dtype)

    def preview(
        self,
        model: nn.Module,
        meta: Mapping[str, Any],
        *,
        seed: int,
        length: int,
        prompt: str,
        temperature: float,
    ) -> str:
        """Return a few validation pictures with the model's answer after each look, at most ``length``.

        ``prompt`` names a class, of which they then are. ``temperature`` divides the logits before they are
        shown as per cent.

        Raises:
            UserError: for a class that is not known or of which no picture is kept, or a negative temperature
                or length.
        """
        assert isinstance(model, GlimpseModel)
        kept = meta["examples"]
        shape = (-1, meta["height"], meta["width"])
        pixels = np.frombuffer(base64.b64decode(kept["pixels"]), dtype=np.uint8).reshape(shape)
        inputs = as_looks(pixels, self._looks(meta), meta)
        shown = [Example(*both) for both in zip(pixels, kept["labels"], strict=True)]
        return describe(
            model, inputs, shown, meta, seed=seed, length=length, prompt=prompt, temperature=temperature
        )

    def previews(self, model: nn.Module, data: TaskData, seed: int) -> dict[str, bytes]:
        """Return ``confusion.png`` of the validation part, and ``looks.png``: the looks on one of its pictures."""
        from nas_rnn.tasks.glimpses.figures import confusion, looks_on

        answers = self._answers(model, data)
        labels, classes = data.arrays["valid.labels"].astype(np.int64), data.meta["classes"]
        pixels = data.arrays["valid.pictures"]
        chosen = int(np.random.default_rng(seed).integers(len(labels)))
        return {
            "confusion.png": confusion(labels, answers, classes),
            "looks.png": looks_on(pixels[chosen], self._looks(data.meta), str(self.options["order"])),
        }

    def plain_model(self, meta: Mapping[str, Any]) -> str:
        """Return a `GlimpseModel` in plain torch, and what turns pictures into its looks."""
        looks_TP = self._looks(meta)
        model = plain_source(
            looks_TP.shape[1],
            len(meta["classes"]),
            embedding=int(self.options["embedding"]),
            mean=self.options["answer"] == "mean",
        )
        facts = {"classes": wrapped(meta["classes"]), "pixels": wrapped(looks_TP.ravel().tolist())}
        shape = {"looks": looks_TP.shape[0], "height": meta["height"], "width": meta["width"]}
        moments = {"mean": meta["mean"], "deviation": meta["deviation"], "white": meta["white"]}
        return model + filled(PLAIN_LOOKS, **facts, **shape, **moments)

    @torch.no_grad()
    def _answers(self, model: nn.Module, data: TaskData) -> NDArray[np.int64]:
        """Return what the model answers on the validation part, (N,)."""
        was_training = model.training
        model.eval()
        device = next(model.parameters()).device
        batches = self.batches(data, "valid", batch=256, length=1, seed=None)
        answers = [model(inputs.to(device), None)[0].argmax(-1).cpu().numpy() for inputs, _ in batches]
        model.train(was_training)
        return np.concatenate(answers)

    def _looks(self, meta: Mapping[str, Any]) -> NDArray[np.int64]:
        order, patch, overlap = (self.options[name] for name in ("order", "patch", "overlap"))
        return looks(meta["height"], meta["width"], order=str(order), patch=int(patch), overlap=int(overlap))


def as_looks(pixels: NDArray[np.uint8], looks_TP: NDArray[np.int64], meta: Mapping[str, Any]) -> Tensor:
    """Return pictures (B, H, W) as normalised looks (T, B, P)."""
    pixels_TBP = pixels.reshape(len(pixels), -1)[:, looks_TP].swapaxes(0, 1)
    looks_TBP = torch.from_numpy(np.ascontiguousarray(pixels_TBP)).to(torch.get_default_dtype())
    return looks_TBP.sub_(meta["mean"]).div_(meta["deviation"])


def _arrays(pictures: Pictures, parts: Mapping[str, slice]) -> dict[str, NDArray[Any]]:
    labels = pictures.labels.astype(symbol_dtype(len(pictures.classes)))
    arrays: dict[str, NDArray[Any]] = {}
    for part, places in parts.items():
        arrays |= {f"{part}.pictures": pictures.pixels[places], f"{part}.labels": labels[places]}
    return arrays


def _meta(pictures: Pictures, train: NDArray[np.uint8]) -> dict[str, Any]:
    mean, deviation = _moments(train)
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


def _moments(pixels: NDArray[np.uint8]) -> tuple[float, float]:
    """Return mean and standard deviation, without a copy in floats of what may be gigabytes."""
    counts, levels = np.zeros(256, dtype=np.int64), np.arange(256)
    for first in range(0, len(pixels), 1024):
        counts += np.bincount(pixels[first : first + 1024].ravel(), minlength=256)
    mean = float(counts @ levels / counts.sum())
    return mean, float(np.sqrt(counts @ (levels - mean) ** 2 / counts.sum()))


def _examples(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    pixels, labels = arrays["valid.pictures"], arrays["valid.labels"]
    most = max(1, min(MOST_EXAMPLES, MOST_EXAMPLE_BYTES // pixels[0].size))
    places = examples(labels, most)
    return {
        "pixels": base64.b64encode(pixels[places].tobytes()).decode(),
        "labels": labels[places].tolist(),
    }
