"""What a drawing model does: pictures of its own, and halves of validation pictures that it completes.

Shapes: T pieces of P pixels, N pictures of H x W, L levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.answers import of_class
from nas_rnn.tasks.draw.net import DrawNet
from nas_rnn.tasks.draw.pieces import Pieces
from nas_rnn.tasks.draw.sampling import draw_pieces
from nas_rnn.tasks.picture_sets.examples import examples
from nas_rnn.tasks.picture_sets.text import in_characters
from nas_rnn.tasks.sampling import require_drawable
from nas_rnn.tasks.task import Preview, PreviewOptions

DRAWN, COMPLETED, TIMES = 40, 10, 3
"""Pictures on a sheet of samples, halves on one of completed ones, and how often each is completed."""
BESIDE = 10
"""True pictures below the samples."""
IN_TEXT = 3
"""Pictures in the text."""


def show(
    net: DrawNet, pieces: Pieces, meta: Mapping[str, Any], *, seed: int, options: PreviewOptions
) -> Preview:
    """Return pictures that the net, in evaluation mode, draws and completes.

    Raises:
        UserError: see `nas_rnn.tasks.draw.task.Draw.preview`.
    """
    require_drawable(options)
    height, width, levels = meta["height"], meta["width"], meta["levels"]
    known, labels = examples(meta)
    if options.prompt and meta["classes"] == [""]:
        raise UserError(
            f"the pictures of {meta['source']} have no classes, so the prompt {options.prompt!r} names none; leave "
            "it out"
        )
    of_it = of_class(labels, options.prompt, meta["classes"], "picture")
    chosen = known[np.random.default_rng(seed).permutation(of_it)[:COMPLETED]]

    def drawn(given_GNP: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
        made = draw_pieces(net, pieces, given_GNP, temperature=options.temperature, seed=seed)
        return pieces.joined(made, height, width)

    nothing = np.empty((0, DRAWN, pieces.pixels_TP.shape[1]), dtype=np.uint8)
    samples = drawn(nothing, seed)
    cut = pieces.cut(chosen)
    half = cut[: len(cut) // 2]
    again = np.stack([drawn(half, seed + 1 + number) for number in range(TIMES if options.files else 1)])
    text = _text(samples, again[0], len(half), options.length, levels)
    if not options.files:
        return Preview(text=text)
    from nas_rnn.tasks.draw.figures import completed_png, samples_png

    given = pieces.joined(np.concatenate([half, np.zeros_like(cut[len(half) :])]), height, width)
    return Preview(
        text=text,
        files={
            "samples.png": samples_png(samples, known[:BESIDE], levels),
            "completed.png": completed_png(given, again, chosen, levels),
        },
    )


def _text(
    samples: NDArray[np.uint8], completed: NDArray[np.uint8], given: int, length: int, levels: int
) -> str:
    most = min(IN_TEXT, length)
    parts = [f"drawn:\n{in_characters(picture, levels - 1)}" for picture in samples[:most]]
    parts += [
        f"completed after the first {given} pieces of a validation picture:\n{in_characters(picture, levels - 1)}"
        for picture in completed[:most]
    ]
    return "\n\n".join(parts)
