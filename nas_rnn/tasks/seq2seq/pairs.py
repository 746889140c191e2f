"""Pairs as arrays: what files and generators give, cut into tokens, numbered, and divided into parts.

Shapes: N pairs, S tokens of the longest source, T of the longest target. Knows no torch.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError
from nas_rnn.tasks.data import PARTS, Arrays, Part, symbol_dtype
from nas_rnn.tasks.vocabulary import SPECIAL, UNKNOWN, cut

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """A source, its target, and what it must not be parted from: pairs of one ``group`` stand in one part."""

    source: str
    target: str
    group: str


@dataclass
class Side:
    """The texts of one side as numbers of tokens, one after another; ``tokens`` in the order in which they came."""

    by: str
    tokens: dict[str, int] = field(default_factory=dict)
    numbers: array[int] = field(default_factory=lambda: array("i"))
    lengths: array[int] = field(default_factory=lambda: array("i"))

    def add(self, tokens: Sequence[str]) -> None:
        known = self.tokens
        self.numbers.extend([known.setdefault(token, len(known)) for token in tokens])
        self.lengths.append(len(tokens))

    def padded(self) -> Ints:
        """Return the texts as rows (N, longest), filled up with -1."""
        lengths_N = np.asarray(self.lengths, dtype=np.int64)
        rows = np.full((len(lengths_N), int(lengths_N.max(initial=1))), -1, dtype=np.int64)
        rows[np.arange(rows.shape[1]) < lengths_N[:, None]] = np.asarray(self.numbers)
        return rows


@dataclass
class Collected:
    """Pairs as they were read; ``left_out`` counts those that are too long on either side."""

    source: Side
    target: Side
    longest: int
    groups: array[int] = field(default_factory=lambda: array("Q"))
    left_out: int = 0

    def add(self, pairs: Iterable[Pair]) -> int:
        """Take in pairs, and return how many were not too long.

        Raises:
            UserError: for a text in which there is no token.
        """
        before = len(self.groups)
        for pair in pairs:
            source, target = cut(pair.source, self.source.by), cut(pair.target, self.target.by)
            if max(len(source), len(target)) > self.longest:
                self.left_out += 1
                continue
            self.source.add(source)
            self.target.add(target)
            digest = hashlib.blake2b(pair.group.encode(), digest_size=8).digest()
            self.groups.append(int.from_bytes(digest, "big"))
        return len(self.groups) - before


def collected(by: str, target_by: str, longest: int) -> Collected:
    """Return a place for pairs that are cut so, with at most ``longest`` tokens a side."""
    return Collected(Side(by), Side(target_by), longest)


def shuffled_parts(groups_N: NDArray[np.uint64], valid: float, test: float, most: int) -> dict[Part, Ints]:
    """Return the pairs of each part, shuffled by groups, of which none is cut in two; ``most`` limits them, if not 0.

    The order is that of a seed of its own, the same for every run.

    Raises:
        UserError: where a part would be empty.
    """
    _, group_N = np.unique(groups_N, return_inverse=True)
    rank_G = np.random.default_rng(0).permutation(int(group_N.max(initial=-1)) + 1)
    order = np.argsort(rank_G[group_N], kind="stable")[: most or None]
    starts = np.flatnonzero(np.diff(rank_G[group_N[order]], prepend=-1))
    ends = np.append(starts, len(order))[1:]
    count = len(order)
    valid_begins, test_begins = (
        count - round(count * test) - round(count * valid),
        count - round(count * test),
    )
    train_ends, valid_ends = (
        int(ends[np.searchsorted(ends, place)]) if count else 0 for place in (valid_begins, test_begins)
    )
    parts: dict[Part, Ints] = {
        "train": order[:train_ends],
        "valid": order[train_ends:valid_ends],
        "test": order[valid_ends:],
    }
    if any(not len(places) for places in parts.values()):
        raise UserError(
            f"{count:,} pairs with {len(starts):,} different sources cannot fill a training, a validation and a test "
            f"part (shares {1 - valid - test:g}, {valid:g} and {test:g}); give more pairs, at least some hundred"
        )
    return parts


def encoded(
    found: Collected, parts: Mapping[Part, Ints], most: int
) -> tuple[dict[Part, Arrays], dict[str, Any]]:
    """Return the parts' arrays ``source`` (N, S) and ``target`` (N, T) of symbols, 0 behind the end, and the meta.

    The symbols of each side are at most ``most`` tokens of the training part, the most frequent first. A token that is
    none of them is unknown in training; in the other parts it keeps a symbol of its own behind the known ones, so that
    references stay whole, and a source can be copied. Nets read it as unknown (`nas_rnn.tasks.seq2seq.batching`).
    """
    sides = {"source": found.source, "target": found.target}
    arrays: dict[str, dict[Part, NDArray[Any]]] = {}
    meta: dict[str, Any] = {"left_out": found.left_out, "longest": found.longest}
    for name, side in sides.items():
        rows = side.padded()
        counts_V = np.bincount(rows[parts["train"]].ravel() + 1, minlength=len(side.tokens) + 1)[1:]
        by_count = np.argsort(-counts_V, kind="stable")
        known = by_count[: min(most, int((counts_V > 0).sum()))]
        evaluated = np.concatenate([rows[parts[part]].ravel() for part in PARTS[1:]])
        others = np.setdiff1d(evaluated[evaluated >= 0], known)
        table = np.full(len(side.tokens) + 1, SPECIAL.index(UNKNOWN), dtype=np.int64)
        table[-1] = 0  # where -1 is: padding
        table[known] = len(SPECIAL) + np.arange(len(known))
        outside = table.copy()
        outside[others] = len(SPECIAL) + len(known) + np.arange(len(others))
        tokens = list(side.tokens)
        meta[f"{name}_tokens"] = [tokens[number] for number in (*known.tolist(), *others.tolist())]
        meta[f"{name}_known"] = len(known)
        dtype = symbol_dtype(len(SPECIAL) + len(known) + len(others))
        arrays[name] = {
            part: (table if part == "train" else outside)[rows[places]].astype(dtype)
            for part, places in parts.items()
        }
    return {part: {name: arrays[name][part] for name in sides} for part in PARTS}, meta
