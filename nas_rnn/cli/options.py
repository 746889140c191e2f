"""The options that commands share: for each its flag, what it does, its unit and its default.

An option that was not given is None, and the configuration (`nas_rnn.run_folder.config`) then decides: the
defaults stated here only describe those there, and a test compares the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from nas_rnn.cli.parsing import number, path, whole, whole_or

WHAT: Final = "What to search for"
BUDGET: Final = "Budget"
TRAINING: Final = "Training"
RUN: Final = "Run"

RUNS: Final = Path("runs")


def _option(flag: str, help: str, panel: str, **details: Any) -> Any:
    return typer.Option(flag, help=help, rich_help_panel=panel, show_default=False, **details)


def _flag(flag: str, help: str, panel: str) -> Any:
    return _option(flag, help, panel, metavar=" ")


def _whole(flag: str, help: str, panel: str) -> Any:
    return _option(flag, help, panel, metavar="N", parser=whole())


def _number(flag: str, help: str, panel: str) -> Any:
    return _option(flag, help, panel, metavar="X", parser=number)


def _text(flag: str, metavar: str, help: str, panel: str) -> Any:
    return _option(flag, help, panel, metavar=metavar)


def _path(flag: str, metavar: str, help: str, panel: str, **details: Any) -> Any:
    return _option(flag, help, panel, metavar=metavar, parser=path, **details)


Task = Annotated[
    str | None, _text("--task", "NAME", "Task to train on; see `nas-rnn list tasks`. Default: char-lm.", WHAT)
]
Data = Annotated[
    Path | None,
    _path("--data", "PATH", "Data to train on, a file or folder. Default: the task's own data.", WHAT),
]
TaskOption = Annotated[
    list[str] | None,
    _text(
        "--task-option", "KEY=VALUE", "Option of the task, repeatable. Default: the task's defaults.", WHAT
    ),
]
Space = Annotated[
    str | None,
    _text("--space", "NAME", "Search space; see `nas-rnn list spaces`. Default: gated.", WHAT),
]
Constraint = Annotated[
    list[str] | None,
    _text(
        "--constraint",
        "RULE",
        "Constraint on candidates: 'products<=4', contains=tanh, lacks=exp; repeatable. Default: none.",
        WHAT,
    ),
]
Strategy = Annotated[
    str | None,
    _text("--strategy", "NAME", "Search strategy; see `nas-rnn list strategies`. Default: random.", WHAT),
]
Baseline = Annotated[
    str | None,
    _text("--baseline", "CELL", "The cell to compare with: a name or a .cell file. Default: lstm.", WHAT),
]
Plugins = Annotated[
    list[Path] | None,
    _path("--plugins", "DIR", "Folder of your own .py plugins; repeatable. Default: ./search_spaces.", RUN),
]

Trials = Annotated[int | None, _whole("--trials", "Number of candidates to try. Default: 24.", BUDGET)]
Time = Annotated[
    str | None,
    _text(
        "--time",
        "TIME",
        "Start no candidates after 90s, 1h30m, ...; selection, tuning and final are not limited. Default: no limit.",
        BUDGET,
    ),
]
TimeForSeeds = Annotated[
    str | None,
    _text("--time", "TIME", "Add no more seeds (--seeds auto) after 30m, 2h, ... Default: no limit.", BUDGET),
]
Epochs = Annotated[
    int | None,
    _whole("--epochs", "Passes over the training data in a full run. Default: 4.", BUDGET),
]
Scheduler = Annotated[
    str | None,
    _text("--scheduler", "asha|none", "Early stopping of weak candidates. Default: asha.", BUDGET),
]
Params = Annotated[
    int | None,
    _whole("--params", "Parameters of each whole model; sets the hidden sizes. Default: 60000.", BUDGET),
]
Tune = Annotated[
    int | None,
    _whole(
        "--tune",
        "Tuning trials per cell, LSTM included (learning rate, dropout, clipping, gate bias); 0: none. Default: 8.",
        BUDGET,
    ),
]
TuneNone = Annotated[int | None, _whole("--tune", "Tuning trials per variant; 0: none. Default: 0.", BUDGET)]
Seeds = Annotated[
    Any,
    _option(
        "--seeds",
        "Seeds per cell in the final; auto: add seeds until the comparison is decided. Default: 5.",
        BUDGET,
        metavar="N|auto",
        parser=whole_or("auto"),
    ),
]
MostSeeds = Annotated[
    int | None, _whole("--most-seeds", "Most seeds per cell with --seeds auto. Default: 32.", BUDGET)
]
Match = Annotated[
    str | None,
    _text(
        "--match",
        "params|time|hidden",
        "Match cells by parameters, measured time per step, or hidden size. Default: params.",
        TRAINING,
    ),
]
Controls = Annotated[
    str | None,
    _text(
        "--controls",
        "all|mean|none",
        "Controls in the final: a random search of equal length (all), random cells (all, mean). Default: all.",
        BUDGET,
    ),
]
Top = Annotated[
    int | None,
    _whole("--top", "How many of a search's best cells to compare. Default: 1.", WHAT),
]

Layers = Annotated[int | None, _whole("--layers", "Stacked recurrent layers. Default: 1.", TRAINING)]
Dropout = Annotated[
    float | None,
    _number("--dropout", "Probability of dropping a value between layers, 0 to 1. Default: 0.0.", TRAINING),
]
Batch = Annotated[
    int | None, _whole("--batch", "Sequences per optimiser step (Adam). Default: 32.", TRAINING)
]
Length = Annotated[int | None, _whole("--length", "Time steps per training sequence. Default: 32.", TRAINING)]
LearningRate = Annotated[
    float | None, _number("--learning-rate", "Peak learning rate. Default: 0.01.", TRAINING)
]
Decay = Annotated[
    str | None,
    _text("--decay", "cosine|linear|none", "Learning-rate decay over all epochs. Default: cosine.", TRAINING),
]
Clip = Annotated[
    float | None,
    _number("--clip", "Maximum gradient norm; 0: no clipping. Default: 1.0.", TRAINING),
]
Threads = Annotated[int | None, _whole("--threads", "CPU cores per run. Default: 1.", TRAINING)]
Device = Annotated[
    str | None,
    _text(
        "--device",
        "DEVICE",
        "Device to train on: cpu, cuda, cuda:1 or auto (a GPU if there is one). Default: auto.",
        TRAINING,
    ),
]
Backend = Annotated[
    str | None,
    _text(
        "--backend",
        "auto|fused|eager|reference",
        "How cells are executed: fused is compiled code; auto uses the fastest available. Default: auto.",
        TRAINING,
    ),
]

Workers = Annotated[
    int | None,
    _whole("--workers", "Runs trained in parallel. Default: as many as fit.", RUN),
]
Address = Annotated[
    str | None,
    _text(
        "--address", "HOST:PORT", "Ray cluster to train on (or RAY_ADDRESS), or local. Default: local.", RUN
    ),
]
GpusPerTrial = Annotated[
    float | None, _number("--gpus-per-trial", "GPUs per run; may be a fraction. Default: 0.0.", RUN)
]
Storage = Annotated[
    str | None,
    _text("--storage", "URI", "Where to store checkpoints (s3://bucket/runs). Default: the run folder.", RUN),
]
Name = Annotated[
    str | None,
    _text("--name", "NAME", "Name of the run and of its folder. Default: the next free one.", RUN),
]
Resume = Annotated[
    str | None,
    _text("--resume", "NAME", "Resume the one with this name. Default: start a new one.", RUN),
]
ChangedPlugins = Annotated[
    bool,
    _flag(
        "--changed-plugins",
        "Resume even if the search's plugins have changed. Default: off.",
        RUN,
    ),
]
Seed = Annotated[int | None, _whole("--seed", "Random seed, 0 or more. Default: 0.", RUN)]
Config = Annotated[
    Path | None,
    _path(
        "--config",
        "FILE",
        "TOML file of options (learning_rate = 0.003); command-line options take precedence. Default: no file.",
        RUN,
    ),
]
Json = Annotated[
    bool, _flag("--json", "Print one JSON object on stdout, everything else on stderr. Default: off.", RUN)
]
Runs = Annotated[
    Path,
    _path("--runs", "DIR", "Folder that holds the run folders. Default: runs.", RUN, envvar="NAS_RNN_RUNS"),
]
Debug = Annotated[bool, _flag("--debug", "Show the traceback on failure. Default: off.", RUN)]
