"""Reading lists, tuples, dicts, texts and whole numbers from a pickle, and nothing else.

A pickle is a program: `pickle.load` runs what it names. Here its steps are listed by `pickletools`, which runs nothing,
and those that make plain data are carried out by hand; any other is refused, all that find or call something above all.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nas_rnn.errors import UserError
from nas_rnn.outside import shown

NAMES_SOMETHING = frozenset(
    {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD"}
    | {"EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"}
)
"""Steps that find, make or call what is no plain data."""
VALUES = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
)
"""Steps that put a whole number or a text on the stack."""
KEEPS, GETS = frozenset(["PUT", "BINPUT", "LONG_BINPUT"]), frozenset(["GET", "BINGET", "LONG_BINGET"])
NOTHING = frozenset(["PROTO", "FRAME"])
WANTED = "lists of pieces, each a list of tuples of MIDI numbers"

_MARK = object()


def read_plain(path: Path, content: bytes) -> Any:
    """Return the plain data that a pickle of any protocol holds; what is shared in it stays shared.

    Raises:
        UserError: for a file that is no pickle, is cut off, or holds or names anything else.
    """
    machine = _Machine()
    try:
        for opcode, argument, place in _steps(content):
            if opcode in NAMES_SOMETHING:
                named = shown(str(argument).replace(" ", "."))[:80] if opcode in ("GLOBAL", "INST") else ""
                what = f"names {named}" if named else f"holds an object ({opcode})"
                raise UserError(
                    f"{path} is no plain list: at byte {place} it {what}. Nothing of it was run; give a pickle of "
                    f"{WANTED}, or a .mat file"
                )
            if opcode == "STOP":
                return machine.result()
            machine.step(opcode, argument)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise UserError(
            f"{path} cannot be read as a pickle of plain lists ({shown(str(error))[:120]}); give one of {WANTED}"
        ) from error
    raise UserError(f"{path} cannot be read as a pickle of plain lists (it has no end); give one of {WANTED}")


def _steps(content: bytes) -> Iterator[tuple[str, Any, int]]:
    for opcode, argument, place in pickletools.genops(content):
        yield opcode.name, argument, place or 0


class _Machine:
    """The stack and the memory of a pickle's steps."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memory: dict[int, Any] = {}
        self._builders: dict[str, Callable[[], None]] = {
            "MARK": lambda: self._stack.append(_MARK),
            "NONE": lambda: self._stack.append(None),
            "NEWTRUE": lambda: self._stack.append(True),
            "NEWFALSE": lambda: self._stack.append(False),
            "EMPTY_LIST": lambda: self._stack.append([]),
            "EMPTY_DICT": lambda: self._stack.append({}),
            "EMPTY_TUPLE": lambda: self._stack.append(()),
            "LIST": lambda: self._stack.append(self._marked()),
            "TUPLE": lambda: self._stack.append(tuple(self._marked())),
            "TUPLE1": lambda: self._stack.append(self._last(1)),
            "TUPLE2": lambda: self._stack.append(self._last(2)),
            "TUPLE3": lambda: self._stack.append(self._last(3)),
            "DICT": lambda: self._stack.append(_pairs(self._marked())),
            "APPEND": lambda: self._extend([self._popped()]),
            "APPENDS": lambda: self._extend(self._marked()),
            "SETITEM": lambda: self._update(list(self._last(2))),
            "SETITEMS": lambda: self._update(self._marked()),
            "MEMOIZE": lambda: self._memory.__setitem__(len(self._memory), self._top()),
        }

    def step(self, opcode: str, argument: Any) -> None:
        """Carry one step out."""
        if opcode in VALUES:
            self._stack.append(argument)
        elif opcode in KEEPS:
            self._memory[argument] = self._top()
        elif opcode in GETS:
            self._stack.append(self._memory[argument])
        elif opcode in self._builders:
            self._builders[opcode]()
        elif opcode not in NOTHING:
            raise ValueError(f"it holds what is neither a list nor a whole number: {opcode}")

    def result(self) -> Any:
        """Return what the pickle holds."""
        found = self._popped()
        if self._stack:
            raise ValueError("it leaves more than one value")
        return found

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise ValueError("a value is missing")
        return self._stack[-1]

    def _popped(self) -> Any:
        self._top()
        return self._stack.pop()

    def _last(self, count: int) -> tuple[Any, ...]:
        return tuple([self._popped() for _ in range(count)][::-1])

    def _marked(self) -> list[Any]:
        """Return what stands above the last mark, and take both off."""
        place = len(self._stack) - 1
        while place >= 0 and self._stack[place] is not _MARK:
            place -= 1
        if place < 0:
            raise ValueError("a mark is missing")
        values = self._stack[place + 1 :]
        del self._stack[place:]
        return values

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if type(target) is not list:
            raise ValueError("it appends to what is no list")
        target.extend(values)

    def _update(self, values: list[Any]) -> None:
        target = self._top()
        if type(target) is not dict:
            raise ValueError("it sets an entry of what is no dict")
        target.update(_pairs(values))


def _pairs(values: list[Any]) -> dict[Any, Any]:
    if len(values) % 2:
        raise ValueError("a key has no value")
    if not all(
        isinstance(key, str | int) for key in values[::2]
    ):  # the hash of tuples in tuples may take for ever
        raise ValueError("a key is neither a text nor a number")
    return dict(zip(values[::2], values[1::2], strict=True))
