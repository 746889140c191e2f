"""Schedules and generated code as golden text, and what must hold of schedules however they are printed."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import numpy as np
import pytest

from nas_rnn.cells import Cell, parse_cell
from nas_rnn.execution.fused.kernels import printed
from nas_rnn.execution.fused.places import Kind
from nas_rnn.execution.fused.schedule import Schedule
from nas_rnn.execution.fused.scheduler import make_schedule
from nas_rnn.execution.fused.toolchain import compiler, text_of
from nas_rnn.execution.layout import make_layout
from tests.execution.fused.golden import FOLDER, SOURCES, texts
from tests.execution.zoo import zoo_cells
from tests.random_cells import random_cell

ZOO = zoo_cells()
TEXTS = texts()


@pytest.mark.parametrize("file", TEXTS)
def test_golden_text(file: str) -> None:
    """Where a change is meant: python -m tests.execution.fused.golden"""
    assert TEXTS[file] == (FOLDER / file).read_text()


def test_there_is_no_other_golden_text() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(TEXTS)


def test_code_is_the_same_for_all_sizes() -> None:
    for tested in SOURCES.values():
        sources = {
            printed(make_layout(tested.canonical(), *sizes))[2].source
            for sizes in ((4, 6), (1, 2), (128, 64))
        }
        assert len(sources) == 1


@pytest.mark.parametrize("single", [True, False])
def test_code_compiles_without_a_warning(single: bool) -> None:
    """What compilers warn of in generated code is mostly a fault of what generated it."""
    source = "\n".join([text_of("cpp/prelude.hpp"), *(TEXTS[f"{name}.cpp"] for name in SOURCES)])
    path, flags, _ = compiler()
    wanted = ["-Wall", "-Wextra", "-Wno-unused", "-Wno-unused-parameter", "-Wno-unknown-pragmas"]
    command = [path, *flags, *wanted, *["-DSINGLE"] * single, "-fsyntax-only", "-x", "c++", "-"]
    answer = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")


def schedule_of(tested: Cell, inputs: int = 4, hidden: int = 8) -> Schedule:
    return make_schedule(make_layout(tested.canonical(), inputs, hidden))


@dataclass(frozen=True)
class Facts:
    """``bulk``, ``steps``: how many matrices the products of each stage have, before and in the loop; one
    number a product."""

    bulk: list[list[int]]
    steps: list[list[int]]
    linear: bool = False
    delayed: int = 0
    kept: int = 0


FACTS = {
    "rnn": Facts([[1]], [[1], []]),
    "lstm": Facts([[4]], [[4], []]),
    "gru": Facts([[3]], [[2, 1], []]),
    "darts_v2": Facts([[2]], [[2], [2], [6], [2, 2], [4], []], kept=5),
    "qrnn": Facts([[3], [3]], [[]], linear=True, delayed=1),
    "mingru": Facts([[2]], [[]], linear=True),
    "minlstm": Facts([[3]], [[]], linear=True),
    "sru": Facts([[4]], [[]], linear=True),
}


@pytest.mark.parametrize("name", FACTS)
def test_schedules(name: str) -> None:
    schedule = schedule_of(ZOO[name])
    products = [[len(run.matrices) for run in stage.forward] for stage in schedule.stages]
    found = Facts(
        products[: schedule.bulk],
        products[schedule.bulk :],
        schedule.is_linear,
        len(schedule.delayed),
        len(schedule.kept),
    )
    assert found == FACTS[name]


def test_linear_recurrences_of_the_zoo() -> None:
    """All cells that have no product of a state with a matrix, and no others."""
    linear = {name for name, tested in ZOO.items() if schedule_of(tested).is_linear}
    assert {"mingru", "minlstm", "sru", "qrnn"} <= linear
    assert not {"rnn", "gru", "lstm", "darts_v2", "mgu"} & linear
    gate_reads_the_state = parse_cell(
        "@cell\ndef f(x, h):\n    z = sigmoid(linear(x, h))\n    return z * h + (1 - z) * linear(x)\n"
    )
    assert not schedule_of(gate_reads_the_state).is_linear


def test_what_a_projection_needs_no_matrix_for() -> None:
    """Where input_size is hidden_size a projection is its argument, and no product."""
    tested = parse_cell("@cell\ndef f(x, h):\n    return tanh(project(x) + linear(h))\n")
    assert [len(stage.forward) for stage in schedule_of(tested, 4, 8).stages] == [1, 1, 0]
    assert [len(stage.forward) for stage in schedule_of(tested, 8, 8).stages] == [1, 0]


SCHEDULED = [*ZOO.values(), *(random_cell(np.random.default_rng(seed)) for seed in range(200))]


def test_every_matrix_is_multiplied_once_each_way() -> None:
    for tested in SCHEDULED:
        schedule = schedule_of(tested)
        wanted = sorted(
            m.place for m in schedule.layout.matrices if schedule.same_as[m.source] not in schedule.fixed
        )
        for runs in ("forward", "backward"):
            found = [
                m.place for stage in schedule.stages for run in getattr(stage, runs) for m in run.matrices
            ]
            assert sorted(found) == wanted


def test_nothing_is_read_before_it_is_written() -> None:
    """Products read what their own stage or an earlier one stored, and slots are read after all products."""
    for tested in SCHEDULED:
        schedule = schedule_of(tested)
        node_at = {leaf: node for node, leaf in schedule.stored.items()}
        written: dict[int, int] = {}
        for stage in schedule.stages:
            filled: set[int] = set()
            for run in stage.forward:
                if run.source.kind in (Kind.KEPT, Kind.NEW):
                    assert schedule.stage_of[node_at[run.source]] <= stage.number
                if run.source.kind is Kind.PREVIOUS and stage.bulk:
                    assert run.source.index in schedule.delayed
                for slot in range(run.slot, run.slot + len(run.matrices)):
                    assert run.adds == (slot in written or slot in filled)
                    filled.add(slot)
            written |= dict.fromkeys(filled, stage.number)
        for slot, owner in enumerate(schedule.slots):
            assert schedule.stage_of[owner] > written[slot]
        for node, stage_number in schedule.stage_of.items():
            if node in schedule.slots:
                continue
            for source in schedule.layout.canonical.nodes[node].inputs:
                source = schedule.same_as[source]
                assert schedule.stage_of.get(source, 0) <= stage_number
