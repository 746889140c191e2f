"""Over which ranges tuning looks for settings: wide ones, the same for every cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

from nas_rnn import plugins
from nas_rnn.cells import gate_bias, parse_cell
from nas_rnn.comparison import Entry
from nas_rnn.errors import UserError
from nas_rnn.experiment.models import Models
from nas_rnn.strategies.settings import Choice, Range, Setting, Settings, Where
from nas_rnn.tasks import Batching
from nas_rnn.training.options import Init

LEAST_LEARNING_RATE, MOST_LEARNING_RATE = 1 / 30, 10.0
"""The learning rates to try, as multiples of the one that was given."""
LEAST_DECAY, MOST_DECAY = 1e-6, 0.1
"""The weight decays to try, besides none."""
MOST_GATE_BIAS = 3.0
SIZE_FACTOR = 4
"""Batch and length are tried from one so-many-th to so many times what was given."""

Fits = Callable[[int, int], bool]
"""Whether the training part fills a batch of so many sequences of such a length."""


def ranges(entries: Sequence[Entry], fits: Fits = lambda batch, length: True) -> dict[str, Where]:
    """Return over which ranges settings are tuned, the same for all ``entries``; the baseline's own lie within.

    They depend on the baseline, the first entry, alone: it is tuned before its contenders are known.

    Batch and length are whole numbers, evenly in the logarithm, that the training part can fill. ``gate_bias`` concerns
    cells with biases that do not start at zero.
    """
    settings = given_settings(entries[0])
    given = {name: value for name, value in settings.items() if not isinstance(value, str)}
    bias = given.get("gate_bias")
    rate, decay, clip = given["learning_rate"], given["weight_decay"], given.get("clip", 1.0)
    found: dict[str, Where] = {
        "learning_rate": Range(
            low=rate * LEAST_LEARNING_RATE, high=rate * MOST_LEARNING_RATE, log=True, near=rate
        ),
        "weight_decay": Range(
            low=min(LEAST_DECAY, decay or LEAST_DECAY),
            high=min(max(MOST_DECAY, 10 * decay), 0.99),
            log=True,
            zero=True,
            near=decay or None,  # what lies near none is as good as none
        ),
        "gate_bias": Range(low=0.0, high=max(MOST_GATE_BIAS, bias or 0.0), near=bias),
        "init": Choice(names=get_args(Init)),
        "clip": Range(low=min(0.1, clip / 10), high=max(10.0, 10 * clip), log=True, near=clip),
    }
    for name in ("variational_dropout", "dropout", "weight_drop"):  # up to 0.5, where none was given
        found[name] = Range(low=0.0, high=(1 + given.get(name, 0.0)) / 2, near=given.get(name))
    found |= _of_sizes(
        {name: int(given[name]) for name in ("batch", "length") if name in given}, entries[0], fits
    )
    return {name: where for name, where in found.items() if name in settings or name == "gate_bias"}


def _of_sizes(given: dict[str, int], entry: Entry, fits: Fits) -> dict[str, Range]:
    """Return the ranges of batch and length, as far as they are ``given``: the greatest of them together must fit."""
    if not given:
        return {}
    training = entry.training

    def most_fit(factor: int) -> bool:
        most = {name: size * factor for name, size in given.items()}
        return fits(most.get("batch", training.batch), most.get("length", training.length))

    factor = next((f for f in (SIZE_FACTOR, SIZE_FACTOR // 2) if most_fit(f)), 1)
    return {
        name: Range(low=max(1, size // SIZE_FACTOR), high=size * factor, log=True, whole=True, near=size)
        for name, size in given.items()
    }


def given_settings(entry: Entry) -> Settings:
    """Return the settings that a cell has before it is tuned."""
    bias = gate_bias(parse_cell(entry.cell))
    return entry.settings if bias is None else {**entry.settings, "gate_bias": bias}


def fits_in(models: Models) -> Fits:
    """Return whether a batch of some size and length can be cut from the training part of ``models``."""

    def fits(batch: int, length: int) -> bool:
        cut = Batching(batch=batch, length=length, seed=0, epoch=1)
        plugin = plugins.registry().find("task", models.task.name)
        with plugins.running(plugin, passing=(UserError,)):
            try:
                return next(models.task.batches(models.data, "train", cut), None) is not None
            except UserError:
                return False

    return fits


def edge_words(name: str, settings: Settings, tried: Sequence[Settings], where: Where) -> str | None:
    """Return what to say of a best value that has none beyond it, where a better one may lie; None where it has.

    Learning rates matter most: the best is told where none that was tried lies beyond, other values at the edge of
    their range.
    """
    if isinstance(where, Choice):
        return None
    best, values = _number(settings[name]), [_number(one[name]) for one in tried]
    told, flag = name.replace("_", " "), name.replace("_", "-")
    again = "" if name == "gate_bias" else f" (--{flag} {best:g} tries values around it)"
    if again and best == values[0]:  # the one that was given: with it the same ones would be tried
        again = " (a larger --tune tries more around it)"
    if name == "learning_rate" and len(set(values)) > 1 and best in (min(values), max(values)):
        which = "highest" if best == max(values) else "lowest"
        return f"the best {told}, {best:g}, is the {which} that was tried; one beyond it may be better{again}"
    end = where.edge(best)
    if end is None or len(set(values)) < 2 or name == "learning_rate":
        return None
    return f"the best {told}, {best:g}, lies at the end of its range, {end:g}; one beyond it may be better{again}"


def _number(value: Setting) -> float:
    assert not isinstance(value, str)
    return value
