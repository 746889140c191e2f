"""Task `caption`: a picture in, a sentence out that says what it shows, measured in perplexity, BLEU and CIDEr."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.caption import net
from nas_rnn.tasks.caption.batching import batches_of
from nas_rnn.tasks.caption.floors import floors_of
from nas_rnn.tasks.caption.glyphs import SIZE
from nas_rnn.tasks.caption.items import Items, divided, embedded, encoded, from_files, pixels_of, with_pixels
from nas_rnn.tasks.caption.model import Captioner, Writing
from nas_rnn.tasks.caption.net import CaptionNet
from nas_rnn.tasks.caption.scores import BLEU, CIDER, EXACT, NATS, PERPLEXITY, frequencies, require_scorers
from nas_rnn.tasks.caption.showing import examples_of, kept, show
from nas_rnn.tasks.caption.sources import Reading, find
from nas_rnn.tasks.data import PARTS, Arrays, Batching, Part, TaskData
from nas_rnn.tasks.metric import Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.notices import SAID, per_cent
from nas_rnn.tasks.options import option, require_no_reading, require_unset
from nas_rnn.tasks.pictures import moments
from nas_rnn.tasks.shares import Shares
from nas_rnn.tasks.task import MakeRnn, PlainNet, Preview, PreviewOptions, Regularisation, Task
from nas_rnn.tasks.vocabulary import CUTS, SPECIAL

SMALLEST = 4
"""Pixels of a side: below them no convolution reads a picture, and what is even in it is lost."""
FILE_SIZE = 64
"""Pixels of a side to which pictures of files are brought, if option ``size`` does not say."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `caption`."""

    size: int = option(
        0,
        "pictures are brought to size x size, at least 4; 0: what suits the data",
        low=0,
        high=512,
        only={"extractor": ("conv",)},
    )
    colour: bool = option(True, "whether pictures of files keep their colours", only={"extractor": ("conv",)})
    images: str = option("", "folder of pictures, by its path from the file of captions; empty: it is found")
    pictures: int = option(0, "pictures of files to train and validate on; 0: all", low=0, high=2**31)
    references: int = option(5, "most captions of a picture; more are left out", low=1, high=20)
    by: str = option("word", "what a token of a caption is", choices=tuple(CUTS))
    vocabulary: int = option(10_000, "most tokens known; others are <unk>", low=1, high=10**6)
    longest: int = option(40, "most tokens of a caption; longer ones are left out", low=1, high=1000)
    valid: float = option(0.1, "share of all pictures that validates", low=0.001, high=0.5)
    test: float = option(
        0.15, "share that tests, where the data have no part of their own", low=0.001, high=0.4
    )
    extractor: str = option("conv", "conv: an encoder that is trained along; or a classifier of torchvision")
    weights: str = option("", "file of the extractor's weights; empty: the published ones")
    channels: int = option(
        6, "of the encoder's first convolution", low=1, high=512, only={"extractor": ("conv",)}
    )
    features: int = option(
        16,
        "features of a picture beside each word, with fed=every",
        low=1,
        high=65536,
        only={"fed": ("every",)},
    )
    fed: str = option("every", "when the recurrent layers read the picture", choices=("first", "every"))
    embedding: int = option(16, "features of a word; 0: one-hot words", low=0, high=65536)
    beam: int = option(1, "hypotheses of a final run's beam search; 1: greedy", low=1, high=100)


