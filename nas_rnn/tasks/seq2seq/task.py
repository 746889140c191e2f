"""Task `seq2seq`: read a sequence, write another: dates, sums, translations, measured in per cent exact or in BLEU."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from nas_rnn.errors import UserError
from nas_rnn.outside import shown
from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.bleu import BLEU_TOKENS, bleu_counter
from nas_rnn.tasks.data import PARTS, Arrays, Batching, Part, TaskData
from nas_rnn.tasks.metric import Mean, Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.notices import per_cent
from nas_rnn.tasks.options import option, require_no_reading, require_unset
from nas_rnn.tasks.seq2seq import net
from nas_rnn.tasks.seq2seq.batching import batches_of
from nas_rnn.tasks.seq2seq.dates import date_pairs
from nas_rnn.tasks.seq2seq.files import WANTED, part_files, read_pairs
from nas_rnn.tasks.seq2seq.model import Translator, Writing
from nas_rnn.tasks.seq2seq.net import EncoderDecoder
from nas_rnn.tasks.seq2seq.pairs import Collected, Ints, Pair, collected, encoded, shuffled_parts
from nas_rnn.tasks.seq2seq.scores import BLEU, CHRF, EXACT, INSTALL, TOKENS, scored
from nas_rnn.tasks.seq2seq.showing import examples_of, show
from nas_rnn.tasks.seq2seq.sums import sum_pairs, turned_pairs
from nas_rnn.tasks.shares import Shares
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
from nas_rnn.tasks.vocabulary import CUTS, SPECIAL, cut, join, texts_of

PAIRS = {"dates": 2_000, "addition": 50_000, "reversal": 10_000}
"""How many pairs each kind makes, if option ``pairs`` does not say."""
MAKING = ("kind", "locales", "digits", "turned", "letters")
"""Options of what is made."""

SURE = Mean("loss", "nats", "minimize", 0.0005, "absolute", of="loss", per="targets")
"""The loss where there is one right answer. It can fall by the same share for ever, and outputs stay the same: of ten
symbols in a row, this much of each comes to half a per cent of all answers, the margin of exact matches."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `seq2seq`."""

    kind: str = option("dates", "what is made where no data are given", choices=tuple(PAIRS))
    locales: str = option(
        "en,de,fr,es,it,nl",
        "languages of kind dates, by babel's names, with commas",
        only={"kind": ("dates",)},
    )
    digits: int = option(
        3, "most digits of each number of kind addition", low=1, high=9, only={"kind": ("addition",)}
    )
    turned: bool = option(False, "kind addition: the answer's ones come first", only={"kind": ("addition",)})
    letters: int = option(10, "most letters of kind reversal", low=3, high=100, only={"kind": ("reversal",)})
    pairs: int = option(
        0, "pairs to make, or to take of a file; 0: what suits the kind, or all", low=0, high=2**31
    )
    by: str = option("character", "what a token of a file's sources is", choices=tuple(CUTS))
    target_by: str = option("same", "what a token of its targets is", choices=("same", *CUTS))
    vocabulary: int = option(10_000, "most tokens known of a side; others are <unk>", low=1, high=10**6)
    longest: int = option(
        60, "most tokens of a source or target; longer pairs are left out", low=1, high=2000
    )
    valid: float = option(0.1, "share of all pairs that validates", low=0.001, high=0.5)
    test: float = option(0.1, "share of all pairs that tests", low=0.001, high=0.4)
    attention: str = option(
        "dot", "how the decoder looks back at the source", choices=("none", "additive", "dot")
    )
    bidirectional: bool = option(False, "whether a second encoder reads the source from its end")
    embedding: int = option(32, "features of a token", low=1, high=65536)
    beam: int = option(1, "hypotheses of a final run's beam search; 1: greedy", low=1, high=100)
    decide: str = option("auto", "what decides", choices=("auto", "exact", "bleu", "chrf"))
    bleu_tokens: str = option(
        "auto",
        "how sacrebleu cuts texts; auto: 13a where targets are words, char where they are characters",
        choices=("auto", *BLEU_TOKENS),
    )


