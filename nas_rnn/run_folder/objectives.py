"""What a search may weigh up: the objectives by name, and the option that names them."""

from __future__ import annotations

from typing import Annotated, Final

from nas_rnn.options import WHAT, Option

QUALITY: Final = "quality"
PARAMETERS: Final = "parameters"
STEP_TIME: Final = "step-time"
OBJECTIVES: Final = (QUALITY, PARAMETERS, STEP_TIME)
"""All there are: the monitor on validation data, then what a candidate costs."""


def read_objectives(value: object) -> tuple[str, ...]:
    """Return the objectives of a list of names, or of one text with commas, in their order; ValueError for others."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        raise ValueError(f'a list of objectives is needed, such as ["quality", "parameters"], not {value!r}')
    names = [name.strip().replace("_", "-") for text in texts for name in str(text).split(",")]
    for name in names:
        if name not in OBJECTIVES:
            raise ValueError(f"objectives are {', '.join(OBJECTIVES)}, not {name!r}")
    return tuple(name for name in OBJECTIVES if name in names)


Objectives = Annotated[
    tuple[str, ...],
    Option(
        "What nsga2 weighs up: quality and step-time, parameters (needs --match hidden), or both; with commas.",
        WHAT,
        metavar="NAMES",
        unset="quality; of nsga2 also step-time, or parameters with --match hidden",
        read=read_objectives,
    ),
]
"""The type of the option."""
