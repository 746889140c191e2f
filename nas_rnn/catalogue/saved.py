"""The saved model of a search: its best cell with the weights of its final run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas_rnn import plugins
from nas_rnn.catalogue.cells import find_cell, unfinished
from nas_rnn.errors import UserError
from nas_rnn.run_folder.layout import RunFolder, names
from nas_rnn.run_folder.reader import RunReader
from nas_rnn.run_folder.trials import metrics_on_holdout
from nas_rnn.tasks import PreviewOptions, TaskData
from nas_rnn.tasks.options import begun_before

if TYPE_CHECKING:
    from nas_rnn.export import ExportBundle


@dataclass(frozen=True)
class Exported:
    """What `export` wrote, and what the model measured on the test part, in ``unit``, if it was trained."""

    files: list[Path]
    tested: float | None
    unit: str


def load_saved(name: str, runs: Path) -> ExportBundle:
    """Return the best model of the search or comparison ``name``, in evaluation mode.

    Raises UserError where it has no final weights yet.
    """
    from nas_rnn.export import load_folder

    folder = RunFolder.open_existing(runs, name)
    if not (folder.best / "model.json").is_file():
        raise unfinished(folder, f"{name!r} has no final weights yet")
    plugins.use_folders(RunReader(folder).settings().get("plugins", []))
    return load_folder(folder.best)


def sample(
    name: str,
    *,
    runs: str | Path = "runs",
    length: int = 500,
    prompt: str = "",
    temperature: float = 1.0,
    seed: int = 0,
) -> str:
    """Return what the best model of ``name`` gives as its task's preview."""
    bundle = load_saved(name, Path(runs)).task_model
    assert bundle is not None
    return str(
        bundle.task.preview(
            bundle.model,
            TaskData({}, bundle.meta),
            seed=seed,
            options=PreviewOptions(length=length, prompt=prompt, temperature=temperature, files=False),
        ).text
    )


def export(
    what: str,
    *,
    format: str,
    output: Path | None = None,
    runs: str | Path = "runs",
    input_size: int | None = None,
    hidden_size: int | None = None,
    layers: int = 1,
    bidirectional: bool = False,
    seed: int = 0,
) -> Exported:
    """Write the best model of the search or comparison ``what``, and say what was written.

    With sizes, ``what`` is a cell (a name, a file, a search's best), and goes with fresh weights from ``seed``.

    Raises:
        UserError: for a mistake in what was given, such as an output that is there already.
        NasRnnError: where the model cannot be exported or its files not be written.
    """
    from nas_rnn.export import export_files, output_path
    from nas_rnn.training.files import LocalFiles

    runs = Path(runs)
    trained = (
        _best(what, runs, layers, bidirectional, seed, needs_example=format == "onnx")
        if input_size is None and hidden_size is None
        else _fresh(what, runs, input_size, hidden_size, layers, bidirectional, seed)
    )
    path = output_path(trained.name, format, output)
    files = export_files(trained, format, path)
    for file, content in files.items():
        LocalFiles(file.parent).write(file.name, content)
    return Exported(list(files), *_test_metric(trained, RunFolder(runs, what)))


def _test_metric(trained: ExportBundle, folder: RunFolder) -> tuple[float | None, str]:
    """Return what the run that made the model measured on the test part, and in which unit."""
    if trained.task_model is None:
        return None, ""
    result = folder.store(trained.task_model.spec.id).read_result()
    metric = trained.task_model.task.measures(trained.task_model.meta).metric
    return None if result is None else metrics_on_holdout(result, [metric]).get(metric.name), metric.unit


def _best(
    what: str, runs: Path, layers: int, bidirectional: bool, seed: int, *, needs_example: bool
) -> ExportBundle:
    """Return the trained model of a search or comparison."""
    if what not in names(runs):
        find_cell(what, runs)  # what is neither is said there
        raise UserError(
            f"{what!r} is a cell, which has no weights of its own; give --input-size and --hidden-size to export it "
            f"with fresh ones, or the name of a search (`nas-rnn list searches`)"
        )
    if layers != 1 or bidirectional or seed:
        raise UserError(
            f"--layers, --bidirectional and --seed are for cells with fresh weights; the model of the search {what!r} "
            "is what it was trained as (with --input-size and --hidden-size, its cell alone is exported)"
        )
    saved = load_saved(what, runs)
    bundle = saved.task_model
    if needs_example and bundle is not None and bundle.example is None:  # earlier versions kept none
        from nas_rnn.export import example_inputs

        with begun_before():
            data = bundle.task.load(RunReader(RunFolder(runs, what)).config().data)
        bundle = replace(bundle, example=example_inputs(bundle.task, data))
    return replace(saved, name=what, task_model=bundle)


def _fresh(
    what: str,
    runs: Path,
    input_size: int | None,
    hidden_size: int | None,
    layers: int,
    bidirectional: bool,
    seed: int,
) -> ExportBundle:
    """Return layers of a cell with fresh weights."""
    import torch

    from nas_rnn.execution import RNN
    from nas_rnn.export import ExportBundle

    if input_size is None or hidden_size is None:
        missing = "--input-size" if input_size is None else "--hidden-size"
        raise UserError(f"a cell with fresh weights needs both sizes; {missing} is missing")
    cell = find_cell(what, runs)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        rnn = RNN(cell, input_size, hidden_size, layers, bidirectional=bidirectional)
    return ExportBundle(name=cell.name, rnn=rnn.eval())
