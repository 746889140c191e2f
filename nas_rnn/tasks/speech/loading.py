"""From sound files to the parts that are trained and tested on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.outside import shown
from nas_rnn.tasks.data import Part, TaskData
from nas_rnn.tasks.series.examples import packed
from nas_rnn.tasks.series.loading import class_data, groups_of, in_parts, series_meta
from nas_rnn.tasks.series.recordings import MOST_STEPS, MOST_VALUES, Recordings, require_usable
from nas_rnn.tasks.shares import Shares
from nas_rnn.tasks.speech.ctc import frames_needed
from nas_rnn.tasks.speech.embedded import vowels
from nas_rnn.tasks.speech.features import Spectra, library
from nas_rnn.tasks.speech.listing import Entry, Told, listed
from nas_rnn.tasks.speech.rows import SPEAKERS, InRows, joined_series
from nas_rnn.tasks.speech.scores import levenshtein
from nas_rnn.tasks.speech.sound import RATES, Head, read_head, read_samples, resampled, soundfile
from nas_rnn.tasks.speech.transcripts import tokens_of, transcript, transcript_arrays

MOST_EXAMPLES, MOST_EXAMPLE_BYTES = 24, 1 << 19
"""Validation recordings that stay with a saved model, and what they may take: frames are wide."""

MOST_ROW_FRAMES = 1 << 14
"""Of recordings put in a row."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be told of recordings: ``target`` "class", "row" or "transcript", and how it is cut."""

    target: str = "class"
    by: str = "word"


def load_speech(
    source: Path | None,
    *,
    told: Told,
    spectra: Spectra,
    rate: int,
    wanted: Wanted,
    in_rows: InRows,
    shares: Shares,
) -> TaskData:
    """Read recordings, compute their features once, and cut them into parts.

    Raises:
        UserError: when the data cannot be used; the message names the file.
    """
    if wanted.target != "class":
        levenshtein()  # what is missing is said before anything is trained
    if source is None:
        if wanted.target == "transcript":
            raise UserError(
                "target=transcript needs recordings with a transcript each; give a table of them (--data), or set "
                "target=row"
            )
        fit, test = vowels()
        shares.require_used({"test": f"the data, {test.source}"})
        known: dict[Part, Recordings] = {"train": fit, "test": test}
    else:
        entries = listed(source, told)
        shares.require_used(_told_by(source, entries, told))
        if wanted.target == "transcript":
            _require_said(entries, wanted.by)
        known = _recordings(source, entries, spectra, rate, wanted)
    for own in known.values():
        require_usable(own)
    parts = in_parts(
        known["train"],
        known.get("test"),
        known.get("valid"),
        shares=shares,
        one_class=wanted.target != "transcript",
    )
    data = _data(parts, wanted, in_rows)
    return TaskData(data.parts, {**data.meta, "sound": source is not None}, data.groups)


def _told_by(source: Path, entries: Sequence[Entry], told: Told) -> dict[Part, str]:
    """Return what tells the parts of recordings that are told: an option, or the data themselves."""
    options: Mapping[Part | None, str] = {"valid": told.valid_where, "test": told.test_where}
    return {
        entry.part: f"option {entry.part}_where" if options.get(entry.part) else str(source)
        for entry in entries
        if entry.part is not None
    }


def _require_said(entries: Sequence[Entry], by: str) -> None:
    for entry in entries:
        if not tokens_of(entry.label, by):
            raise UserError(
                f"{entry.called} has an empty transcript; write down what is said, or take it out"
            )


def _require_frames(entry: Entry, frames: int, by: str) -> None:
    """Raise `UserError` for a recording with fewer frames than its labels take."""
    labels = tokens_of(entry.label, by)
    if frames < frames_needed(labels):
        raise UserError(
            f"{entry.called} has {frames:,} frames, too few for the {len(labels):,} labels of its transcript "
            f"{shown(entry.label)[:40]!r}; set a smaller option hop, or mend the transcript"
        )


def _recordings(
    source: Path, entries: list[Entry], spectra: Spectra, rate: int, wanted: Wanted
) -> dict[Part, Recordings]:
    """Return what has no part of its own, or the training part's, as "train", and the parts that are told."""
    soundfile(), library()  # what is missing is said before a long list is gone through
    heads = [read_head(entry.path, entry.called) for entry in entries]
    rate, notices = _common_rate(heads, rate)
    spectra.require_possible(rate)
    _require_fitting(source, entries, heads, spectra, rate)
    parts: list[Part] = ["train" if entry.part is None else entry.part for entry in entries]
    if "train" not in parts:
        raise UserError(f"no recording of {source} is left to train on; let some have no part, or train")
    found: dict[Part, list[tuple[Entry, NDArray[np.float32]]]] = {}
    silent = list[str]()
    for entry, head, part in zip(entries, heads, parts, strict=True):
        samples_S = read_samples(entry.path, entry.called, head)
        if not samples_S.any():
            silent.append(entry.path.name)
        features_TV = spectra.of(resampled(samples_S, head.rate, rate), rate)
        if wanted.target == "transcript":
            _require_frames(entry, len(features_TV), wanted.by)
        found.setdefault(part, []).append((entry, features_TV))
    if silent:
        more = f" and {len(silent) - 3} others" if len(silent) > 3 else ""
        notices += (
            f"{len(silent):,} recordings are silent, all samples are 0: {', '.join(silent[:3])}{more}",
        )
    return {
        part: Recordings(
            source=source.name,
            variables=spectra.names,
            series=[features_TV for _, features_TV in own],
            labels=[entry.label for entry, _ in own],
            groups=[entry.speaker or "" for entry, _ in own] if own[0][0].speaker is not None else None,
            notices=notices,
            called="recordings",
            ungrouped="speakers=false",
            shorter="hop",
        )
        for part, own in found.items()
    }


