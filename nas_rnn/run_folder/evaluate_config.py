"""What a user may set for a study that is driven from outside; checked as all options are (`config`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from nas_rnn.options import BUDGET, TRAINING, WHAT, Option
from nas_rnn.run_folder.config import CompareConfig
from nas_rnn.run_folder.values import MOST_SEEDS


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(CompareConfig):
    """A comparison that goes on for as long as somebody proposes cells: so some options of a comparison are none."""

    cells: tuple[str, ...] = ()
    baseline: Annotated[str, Option("The first incumbent: a name or a .cell file.", WHAT, metavar="CELL")] = (
        "lstm"
    )
    most_seeds: Annotated[
        int, Ge(2), Le(MOST_SEEDS), Option("Most seeds per cell; fewer where they decide it.", BUDGET)
    ] = 8
    match: Annotated[
        Literal["params", "hidden"],
        Option("Match cells by parameters or hidden size.", TRAINING),
    ] = "params"
    # Of the final that `nas-rnn promote` runs, or of machines that no study has.
    top: int = 1
    reference: str = "gru"
    seeds: int | Literal["auto"] = "auto"
    tune: int = 0
    tune_over: tuple[str, ...] = ()
    longer: float = 1.0
    fresh_test: float | None = None
    time: float | None = None
    workers: int | None = None
    address: str | None = None
    gpus_per_trial: float = 0.0
    storage: str | None = None
    name: str | None = None
