"""What a model of looks does, as text: pictures in characters, and the answer after each look."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.tasks.answers import likeliest, of_class, require_showable, spans
from nas_rnn.tasks.picture_sets.text import in_characters
from nas_rnn.tasks.task import PreviewOptions

SHOWN = 3
"""Pictures on one screen."""


@dataclass(frozen=True, eq=False)
class Example:
    """A picture (H, W) and the number of its class."""

    pixels: NDArray[np.uint8]
    label: int


def describe(
    answers: Callable[[list[int]], Tensor],
    examples: Sequence[Example],
    meta: Mapping[str, Any],
    *,
    seed: int,
    options: PreviewOptions,
) -> str:
    """Return some of ``examples`` drawn by ``seed``, with the answers; the prompt may name the class that they are of.

    ``answers`` gives the logits (T, B, C) after each look for the examples at B places.

    Raises:
        UserError: see `nas_rnn.tasks.glimpses.task.Glimpses.preview`.
    """
    require_showable(options)
    candidates = of_class([example.label for example in examples], options.prompt, meta["classes"], "picture")
    chosen = np.random.default_rng(seed).permutation(candidates)[: min(SHOWN, options.length)]
    if not len(chosen):
        return ""
    logits_TBC = answers(chosen.tolist()).double().cpu()
    pictures = [
        _one(examples[place], logits_TBC[:, column], meta, options.temperature)
        for column, place in enumerate(chosen)
    ]
    return "\n\n".join(pictures)


def _one(example: Example, logits_TC: Tensor, meta: Mapping[str, Any], temperature: float) -> str:
    classes = meta["classes"]
    answers = [classes[int(answer)] for answer in logits_TC.argmax(-1)]
    share = likeliest(logits_TC[-1], temperature)
    right = "right" if answers[-1] == classes[example.label] else "wrong"
    runs = [f"{answer} ({span})" for answer, span in spans(answers)]
    lines = [
        in_characters(example.pixels, meta["white"]),
        f"class {classes[example.label]}, answered {answers[-1]} with {share:.1%}: {right}",
        *textwrap.wrap("the answer after each look: " + ", ".join(runs), 80),
    ]
    return "\n".join(lines)
