"""The documentation's examples run, and what it names exists."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from nas_rnn.cli.lines import PHASES
from nas_rnn.cli.results import COLUMNS
from nas_rnn.comparison import scale_lines
from nas_rnn.comparison.result import Floor
from nas_rnn.execution import RNN
from nas_rnn.plugins import GROUPS, Registry
from nas_rnn.strategies import Strategy
from nas_rnn.testing import check_space
from nas_rnn.testing.tasks import check_task
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.trainer import Trainer
from tests.comparison.test_scale import PLAIN

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", "docs/plugins.md"]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_layer_s_page_runs_from_top_to_bottom() -> None:
    exec(compile("\n".join(blocks("docs/layer.md", "python")), "layer.md", "exec"), {"__name__": "page"})


def test_the_order_of_gates_is_as_the_layer_s_page_says() -> None:
    """By taking over torch's layers, whose gates are told apart by a number each."""
    torchs = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
    for name, make in torchs.items():
        row = re.search(
            rf"^\| `{name}` \|(.*)\|$", (ROOT / "docs/layer.md").read_text("utf-8"), flags=re.MULTILINE
        )
        assert row is not None
        ih, hh, theirs = ([gate.strip() for gate in cell.split(",")] for cell in row[1].split("|"))
        module = make(3, 2)
        with torch.no_grad():
            for number in range(len(theirs)):
                module.weight_ih_l0[2 * number : 2 * number + 2] = number
                module.weight_hh_l0[2 * number : 2 * number + 2] = number
        rnn = RNN.from_torch(module)
        for gates, weight in ((ih, rnn.weight_ih_l0), (hh, rnn.weight_hh_l0)):
            assert [theirs[int(block[0, 0])] for block in weight.detach().view(len(theirs), 2, -1)] == gates


EXAMPLES = [(page, number, text) for page in PAGES for number, text in enumerate(blocks(page, "python"))]


@pytest.mark.parametrize(("page", "number", "text"), EXAMPLES, ids=lambda value: str(value)[:20])
def test_an_example_runs_and_what_it_defines_is_found(page, number, text, tmp_path):
    (tmp_path / "example.py").write_text(text)
    found = Registry([tmp_path])
    names = {kind: set(found.names(kind)) for kind in GROUPS}
    assert found.problems == []
    defined = set(re.findall(r"@(?:cell|search_space)\ndef (\w+)", text)) | set(
        re.findall(r'name = "(\w+)"', text)
    )
    assert defined <= set().union(*names.values())
    for name in defined & names["space"]:
        space = found.find("space", name).value
        assert check_space(space, samples=20) == []
    for name in defined & names["strategy"]:
        strategy = found.find("strategy", name).value(
            Registry([ROOT / "search_spaces"]).find("space", "gated").value, 0
        )
        assert isinstance(strategy, Strategy)
        strategy.tell(strategy.ask(), 1.0)
    for name in defined & names["task"]:
        kind = found.find("task", name).value
        assert check_task(kind) == []
        assert train_an_epoch(kind()).epoch == 1


def train_an_epoch(task):
    options = TrainingOptions(device="cpu", **{**task.training_defaults, "epochs": 1})
    spec = RunSpec(
        id="1",
        role="candidate",
        name="lstm",
        cell="",
        hidden_size=4,
        task=task.name,
        training=options,
        seed=0,
        data_seed=0,
    )
    lstm = lambda spec, size: torch.nn.LSTM(size, spec.hidden_size)
    return Trainer(spec, task, task.load(None), make_rnn=lstm).run_epoch()


def test_the_documented_task_is_short():
    tasks = [text for text in blocks("docs/plugins.md", "python") if "(Task):" in text]
    assert [len([line for line in text.splitlines() if line.strip()]) <= 40 for text in tasks] == [True]


def test_the_names_that_stay_are_those_that_there_are():
    """And of each, whether it can be had from `nas_rnn` itself."""
    import nas_rnn
    import nas_rnn.tasks

    page = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
    rows = page.partition("### Names that stay")[2].partition("\n## ")[0].splitlines()
    cells = [row.split("|")[2] for row in rows if row.startswith("| ") and "names" not in row]
    named = dict(re.findall(r"`(\w+)`(\*?)", " ".join(cells)))
    assert {*named} == {*nas_rnn.tasks.__all__}
    for name, star in named.items():
        assert hasattr(nas_rnn.tasks, name), name
        assert bool(star) == hasattr(nas_rnn, name), name


def test_every_hook_of_tasks_is_in_the_documentation():
    from dataclasses import fields

    from nas_rnn.tasks import Batch, Loss, Task, TaskData, TaskModel

    page = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
    section = page.partition("## Write your own task")[2].partition("\n## ")[0]
    own = lambda kind: {name for name in vars(kind) if not name.startswith("_")} - {"plugin_kind", "forward"}
    names = own(Task) | own(TaskModel) | {field.name for kind in (Batch, Loss) for field in fields(kind)}
    for name in names - {"to", "part", "curve"} | {"groups", *TaskData.__dataclass_fields__} - {"parts"}:
        assert re.search(rf"\b{name}\b", section), name