def _common_rate(heads: Sequence[Head], wanted: int) -> tuple[int, tuple[str, ...]]:
    """Return the rate that all are brought to: what option ``rate`` says, or that of most; and what is told of it."""
    counts = Counter(head.rate for head in heads)
    if 0 < wanted < RATES[0]:
        raise UserError(f"option rate={wanted} is too low for speech; use 0, or at least {RATES[0]:,}")
    rate = wanted or min(counts, key=lambda one: (-counts[one], one))
    others = {one: count for one, count in sorted(counts.items()) if one != rate}
    if not others:
        return rate, ()
    listed_rates = ", ".join(f"{one:,} ({count:,})" for one, count in list(others.items())[:4])
    return rate, (
        f"{sum(others.values()):,} recordings have other rates than {rate:,} Hz and are resampled to it: "
        f"{listed_rates}; option rate chooses another",
    )


def _require_fitting(
    source: Path, entries: Sequence[Entry], heads: Sequence[Head], spectra: Spectra, rate: int
) -> None:
    """Raise `UserError` for recordings too long or too short for frames, or too many for memory."""
    longest = max(heads, key=lambda head: head.seconds)
    frames = spectra.frames(longest.seconds, rate)
    if frames > MOST_STEPS:
        entry = entries[heads.index(longest)]
        raise UserError(
            f"{entry.called} lasts {longest.seconds:,.1f} s, {frames:,} frames of {spectra.hop:g} ms, more than "
            f"{MOST_STEPS:,}; cut it, or set a larger option hop"
        )
    for entry, head in zip(entries, heads, strict=True):
        if spectra.frames(head.seconds, rate) < 2:
            raise UserError(
                f"{entry.called} lasts {1000 * head.seconds:.3g} ms, less than two frames of {spectra.hop:g} ms; take "
                "it out, or set a smaller option hop"
            )
    padded = len(heads) * frames * len(spectra.names)
    if padded > MOST_VALUES:
        raise UserError(
            f"{source} has {len(heads):,} recordings of up to {frames:,} frames and {len(spectra.names)} features, "
            f"{padded:,} numbers, more than {MOST_VALUES:,}; give fewer, or set a larger option hop"
        )


def _data(parts: Mapping[Part, Recordings], wanted: Wanted, in_rows: InRows) -> TaskData:
    if wanted.target == "class":
        return class_data(parts, MOST_EXAMPLE_BYTES)
    if wanted.target == "transcript":
        arrays, classes = transcript_arrays(parts, wanted.by)
        meta, groups = series_meta(parts, arrays["train"], classes), groups_of(parts)
        valid = arrays["valid"]
        labelled = [
            (valid["series"][place, : valid["lengths"][place]], transcript(valid, place).tolist())
            for place in range(min(MOST_EXAMPLES, len(valid["counts"])))
        ]
        return TaskData(arrays, {**meta, "examples": _fitting(labelled)}, groups)
    data = class_data(parts)
    arrays = dict(data.parts)
    if data.groups:
        arrays = {part: {**own, SPEAKERS: data.groups[part]} for part, own in arrays.items()}
    longest = max(int(own["lengths"].max()) for own in arrays.values())
    if in_rows.most * longest > MOST_ROW_FRAMES:
        raise UserError(
            f"{in_rows.most} recordings of up to {longest:,} frames make rows of more than {MOST_ROW_FRAMES:,}; set "
            f"option row={max(2, MOST_ROW_FRAMES // longest)}, or a larger hop"
        )
    rows: dict[Part, list[NDArray[np.int64]]] = {part: in_rows.rows(arrays[part], part) for part in arrays}
    groups = {
        part: np.array([own[SPEAKERS][row[0]] for row in rows[part]])
        for part, own in arrays.items()
        if data.groups
    }
    valid = arrays["valid"]
    labelled = [
        (joined_series(valid, row), valid["labels"][row].tolist()) for row in rows["valid"][:MOST_EXAMPLES]
    ]
    return TaskData(arrays, {**data.meta, "examples": _fitting(labelled)}, groups)


def _fitting(labelled: Sequence[tuple[NDArray[np.float32], list[int]]]) -> dict[str, Any]:
    """Return the first of recordings with several labels each, as many as may stay with a model."""
    ends = np.cumsum([series.nbytes for series, _ in labelled])
    chosen = labelled[: int(np.searchsorted(ends, MOST_EXAMPLE_BYTES, "right"))]
    return packed([series for series, _ in chosen], [labels for _, labels in chosen])
