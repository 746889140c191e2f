"""The keywords of search, compare and ablate are those that their configurations declare, of the same types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack, get_args, get_origin, get_type_hints

import pytest

from nas_rnn.experiment import ablate, compare, search
from nas_rnn.experiment.keywords import AblateOptions, CompareOptions, SearchOptions
from nas_rnn.options import declared
from nas_rnn.run_folder.config import AblateConfig, CompareConfig, SearchConfig


def accepted(hint: Any, read: object) -> Any:
    """Return the type of what may be given where the configuration has a ``hint``."""
    hint = {Path | None: str | Path | None}.get(hint, hint)
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        return Sequence[str | Path] if inner is Path else Sequence[inner]  # type: ignore[valid-type]
    if get_origin(hint) is dict:
        return Mapping[get_args(hint)]  # type: ignore[misc]
    return float | str | None if read and hint == float | None else hint


@pytest.mark.parametrize(
    ("function", "keywords", "kind"),
    [
        (search, SearchOptions, SearchConfig),
        (compare, CompareOptions, CompareConfig),
        (ablate, AblateOptions, AblateConfig),
    ],
)
def test_keywords_are_the_declared_options(function: Callable[..., Any], keywords: type, kind: type) -> None:
    assert get_type_hints(function)["options"] == Unpack[keywords]  # type: ignore[valid-type]
    hints = get_type_hints(kind)
    wanted = {name: accepted(hints[name], one.option.read) for name, one in declared(kind).items()}
    assert get_type_hints(keywords) == wanted
    assert not keywords.__required_keys__  # type: ignore[attr-defined]
