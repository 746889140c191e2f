"""Task `char-lm`: predict the next character of a text, measured in bits per character."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from nas_rnn.errors import UserError
from nas_rnn.tasks.base import Metric, Option, Part, Task, TaskData, symbol_dtype
from nas_rnn.tasks.language_model import LanguageModel, plain_source, sample
from nas_rnn.tasks.plain import filled, literal
from nas_rnn.tasks.streams import IGNORED, evaluation_chunks, training_chunks
from nas_rnn.tasks.text import Vocabulary, read_text

FEWEST_CHARACTERS = 20
"""With fewer, a tenth of the text has no input and target."""

PLAIN_VOCABULARY = """


    VOCABULARY = @vocabulary@


    def encode(text: str) -> Tensor:
        \"""Return the symbols of ``text``, (T,).\"""
        numbers = {character: number for number, character in enumerate(VOCABULARY)}
        return torch.tensor([numbers[character] for character in text], dtype=torch.int64)


    def decode(symbols: Tensor) -> str:
        \"""Return the text of symbols (T,).\"""
        return "".join(VOCABULARY[number] for number in symbols.tolist())
    """


class CharLM(Task):
    """Next-character prediction on any UTF-8 text; by default on the text of Python's own reference.

    The parts follow one another: the first 80 % of the characters train, the next 10 % validate, the last
    10 % test (options ``valid`` and ``test`` are the shares of these two). The vocabulary is that of the whole
    text, so that no part meets a character it cannot name; which characters exist is all that training learns
    from the other parts. Items are blocks: one row of a chunk, weighted by its characters.
    """

    name: ClassVar[str] = "char-lm"
    summary: ClassVar[str] = "predict the next character of a text"
    metric: ClassVar[Metric] = Metric("bits_per_char", "bits per character", "minimize", 0.01, "relative")
    unit: ClassVar[str] = "characters"
    item: ClassVar[str] = "block"
    carries_state: ClassVar[bool] = True
    raw_meta: ClassVar[frozenset[str]] = frozenset({"vocabulary"})
    option_defaults: ClassVar[Mapping[str, Option]] = MappingProxyType(
        {"embedding": 0, "valid": 0.1, "test": 0.1}
    )
    option_ranges: ClassVar[Mapping[str, tuple[float, float]]] = MappingProxyType(
        {"embedding": (0, 65536), "valid": (0.01, 0.4), "test": (0.01, 0.4)}
    )

    def load(self, source: Path | None) -> TaskData:
        """Read a UTF-8 text file, or the text of Python's language reference that CPython carries.

        Raises:
            UserError: for a file that cannot be read as UTF-8, is too short for three parts, or repeats a
                single character.
        """
        text = python_reference() if source is None else read_text(source)
        shown = "the embedded text" if source is None else str(source)
        if len(text) < FEWEST_CHARACTERS:
            raise UserError(
                f"{shown} has {len(text)} characters, too few to train, validate and test on; give at least "
                f"{FEWEST_CHARACTERS}, better some hundred thousand"
            )
        vocabulary = Vocabulary.of(text)
        if len(vocabulary.characters) < 2:
            raise UserError(
                f"{shown} holds a single distinct character, {text[0]!r}, so there is nothing to predict; "
                "give a text with at least two"
            )
        codes = vocabulary.encode(text).astype(symbol_dtype(len(vocabulary.characters)))
        # Rounded, since 0.1 has no exact binary form; then down to a whole character.
        ends = [
            round(len(text) * (1 - share), 6) for share in (self._share("valid", "test"), self._share("test"))
        ]
        first, second = int(ends[0]), int(ends[1])
        parts = {"train": codes[:first], "valid": codes[first:second], "test": codes[second:]}
        name = "pydoc_data.topics" if source is None else source.name
        return TaskData(arrays=parts, meta={"source": name, "vocabulary": vocabulary.characters})

    def _share(self, *parts: str) -> float:
        return sum(float(self.options[part]) for part in parts)

    def model(
        self, meta: Mapping[str, Any], make_rnn: Callable[[int], nn.Module], *, dropout: float
    ) -> nn.Module:
        """Build a `LanguageModel`; option ``embedding`` is the input vectors' size, 0 for one-hot."""
        embedding = int(self.options["embedding"])
        return LanguageModel(len(meta["vocabulary"]), make_rnn, embedding=embedding, dropout=dropout)

    def batches(
        self, data: TaskData, part: Part, *, batch: int, length: int, seed: int | None, epoch: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Give (inputs, targets), both (T, B) integers; `nas_rnn.tasks.streams` says in which order."""
        codes = data.arrays[part]
        if part == "train":
            return training_chunks(codes, batch=batch, length=length, seed=seed, epoch=epoch)
        return evaluation_chunks(codes, batch=batch, length=length)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy in nats of logits (T, B, V) at targets (T, B)."""
        return F.cross_entropy(outputs.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)

    def item_scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the bits per character and the number of characters of each of the B rows."""
        flat = F.cross_entropy(
            outputs.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
        )
        characters_B = (targets != IGNORED).sum(0)
        nats_B = flat.view_as(targets).sum(0)
        return nats_B / characters_B.clamp(min=1) / math.log(2), characters_B

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
        """Return the prompt and ``length`` characters that the model writes after it.

        An empty prompt stands for the start of a line. Temperature 0 always takes the likeliest character.

        Raises:
            UserError: for a character that the vocabulary lacks, or a negative temperature or length.
        """
        if not (math.isfinite(temperature) and temperature >= 0.0):
            raise UserError(f"temperature must be a number of at least 0; got {temperature!r}")
        if length < 0:
            raise UserError(f"the length of a preview must be at least 0; got {length!r}")
        vocabulary = Vocabulary(meta["vocabulary"])
        opening = "\n" if "\n" in vocabulary.characters else vocabulary.characters[0]
        start = vocabulary.encode(prompt or opening).tolist()
        drawn = sample(model, start, length=length, temperature=temperature, seed=seed)
        return prompt + vocabulary.decode(drawn)

    def previews(self, model: nn.Module, data: TaskData, seed: int) -> dict[str, bytes]:
        """Return ``sample.txt``, 1,000 characters that the model writes."""
        text = self.preview(model, data.meta, seed=seed, length=1000, prompt="", temperature=1.0)
        return {"sample.txt": text.encode()}

    def plain_model(self, meta: Mapping[str, Any]) -> str:
        """Return a `LanguageModel` in plain torch, and what turns text into its symbols and back."""
        vocabulary = meta["vocabulary"]
        return plain_source(len(vocabulary), int(self.options["embedding"])) + filled(
            PLAIN_VOCABULARY, vocabulary=literal(vocabulary)
        )


def python_reference() -> str:
    """Return the topics of Python's language reference that ``help()`` shows, ordered by name.

    About 465,000 characters. It comes with the interpreter, so it needs no download, and it differs a little
    from one Python version to the next: compare results only within one.
    """
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))
