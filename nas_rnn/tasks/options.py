"""A task's options: the fields of one frozen dataclass, each with its default, its help and its bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from nas_rnn.errors import UserError, unknown
from nas_rnn.outside import shown

Option = int | float | str | bool
Picked = TypeVar("Picked")


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """What a task without options has."""


def option(
    default: Option,
    help: str = "",
    *,
    low: float = -math.inf,
    high: float = math.inf,
    choices: Sequence[str] = (),
    only: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Any:
    """Return a field of a task's ``Options``; its type is that of ``default``.

    Numbers lie between ``low`` and ``high``, words are among ``choices`` where there are any. ``only`` says with which
    values of other options it has an effect: ``{"kind": ("copy",)}``; set with others, it is refused.
    """
    own = {"help": help, "low": low, "high": high, "choices": tuple(choices), "only": only}
    return field(default=default, metadata=own)


def option_fields(kind: type) -> Mapping[str, Field[Any]]:
    """Return the fields of an ``Options`` class by name.

    Raises:
        TypeError: when it is no dataclass, or a field has no default that is a number, a text or a truth value, or is
            for values of another option that this one cannot have.
    """
    if not is_dataclass(kind):
        raise TypeError(f"Options must be a dataclass, not {kind!r}")
    found = {field.name: field for field in fields(kind)}
    for name, own in found.items():
        if own.default is MISSING or not isinstance(own.default, Option):
            raise TypeError(f"option {name!r} needs a default that is a number, a text, or True or False")
        for switch, values in _only(own).items():
            known = found[switch].metadata.get("choices") or values if switch in found else ()
            if not {*values} <= {*known}:
                raise TypeError(f"option {name!r} is for {switch}={_or(values)}, which cannot be set")
    return found


def picked(kind: type[Picked], options: Any) -> Picked:
    """Return a ``kind``, a dataclass, with those of a task's options that have the names of its fields."""
    assert is_dataclass(kind)
    return kind(**{one.name: getattr(options, one.name) for one in fields(kind)})


_BEGUN: ContextVar[bool] = ContextVar("what is read was begun before", default=False)


@contextmanager
def begun_before() -> Iterator[None]:
    """Refuse no option for having no effect: earlier versions took some, and what was begun with them goes on.

    They are ignored, as they were then, so the data are the same.
    """
    token = _BEGUN.set(True)
    try:
        yield
    finally:
        _BEGUN.reset(token)


def idle_are_refused() -> bool:
    """Return whether an option is refused where it has no effect; not within `begun_before`."""
    return not _BEGUN.get()


def are_set(options: Any, names: Iterable[str]) -> list[str]:
    """Return those of ``names`` whose options are not as they are by default."""
    known = option_fields(type(options))
    return [name for name in names if getattr(options, name) != known[name].default]


def refuse_idle(task: str, idle: Sequence[str]) -> None:
    """Raise UserError for options of task ``task`` without effect: each of ``idle`` says of one why it has none."""
    if idle and idle_are_refused():
        raise UserError(f"options of task {task!r}: {'; '.join(idle)}. Leave out what has no effect")


def require_no_reading(options: Any, names: Iterable[str]) -> None:
    """Raise UserError for an option of ``names``, which say how a file is read, that is set where there is none."""
    require_unset(options, names, "says how a file is read; give one (--data), or leave the option out")


def require_unset(options: Any, names: Iterable[str], why: str) -> None:
    """Raise UserError for an option of ``names`` that is set where it has no effect; ``why`` ends the sentence."""
    found = are_set(options, names)
    if found and idle_are_refused():
        raise UserError(f"option {found[0]!r} {why}")


def require_effective(options: Any, task: str) -> None:
    """Raise UserError for every option of task ``task`` that is set where another one's value leaves it no effect."""
    idle = list[str]()
    for name, own in option_fields(type(options)).items():
        value = getattr(options, name)
        idle += [
            f"{name}={_written(value)} has no effect with {switch}={_written(getattr(options, switch))}, only with "
            f"{switch}={_or(values)}"
            for switch, values in _only(own).items()
            if value != own.default and getattr(options, switch) not in values
        ]
    refuse_idle(task, idle)


def _only(own: Field[Any]) -> Mapping[str, Sequence[str]]:
    only: Mapping[str, Sequence[str]] = own.metadata.get("only", {})
    return only


def _or(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _written(value: Option) -> str:
    """Return a value as it is given on a command line, a long text shortened."""
    return shown(str(value).lower() if isinstance(value, bool) else str(value))[:40]


def typed(kind: type, given: Mapping[str, Option]) -> dict[str, Option]:
    """Return options with those that were written as text, as on the command line, as what ``kind`` has them be.

    A text is a whole number, a number, true or false where that can be read and the option is no text itself.
    """
    known = option_fields(kind)
    texts = {name for name, field in known.items() if isinstance(field.default, str)}
    return {
        name: _read(value) if isinstance(value, str) and name in known.keys() - texts else value
        for name, value in given.items()
    }


def _read(text: str) -> Option:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def read_options(kind: type, given: Mapping[str, Option], task: str) -> Any:
    """Return a ``kind`` with the options of task ``task`` that were given, and defaults for the others.

    Raises:
        UserError: for an unknown option, a value of another type than the default's, or one out of range.
    """
    known = option_fields(kind)
    for name, value in given.items():
        if name not in known:
            raise unknown(f"option of task {task!r}:", name, known)
        _check(name, value, known[name], task)
    return kind(**given)


def _check(name: str, value: Option, known: Field[Any], task: str) -> None:
    wanted = type(known.default)
    integer_for_float = wanted is float and type(value) is int
    if type(value) is not wanted and not integer_for_float:
        raise UserError(
            f"option {name!r} of task {task!r} must be of type {wanted.__name__}, "
            f"for example {known.default!r}; got {value!r}"
        )
    low, high = known.metadata.get("low", -math.inf), known.metadata.get("high", math.inf)
    if isinstance(value, int | float) and not low <= value <= high:
        raise UserError(
            f"option {name!r} of task {task!r} must lie between {low:g} and {high:g}; got {value!r}"
        )
    choices = known.metadata.get("choices", ())
    if choices and value not in choices:
        raise unknown(f"{name} of task {task!r}:", str(value), choices)
