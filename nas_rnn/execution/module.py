"""What layers are as a module of torch's: their weights by name, of which cell they are, and who runs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nas_rnn.cells import Cell
from nas_rnn.errors import UserError
from nas_rnn.execution.backends import check_backend
from nas_rnn.execution.checks import check_weights
from nas_rnn.execution.fused.backend import fused_problem, is_supported, layer_problem
from nas_rnn.execution.initialise import Init, initialise
from nas_rnn.execution.layout import Layout
from nas_rnn.execution.marks import check_mark, mark_of


class Layers(nn.Module):
    """The part of an `RNN` that computes nothing."""

    cell: Cell
    input_size: int
    hidden_size: int
    num_layers: int
    bidirectional: bool
    init: Init
    gate_bias: float | None
    _layouts: tuple[Layout, ...]

    def _make_parameters(self, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        for layer, layout in enumerate(self._layouts):
            for reverse in self._directions:
                for name, shape in layout.shapes:
                    tensor = torch.empty(shape, device=device, dtype=dtype)
                    self.register_parameter(name + suffix(layer, reverse), nn.Parameter(tensor))

    @property
    def backend(self) -> str:
        """The name of the backend that runs."""
        if self._asked not in ("auto", "fused"):
            return self._asked
        fits = is_supported(self._device(), computed_in(self._dtype() or torch.float32))
        fits = fits and len({parameter.device for parameter in self.parameters()}) <= 1
        return "fused" if fits and self.fallback is None else "eager"

    @backend.setter
    def backend(self, name: str) -> None:
        self._asked = check_backend(name)
        self._problem: str | None = None
        if name == "fused" and (problem := fused_problem(self._device())) is not None:
            raise UserError(f"the fused backend cannot run: {problem}; or use backend='auto'")

    @property
    def fallback(self) -> str | None:
        """Why the fused backend was asked for and cannot run this cell; None where it can, or was not."""
        if self._asked not in ("auto", "fused"):
            return None
        return self._problem or fused_problem(self._device())

    @property
    def _directions(self) -> tuple[bool, ...]:
        return (False, True) if self.bidirectional else (False,)

    def _tensors(self, layer: int, reverse: bool) -> dict[str, Tensor]:
        """Return the attributes, whoever made them: a parametrisation, or a tensor in a parameter's place."""
        end = suffix(layer, reverse)
        found = {name: getattr(self, name + end) for name, _ in self._layouts[layer].shapes}
        check_weights(found, self._layouts[layer].shapes, end)
        return found

    def layer(self, layer: int, reverse: bool = False) -> tuple[Layout, dict[str, Tensor]]:
        """Return one layer and direction: its packing, and the packed parameters by the names that it uses."""
        return self._layouts[layer], self._tensors(layer, reverse)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """How many units each state path has, in the order of the state."""
        return self._layouts[0].state_sizes

    def reset_parameters(self) -> None:
        """Start anew, as ``init`` and ``gate_bias`` say."""
        for layer, layout in enumerate(self._layouts):
            for reverse in self._directions:
                initialise(layout, self._tensors(layer, reverse), self.init, self.gate_bias)

    def get_extra_state(self) -> Tensor:
        """Return what the state dict tells of the cell: bytes (uint8) of text."""
        return mark_of(self.cell)

    def set_extra_state(self, state: object) -> None:
        """Do nothing: what a state dict tells of its cell was checked before its weights were taken."""

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *arguments: Any) -> None:
        check_mark(self.cell, self._parameters, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def _first(self) -> Tensor | None:
        """Return a parameter, whose dtype and device stand for all."""
        own = next(iter(self._parameters.values()), None)  # seldom None; then a parametrisation has it
        return next(self.parameters(), None) if own is None else own

    def _dtype(self) -> torch.dtype | None:
        first = self._first()
        return None if first is None else first.dtype

    def _device(self) -> torch.device:
        first = self._first()
        return torch.device("cpu") if first is None else first.device

    def _is_compiled(self, layout: Layout, x_TBI: Tensor) -> bool:
        """Whether the layer's code can be had. A compiler of torch's asks before, else the call finds out."""
        if not torch.compiler.is_compiling():
            return self.fallback is None
        problem = layer_problem(layout.key, x_TBI.device.type, x_TBI.dtype)
        if problem is not None and self._asked == "fused":
            raise UserError(f"the fused backend cannot run {self.cell.name!r}: {problem}")
        return problem is None

    def __prepare_scriptable__(self) -> None:
        raise UserError(
            "an RNN cannot be compiled by torch.jit.script; torch.compile and torch.export.export take it as it is, "
            "and `nas-rnn export` writes a trained model as one plain Python file or as ONNX"
        )

    def flatten_parameters(self) -> None:
        """Do nothing: there is no memory of cuDNN's to arrange. Here since code for torch's layers calls it."""

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The packed parameters, a list for each layer and direction, in the order of `Layout.shapes`."""
        return [
            list(self._tensors(layer, reverse).values())
            for layer in range(self.num_layers)
            for reverse in self._directions
        ]

    def extra_repr(self) -> str:
        parts: list[Any] = [self.cell.name, self.input_size, self.hidden_size]
        defaults: dict[str, Any] = {
            "num_layers": 1,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        defaults |= {"variational_dropout": 0.0, "weight_drop": 0.0, "init": "uniform", "gate_bias": None}
        options = {name: getattr(self, name) for name in defaults}
        parts += [f"{name}={value}" for name, value in options.items() if value != defaults[name]]
        return ", ".join(str(part) for part in [*parts, f"backend={self.backend}"])


def computed_in(dtype: torch.dtype) -> torch.dtype:
    """Return in which dtype a layer with weights of ``dtype`` computes: half precision has float32 sums and steps."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def suffix(layer: int, reverse: bool) -> str:
    """Return how the names of a layer's and direction's parameters end, as torch has it."""
    return f"_l{layer}_reverse" if reverse else f"_l{layer}"
