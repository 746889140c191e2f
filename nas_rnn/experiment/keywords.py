"""The options of `search`, `compare`, `ablate` and `OutsideStudy.open` as keywords, for editors and type checkers.

They repeat the names and types of the declarations (`nas_rnn.run_folder.config`), which Python's typing cannot read off
a class; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from nas_rnn.training.options import Backend, Decay, Init


class _Shared(TypedDict, total=False):
    layers: int
    dropout: float
    variational_dropout: float
    weight_drop: float
    init: Init
    batch: int
    length: int
    learning_rate: float
    decay: Decay
    average: float
    weight_decay: float
    clip: float
    epochs: int | Literal["auto"]
    most_epochs: int
    threads: int
    device: str
    backend: Backend
    # Of data, and of everything else.
    task: str
    data: str | Path | None
    task_options: Mapping[str, int | float | str | bool]
    params: int
    plugins: Sequence[str | Path]
    seed: int
    smoke: bool


class _Options(_Shared, total=False):
    # Of every search, comparison and ablation.
    longer: float
    fresh_test: float | None
    tune: int
    tune_over: Sequence[str]
    seeds: int | Literal["auto"]
    most_seeds: int
    match: Literal["params", "time", "hidden"]
    workers: int | None
    address: str | None
    gpus_per_trial: float
    storage: str | None
    name: str | None
    time: float | str | None


class SearchOptions(_Options, total=False):
    """What `nas_rnn.search` takes by name."""

    space: str
    constraints: Sequence[str]
    strategy: str
    objectives: Sequence[str]
    start_from: Sequence[str]
    trials: int
    supernet_epochs: int | None
    scheduler: Literal["halving", "none"]
    filter: Literal["unstable", "none"]
    controls: Literal["all", "mean", "none", "lstm-all"]
    reference: str


class CompareOptions(_Options, total=False):
    """What `nas_rnn.compare` takes by name."""

    baseline: str
    top: int
    reference: str


class AblateOptions(_Options, total=False):
    """What `nas_rnn.ablate` takes by name."""


class EvaluateOptions(_Shared, total=False):
    """What `nas_rnn.OutsideStudy.open` takes by name."""

    baseline: str
    most_seeds: int
    match: Literal["params", "hidden"]
