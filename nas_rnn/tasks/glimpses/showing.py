"""What a model of looks does, as text: pictures in characters, and the answer after each look."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas_rnn.tasks.answers import likeliest, of_class, require_showable, spans
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
    require_showable(options)
    candidates = of_class([example.label for example in examples], options.prompt, meta["classes"], "picture")
    chosen = np.random.default_rng(seed).permutation(candidates)[: min(SHOWN, options.length)]
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    logits_TBC = model.after_each_look(inputs_TBP[:, chosen].to(device)).double().cpu()
    model.train(was_training)
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
        _drawn(example.pixels, meta["white"]),
        f"class {classes[example.label]}, answered {answers[-1]} with {share:.1%}: {right}",
        *textwrap.wrap("the answer after each look: " + ", ".join(runs), 80),
    ]
    return "\n".join(lines)


def _drawn(pixels: NDArray[np.uint8], white: int) -> str:
    step = -(-max(pixels.shape) // WIDEST)
    levels = pixels[::step, ::step].astype(np.int64) * (len(SHADES) - 1) // white
    return "\n".join("".join(SHADES[level] * 2 for level in row).rstrip() for row in levels)
