"""Task `char-lm`: predict the next character of a text, measured in bits per character."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from nas_rnn.errors import UserError
from nas_rnn.tasks.batch import Batch
from nas_rnn.tasks.char_lm import net
from nas_rnn.tasks.char_lm.downloads import DOWNLOADS
from nas_rnn.tasks.char_lm.floors import bigram_bits, by_block, unigram_bits
from nas_rnn.tasks.char_lm.model import CharModel
from nas_rnn.tasks.char_lm.net import LanguageModel
from nas_rnn.tasks.char_lm.text import Vocabulary, encoded
from nas_rnn.tasks.coloured import Shown, coloured, seen_in
from nas_rnn.tasks.data import EVALUATION, PARTS, Arrays, Batching, Part, TaskData
from nas_rnn.tasks.download import Download
from nas_rnn.tasks.metric import Mean, Metric, Statistics
from nas_rnn.tasks.model import TaskModel
from nas_rnn.tasks.notices import MOST_COUNTED, parts_differ, unlearnable
from nas_rnn.tasks.options import option
from nas_rnn.tasks.sampling import draw, require_drawable
from nas_rnn.tasks.streams import batches_of, evaluation_blocks, symbols_before, with_fresh_test
from nas_rnn.tasks.task import MakeRnn, PlainNet, Preview, PreviewOptions, Regularisation, Task
from nas_rnn.tasks.texts import in_parts, places_to_take, read_pieces, usual_places

FEWEST_CHARACTERS = 20
"""With fewer, a tenth of the text has no input and target."""

EMBEDDED_CHARACTERS = 40_000
"""What is taken of the embedded text, where the options do not say: what small models learn in a minute."""

EMBEDDED = "pydoc_data.topics"

BITS_PER_CHAR = Mean(
    "bits_per_char", "bits per character", "minimize", 0.01, "relative", of="bits", per="characters"
)

WRITTEN, PICTURED = 1200, 700
"""Characters at most in the picture of what the model writes, and of the validation part."""
MARKS = {"\n": "¶", "\t": "→"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `char-lm`."""

    embedding: int = option(0, "size of the vectors that stand for characters; 0: one-hot", low=0, high=65536)
    valid: float = option(0.1, "share of the text that validates", low=0.01, high=0.4)
    test: float = option(0.1, "share of the text that tests", low=0.01, high=0.4)
    characters: int = option(
        0,
        "how many characters to use, from the beginning; 0: all of a file, 40,000 of the embedded text",
        low=0,
    )
    places: int = option(
        0,
        "from how many places of the text both these parts come; 0: its end, of the embedded text many",
        low=0,
        high=1 << 16,
    )