class Caption(Task):
    """Pictures, each with one caption or several; a recurrent net reads the picture and writes word by word.

    By default the pictures are signs of a font, and the captions their names in Unicode ("latin small letter e with
    acute"): what is held out are signs that were never seen, of parts that were. Files are COCO's or Flickr8k's.

    Perplexity decides: that of a word of the references, their ends included, after the picture and the words before
    it. Nothing is decoded before a run has ended. Margins are one per cent of perplexity, and the same in nats.
    """

    name: ClassVar[str] = "caption"
    summary: ClassVar[str] = "say in words what a picture shows"
    metrics: ClassVar[tuple[Metric, ...]] = (PERPLEXITY, NATS, BLEU, CIDER, EXACT)
    monitor: ClassVar[Metric] = NATS
    unit: ClassVar[str] = "words"
    item: ClassVar[str] = "picture"
    Options: ClassVar[type] = Options
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 32, "learning_rate": 0.005, "layers": 1}
    )
    raw_meta: ClassVar[frozenset[str]] = frozenset({"tokens"})
    input_axes: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"pictures": ("pictures",), "owner": ("batch",)}
    )

    def load(self, source: Path | None) -> TaskData:
        """Draw the signs of a font, or read COCO's or Flickr8k's captions with their pictures.

        Raises:
            UserError: for files that cannot be used, shares that leave nothing to train on, and libraries that are
                missing.
        """
        own = self.options
        if 0 < own.size < SMALLEST:
            raise UserError(
                f"size={own.size} leaves too little of a picture to be told apart; use 0, or at least {SMALLEST}"
            )
        if own.extractor == "conv":
            require_unset(
                own,
                ("weights",),
                "names the weights of an extractor; set one (option extractor), or leave it out",
            )
        if own.valid + own.test > 0.8:
            raise UserError(
                f"valid={own.valid:g} and test={own.test:g} leave too little to train on; use less"
            )
        require_scorers()
        left_out: Mapping[str, int] = {}
        if source is None:
            if own.extractor != "conv":
                raise UserError(
                    f"extractor={own.extractor} is for pictures of your own; give some with --data"
                )
            require_no_reading(own, ("images", "colour", "pictures"))
            items = embedded(self._side(True), own.by, int(own.longest), int(own.references))
        else:
            reading = Reading(
                by=own.by, longest=int(own.longest), references=int(own.references), images=str(own.images)
            )
            found = find(source, reading)
            if found.test is not None:
                Shares.of(own, self.name).require_used({"test": str(source)})
            items, left_out = from_files(found, int(own.references), int(own.pictures)), found.left_out
            _require_two(items, source)
        parts = divided(
            items, float(own.valid), float(own.test), "the font" if source is None else str(source)
        )
        if source is not None and own.extractor == "conv":
            items = with_pixels(items, self._side(False), bool(own.colour))
        references, tokens, known = encoded(items, parts, int(own.vocabulary))
        pictures = self._features(items) if items.pixels is None else items.pixels
        arrays: dict[Part, Arrays] = {
            part: {"pictures": pictures[places], "references": references[part]}
            for part, places in parts.items()
        }
        meta: dict[str, Any] = {
            "made": source is None,
            "by": own.by,
            "tokens": tokens,
            "known": known,
            "shape": list(pictures.shape[1:]),
            "left_out": {name: count for name, count in left_out.items() if count},
            "longest": int(own.longest),
        }
        shown = [self._shown(items, int(place)) for place in parts["valid"][: kept(pictures)]]
        meta["examples"] = examples_of(arrays["valid"], shown)
        return self._completed(arrays, meta)

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> Captioner:
        """Build a `CaptionNet` for pictures and vocabulary of ``meta``."""
        writing = Writing(
            longest=math.ceil(1.25 * meta["most"]) + 1,
            beam=int(self.options.beam),
            symbols=len(SPECIAL) + len(meta["tokens"]),
        )
        return Captioner(CaptionNet(make_rnn, **self._sizes(meta), dropout=regularisation.dropout), writing)

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give pictures and captions (`nas_rnn.tasks.caption.batching`); the length of ``batching`` means nothing."""
        yield from batches_of(data.part(part), part, batching, data.meta)

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training pictures; the others alone say what is grey."""
        cut = data.with_fresh_test(begins, ends)
        return self._completed(dict(cut.parts), dict(cut.meta))

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Say what is left out, and which words cannot be known."""
        told = list[str]()
        ways = {
            "without_picture": "{} captions are left out, since there is no such picture",
            "without_caption": "{} pictures have no caption that can be used and are left out",
            "empty": "{} captions are left out, since there is no word in them",
            "long": f"{{}} captions are left out, since they have more than {data.meta['longest']} tokens "
            "(option longest)",
            "more": f"{{}} captions are left out, since a picture has no more than {self.options.references} "
            "(option references)",
        }
        told += [ways[name].format(f"{count:,}") for name, count in data.meta["left_out"].items()]
        for part in PARTS[1:]:
            symbols = data.part(part)["references"]
            outside = symbols >= len(SPECIAL) + data.meta["known"]
            if outside.any():
                share = outside.sum() / np.count_nonzero(symbols)
                told.append(
                    f"{per_cent(share)} of the words of the {SAID[part]} part's captions are unknown, in "
                    f"{outside.any(axis=(1, 2)).sum():,} of {len(symbols):,} pictures: they are never written, and in "
                    "perplexity all of them are one word"
                )
        return tuple(told)

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return what the most frequent caption and the words' frequencies come to, without a look at the pictures."""
        symbols = len(SPECIAL) + len(data.meta["tokens"])
        return floors_of(data.part("train"), data.part("test"), data.meta, symbols)

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return some validation pictures with what the model writes and the references, at most ``length``.

        The prompt is the path of a picture of your own. Files: ``captions.png``, the pictures with both. The
        temperature means nothing: what is written is what scores.

        Raises:
            UserError: for a prompt that is no picture, or a negative length.
        """
        assert isinstance(model, Captioner)
        return show(model, data.meta, seed=seed, options=options, read=self._read)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the `CaptionNet`, its vocabulary, and what brings pictures to its scale."""
        return PlainNet(
            modules=(net,),
            name="CaptionNet",
            arguments=self._sizes(meta),
            constants={
                "TOKENS": [*SPECIAL, *meta["tokens"][: meta["known"]]],
                "MEAN": meta["mean"],
                "DEVIATION": meta["deviation"],
            },
            usage="inputs = {'pictures': (pictures - MEAN) / DEVIATION, 'given': given, 'owner': owner}",
        )

    def _sizes(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        own, shape = self.options, meta["shape"]
        seen = {"given": shape[0]} if len(shape) == 1 else {"colours": shape[0], "size": shape[1]}
        return {
            "words": len(SPECIAL) + meta["known"],
            "embedding": int(own.embedding),
            "features": int(own.features),
            "fed": str(own.fed),
            "channels": int(own.channels),
            **seen,
        }

    def _side(self, made: bool) -> int:
        return int(self.options.size) or (SIZE if made else FILE_SIZE)

    def _completed(self, arrays: dict[Part, Arrays], meta: dict[str, Any]) -> TaskData:
        """Return the data with what follows from the parts as they are cut."""
        train = arrays["train"]
        mean, deviation = _moments(train["pictures"])
        if deviation == 0.0:
            raise UserError("all training pictures are of one even colour; give others")
        symbols = len(SPECIAL) + len(meta["tokens"])
        for part in PARTS[1:]:
            known = frequencies(arrays[part]["references"], symbols)
            arrays[part] = {**arrays[part], "series": np.stack([known.keys_G, known.counts_G])}
        most = int((train["references"] != 0).sum(axis=2).max())
        return TaskData(arrays, {**meta, "mean": mean, "deviation": deviation, "most": most})

    def _features(self, items: Items) -> NDArray[np.float32]:
        from nas_rnn.tasks.caption.features import features_of, published

        return features_of(items.paths, published(str(self.options.extractor), str(self.options.weights)))

    def _shown(self, items: Items, place: int) -> NDArray[np.uint8]:
        """Return an item's picture as a preview shows it."""
        if items.pixels is not None:
            return np.asarray(items.pixels[place])
        return pixels_of(items.paths[place], FILE_SIZE, True)

    def _read(self, path: Path, meta: Mapping[str, Any]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Return a picture of the user's own as the model reads it, and as it is shown."""
        if len(meta["shape"]) > 1:
            colours, size, _ = meta["shape"]
            pixels = pixels_of(path, size, colours == 3)
            return pixels, pixels
        from nas_rnn.tasks.caption.features import features_of, published

        extractor = published(str(self.options.extractor), str(self.options.weights))
        return features_of([path], extractor)[0], pixels_of(path, FILE_SIZE, True)


def _require_two(items: Items, source: Path) -> None:
    """Raise `UserError` where all captions are one: then there is nothing to tell of a picture."""
    kinds = {caption for own in items.captions for caption in own}
    if len(kinds) < 2:
        (only,) = kinds
        raise UserError(
            f"{source} has {len(items.captions):,} pictures and one caption alone, {' '.join(only)[:60]!r}, so there "
            "is nothing to tell them apart by; give more"
        )


def _moments(pictures: NDArray[Any]) -> tuple[float, float]:
    if pictures.dtype == np.uint8:
        return moments(pictures)
    return float(pictures.mean(dtype=np.float64)), float(pictures.std(dtype=np.float64))
