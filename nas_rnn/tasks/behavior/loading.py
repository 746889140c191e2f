"""From events to sessions, and from sessions to the parts that are trained and tested on.

Shapes: N events, S sessions, L events of the longest, K items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.behavior.events import WHAT_WORKS, Events, Reading, read_events
from nas_rnn.tasks.behavior.shop import names, sessions
from nas_rnn.tasks.data import PARTS, Arrays, Part, TaskData, symbol_dtype
from nas_rnn.tasks.notices import SAID, per_cent
from nas_rnn.tasks.texts import ends_of_parts

EMBEDDED = "a made-up shop"
EMBEDDED_SESSIONS = 4_000
MOST_CELLS = 1 << 28
"""Of all sessions side by side, each as long as the longest."""
MOST_EXAMPLES, MOST_EXAMPLE_EVENTS = 8, 30
MINUTE = 60_000_000

Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How sessions are made of events: the task's options of these names."""

    gap: float
    shortest: int
    longest: int
    least: int
    items: int
    split: str
    valid: float
    test: float
    top: int


@dataclass(frozen=True, eq=False)
class Sessions:
    """Where each session's events are: ``begins_S`` and ``lengths_S`` in ``items_N``; ``users_S`` or None.

    Sessions stand in the order in which they begin.
    """

    items_N: Numbers
    begins_S: Numbers
    lengths_S: Numbers
    users_S: Numbers | None


def load_parts(source: Path | None, reading: Reading, wanted: Wanted) -> TaskData:
    """Read events, or make up sessions, and give them to the three parts.

    Raises:
        UserError: when the data cannot be used.
    """
    events = _made_up() if source is None else read_events(source, reading)
    found = sessions_of(events, wanted.gap)
    long, told = _long_enough(found, events, wanted)
    parts = _parts(long, events.source, wanted)
    kept = _vocabulary(long, parts["train"], events, wanted)
    numbers_V = np.full(len(events.names), len(kept), dtype=np.int64)
    numbers_V[kept] = np.arange(len(kept))
    lengths_S = np.minimum(long.lengths_S, wanted.longest)
    width = int(lengths_S.max())
    if len(lengths_S) * width > MOST_CELLS:
        raise UserError(
            f"{len(lengths_S):,} sessions of up to {width:,} events are too many to hold side by side; set a smaller "
            "option longest, or give fewer"
        )
    arrays: dict[Part, Arrays] = {
        part: _side_by_side(long, chosen, numbers_V, lengths_S, width, len(kept))
        for part, chosen in parts.items()
    }
    require_known(arrays, len(kept), events.source)
    meta: dict[str, Any] = {
        "source": events.source,
        "items": [events.names[number] for number in kept],
        "notices": told,
        "examples": _examples(arrays["valid"]),
    }
    return TaskData(arrays, meta, _groups(long, parts))


def sessions_of(events: Events, gap: float) -> Sessions:
    """Return the sessions of events, each in the order of time; of equal time as they stand.

    A pause of more than ``gap`` minutes begins a new one; 0: none does. A session is one user's: names of sessions may
    begin anew with each.

    Raises:
        UserError: for a gap where there are no times.
    """
    if gap and not events.dated:
        raise UserError(
            f"gap={gap:g} wants times, and {events.source} has none that are known as such; leave out option gap, or "
            "name the column of the times (option time)"
        )
    owners_N = np.zeros_like(events.sessions) if events.users is None else events.users
    finer_N = np.zeros(len(events.times), np.int16) if events.nanoseconds is None else events.nanoseconds
    order = np.lexsort((finer_N, events.times, owners_N, events.sessions))
    times_N, finer_N = events.times[order], finer_N[order]
    new_N = np.ones(len(order), dtype=bool)
    new_N[1:] = (np.diff(events.sessions[order]) != 0) | (np.diff(owners_N[order]) != 0)
    if gap:
        new_N[1:] |= np.diff(times_N) + np.diff(finer_N) / 1000 > gap * MINUTE
    begins_S = np.flatnonzero(new_N)
    lengths_S = np.diff(np.append(begins_S, len(order)))
    by_begin = np.lexsort((finer_N[begins_S], times_N[begins_S]))
    begins_S, lengths_S = begins_S[by_begin], lengths_S[by_begin]
    users_N = events.users
    if users_N is None and events.by_user and gap:
        users_N = events.sessions
    users_S = None if users_N is None else users_N[order][begins_S]
    return Sessions(events.items[order], begins_S, lengths_S, users_S)


