"""What a model writes of pictures, to look at: as text, and as a sheet of pictures with captions."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import is_file, shown
from nas_rnn.tasks.caption.batching import seen
from nas_rnn.tasks.caption.figures import Told, sheet_of
from nas_rnn.tasks.caption.floors import rows_of
from nas_rnn.tasks.caption.model import Captioner
from nas_rnn.tasks.data import Arrays
from nas_rnn.tasks.task import Preview, PreviewOptions
from nas_rnn.tasks.vocabulary import join, texts_of

KEPT, KEPT_BYTES = 10, 1 << 17
"""How many validation pictures stay with a saved model, so that it can show what it does without the data."""

Read = Callable[[Path, Mapping[str, Any]], tuple[NDArray[Any], NDArray[np.uint8]]]


def kept(pictures: NDArray[Any]) -> int:
    """Return how many pictures or rows of features of this kind stay with a saved model."""
    return max(1, min(KEPT, KEPT_BYTES // int(pictures[0].nbytes)))


def examples_of(valid: Arrays, pixels: Sequence[NDArray[np.uint8]]) -> dict[str, Any]:
    """Return the first validation pictures as plain JSON: as they are read, as they are shown, with references."""
    pictures = valid["pictures"][: len(pixels)]
    return {
        "dtype": pictures.dtype.name,
        "pictures": base64.b64encode(np.ascontiguousarray(pictures).tobytes()).decode(),
        "shape": list(pixels[0].shape),
        "pixels": "" if pictures.dtype == np.uint8 else base64.b64encode(np.stack(pixels).tobytes()).decode(),
        "references": [rows_of(own) for own in valid["references"][: len(pixels)]],
    }


def show(
    model: Captioner, meta: Mapping[str, Any], *, seed: int, options: PreviewOptions, read: Read
) -> Preview:
    """Return some of the pictures that are kept, drawn by ``seed``, or the prompt's, with what the model writes.

    Raises:
        UserError: see `nas_rnn.tasks.caption.task.Caption.preview`.
    """
    if options.length < 0:
        raise UserError(f"the length of a preview must be at least 0; got {options.length!r}")
    if options.prompt.strip():
        path = Path(options.prompt.strip())
        if not is_file(path):
            raise UserError(f"the prompt is the path of a picture; there is no file {shown(str(path))}")
        inputs, pixels = (array[None] for array in read(path, meta))
        references = list[list[str]]([[]])
    else:
        inputs, pixels, references = _kept(meta)
        order = np.random.default_rng(seed).permutation(len(inputs))[: options.length]
        inputs, pixels, references = inputs[order], pixels[order], [references[place] for place in order]
    if not len(inputs):
        return Preview()
    was_training = model.training
    model.eval()
    rows = model.write(seen(inputs, meta).to(next(model.parameters()).device)).rows()
    model.train(was_training)
    texts = [join(texts_of(row, meta["tokens"]), meta["by"]) for row in rows]
    told = [Told(*one) for one in zip(pixels, texts, references, strict=True)]
    return Preview(text=_listed(told), files={} if not options.files else {"captions.png": sheet_of(told)})


def _kept(meta: Mapping[str, Any]) -> tuple[NDArray[Any], NDArray[np.uint8], list[list[str]]]:
    own = meta["examples"]
    inputs = np.frombuffer(base64.b64decode(own["pictures"]), dtype=own["dtype"]).reshape(-1, *meta["shape"])
    pixels = inputs
    if own["pixels"]:
        pixels = np.frombuffer(base64.b64decode(own["pixels"]), dtype=np.uint8).reshape(-1, *own["shape"])
    references = [
        [join(texts_of(row, meta["tokens"]), meta["by"]) for row in rows] for rows in own["references"]
    ]
    return inputs, pixels, references


def _listed(told: Sequence[Told]) -> str:
    lines = list[str]()
    for one in told:
        mark = "" if not one.references else "  (a reference)" if one.right else ""
        lines.append(f"written    {shown(one.written)}{mark}")
        lines += [f"reference  {shown(reference)}" for reference in one.references]
        lines.append("")
    return "\n".join(lines[:-1])