class Seq2Seq(Task):
    """Pairs of sequences: one net reads the source, another writes the target; both are of the cell that is compared.

    Without data they are made: dates in several languages (written as in ISO 8601), sums, or letters turned round. A
    file of pairs is divided by sources, of which none stands in two parts; a folder is divided already.

    Exact matches decide where there is one right answer; for a file BLEU does where targets are words, and chrF where
    they are characters, unless option ``decide`` says otherwise. Margins are half a point of each, a two-hundredth of
    what there is to gain. The loss after the true symbols is monitored: nothing is decoded before a run has ended.
    """

    name: ClassVar[str] = "seq2seq"
    summary: ClassVar[str] = "read a sequence and write another: dates, sums, translations"
    metrics: ClassVar[tuple[Metric, ...]] = (EXACT, TOKENS, CHRF, BLEU)
    monitor: ClassVar[Metric] = LOSS
    unit: ClassVar[str] = "tokens"
    item: ClassVar[str] = "pair"
    Options: ClassVar[type] = Options
    training_defaults: ClassVar[Mapping[str, int | float | str]] = MappingProxyType(
        {"batch": 32, "learning_rate": 0.01, "layers": 1}
    )
    raw_meta: ClassVar[frozenset[str]] = frozenset({"source_tokens", "target_tokens"})

    def recommended_training(self) -> Mapping[str, int | float | str]:
        """Return a lower learning rate for sums: at that of the others they are learned much more slowly."""
        slower = {"learning_rate": 0.003} if self.options.kind == "addition" else {}
        return {**self.training_defaults, **slower}

    def measures(self, meta: Mapping[str, Any]) -> Measures:
        """Return what decides first; BLEU is measured of files, and where it decides."""
        known = {"exact": EXACT, "bleu": BLEU, "chrf": CHRF}
        decides = known[self._decides(meta)]
        others = [metric for metric in self.metrics if metric is not decides]
        if meta.get("made") and decides is not BLEU:
            others.remove(BLEU)
        return Measures((decides, *others), SURE if decides is EXACT else self.monitor)

    def load(self, source: Path | None) -> TaskData:
        """Make pairs, or read a file of them, or a folder with train, valid and test.

        Raises:
            UserError: for files that cannot be used, shares that leave nothing to train on, and libraries that are
                missing.
        """
        own = self.options
        if source is not None and source.is_dir():
            Shares.of(own, self.name).require_used(dict.fromkeys(PARTS, str(source)))
        if own.valid + own.test > 0.8:
            raise UserError(
                f"valid={own.valid:g} and test={own.test:g} leave too little to train on; use less"
            )
        if source is None:
            require_no_reading(own, ("by", "target_by", "longest"))
        else:
            require_unset(own, MAKING, "says what pairs are made; leave it out, or the file (--data)")
        found, parts = self._made() if source is None else self._read(source)
        arrays, meta = encoded(found, parts, int(own.vocabulary))
        meta |= {"made": source is None, "by": found.source.by, "target_by": found.target.by}
        _require_different(arrays["train"]["target"], meta)
        meta["most"] = int((arrays["train"]["target"] != 0).sum(axis=1).max())
        meta["examples"] = examples_of(arrays["valid"], len(SPECIAL) + meta["source_known"])
        if BLEU in self.measures(meta).metrics:
            # What is missing is said before anything is trained.
            bleu_counter(self._bleu_tokens(meta), INSTALL)
        else:
            require_unset(
                own,
                ("bleu_tokens",),
                "is for BLEU, which is not measured here; set decide=bleu, or leave it out",
            )
        groups = np.asarray(found.groups)
        meta["known_sources"] = {
            part: int(np.isin(groups[parts[part]], groups[parts["train"]]).sum()) for part in PARTS[1:]
        }
        return TaskData(arrays, meta, _groups(groups, parts))

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> Translator:
        """Build an `EncoderDecoder` for the vocabularies in ``meta``."""
        writing = Writing(
            tokens=meta["target_tokens"],
            by=meta["target_by"],
            longest=math.ceil(1.25 * meta["most"]) + 1,
            beam=int(self.options.beam),
            bleu_tokens=self._bleu_tokens(meta),
        )
        made = EncoderDecoder(make_rnn, **self._sizes(meta), dropout=regularisation.dropout)
        return Translator(made, writing)

    def _bleu_tokens(self, meta: Mapping[str, Any]) -> str:
        """Return sacrebleu's tokeniser, "" where BLEU is not measured.

        To 13a a Chinese sentence is one word, so that no output would ever have a match.
        """
        if BLEU not in self.measures(meta).metrics:
            return ""
        usual = {"character": "char"}.get(meta["target_by"], "13a")
        return usual if self.options.bleu_tokens == "auto" else str(self.options.bleu_tokens)

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give sources (S, B) and targets (T, B) with their lengths; the length of ``batching`` means nothing."""
        known = {name: len(SPECIAL) + data.meta[name] for name in ("source_known", "target_known")}
        yield from batches_of(data.part(part), part, batching, **known)

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training pairs; refused where a source has several targets."""
        fresh = data.with_fresh_test(begins, ends)
        most = int((fresh.part("train")["target"] != 0).sum(axis=1).max())
        return TaskData(fresh.parts, {**fresh.meta, "most": most})

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Say which pairs are left out, what cannot be known, and what was seen in training already."""
        meta, told = data.meta, list[str]()
        if meta["left_out"]:
            told.append(
                f"{meta['left_out']:,} pairs are left out, since their source or target has more than "
                f"{meta['longest']} tokens (option longest)"
            )
        for part, said in (("valid", "validation"), ("test", "test")):
            symbols = data.part(part)["target"]  # type: ignore[arg-type]
            outside = symbols >= len(SPECIAL) + meta["target_known"]
            if outside.any():
                share = outside.sum() / np.count_nonzero(symbols)
                told.append(
                    f"{per_cent(share)} of the target tokens of the {said} part are unknown, in "
                    f"{outside.any(1).sum():,} of {len(symbols):,} pairs: they are never written, and count against "
                    "every cell"
                )
            if known := meta["known_sources"][part]:
                told.append(
                    f"{known:,} of {len(symbols):,} sources of the {said} part stand in the training part, too: a "
                    "figure is better by them"
                )
        return tuple(told)

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return what always writing the training part's most frequent target, and copying the source, come to."""
        meta, test = data.meta, data.part("test")
        frequent = Counter(map(bytes, np.ascontiguousarray(data.part("train")["target"])))
        commonest = np.frombuffer(frequent.most_common(1)[0][0], dtype=data.part("train")["target"].dtype)
        sources, targets = (_texts(test[side], meta[f"{side}_tokens"]) for side in ("source", "target"))
        if meta["by"] != meta["target_by"]:  # a copy is the same text, in tokens of the other kind
            sources = [cut(join(source, meta["by"]), meta["target_by"]) for source in sources]
        always = _texts(commonest[None], meta["target_tokens"]) * len(targets)
        how = {"by": meta["target_by"], "bleu_tokens": self._bleu_tokens(meta)}
        return {
            "most frequent target": scored(always, targets, **how),
            "copy of the source": scored(sources, targets, **how),
        }

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return some validation pairs with what the model writes, at most ``length``; or that of a prompt.

        Files: ``pairs.png``, the pairs with wrong tokens marked, or with attention ``attention.png``: what each token
        written looks at. The temperature means nothing: what is written is what scores.

        Raises:
            UserError: for a prompt in which there is no token, or too many, or a negative length.
        """
        assert isinstance(model, Translator)
        return show(model, data.meta, seed=seed, options=options)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the `EncoderDecoder`, and both vocabularies."""
        return PlainNet(
            modules=(net,),
            name="EncoderDecoder",
            arguments=self._sizes(meta),
            constants={
                "SOURCE_TOKENS": [*SPECIAL, *meta["source_tokens"][: meta["source_known"]]],
                "TARGET_TOKENS": [*SPECIAL, *meta["target_tokens"][: meta["target_known"]]],
            },
            usage="inputs = {'source': source, 'lengths': lengths, 'given': given}  # (S, B), (B,), (T, B) symbols",
        )

    def _sizes(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        own = self.options
        return {
            "sources": len(SPECIAL) + meta["source_known"],
            "targets": len(SPECIAL) + meta["target_known"],
            "embedding": int(own.embedding),
            "attention": str(own.attention),
            "bidirectional": bool(own.bidirectional),
        }

    def _decides(self, meta: Mapping[str, Any]) -> str:
        if self.options.decide != "auto":
            return str(self.options.decide)
        if meta.get("made", True):
            return "exact"
        return "bleu" if meta["target_by"] == "word" else "chrf"

    def _made(self) -> tuple[Collected, dict[Part, Ints]]:
        own, random = self.options, np.random.default_rng(0)
        count = int(own.pairs) or PAIRS[own.kind]
        pairs: list[Pair]
        if own.kind == "dates":
            names = [name.strip() for name in own.locales.split(",")]
            pairs = date_pairs(count, names, random)
        elif own.kind == "addition":
            pairs = sum_pairs(count, int(own.digits), bool(own.turned), random)
        else:
            pairs = turned_pairs(count, int(own.letters), random)
        found = collected("character", "character", max(len(pair.source) for pair in pairs))
        found.add(pairs)
        return found, shuffled_parts(np.asarray(found.groups), own.valid, own.test, 0)

    def _read(self, source: Path) -> tuple[Collected, dict[Part, Ints]]:
        own = self.options
        target_by = own.by if own.target_by == "same" else own.target_by
        found = collected(own.by, target_by, int(own.longest))
        if not source.is_dir():
            found.add(read_pairs(source, own.by, target_by))
            if not found.groups and not found.left_out:
                raise UserError(f"{source} is empty; {WANTED}")
            if not found.groups:
                raise UserError(
                    f"{source} holds no pair of at most {own.longest} tokens a side ({found.left_out:,} are longer); "
                    "give lines of a source, a tab and its target, or a larger option longest"
                )
            return found, shuffled_parts(np.asarray(found.groups), own.valid, own.test, int(own.pairs))
        parts, first = dict[Part, Ints](), 0
        for part, path in part_files(source).items():
            count = found.add(read_pairs(path, own.by, target_by))
            if not count:
                raise UserError(
                    f"{path} holds no pair of at most {own.longest} tokens a side; give some, or a larger longest"
                )
            order = np.random.default_rng(0).permutation(count) if part == "train" else np.arange(count)
            parts[part] = first + order[: int(own.pairs) or None]
            first += count
        return found, parts


def _groups(groups_N: np.ndarray[Any, Any], parts: Mapping[Part, Ints]) -> dict[Part, Ints]:
    """Return the sources of evaluated pairs as groups, where one stands in several pairs."""
    numbers = {part: np.unique(groups_N[places], return_inverse=True)[1] for part, places in parts.items()}
    if all(len(found) == int(found.max()) + 1 for found in numbers.values()):
        return {}
    return {part: found.astype(np.int64) for part, found in numbers.items() if part != "train"}


def _require_different(target: np.ndarray[Any, Any], meta: Mapping[str, Any]) -> None:
    if bool((target == target[0]).all()):
        text = join(_texts(target[:1], meta["target_tokens"])[0], meta["target_by"])
        raise UserError(
            f"all {len(target):,} pairs of the training part have the target {shown(text)[:60]!r}, so there is nothing "
            "to learn; give pairs with at least two different targets"
        )


def _texts(rows: np.ndarray[Any, Any], tokens: list[str]) -> list[list[str]]:
    return [texts_of([symbol for symbol in row if symbol], tokens) for row in rows.tolist()]


__all__ = ["Arrays", "Seq2Seq"]
