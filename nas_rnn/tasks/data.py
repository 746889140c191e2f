"""A task's data, by part, in a form that travels between processes. Knows no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from nas_rnn.errors import UserError

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = get_args(Part)

Arrays = Mapping[str, NDArray[Any]]

Symbols = NDArray[np.unsignedinteger[Any]]
"""Numbers of characters, words or classes, in the smallest type that has them all."""


class MissingPart(LookupError):
    """A part that is not among the data."""


@dataclass(frozen=True, eq=False)
class TaskData:
    """Loaded data: numpy arrays by part and name, and plain JSON in ``meta`` for what models must know.

    Where the items of a part belong together (recordings of one speaker, sessions of one user), ``groups`` has a number
    for each of the part's N items, (N,) integers: an interval never cuts a group in two.
    """

    parts: Mapping[Part, Arrays]
    meta: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[Part, NDArray[Any]] = field(default_factory=dict)

    def part(self, name: Part) -> Arrays:
        """Return the arrays of one part.

        Raises:
            MissingPart: for a part that is not here: what only final runs may read is withheld from all others.
        """
        if name not in self.parts:
            raise MissingPart(f"the {name} part is not here: only final runs have it")
        return self.parts[name]

    def without(self, name: Part) -> TaskData:
        """Return the same data with one part withheld."""
        return TaskData(
            {part: arrays for part, arrays in self.parts.items() if part != name},
            self.meta,
            {part: numbers for part, numbers in self.groups.items() if part != name},
        )

    def only(self, name: Part) -> TaskData:
        """Return what `without` leaves out."""
        groups = {name: self.groups[name]} if name in self.groups else {}
        return TaskData({name: self.part(name)}, {}, groups)

    def with_valid_as_test(self) -> TaskData:
        """Return these data with the validation part in the place of the test part, too."""
        valid = self.groups.get("valid")
        groups: dict[Part, NDArray[Any]] = {} if valid is None else {"test": valid}
        return self.without("test").joined(TaskData({"test": self.part("valid")}, {}, groups))

    def joined(self, other: TaskData) -> TaskData:
        """Return these data with the parts of ``other`` as well."""
        return TaskData({**self.parts, **other.parts}, self.meta, {**self.groups, **other.groups})

    def rows(self, name: Part) -> int:
        """Return how many rows all arrays of a part have along their first axis.

        Raises:
            UserError: where they have different ones.
        """
        counts = {len(array) if array.ndim else 0 for array in self.part(name).values()}
        if len(counts) != 1:
            raise UserError(
                f"the arrays of the {name} part have different first axes ({', '.join(map(str, sorted(counts)))}), so "
                "no rows can be cut off for a fresh test part"
            )
        return counts.pop()

    def with_fresh_test(self, begins: int, ends: int) -> TaskData:
        """Return these data with the training part's rows ``begins`` to ``ends`` as the test part.

        The rows before them are left to train on. The test part that was there, and rows behind ``ends``, are in no
        part: they may have been read.

        Raises:
            UserError: where arrays of the training part have different first axes, or items stand in groups, of which
                nobody knows here whether they would be cut in two.
        """
        if not 0 < begins < ends <= self.rows("train"):
            raise ValueError(
                f"rows {begins} to {ends} are none of the {self.rows('train')} of the training part"
            )
        if self.groups:
            raise UserError("a fresh test part cannot be cut from data whose items stand in groups")
        train = self.part("train")
        return TaskData(
            {
                **self.parts,
                "train": {name: array[:begins] for name, array in train.items()},
                "test": {name: array[begins:ends] for name, array in train.items()},
            },
            self.meta,
        )

    @property
    def nbytes(self) -> int:
        """How many bytes the arrays take."""
        return sum(array.nbytes for arrays in self.parts.values() for array in arrays.values())


@dataclass(frozen=True, kw_only=True)
class Batching:
    """How a pass over a part is cut: ``batch`` sequences at a time, ``length`` steps where sequences are cut.

    For the training part the order depends on (``seed``, ``epoch``) and on nothing else; without a seed, and in the
    other parts, it is that of the data.
    """

    batch: int
    length: int
    seed: int | None = None
    epoch: int = 0


def symbol_dtype(symbols: int) -> type[np.unsignedinteger[Any]]:
    """Return the smallest unsigned integer type for so many symbols, as data travels to every worker."""
    return np.uint8 if symbols <= 1 << 8 else np.uint16 if symbols <= 1 << 16 else np.uint32


PIECE = 1 << 20
"""So many numbers are widened at a time, where a whole part in 64 bits would not fit into memory."""


def occurrences(numbers: NDArray[Any], kinds: int) -> NDArray[np.int64]:
    """Return how often each of the numbers 0 to ``kinds`` - 1 occurs, (kinds,), in an array of any shape and size."""
    flat, counts = numbers.reshape(-1), np.zeros(kinds, dtype=np.int64)
    for first in range(0, len(flat), PIECE):
        counts += np.bincount(flat[first : first + PIECE], minlength=kinds)
    return counts


def renumbered(pieces: list[Symbols], numbers: Symbols) -> Symbols:
    """Return one array of ``numbers[piece]`` for all pieces in order; ``pieces`` is empty afterwards.

    Each is let go when it has been copied, from the end, so that a long text is never held twice.
    """
    end = sum(map(len, pieces))
    joined: Symbols = np.empty(end, dtype=numbers.dtype)
    while pieces:
        piece = pieces.pop()
        joined[end - len(piece) : end] = numbers[piece]
        end -= len(piece)
    return joined


EVALUATION = Batching(batch=32, length=64)
"""How validation and test are cut, whatever a run trains with: then two runs have the same items."""
