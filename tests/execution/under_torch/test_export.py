"""`torch.export` makes a program of a layer for any length and batch; `torch.jit.script` says what to do instead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.export import Dim
from torch.nn.utils.rnn import pack_padded_sequence

from nas_rnn.errors import UserError
from nas_rnn.execution import RNN


def exported(rnn: RNN, *more: Any) -> Any:
    names = ("B", "T") if rnn.batch_first else ("T", "B")
    shapes = {"x": {0: Dim(names[0]), 1: Dim(names[1])}}
    if more:
        batch = rnn.num_layers * (1 + rnn.bidirectional)
        assert more[0][0].shape[0] == batch
        shapes["state"] = tuple({1: Dim("B")} for _ in more[0])  # type: ignore[assignment]
    return torch.export.export(rnn, (torch.randn(7, 3, 4), *more), dynamic_shapes=shapes)


@pytest.mark.parametrize(
    ("cell", "options"),
    [("gru", {"num_layers": 2}), ("lstm", {"bidirectional": True, "batch_first": True}), ("mingru", {})],
)
def test_any_length_and_batch(cell: str, options: dict[str, Any]) -> None:
    rnn = RNN(cell, 4, 6, **options).eval()
    program = exported(rnn)
    targets = [node.target for node in program.graph.nodes]
    assert targets.count(torch.ops.nas_rnn.sequence.default) == rnn.num_layers * (1 + rnn.bidirectional)
    for shape in ((31, 8, 4), (2, 2, 4)):
        x = torch.randn(shape)
        torch.testing.assert_close(program.module()(x), rnn(x))


@pytest.mark.parametrize("strict", [False, True])
def test_restarts_in_both_directions_at_any_length(strict: bool) -> None:
    rnn = RNN("lstm", 4, 6, bidirectional=True).eval()
    sizes = {0: Dim("T"), 1: Dim("B")}
    x, restarts = torch.randn(7, 3, 4), torch.zeros(7, 3, dtype=torch.bool)
    shapes = {"x": sizes, "state": None, "restarts": sizes}
    program = torch.export.export(rnn, (x, None, restarts), dynamic_shapes=shapes, strict=strict).module()
    for shape in ((5, 2), (2, 3), (1, 1)):
        x, restarts = torch.randn(*shape, 4), torch.rand(shape) < 0.5
        torch.testing.assert_close(program(x, None, restarts), rnn(x, None, restarts))


def test_packed_sequences_are_refused_in_one_line() -> None:
    packed = pack_padded_sequence(torch.randn(5, 2, 4), torch.tensor([5, 3]))
    with pytest.raises(UserError, match=r"torch\.export takes no PackedSequence"):
        torch.export.export(RNN("rnn", 4, 6), (packed,), strict=False)


def test_with_a_state() -> None:
    rnn = RNN("lstm", 4, 6).eval()
    program = exported(rnn, rnn.start(3))
    x, state = torch.randn(5, 2, 4), tuple(torch.randn(1, 2, 6) for _ in range(2))
    torch.testing.assert_close(program.module()(x, state), rnn(x, state))


def test_a_saved_program_runs_in_another_process(tmp_path: Path) -> None:
    """It carries its cell: nothing has to be built there, nas_rnn alone be imported."""
    rnn = RNN("lstm", 4, 6).eval()
    x = torch.randn(9, 2, 4)
    torch.export.save(exported(rnn), tmp_path / "layer.pt2")
    torch.save((x, rnn(x)[0].detach()), tmp_path / "expected.pt")
    code = (
        "import sys, torch, nas_rnn.execution\n"
        "x, expected = torch.load(sys.argv[2])\n"
        "program = torch.export.load(sys.argv[1]).module()\n"
        "torch.testing.assert_close(program(x)[0], expected)\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "layer.pt2"), str(tmp_path / "expected.pt")]
    subprocess.run(arguments, check=True, timeout=120)


def test_a_text_that_is_no_layout() -> None:
    x = torch.randn(2, 1, 3)
    with pytest.raises(UserError, match="begins with two sizes"):
        torch.ops.nas_rnn.sequence("compiled 1", "no layout", x, [], [], None, None)


def test_script() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = RNN("gru", 3, 4)

    for module in (RNN("gru", 3, 4), Model()):
        with pytest.raises(UserError, match="nas-rnn export"):
            torch.jit.script(module)
