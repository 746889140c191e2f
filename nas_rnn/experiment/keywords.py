"""The options of `search`, `compare` and `ablate` as keywords, for editors and type checkers.

They repeat the names and types of the declarations (`nas_rnn.run_folder.config`), which Python's typing cannot read off
a class; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

from nas_rnn.training.options import Backend, Decay, Init


class _Options(TypedDict, total=False):
    # Of training.
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
    longer: float
    threads: int
    device: str
    backend: Backend
    # Of every search, comparison and ablation.
    task: str
    data: str | Path | None
    task_options: Mapping[str, int | float | str | bool]
    fresh_test: float | None
    params: int
    tune: int
    tune_over: Sequence[str]
    seeds: int | Literal["auto"]
    most_seeds: int
    match: Literal["params", "time", "hidden"]
    plugins: Sequence[str | Path]
    workers: int | None
    address: str | None
    gpus_per_trial: float
    storage: str | None
    name: str | None
    seed: int
    smoke: bool
    time: float | str | None


class SearchOptions(_Options, total=False):
    """What `nas_rnn.search` takes by name."""

    space: str
    constraints: Sequence[str]
    strategy: str
    start_from: str | None
    trials: int
    supernet_epochs: int | None
    scheduler: Literal["halving", "none"]
    controls: Literal["all", "mean", "none", "lstm-all"]
    reference: str


class CompareOptions(_Options, total=False):
    """What `nas_rnn.compare` takes by name."""

    baseline: str
    top: int
    reference: str


class AblateOptions(_Options, total=False):
    """What `nas_rnn.ablate` takes by name."""
