"""What a model answered, step by step, in words: for previews of tasks that name one class for an item."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nas_rnn.errors import UserError, unknown
from nas_rnn.tasks.task import PreviewOptions


def require_showable(options: PreviewOptions) -> None:
    """Raise `UserError` for a temperature or a length that nothing can be shown at."""
    if not (math.isfinite(options.temperature) and options.temperature >= 0.0):
        raise UserError(f"temperature must be a number of at least 0; got {options.temperature!r}")
    if options.length < 0:
        raise UserError(f"the length of a preview must be at least 0; got {options.length!r}")


def of_class(labels: Sequence[int], name: str, classes: Sequence[str], item: str) -> list[int]:
    """Return the places of the items of the class ``name``, of all where it is empty; ``item`` is what one is called.

    Raises:
        UserError: for a class that is not known, or of which there is no item.
    """
    if not name:
        return list(range(len(labels)))
    if name not in classes:
        raise unknown("class", name, classes)
    found = [place for place, label in enumerate(labels) if classes[label] == name]
    if not found:
        kept = sorted({classes[label] for label in labels})
        raise UserError(f"no {item} of class {name!r} stays with the model, but of: {', '.join(kept)}")
    return found


def likeliest(logits_C: Tensor, temperature: float) -> float:
    """Return the share of the likeliest class."""
    if temperature == 0.0:
        return 1.0
    return float(torch.softmax((logits_C - logits_C.max()) / temperature, dim=0).max())


def spans(answers: Sequence[str], after: Sequence[int] | None = None) -> list[tuple[str, str]]:
    """Return runs of equal answers with the steps, counted from 1, after which they are given.

    ``after`` are the steps after which the answers were given, where not after each.
    """
    steps = list(after or range(1, len(answers) + 1))
    found, given, first = list[tuple[str, str]](), 0, 1
    for answer, same in itertools.groupby(answers):
        given += len(list(same))
        last = steps[given - 1]
        found.append((answer, str(first) if first == last else f"{first}-{last}"))
        first = last + 1
    return found
