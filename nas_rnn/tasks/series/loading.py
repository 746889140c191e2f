"""From recordings to the parts that are trained and tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.outside import shown
from nas_rnn.tasks.data import PARTS, Arrays, Part, TaskData
from nas_rnn.tasks.notices import SAID
from nas_rnn.tasks.series.examples import MOST_EXAMPLE_BYTES, kept
from nas_rnn.tasks.series.parts import Places, arrays, scale, split
from nas_rnn.tasks.series.recordings import Recordings, class_names, require_classes, spelled_apart
from nas_rnn.tasks.shares import Shares

VERBS: Mapping[Part, str] = {"train": "train", "valid": "validate", "test": "test"}


def in_parts(
    fit: Recordings,
    test: Recordings | None = None,
    valid: Recordings | None = None,
    *,
    shares: Shares,
    one_class: bool = True,
) -> dict[Part, Recordings]:
    """Return three parts: those that are given, and the shares that are cut from ``fit`` for the others.

    With ``one_class`` a label is a class, of which every part gets its share; otherwise each series has its own.

    Raises:
        UserError: for a single class, or one with too few series for all parts; for too few groups.
    """
    cuts = [name for name, own in (("validation", valid), ("test", test)) if own is None]
    if one_class:
        require_classes(fit, 1 + len(cuts), " and ".join([", ".join(["training", *cuts[:-1]]), *cuts[-1:]]))
    numbers = _numbers if one_class else lambda labels: np.zeros(len(labels), dtype=np.int64)
    if test is None:
        rest, cut = split(fit, numbers(fit.labels), shares.test)
        fit, test = taken(fit, rest), taken(fit, cut)
    if valid is None:
        rest, cut = split(fit, numbers(fit.labels), shares.valid)
        fit, valid = taken(fit, rest), taken(fit, cut)
    return {"train": fit, "valid": valid, "test": test}


def taken(recordings: Recordings, places: Places) -> Recordings:
    """Return the series at ``places``, in that order."""
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


def class_data(parts: Mapping[Part, Recordings], example_bytes: int = MOST_EXAMPLE_BYTES) -> TaskData:
    """Return the arrays of parts whose series have one class each, with `series_meta` and the ``examples``."""
    classes = class_names([label for part in parts.values() for label in part.labels])
    numbers = {name: number for number, name in enumerate(classes)}
    found = {
        part: arrays(own, np.array([numbers[label] for label in own.labels]), len(classes))
        for part, own in parts.items()
    }
    meta = series_meta(parts, found["train"], classes)
    return TaskData(found, {**meta, "examples": kept(found["valid"], example_bytes)}, groups_of(parts))


def series_meta(parts: Mapping[Part, Recordings], train: Arrays, classes: list[str]) -> dict[str, Any]:
    """Return what a model must know: ``source``, ``classes``, ``variables``, their scale, and ``notices``."""
    fit = parts["train"]
    scales = scale(train)
    told = dict.fromkeys(notice for own in parts.values() for notice in own.notices)
    notices = [*told, *spelled_apart(classes), *_even(train, fit), *_groups_told(parts), *_repeated(parts)]
    return {
        "source": fit.source,
        "classes": classes,
        "variables": list(fit.variables),
        **scales,
        "notices": [shown(notice) for notice in notices],
    }


def groups_of(parts: Mapping[Part, Recordings]) -> dict[Part, NDArray[np.int64]]:
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


def _repeated(parts: Mapping[Part, Recordings]) -> tuple[str, ...]:
    """Say how many series of an evaluated part are the same, value for value, as one to train on."""
    of = {part: [_digest(one) for one in own.series] for part, own in parts.items()}
    trained = set(of["train"])
    counts = {part: sum(one in trained for one in of[part]) for part in PARTS[1:]}
    return tuple(
        f"{count:,} of {len(of[part]):,} {parts[part].called} of the {SAID[part]} part stand in the training part, "
        "too: a figure is better by them"
        for part, count in counts.items()
        if count
    )


def _digest(series_TV: NDArray[Any]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(series_TV).data, digest_size=16).digest()


def _groups_told(parts: Mapping[Part, Recordings]) -> tuple[str, ...]:
    """Say how many groups each part has; or who is in the training and in the test part, where the data are cut so."""
    groups = {part: set(own.groups or ()) for part, own in parts.items()}
    if not all(groups.values()):
        return ()
    both = sorted(groups["train"] & groups["test"])
    if not both:
        counts = ", ".join(f"{len(groups[part]):,} to {verb} on" for part, verb in VERBS.items())
        alone = "; with one group to test on, intervals cover seeds alone" if len(groups["test"]) == 1 else ""
        fit = parts["train"]
        return (
            f"{fit.called} of one group stay in one part, so the figure is that of groups never met: of "
            f"{len(set.union(*groups.values())):,} there are {counts}{alone}; {fit.ungrouped} mixes them",
        )
    more = f" and {len(both) - 5} others" if len(both) > 5 else ""
    return (
        f"the data's own test part has {parts['test'].called} of groups that are in the training part: "
        f"{', '.join(both[:5])}{more}. The figure says how well known ones are told, not new ones",
    )