def _long_enough(found: Sessions, events: Events, wanted: Wanted) -> tuple[Sessions, list[str]]:
    """Return the sessions of enough events, and in sentences what is left out and cut."""
    enough_S = found.lengths_S >= wanted.shortest
    count, short = int(enough_S.sum()), int((~enough_S).sum())
    if count < len(PARTS):
        all_short = short and found.lengths_S.max() < wanted.shortest
        longest = f"; the longest of {short:,} has {found.lengths_S.max():,}" if all_short else ""
        raise UserError(
            f"{events.source} has {count} session{'s' * (count != 1)} of {wanted.shortest} events or more, too few for "
            f"a training, a validation and a test part{longest}; {WHAT_WORKS}, with three sessions at least, better a "
            "thousand"
        )
    users_S = None if found.users_S is None else found.users_S[enough_S]
    kept = Sessions(found.items_N, found.begins_S[enough_S], found.lengths_S[enough_S], users_S)
    told = list[str]()
    if short:
        told.append(
            f"{short:,} of {short + count:,} sessions have fewer than {wanted.shortest} events and are left out"
        )
    cut_S = kept.lengths_S - wanted.longest
    if (cut_S > 0).any():
        told.append(
            f"{int((cut_S > 0).sum()):,} sessions are cut behind their first {wanted.longest} events (option longest), "
            f"by {int(cut_S[cut_S > 0].sum()):,} events"
        )
    return kept, told


def _parts(found: Sessions, source: str, wanted: Wanted) -> dict[Part, Numbers]:
    """Return the sessions of each part: those that begin last test; or those of users who are drawn."""
    count = len(found.lengths_S)
    if wanted.split == "time":
        first, second = ends_of_parts(count, wanted.valid, wanted.test)
        first = max(1, min(first, count - 2))
        second = max(first + 1, min(second, count - 1))
        places = np.arange(count)
        return {"train": places[:first], "valid": places[first:second], "test": places[second:]}
    if found.users_S is None:
        raise UserError(
            f"split=users wants a column of users beside that of sessions, which {source} has not; name it by option "
            "user, or leave out option split"
        )
    users = np.unique(found.users_S)
    if len(users) < len(PARTS):
        raise UserError(
            f"{source} has {len(users)} user{'s' * (len(users) != 1)} with sessions of {wanted.shortest} events or "
            "more, too few for a training, a validation and a test part; give three at least, or leave out option split"
        )
    mixed = np.random.default_rng(0).permutation(users)
    first, second = ends_of_parts(len(users), wanted.valid, wanted.test)
    first = max(1, min(first, len(users) - 2))
    second = max(first + 1, min(second, len(users) - 1))
    own = {"train": mixed[:first], "valid": mixed[first:second], "test": mixed[second:]}
    return {part: np.flatnonzero(np.isin(found.users_S, own[part])) for part in PARTS}


def _vocabulary(found: Sessions, train: Numbers, events: Events, wanted: Wanted) -> Numbers:
    """Return the numbers of the items that are known, the most frequent in training first."""
    counts_V = np.zeros(len(events.names), dtype=np.int64)
    lengths_S = np.minimum(found.lengths_S[train], wanted.longest)
    np.add.at(counts_V, found.items_N[_spread(found.begins_S[train], lengths_S)], 1)
    enough = np.flatnonzero(counts_V >= wanted.least)
    ordered = sorted(enough.tolist(), key=lambda number: (-counts_V[number], events.names[number]))
    kept = np.array(ordered[: wanted.items or None], dtype=np.int64)
    if len(kept) <= wanted.top:
        often = f" that occur {wanted.least:,} times or more" if wanted.least > 1 else ""
        raise UserError(
            f"the training part of {events.source} has {len(kept)} item{'s' * (len(kept) != 1)}{often}, so that the "
            f"first {wanted.top} are all there are; give data with more items, or set a smaller option top"
            f"{' or least' * (wanted.least > 1)}"
        )
    return kept


