"""From files to the parts that are trained and tested on, in one order of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.outside import shown
from nas_rnn.tasks.classify.csv_file import Naming
from nas_rnn.tasks.classify.examples import kept
from nas_rnn.tasks.classify.parts import Places, arrays, scale, split
from nas_rnn.tasks.classify.recordings import (
    Recordings,
    class_names,
    pooled,
    require_classes,
    require_usable,
    spelled_apart,
)
from nas_rnn.tasks.classify.sources import read_source
from nas_rnn.tasks.data import Arrays, Part, TaskData

__all__ = ["load_parts", "scale"]


def load_parts(
    source: Path | None, *, dataset: str, naming: Naming, pool: int, test: float, valid: float
) -> TaskData:
    """Read what to train and test on, cut it into parts, and measure the training part's scale.

    Raises:
        UserError: when the data cannot be used.
    """
    fit, own_test = read_source(source, dataset, naming)
    fit = pooled(fit, pool)
    require_usable(fit)
    if own_test is None:
        require_classes(fit, 3, "training, validation and test")
        rest, cut = split(fit, _numbers(fit.labels), test)
        fit, own_test = _taken(fit, rest), _taken(fit, cut)
    else:
        own_test = pooled(own_test, pool)
        require_usable(own_test)
        require_classes(fit, 2, "training and validation")
    train, validation = split(fit, _numbers(fit.labels), valid)
    parts: dict[Part, Recordings] = {
        "train": _taken(fit, train),
        "valid": _taken(fit, validation),
        "test": own_test,
    }
    return _data(parts, fit)


def _taken(recordings: Recordings, places: Places) -> Recordings:
    own = places.tolist()
    return replace(
        recordings,
        series=[recordings.series[place] for place in own],
        labels=[recordings.labels[place] for place in own],
        groups=None if recordings.groups is None else [recordings.groups[place] for place in own],
    )


def _numbers(names: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of each name among the different ones."""
    known = {name: number for number, name in enumerate(class_names(names))}
    return np.array([known[name] for name in names], dtype=np.int64)


def _data(parts: Mapping[Part, Recordings], fit: Recordings) -> TaskData:
    classes = class_names([label for part in parts.values() for label in part.labels])
    numbers = {name: number for number, name in enumerate(classes)}
    found = {
        part: arrays(own, np.array([numbers[label] for label in own.labels]), len(classes))
        for part, own in parts.items()
    }
    scales = scale(found["train"])
    told = dict.fromkeys(notice for own in parts.values() for notice in own.notices)
    notices = [*told, *spelled_apart(classes), *_even(found["train"], fit), *_shared_groups(parts)]
    meta: dict[str, Any] = {
        "source": fit.source,
        "classes": classes,
        "variables": list(fit.variables),
        **scales,
        "notices": [shown(notice) for notice in notices],
        "examples": kept(found["valid"]),
    }
    return TaskData(found, meta, _groups(parts))


def _groups(parts: Mapping[Part, Recordings]) -> dict[Part, NDArray[np.int64]]:
    """Return the number of each series' group, where all parts have groups."""
    if any(own.groups is None for own in parts.values()):
        return {}
    names = sorted({name for own in parts.values() for name in own.groups or ()})
    numbers = {name: number for number, name in enumerate(names)}
    return {
        part: np.array([numbers[name] for name in own.groups or ()], dtype=np.int64)
        for part, own in parts.items()
    }


def _even(train: Arrays, fit: Recordings) -> tuple[str, ...]:
    """Say which variables never change."""
    series_NTV = train["series"]
    real_NT1 = (np.arange(series_NTV.shape[1]) < train["lengths"][:, None])[..., None]
    low_V = np.where(real_NT1, series_NTV, np.inf).min((0, 1))
    high_V = np.where(real_NT1, series_NTV, -np.inf).max((0, 1))
    names = [name for name, even in zip(fit.variables, low_V == high_V, strict=True) if even]
    if not names:
        return ()
    more = f" and {len(names) - 5} others" if len(names) > 5 else ""
    return (
        f"in the training part some variables never change and tell nothing: {', '.join(names[:5])}{more}",
    )


def _shared_groups(parts: Mapping[Part, Recordings]) -> tuple[str, ...]:
    """Say who is in the training and in the test part, as the data's own cut may have it."""
    both = sorted(set(parts["train"].groups or ()) & set(parts["test"].groups or ()))
    if not both:
        return ()
    more = f" and {len(both) - 5} others" if len(both) > 5 else ""
    return (
        f"the data's own test part has series of groups that are in the training part: {', '.join(both[:5])}{more}. "
        "The figure says how well known ones are told, not new ones",
    )
