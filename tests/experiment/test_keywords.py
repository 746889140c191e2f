"""The keywords of every configured function are those that its configuration declares, of the same types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack, get_args, get_origin, get_type_hints

import pytest

from nas_rnn.errors import UserError
from nas_rnn.experiment import OutsideStudy, ablate, compare, search
from nas_rnn.experiment.keywords import AblateOptions, CompareOptions, EvaluateOptions, SearchOptions
from nas_rnn.options import declared
from nas_rnn.run_folder.config import AblateConfig, CompareConfig, SearchConfig, read_config
from nas_rnn.run_folder.evaluate_config import EvaluateConfig


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
        (OutsideStudy.open.__func__, EvaluateOptions, EvaluateConfig),  # type: ignore[attr-defined]
    ],
)
def test_keywords_are_the_declared_options(function: Callable[..., Any], keywords: type, kind: type) -> None:
    assert get_type_hints(function)["options"] == Unpack[keywords]  # type: ignore[valid-type]
    hints = get_type_hints(kind)
    wanted = {name: accepted(hints[name], one.option.read) for name, one in declared(kind).items()}
    assert get_type_hints(keywords) == wanted
    assert not keywords.__required_keys__  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [10**5000, -(2**63) - 1, 2**63], ids=["digits", "below", "above"])
def test_whole_numbers_that_64_bits_do_not_hold_are_refused_before_anything_writes_them(value: int) -> None:
    for options, place in (
        ({"seed": value}, "seed"),
        ({"epochs": value}, "epochs"),
        ({"task_options": {"embedding": value}}, "task_options.embedding"),
    ):
        with pytest.raises(
            UserError, match=f"^{place}: a whole number is larger than 64 bits hold; give a sm"
        ):
            read_config(SearchConfig, options)
    assert read_config(SearchConfig, {"task_options": {"embedding": 2**63 - 1}}).task_options["embedding"] > 0
