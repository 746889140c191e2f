"""What a model of looks does, as text: pictures in characters, and the answer after each look."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.errors import UserError, unknown
from nas_rnn.tasks.glimpses.net import GlimpseModel
from nas_rnn.tasks.task import PreviewOptions

SHADES = " .:-=+*#%@"
SHOWN = 3
"""Pictures on one screen."""
WIDEST = 32
"""Pictures are shown with at most so many pixels a side, each two characters wide."""


@dataclass(frozen=True, eq=False)
class Example:
    """A picture (H, W) and the number of its class."""

    pixels: NDArray[np.uint8]
    label: int


@torch.no_grad()
def describe(
    model: GlimpseModel,
    inputs_TBP: Tensor,
    examples: Sequence[Example],
    meta: Mapping[str, Any],
    *,
    seed: int,
    options: PreviewOptions,
) -> str:
    """Return some of ``examples`` drawn by ``seed``, with the answers; the prompt may name the class that they are of.

    Raises:
        UserError: see `nas_rnn.tasks.glimpses.task.Glimpses.preview`.
    """
    temperature, length = options.temperature, options.length
    if not (math.isfinite(temperature) and temperature >= 0.0):
        raise UserError(f"temperature must be a number of at least 0; got {temperature!r}")
    if length < 0:
        raise UserError(f"the length of a preview must be at least 0; got {length!r}")
    candidates = _of_class(examples, options.prompt, meta["classes"])
    chosen = np.random.default_rng(seed).permutation(candidates)[: min(SHOWN, length)]
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    logits_TBC = model.after_each_look(inputs_TBP[:, chosen].to(device)).double().cpu()
    model.train(was_training)
    pictures = [
        _one(examples[place], logits_TBC[:, column], meta, temperature) for column, place in enumerate(chosen)
    ]
    return "\n\n".join(pictures)


def _of_class(examples: Sequence[Example], prompt: str, classes: Sequence[str]) -> list[int]:
    if not prompt:
        return list(range(len(examples)))
    if prompt not in classes:
        raise unknown("class", prompt, classes)
    found = [place for place, example in enumerate(examples) if classes[example.label] == prompt]
    if not found:
        kept = sorted({classes[example.label] for example in examples})
        raise UserError(f"no picture of class {prompt!r} stays with the model, but of: {', '.join(kept)}")
    return found


def _one(example: Example, logits_TC: Tensor, meta: Mapping[str, Any], temperature: float) -> str:
    classes = meta["classes"]
    answers = [classes[int(answer)] for answer in logits_TC.argmax(-1)]
    share = _share(logits_TC[-1], temperature)
    right = "right" if answers[-1] == classes[example.label] else "wrong"
    spans = [f"{answer} ({span})" for answer, span in _spans(answers)]
    lines = [
        _drawn(example.pixels, meta["white"]),
        f"class {classes[example.label]}, answered {answers[-1]} with {share:.1%}: {right}",
        *textwrap.wrap("the answer after each look: " + ", ".join(spans), 80),
    ]
    return "\n".join(lines)


def _share(logits_C: Tensor, temperature: float) -> float:
    """Return the share of the likeliest class."""
    if temperature == 0.0:
        return 1.0
    return float(torch.softmax((logits_C - logits_C.max()) / temperature, dim=0).max())


def _spans(answers: Sequence[str]) -> list[tuple[str, str]]:
    """Return runs of equal answers with the looks, counted from 1, after which they are given."""
    spans, first = list[tuple[str, str]](), 1
    for answer, same in itertools.groupby(answers):
        last = first + len(list(same)) - 1
        spans.append((answer, str(first) if first == last else f"{first}-{last}"))
        first = last + 1
    return spans


def _drawn(pixels: NDArray[np.uint8], white: int) -> str:
    step = -(-max(pixels.shape) // WIDEST)
    levels = pixels[::step, ::step].astype(np.int64) * (len(SHADES) - 1) // white
    return "\n".join("".join(SHADES[level] * 2 for level in row).rstrip() for row in levels)
