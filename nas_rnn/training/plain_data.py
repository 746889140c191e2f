"""Frozen dataclasses to and from plain JSON objects, where no key is dropped in silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar

from nas_rnn.errors import UserError, unknown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Plain = TypeVar("Plain", bound=DataclassInstance)


def to_plain(value: DataclassInstance) -> dict[str, Any]:
    """Return the dataclass, and those inside it, as new dicts and lists."""
    return asdict(value)


def from_plain(cls: type[Plain], data: object) -> Plain:
    """Build a ``cls`` from a JSON object's keys.

    Raises:
        UserError: when ``data`` is no object, has a key that ``cls`` has no field for, or lacks one it needs.
    """
    if not isinstance(data, Mapping):
        raise UserError(f"a {cls.__name__} is read from an object of its fields; got {data!r}")
    known = [field.name for field in fields(cls)]
    for key in data:
        if key not in known:
            raise unknown(f"field of {cls.__name__}:", str(key), known)
    needed = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
    missing = [name for name in needed if name not in data]
    if missing:
        raise UserError(
            f"a {cls.__name__} needs {', '.join(missing)}; got only {', '.join(data) or 'nothing'}"
        )
    return cls(**data)
