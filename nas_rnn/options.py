"""How an option is declared: once, as a field of a frozen dataclass, from which everything else follows.

    epochs: Annotated[int, Ge(1), Option("Passes over the training data in a full run.", BUDGET)] = 4

The command line and its help, TOML, the checks and docs/options.md are made from such declarations; Python's keywords
(`nas_rnn.experiment.keywords`) are held equal to them by a test. ``--help`` needs this file: it imports nothing slow.
"""

from __future__ import annotations

import inspect
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from annotated_types import Ge, Gt, Le, Lt

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

WHAT: Final = "What to search for"
BUDGET: Final = "Budget"
TRAINING: Final = "Training"
RUN: Final = "Run"
PANELS: Final = (WHAT, BUDGET, TRAINING, RUN)


@dataclass(frozen=True)
class Option:
    """What the type, bounds and default of a field do not say.

    ``help`` is a sentence without the default. ``metavar`` and ``flag`` are for the command line, where those that
    follow from type and name will not do. ``unset`` says in words what a default of None, or an empty one, means.
    ``rule`` says what is allowed, where bounds and choices do not; ``pattern`` is a regular expression for the whole of
    a text. ``read`` makes a value of what was given; its ValueError is what the user is told.
    """

    help: str
    panel: str
    metavar: str = ""
    flag: str = ""
    unset: str = ""
    rule: str = ""
    pattern: str = ""
    read: Callable[[object], object] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic, where that is loaded, of ``read``, and that numbers are finite and truth values none."""
        from pydantic_core import core_schema

        schema: Any = handler(source)
        if schema["type"] == "float":
            schema["allow_inf_nan"] = False

        def read(value: object) -> object:
            if isinstance(value, bool) and schema["type"] != "bool":
                raise ValueError(f"a number or a text is needed, not {str(value).lower()}")
            return value if self.read is None else self.read(value)

        return core_schema.no_info_before_validator_function(read, schema)


class Bound(NamedTuple):
    """One end of a range: ``holds(value, limit)``."""

    words: str
    limit: Any
    holds: Callable[[Any, Any], bool]


@dataclass(frozen=True, kw_only=True)
class Declared:
    """An option, with all that its field says; ``kind`` is the type without None, bounds and help."""

    name: str
    kind: Any
    default: Any
    bounds: tuple[Bound, ...]
    option: Option

    @property
    def flag(self) -> str:
        """The option's name on the command line."""
        return self.option.flag or f"--{self.name.replace('_', '-')}"

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it takes, where it takes no others."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    @property
    def default_words(self) -> str:
        """The default as people read it."""
        if isinstance(self.default, bool):
            return "on" if self.default else "off"
        return self.option.unset if self.default in (None, (), {}) else str(self.default)

    @property
    def range_words(self) -> str:
        """What is allowed of the type, such as "at least 0 and less than 1"; empty where all of it is."""
        return self.option.rule or " and ".join(f"{bound.words} {bound.limit}" for bound in self.bounds)

    def broken_rule(self, value: object) -> str | None:
        """Return what ``value`` must be and is not, such as "a finite number"; None where there is nothing.

        Numbers, choices and patterns are looked at; of other types every value will do.
        """
        if self.choices:
            return None if value in self.choices else f"one of {', '.join(self.choices)}"
        if self.kind is int:
            wanted = f"a whole number of {self.range_words}".removesuffix(" of ")
            return None if type(value) is int and self._within(value) else wanted
        if self.kind is float:
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                return "a finite number"
            return None if self._within(value) else self.range_words
        if self.kind == int | Literal["auto"] and self.option.read is not None:
            try:
                self.option.read(value)
            except ValueError:
                return self.range_words
        if self.option.pattern and not (isinstance(value, str) and re.fullmatch(self.option.pattern, value)):
            return self.range_words
        return None

    def _within(self, value: float) -> bool:
        return all(bound.holds(value, bound.limit) for bound in self.bounds)


@cache
def declared(cls: type) -> Mapping[str, Declared]:
    """Return the options of a dataclass by name: those that it adds come before those that it inherits.

    A field without an `Option` is none.
    """
    defaults = {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(cls)
    }
    hints = get_type_hints(cls, include_extras=True)
    names = dict.fromkeys(name for base in cls.__mro__ for name in inspect.get_annotations(base))
    found = (_declared(name, hints[name], defaults[name]) for name in names if name in defaults)
    return MappingProxyType({one.name: one for one in found if one is not None})


def _declared(name: str, hint: Any, default: Any) -> Declared | None:
    plain, *metadata = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    option = next((one for one in metadata if isinstance(one, Option)), None)
    if option is None:
        return None
    bounds = tuple(_bound(one) for one in metadata if isinstance(one, Ge | Gt | Le | Lt))
    return Declared(name=name, kind=_without_none(plain), default=default, bounds=bounds, option=option)


def _bound(given: Ge | Gt | Le | Lt) -> Bound:
    match given:
        case Ge(limit):
            return Bound("at least", limit, operator.ge)
        case Gt(limit):
            return Bound("greater than", limit, operator.gt)
        case Le(limit):
            return Bound("at most", limit, operator.le)
        case Lt(limit):
            return Bound("less than", limit, operator.lt)


def _without_none(kind: Any) -> Any:
    if get_origin(kind) not in (Union, UnionType) or NoneType not in get_args(kind):
        return kind
    return Union[tuple(part for part in get_args(kind) if part is not NoneType)]  # noqa: UP007
