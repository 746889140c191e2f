"""Small runs for the engine's tests."""

from __future__ import annotations

from typing import Any

from nas_rnn.cells import Cell
from nas_rnn.training import RunSpec, TrainingOptions


def spec(id: str, cell: Cell, epochs: int = 3, role: Any = "candidate", **training: Any) -> RunSpec:
    """Return the spec of a run whose epochs take a fraction of a second."""
    return RunSpec(
        id=id,
        role=role,
        name=cell.name,
        cell=cell.to_text(),
        hidden_size=12,
        task="char-lm",
        training=TrainingOptions(epochs=epochs, batch=8, length=16, **training),
        seed=1,
        data_seed=2,
    )
