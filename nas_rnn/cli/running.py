"""``nas-rnn search``, ``nas-rnn compare`` and ``nas-rnn ablate``: call, watch, print the result."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas_rnn.cli import options as o
from nas_rnn.cli.failures import FAILURE, INTERRUPTED, command
from nas_rnn.cli.parsing import key_values

if TYPE_CHECKING:
    from nas_rnn.experiment.results import Result


@command
def search(
    task: o.Task = None,
    data: o.Data = None,
    task_option: o.TaskOption = None,
    space: o.Space = None,
    constraint: o.Constraint = None,
    strategy: o.Strategy = None,
    plugins: o.Plugins = None,
    trials: o.Trials = None,
    time: o.Time = None,
    epochs: o.Epochs = None,
    scheduler: o.Scheduler = None,
    params: o.Params = None,
    tune: o.Tune = None,
    seeds: o.Seeds = None,
    most_seeds: o.MostSeeds = None,
    controls: o.Controls = None,
    match: o.Match = None,
    layers: o.Layers = None,
    dropout: o.Dropout = None,
    batch: o.Batch = None,
    length: o.Length = None,
    learning_rate: o.LearningRate = None,
    decay: o.Decay = None,
    clip: o.Clip = None,
    threads: o.Threads = None,
    device: o.Device = None,
    backend: o.Backend = None,
    workers: o.Workers = None,
    address: o.Address = None,
    gpus_per_trial: o.GpusPerTrial = None,
    storage: o.Storage = None,
    name: o.Name = None,
    resume: o.Resume = None,
    changed_plugins: o.ChangedPlugins = False,
    seed: o.Seed = None,
    config: o.Config = None,
    json: o.Json = False,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Search for a cell, then compare the best one with an LSTM of the same size on test data."""
    given = dict(locals())
    import nas_rnn

    _run(lambda **rest: nas_rnn.search(**rest), given)


@command
def compare(
    cells: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CELL...",
            help="Names of cells (`nas-rnn list cells`), .cell files, recipes (.json), or searches: their best cells.",
            show_default=False,
        ),
    ] = None,
    baseline: o.Baseline = None,
    top: o.Top = None,
    task: o.Task = None,
    data: o.Data = None,
    task_option: o.TaskOption = None,
    plugins: o.Plugins = None,
    epochs: o.Epochs = None,
    params: o.Params = None,
    tune: o.Tune = None,
    seeds: o.Seeds = None,
    most_seeds: o.MostSeeds = None,
    time: o.TimeForSeeds = None,
    match: o.Match = None,
    layers: o.Layers = None,
    dropout: o.Dropout = None,
    batch: o.Batch = None,
    length: o.Length = None,
    learning_rate: o.LearningRate = None,
    decay: o.Decay = None,
    clip: o.Clip = None,
    threads: o.Threads = None,
    device: o.Device = None,
    backend: o.Backend = None,
    workers: o.Workers = None,
    address: o.Address = None,
    gpus_per_trial: o.GpusPerTrial = None,
    storage: o.Storage = None,
    name: o.Name = None,
    resume: o.Resume = None,
    seed: o.Seed = None,
    config: o.Config = None,
    json: o.Json = False,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Compare cells with an LSTM, or another baseline: tuned alike, at equal size, with paired seeds."""
    given = dict(locals())
    import nas_rnn

    _run(lambda cells=(), **rest: nas_rnn.compare(*cells, **rest), given)


@command
def ablate(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[WHAT]",
            help="A search (its best cell and options), a cell's name, a .cell file or a recipe (.json).",
            show_default=False,
        ),
    ] = None,
    elements: Annotated[
        str | None,
        typer.Option(
            "--elements",
            metavar="KIND,...",
            help="What to remove: gate, activation, product, path, norm, peephole, matrix. Default: all but matrix.",
            rich_help_panel=o.WHAT,
            show_default=False,
        ),
    ] = None,
    task: o.Task = None,
    data: o.Data = None,
    task_option: o.TaskOption = None,
    plugins: o.Plugins = None,
    epochs: o.Epochs = None,
    params: o.Params = None,
    tune: o.TuneNone = None,
    seeds: o.Seeds = None,
    most_seeds: o.MostSeeds = None,
    time: o.TimeForSeeds = None,
    match: o.Match = None,
    layers: o.Layers = None,
    dropout: o.Dropout = None,
    batch: o.Batch = None,
    length: o.Length = None,
    learning_rate: o.LearningRate = None,
    decay: o.Decay = None,
    clip: o.Clip = None,
    threads: o.Threads = None,
    device: o.Device = None,
    backend: o.Backend = None,
    workers: o.Workers = None,
    address: o.Address = None,
    gpus_per_trial: o.GpusPerTrial = None,
    storage: o.Storage = None,
    name: o.Name = None,
    resume: o.Resume = None,
    seed: o.Seed = None,
    config: o.Config = None,
    json: o.Json = False,
    runs: o.Runs = o.RUNS,
    debug: o.Debug = False,
) -> None:
    """Remove one element of a cell at a time, train each variant, and rank the elements by contribution."""
    given = dict(locals())
    given["elements"] = None if elements is None else tuple(elements.split(","))
    import nas_rnn

    _run(lambda **rest: nas_rnn.ablate(**rest), given)


def _run(function: Callable[..., Result], given: dict[str, Any]) -> None:
    """Call ``function`` with the options that were given, watched; print its result."""
    # Before the run, which may take days: nothing that is imported after it could fail then.
    from nas_rnn.cli.watching import print_outcome, view

    json, runs = given.pop("json"), given.pop("runs")
    del given["debug"]
    task_options = key_values(given.pop("task_option") or [], "--task-option")
    given["task_options"] = task_options or None
    given["plugins"] = tuple(given["plugins"] or ()) or None
    given["constraints"] = tuple(given.pop("constraint", None) or ()) or None
    given["changed_plugins"] = given.get("changed_plugins") or None
    chosen = {name: value for name, value in given.items() if value is not None}
    # What plugins print while they work must not stand in the JSON.
    kept_free = contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext()
    with view(json) as observer, kept_free:
        result = function(observer=observer, runs=runs, **chosen)
    print_outcome(result, json, runs)
    if result.status == "interrupted":
        raise typer.Exit(INTERRUPTED)
    if result.comparison is None and result.best is None:  # not one run came to a score
        raise typer.Exit(FAILURE)
