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
    str | None, _text("--task", "NAME", "What to learn; see `nas-rnn list tasks`. Default: char-lm.", WHAT)
]
Data = Annotated[
    Path | None,
    _path(
        "--data", "PATH", "Where the task reads its data from. Default: the data that comes with it.", WHAT
    ),
]
TaskOption = Annotated[
    list[str] | None,
    _text("--task-option", "KEY=VALUE", "An option of the task; repeatable. Default: the task's own.", WHAT),
]
Space = Annotated[
    str | None,
    _text("--space", "NAME", "Where candidates come from; see `nas-rnn list spaces`. Default: gated.", WHAT),
]
Constraint = Annotated[
    list[str] | None,
    _text(
        "--constraint",
        "RULE",
        "What candidates keep to: 'products<=4', contains=tanh, lacks=exp; repeatable. Default: nothing.",
        WHAT,
    ),
]
Strategy = Annotated[
    str | None,
    _text("--strategy", "NAME", "What proposes them; see `nas-rnn list strategies`. Default: random.", WHAT),
]
Baseline = Annotated[
    str | None,
    _text("--baseline", "CELL", "The cell to compare with: a name or a .cell file. Default: lstm.", WHAT),
]
Plugins = Annotated[
    list[Path] | None,
    _path("--plugins", "DIR", "Folder of your own .py plugins; repeatable. Default: ./search_spaces.", RUN),
]

Trials = Annotated[int | None, _whole("--trials", "How many candidates to try. Default: 24.", BUDGET)]
Time = Annotated[
    str | None,
    _text(
        "--time",
        "TIME",
        "Try no more candidates after 90s, 1h30m, ...; what comes after them is not limited. Default: no limit.",
        BUDGET,
    ),
]
TimeForSeeds = Annotated[
    str | None,
    _text("--time", "TIME", "Add no more seeds (--seeds auto) after 30m, 2h, ... Default: no limit.", BUDGET),
]
Epochs = Annotated[
    int | None,
    _whole("--epochs", "Passes over the training data that a full run makes. Default: 4.", BUDGET),
]
Scheduler = Annotated[
    str | None,
    _text("--scheduler", "asha|none", "What stops weak candidates early. Default: asha.", BUDGET),
]
Params = Annotated[
    int | None,
    _whole("--params", "Parameters of every whole model; sets hidden sizes. Default: 60000.", BUDGET),
]
Tune = Annotated[
    int | None,
    _whole(
        "--tune",
        "Trials of learning rate, dropout, clipping and gate bias for each cell, the LSTM too; 0: none. Default: 8.",
        BUDGET,
    ),
]
TuneNone = Annotated[
    int | None, _whole("--tune", "Trials of training settings for each variant; 0: none. Default: 0.", BUDGET)
]
Seeds = Annotated[
    Any,
    _option(
        "--seeds",
        "Runs of each cell in the final, each with its own seed; auto: until it is settled. Default: 5.",
        BUDGET,
        metavar="N|auto",
        parser=whole_or("auto"),
    ),
]
MostSeeds = Annotated[int | None, _whole("--most-seeds", "Where --seeds auto gives up. Default: 32.", BUDGET)]
Match = Annotated[
    str | None,
    _text(
        "--match",
        "params|time|hidden",
        "What is equal for all cells: parameters, measured time of a step, or hidden size. Default: params.",
        TRAINING,
    ),
]
Controls = Annotated[
    str | None,
    _text(
        "--controls",
        "all|mean|none",
        "What stands beside the winner: a random search as long (all), random cells (all, mean). Default: all.",
        BUDGET,
    ),
]
Top = Annotated[
    int | None,
    _whole("--top", "How many of its best cells the name of a search stands for. Default: 1.", WHAT),
]

Layers = Annotated[
    int | None, _whole("--layers", "Recurrent layers, one upon another. Default: 1.", TRAINING)
]
Dropout = Annotated[
    float | None,
    _number("--dropout", "Probability of dropping a value between layers, 0 to 1. Default: 0.0.", TRAINING),
]
Batch = Annotated[
    int | None, _whole("--batch", "Sequences in a step of the optimiser (Adam). Default: 32.", TRAINING)
]
Length = Annotated[
    int | None, _whole("--length", "Time steps of each of these sequences. Default: 32.", TRAINING)
]
LearningRate = Annotated[
    float | None, _number("--learning-rate", "Highest learning rate of a run. Default: 0.01.", TRAINING)
]
Decay = Annotated[
    str | None,
    _text("--decay", "cosine|linear|none", "How it falls over all epochs. Default: cosine.", TRAINING),
]
Clip = Annotated[
    float | None,
    _number("--clip", "Clip the gradient's norm to this much; 0: never. Default: 1.0.", TRAINING),
]
Threads = Annotated[int | None, _whole("--threads", "Processor cores a run may use. Default: 1.", TRAINING)]
Device = Annotated[
    str | None,
    _text(
        "--device",
        "DEVICE",
        "Where to train: cpu, cuda, cuda:1 or auto (a GPU if there is one). Default: auto.",
        TRAINING,
    ),
]
Backend = Annotated[
    str | None,
    _text(
        "--backend",
        "auto|fused|eager|reference",
        "How cells run: fused is compiled C++; auto takes the fastest that can run. Default: auto.",
        TRAINING,
    ),
]

Workers = Annotated[
    int | None,
    _whole("--workers", "Runs trained side by side. Default: as many as have a place.", RUN),
]
Address = Annotated[
    str | None,
    _text(
        "--address", "HOST:PORT", "Ray cluster to train on (or RAY_ADDRESS), or local. Default: local.", RUN
    ),
]
GpusPerTrial = Annotated[
    float | None, _number("--gpus-per-trial", "GPUs of one run, or a part of one. Default: 0.0.", RUN)
]
Storage = Annotated[
    str | None,
    _text("--storage", "URI", "Where checkpoints lie (s3://bucket/runs). Default: the folder of runs.", RUN),
]
Name = Annotated[
    str | None,
    _text("--name", "NAME", "Its name, and that of its folder. Default: the next free one.", RUN),
]
Resume = Annotated[
    str | None,
    _text("--resume", "NAME", "Go on with the one of that name. Default: begin a new one.", RUN),
]
ChangedPlugins = Annotated[
    bool,
    _flag(
        "--changed-plugins",
        "Resume although the files of the search's plugins were changed. Default: off.",
        RUN,
    ),
]
Seed = Annotated[int | None, _whole("--seed", "Number from 0 that all randomness follows. Default: 0.", RUN)]
Config = Annotated[
    Path | None,
    _path(
        "--config", "FILE", "TOML file of options (learning_rate = 0.003); flags win. Default: no file.", RUN
    ),
]
Json = Annotated[
    bool, _flag("--json", "Print one JSON object on stdout, all else on stderr. Default: off.", RUN)
]
Runs = Annotated[
    Path,
    _path("--runs", "DIR", "Folder of searches. Default: runs.", RUN, envvar="NAS_RNN_RUNS"),
]
Debug = Annotated[bool, _flag("--debug", "Show the traceback of a failure. Default: off.", RUN)]