def _side_by_side(
    found: Sessions, chosen: Numbers, numbers_V: Numbers, lengths_S: Numbers, width: int, items: int
) -> Arrays:
    """Return the sessions' items (S, L), of which `lengths` are real and 0 stands behind."""
    lengths = lengths_S[chosen]
    rows = np.zeros((len(chosen), width), dtype=symbol_dtype(items + 1))
    rows[np.arange(width) < lengths[:, None]] = numbers_V[
        found.items_N[_spread(found.begins_S[chosen], lengths)]
    ]
    return {"items": rows, "lengths": lengths.astype(np.int32)}


def require_known(parts: Mapping[Part, Arrays], items: int, source: str) -> None:
    """Raise `UserError` for a part in which no step has a known next item: there is no loss, which steers."""
    for part, own in parts.items():
        real = np.arange(1, own["items"].shape[1]) < own["lengths"].astype(np.int64)[:, None]
        if not (own["items"][:, 1:][real] < items).any():
            raise UserError(
                f"no next item of the {SAID[part]} part of {source} is one of the {items:,} that are known from "
                "training; give more sessions, or set a smaller option least, or another split"
            )


def _spread(begins_S: Numbers, lengths_S: Numbers) -> Numbers:
    """Return the places of all events of sessions, one session after the other."""
    within = np.arange(int(lengths_S.sum())) - np.repeat(np.cumsum(lengths_S) - lengths_S, lengths_S)
    return np.asarray(np.repeat(begins_S, lengths_S) + within)


def _groups(found: Sessions, parts: Mapping[Part, Numbers]) -> dict[Part, Numbers]:
    if found.users_S is None:
        return {}
    return {
        part: np.unique(found.users_S[chosen], return_inverse=True)[1].astype(np.int64)
        for part, chosen in parts.items()
    }


def _examples(valid: Mapping[str, NDArray[Any]]) -> list[list[int]]:
    """Return the beginnings of a few sessions, the longest of those that begin first."""
    lengths = valid["lengths"][:200]
    places = np.sort(np.argsort(-np.minimum(lengths, MOST_EXAMPLE_EVENTS), kind="stable")[:MOST_EXAMPLES])
    return [valid["items"][place, : lengths[place]][:MOST_EXAMPLE_EVENTS].tolist() for place in places]


def _made_up() -> Events:
    rows = sessions(EMBEDDED_SESSIONS, seed=0)
    lengths = [len(row) for row in rows]
    return Events(
        source=EMBEDDED,
        sessions=np.repeat(np.arange(len(rows)), lengths),
        items=np.array([item for row in rows for item in row], dtype=np.int64),
        times=np.arange(sum(lengths), dtype=np.int64),
        users=None,
        names=names(),
        dated=False,
        by_user=False,
    )


def left_out(data: TaskData) -> list[str]:
    """Say which share of each part's events has an item that is not known; nothing where all are."""
    other = len(data.meta["items"])
    shares = dict[Part, float]()
    for part in PARTS:
        own = data.part(part)
        real = np.arange(own["items"].shape[1]) < own["lengths"][:, None]
        shares[part] = float((own["items"] == other)[real].mean())
    if not any(shares.values()):
        return []
    said = ", ".join(f"{per_cent(share)} of the {SAID[part]} part" for part, share in shares.items())
    return [
        f"{said} are none of the {other:,} items that are known from training: they are read as one, never "
        "counted as right, and in no loss"
    ]
