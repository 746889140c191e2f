"""What a model writes, to look at: a table of source, target and output, and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from nas_rnn.errors import UserError
from nas_rnn.outside import shown
from nas_rnn.tasks.data import Arrays
from nas_rnn.tasks.seq2seq.batching import as_read
from nas_rnn.tasks.seq2seq.model import Translator
from nas_rnn.tasks.seq2seq.written import Written
from nas_rnn.tasks.task import Preview, PreviewOptions
from nas_rnn.tasks.vocabulary import cut, join, symbols_of, texts_of

KEPT = 24
"""So many validation pairs stay with a saved model, so that it can show what it does without the data."""
SHOWN = 10
"""Pairs on one screen."""


def examples_of(valid: Arrays, source_known: int) -> list[list[list[int]]]:
    """Return the symbols of some validation pairs, source and target; sources as a net reads them."""
    count = len(valid["source"])
    places = np.random.default_rng(0).permutation(count)[:KEPT]
    sides = as_read(valid["source"][places], source_known), valid["target"][places]
    return [[[int(symbol) for symbol in row if symbol] for row in rows] for rows in zip(*sides, strict=True)]


def show(model: Translator, meta: Mapping[str, Any], *, seed: int, options: PreviewOptions) -> Preview:
    """Return some of the pairs that are kept, drawn by ``seed``, or the prompt, with what the model writes.

    Raises:
        UserError: see `nas_rnn.tasks.seq2seq.task.Seq2Seq.preview`.
    """
    if options.length < 0:
        raise UserError(f"the length of a preview must be at least 0; got {options.length!r}")
    if options.prompt.strip():
        chosen: list[tuple[list[int], list[int] | None]] = [(_prompted(options.prompt, meta), None)]
    else:
        order = np.random.default_rng(seed).permutation(len(meta["examples"]))
        chosen = [tuple(meta["examples"][place]) for place in order[: min(SHOWN, options.length)]]
    if not chosen:
        return Preview()
    was_training = model.training
    model.eval()
    written = [_written(model, meta, *pair) for pair in chosen]
    model.train(was_training)
    by, target_by = meta["by"], meta["target_by"]
    text = _table(written, by, target_by)
    if not options.files:
        return Preview(text=text)
    from nas_rnn.tasks.seq2seq.figures import attention_of, table_of

    if written[0].weights is not None:
        files = {"attention.png": attention_of(written[:4])}
    else:
        files = {"pairs.png": table_of(written, by, target_by)}
    return Preview(text=text, files=files)


def _prompted(prompt: str, meta: Mapping[str, Any]) -> list[int]:
    tokens = cut(prompt, meta["by"])
    if not 1 <= len(tokens) <= meta["longest"]:
        raise UserError(
            f"the prompt is a source of 1 to {meta['longest']} tokens ({meta['by']}s), as in the data; this one has "
            f"{len(tokens)}"
        )
    return symbols_of(tokens, meta["source_tokens"][: meta["source_known"]])


def _written(
    model: Translator, meta: Mapping[str, Any], source: list[int], target: list[int] | None
) -> Written:
    device = next(model.parameters()).device
    source_S = torch.tensor(source, device=device)
    (output,) = model.decode(source_S[:, None], torch.tensor([len(source)], device=device)).rows()
    weights_TS = model.attention(source_S, output)
    tokens = meta["target_tokens"]
    return Written(
        texts_of(source, meta["source_tokens"]),
        None if target is None else texts_of(target, tokens),
        texts_of(output, tokens),
        None if weights_TS is None else weights_TS.double().cpu().numpy(),
    )


def _table(written: Sequence[Written], by: str, target_by: str) -> str:
    lines = list[str]()
    for pair in written:
        lines.append(f"source  {shown(join(pair.source, by))}")
        if pair.target is not None:
            lines.append(f"target  {shown(join(pair.target, target_by))}")
        mark = "" if pair.target is None else "  (right)" if pair.right else "  (wrong)"
        lines += [f"output  {shown(join(pair.output, target_by))}{mark}", ""]
    return "\n".join(lines[:-1])
