"""The ways to run one layer in one direction over a whole sequence; all give the same values and gradients.

A backend is a function of the layout, the tensors that it names, the input (T, B, input_size), the states'
starts (one (B, size) a path) and, for sequences of different lengths, a mask (T, B, 1) that is True where a
sequence still runs: where it is False the states stay as they are and the output does not matter. Where
``restarts`` (T, B, 1) is True, the states begin anew, at what the cell declares, before that step; nothing
flows back across it. It returns the outputs (T, B, size of the first path) and the final states. T is at least 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from nas_rnn.errors import unknown
from nas_rnn.execution.eager.backend import run_eager
from nas_rnn.execution.fused.backend import run_fused
from nas_rnn.execution.layout import Layout
from nas_rnn.execution.reference import run_reference


class Backend(Protocol):
    """Runs one layer in one direction; see the module's text for the shapes."""

    def __call__(
        self,
        layout: Layout,
        parameters: Mapping[str, Tensor],
        x_TBI: Tensor,
        states: tuple[Tensor, ...],
        mask_TB1: Tensor | None,
        restarts_TB1: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]: ...


BACKENDS: dict[str, Backend] = {"fused": run_fused, "eager": run_eager, "reference": run_reference}
"""Name -> backend, the fastest first."""


def check_backend(name: str) -> str:
    """Return ``name``; `UserError` unless it is a backend's or ``"auto"``."""
    if name not in ("auto", *BACKENDS):
        raise unknown("backend", name, ["auto", *BACKENDS])
    return name