def test_the_entry_point_groups_are_those_of_the_code():
    text = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
    assert all(f"`{group}`" in text for group in GROUPS.values())
    for block in blocks("docs/plugins.md", "toml"):
        assert set(tomllib.loads(block)["project"]["entry-points"]) <= set(GROUPS.values())


def test_the_words_of_the_language_in_the_documentation_are_all_there_are():
    import nas_rnn
    from nas_rnn.cells.graph.operations import BUILT_IN, RESERVED

    text = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
    infix = {"add", "sub", "mul", "div", "neg"}
    for word in {*BUILT_IN, *RESERVED} - infix - {"cell", "search_space", "choose"}:
        assert re.search(rf"`[^`]*\b{word}\b", text), word
        assert callable(getattr(nas_rnn, word)), word


def test_every_link_leads_somewhere():
    for page in [
        *PAGES,
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/architecture.md",
        "docs/clusters.md",
        "docs/export.md",
        "docs/options.md",
        "docs/proposers.md",
        "docs/report.md",
        "docs/statistics.md",
        "docs/data.md",
        *(f"docs/tasks/{path.name}" for path in sorted((ROOT / "docs/tasks").glob("*.md"))),
    ]:
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8")):
            assert target.startswith("http") or (ROOT / page).parent.joinpath(target).exists(), (page, target)


CODE = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.py|(?:[\w.-]+/)+)`")
"""A Python file or a folder, as the documentation names it."""

NOT_OURS = {"best/", "mine.py", "search_spaces/mine.py", "utils.py"}
"""Of a run folder, of a user's, and a name for no file."""


def test_every_module_that_the_documentation_names_exists():
    """By its path in the checkout or in the package, or by its name alone in a text about its folder."""
    tops = [ROOT / top for top in ("nas_rnn", "tests", "benchmarks")]
    names = {path.name for top in tops for path in [top, *top.rglob("*")]} | {
        path.name for path in ROOT.iterdir()
    }
    for page in ["README.md", "CONTRIBUTING.md", *(str(path) for path in (ROOT / "docs").glob("*.md"))]:
        for path in set(CODE.findall((ROOT / page).read_text(encoding="utf-8"))) - NOT_OURS:
            is_name = "/" not in path.rstrip("/")
            places = (ROOT / path, ROOT / "nas_rnn" / path)
            found = path.rstrip("/") in names if is_name else any(place.exists() for place in places)
            assert found, (page, path)


def test_the_page_of_options_is_current():
    """``make options`` writes it."""
    from nas_rnn.cli.options_page import page

    assert (ROOT / "docs/options.md").read_text(encoding="utf-8") == page()


def test_the_sample_output_has_what_a_search_prints_in_its_order():
    """A default search: no random search beside the random one, and a task with trivial baselines."""
    sample = (ROOT / "README.md").read_text(encoding="utf-8").partition("## What you see\n")[2]
    floors = tuple(
        Floor(name=f"{name} table", values={PLAIN.metric: float(value)})
        for name, value in re.findall(r"(unigram|bigram) table (\d+\.\d+)", sample)
    )
    assert [floor.name for floor in floors] == ["unigram table", "bigram table"]
    lines = [PHASES[phase] for phase in ("search", "selection", "tuning", "final")]
    lines += ["On the test data, bits_per_char in bits per character:", COLUMNS[0]]
    lines += [*scale_lines(replace(PLAIN, floors=floors)), "Tuned on validation data:"]
    lines += [
        "`gated_50282e` is better than the LSTM, both tuned with 3 settings only: ",
        "Cost: ",
    ]
    places = [sample.find(f"    {line}") for line in lines]
    assert -1 not in places and places == sorted(places)


def test_the_layers_of_the_documentation_are_those_of_the_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [re.findall(r"\w+", layer) for layer in contracts[0]["layers"]]
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)", page, flags=re.MULTILINE)
    top = len(layers) - 1
    assert rows == [(str(top - n), name) for n, names in enumerate(layers) for name in names]
    listed = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("    cli\n")
    lines = (listed[1] + listed[2]).partition("\n\n")[0].splitlines()
    assert [line.split(" | ") for line in map(str.strip, lines)] == layers


def test_every_field_of_feedback_on_a_proposed_cell_is_in_the_documentation() -> None:
    from dataclasses import fields
    from typing import get_args

    from nas_rnn.comparison.racing import RaceVerdict
    from nas_rnn.experiment import feedback as module

    page = (ROOT / "docs/proposers.md").read_text(encoding="utf-8")
    kinds = (module.Feedback, module.Gap, module.Reach, module.PathReach, module.TrainingCost)
    names = {field.name for kind in kinds for field in fields(kind)} - {"baseline_seconds_per_epoch"}
    names |= {field.name for kind in (module.Problem, module.Divergence) for field in fields(kind)} - {
        "epochs"
    }
    for name in {*names, *get_args(RaceVerdict), *get_args(module.FeedbackStatus)}:
        assert re.search(rf"`{name}`", page), name