class CharLM(Task):
    """Next-character prediction on any UTF-8 text; by default on the text of Python's own reference.

    The parts of a file follow one another: the first 80 % of the characters train, the next 10 % validate, the last
    10 % test (options ``valid`` and ``test`` are the shares of these two). With option ``places`` the text is cut into
    so many pieces, and each piece into the three. The vocabulary is that of the whole
    text, so that no part meets a character it cannot name; which characters exist is all that training learns
    from the other parts. Validation and test read the text before each of their streams as context that is not
    scored, so their figures do not depend on how many streams there are: training text before validation, training and
    validation text before the test part. Items are blocks: one row of a chunk, weighted by its characters.
    """

    name: ClassVar[str] = "char-lm"
    summary: ClassVar[str] = "predict the next character of a text"
    metrics: ClassVar[tuple[Metric, ...]] = (BITS_PER_CHAR,)
    monitor: ClassVar[Metric] = BITS_PER_CHAR
    unit: ClassVar[str] = "characters"
    item: ClassVar[str] = "block"
    Options: ClassVar[type] = Options
    raw_meta: ClassVar[frozenset[str]] = frozenset({"vocabulary"})
    downloads: ClassVar[tuple[Download, ...]] = DOWNLOADS

    def load(self, source: Path | None) -> TaskData:
        """Read a UTF-8 text file, or the text of Python's language reference that CPython carries.

        Raises:
            UserError: for a file that cannot be read as UTF-8, is too short for its parts, or repeats a
                single character.
        """
        pieces = (python_reference(),) if source is None else read_pieces(source)
        most = int(self.options.characters) or (EMBEDDED_CHARACTERS if source is None else 0)
        vocabulary, codes = encoded(pieces, most)
        shown = "the embedded text" if source is None else str(source)
        if len(codes) < FEWEST_CHARACTERS:
            raise UserError(
                f"{shown} has {len(codes)} characters, too few to train, validate and test on; give at least "
                f"{FEWEST_CHARACTERS}, better some hundred thousand"
            )
        if len(vocabulary.characters) < 2:
            raise UserError(
                f"{shown} holds a single distinct character, {vocabulary.characters!r}, so there is nothing to "
                "predict; give a text with at least two"
            )
        places = self._places(len(codes), own=source is not None)
        codes, first, second = in_parts(codes, *self._shares, places, "characters")
        parts: dict[Part, Arrays] = {
            "train": {"codes": codes[:first]},
            "valid": {"codes": codes[first:second]},
            "test": {"codes": codes[second:]},
        }
        name = EMBEDDED if source is None else source.name
        return TaskData(parts, meta={"source": name, "vocabulary": vocabulary.characters})

    def build(self, meta: Mapping[str, Any], make_rnn: MakeRnn, regularisation: Regularisation) -> CharModel:
        """Build a `LanguageModel` with its loss; option ``embedding`` is the input vectors' size, 0 for one-hot."""
        return CharModel(LanguageModel(make_rnn, **self._sizes(meta), dropout=regularisation.dropout))

    def batches(self, data: TaskData, part: Part, batching: Batching) -> Iterator[Batch]:
        """Give inputs and targets, both (T, B) integers; `nas_rnn.tasks.streams` says in which order."""
        return batches_of(data, part, batching)

    def fresh_test(self, data: TaskData, begins: int, ends: int) -> TaskData:
        """Cut the test part from the end of the training text, which then precedes it."""
        return with_fresh_test(data, begins, ends)

    def notices(self, data: TaskData) -> tuple[str, ...]:
        """Name the characters that the training part lacks, and say where validation and test are unlike."""
        vocabulary = data.meta["vocabulary"]
        codes = {part: data.part(part)["codes"] for part in PARTS}
        train, *evaluated = (own[-MOST_COUNTED:] for own in codes.values())
        bits = [bigram_bits(train, own, len(vocabulary)) for own in evaluated]
        lengths = [len(own) for own in codes.values()]
        own = data.meta["source"] != EMBEDDED
        places = 0 if self._places(sum(lengths), own) > 1 else places_to_take(lengths, *self._shares)
        return (
            *unlearnable(vocabulary, codes, what="characters", items="characters"),
            *parts_differ("pairs of characters", "bits per character", *bits, places=places),
        )

    def floors(self, data: TaskData) -> dict[str, Statistics]:
        """Return tables of single characters and of pairs, over the blocks of the test part."""
        symbols = len(data.meta["vocabulary"])
        train, test = data.part("train")["codes"], data.part("test")["codes"]
        cut = {"batch": EVALUATION.batch, "length": EVALUATION.length}
        blocks, count = evaluation_blocks(test, **cut, before=symbols_before(data, "test"))
        tables = {"unigram table": unigram_bits, "bigram table": bigram_bits}
        return {name: by_block(table(train, test, symbols), blocks, count) for name, table in tables.items()}

    def preview(self, model: TaskModel, data: TaskData, *, seed: int, options: PreviewOptions) -> Preview:
        """Return the prompt and ``length`` characters that the model writes after it, also as ``sample.txt``.

        An empty prompt stands for the start of a line. Temperature 0 always takes the likeliest character. Files are
        pictures, too: ``sample.png`` of what was written and ``surprise.png`` of a stretch of the validation part, each
        character on a colour that says how likely the model held it.

        Raises:
            UserError: for a character that the vocabulary lacks, or a negative temperature or length.
        """
        assert isinstance(model, CharModel)
        require_drawable(options)
        vocabulary = Vocabulary(data.meta["vocabulary"])
        opening = "\n" if "\n" in vocabulary.characters else vocabulary.characters[0]
        start = vocabulary.encode(options.prompt or opening).tolist()
        drawn = draw(model.net, start, length=options.length, temperature=options.temperature, seed=seed)
        text = options.prompt + vocabulary.decode([one.symbol for one in drawn])
        if not options.files:
            return Preview(text=text)
        title = f"What the model writes, at temperature {options.temperature:g}"
        written = [_pictured(vocabulary, one.symbol, one.probability) for one in drawn[:WRITTEN]]
        files = {"sample.txt": text.encode(), "sample.png": coloured(written, title, "character")}
        if "valid" in data.parts:
            title = "The validation text, and how likely the model held each character"
            seen = seen_in(model.net, data.part("valid")["codes"], most=PICTURED, seed=seed)
            read = [_pictured(vocabulary, one.symbol, one.probability, one.likelier) for one in seen]
            files["surprise.png"] = coloured(read, title, "character")
        return Preview(text=text, files=files)

    def plain_net(self, meta: Mapping[str, Any]) -> PlainNet:
        """Return the `LanguageModel`, and what turns text into its symbols and back."""
        return PlainNet(
            modules=(net,),
            name="LanguageModel",
            arguments=self._sizes(meta),
            constants={"VOCABULARY": meta["vocabulary"]},
            usage="inputs = encode('...', VOCABULARY).unsqueeze(1)  # (T, 1)",
        )

    @property
    def _shares(self) -> tuple[float, float]:
        return float(self.options.valid), float(self.options.test)

    def _places(self, count: int, own: bool) -> int:
        """Return from how many places of a text, one's ``own`` or the embedded one, its parts come."""
        return int(self.options.places) or (1 if own else usual_places(count, *self._shares))

    def _sizes(self, meta: Mapping[str, Any]) -> dict[str, int]:
        return {"symbols": len(meta["vocabulary"]), "embedding": int(self.options.embedding)}


def _pictured(vocabulary: Vocabulary, symbol: int, probability: float, likelier: int | None = None) -> Shown:
    """Return a character for a picture; the end of a line and a tab are drawn as marks."""

    def mark(number: int | None) -> str:
        character = "" if number is None else vocabulary.characters[number]
        return MARKS.get(character, character)

    return Shown(mark(symbol), probability, mark(likelier), vocabulary.characters[symbol] == "\n")


def python_reference() -> str:
    """Return the topics of Python's language reference that ``help()`` shows, ordered by name.

    About 465,000 characters. It comes with the interpreter, so it needs no download, and it differs a little
    from one Python version to the next: compare results only within one.
    """
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))
