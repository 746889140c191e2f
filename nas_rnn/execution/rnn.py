"""`RNN`: layers of a cell, unrolled over a sequence, with the calling convention of `torch.nn.LSTM`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from nas_rnn.cells import Cell
from nas_rnn.errors import UserError
from nas_rnn.execution.backends import BACKENDS
from nas_rnn.execution.checks import (
    check_arguments,
    check_devices,
    check_dtype,
    check_input,
    check_packed,
    check_packed_restarts,
    check_rate,
    check_restarts,
    check_states,
    check_step,
    check_weight_dtypes,
    is_autocast,
)
from nas_rnn.execution.from_torch import cell_of, copy_weights
from nas_rnn.execution.fused.backend import can_run
from nas_rnn.execution.fused.toolchain import CompileError
from nas_rnn.execution.initialise import Init, check_init
from nas_rnn.execution.layout import Layout, layer_layouts
from nas_rnn.execution.module import Layers, computed_in, suffix
from nas_rnn.execution.regularise import drop_features, drop_weights
from nas_rnn.execution.reparametrise import matrices_of
from nas_rnn.execution.sequences import Order, pack_like, unpack, unpack_restarts

State = tuple[Tensor, ...]


class RNN(Layers):
    """One or several layers of ``cell``, in one direction or both.

    ``output, state = rnn(x, state)`` with ``x`` (T, B, input_size), or (B, T, input_size) with
    ``batch_first``, or (T, input_size) unbatched, or a `PackedSequence`; ``output`` likewise with the size
    of the first state path times the directions. ``state`` is a tuple, in the order of the cell's state
    paths also where there is but one, of tensors (num_layers * directions, B, size); without it every path
    starts at what the cell declares. `step` runs a single step, from `start`'s state or another's.

    ``rnn(x, state, restarts)`` begins anew within sequences: ``restarts`` are bools in the input's own layout, (T, B),
    (B, T), (T,) or a `PackedSequence` of them. Where one is True, every layer starts at what the cell declares before
    that step, as if another sequence began there, also for gradients; one at the first step overrides ``state``. A
    backward direction begins anew where it comes from the sequence that follows: it carries nothing across either.

    ``dropout`` is applied between layers while training, anew at each step. ``variational_dropout`` (Gal & Ghahramani
    2016) drops features of every layer's input and of the last one's output, for each sequence the same at all steps;
    ``weight_drop`` (Merity, Keskar & Socher 2018) drops weights of the matrices that states pass through. Both draw
    anew at every call while training: for each chunk of a sequence that is trained on chunk by chunk.

    ``backend`` is ``"auto"`` (the fastest that can run), ``"fused"`` (compiled C++ on CPUs, Triton on GPUs of
    CUDA's), ``"eager"`` (torch's functions, anywhere) or ``"reference"``; the attribute ``backend`` tells which one
    runs, and may be set. The fused one is an operator of torch's: `torch.compile` and `torch.export` see one node.
    What it is not made for (other devices, `torch.jit.trace`, transforms of torch.func) runs eagerly; where a cell's
    code cannot be compiled, ``"auto"`` does too and says so once, and ``"fused"`` raises `UserError`. ``fallback``
    says why it does, else it is None.

    A layer computes in float32 at least: of half precision (`half`, `bfloat16`) weights, inputs and states are
    widened and results rounded, and under autocast it keeps the dtype of its weights. States may be float32 there as
    well.

    What stands at the attribute ``weight_hh_l0`` is what runs: a parameter, what a parametrisation makes of others,
    or a tensor that was put in its place.

    ``init`` says how matrices start: ``"uniform"`` within 1/sqrt(hidden_size), as torch's layers, ``"glorot"``, or
    ``"orthogonal"`` where states pass through. All else starts as the cell states it, but biases that do not start at
    zero (the LSTM's forget gate) at ``gate_bias``, if one is given, in all layers and directions.

    The parameters of layer k are packed as `nas_rnn.execution.layout` says: ``weight_ih_l0``,
    ``weight_hh_l0``, ``bias_l0``, ...; those of the other direction end in ``_reverse``. Cells with equal
    digests have the same parameters, and the same values of them at one seed of torch.

    A state dict also tells of which cell it is (``_extra_state``, a tensor of bytes). Loading that of another cell,
    or of torch's own layers, is an error whatever its names and shapes: see `from_torch`, and
    `nas_rnn.execution.mark_weights` for files from before.

    Raises `UserError` for arguments and inputs that do not fit, saying what would.
    """

    def __init__(
        self,
        cell: Cell | str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        variational_dropout: float = 0.0,
        weight_drop: float = 0.0,
        init: Init = "uniform",
        gate_bias: float | None = None,
    ) -> None:
        super().__init__()
        check_arguments(input_size, hidden_size, num_layers)
        check_rate("dropout", "outputs to drop between layers", dropout)
        check_rate("variational_dropout", "features to drop of inputs and outputs", variational_dropout)
        check_rate("weight_drop", "recurrent weights to drop", weight_drop)
        check_init(init, gate_bias)
        check_dtype(dtype)
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"dropout={dropout} lies between layers, of which there is one: it has no effect",
                stacklevel=2,
            )
        self.cell = _resolve(cell)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first, self.dropout, self.bidirectional = (
            bool(batch_first),
            float(dropout),
            bool(bidirectional),
        )
        self.variational_dropout, self.weight_drop = float(variational_dropout), float(weight_drop)
        self.init, self.gate_bias = init, gate_bias
        self._layouts = layer_layouts(self.cell, input_size, hidden_size, num_layers, self.bidirectional)
        for layout in self._layouts:  # made now, as tools of torch's trace calls
            _ = layout.key, layout.state_sizes, layout.recurrent_rows, layout.antisymmetric
        self._make_parameters(device, dtype)
        self.backend = backend
        self.reset_parameters()

    @classmethod
    def from_torch(cls, module: nn.Module, backend: str = "auto") -> Self:
        """Return an RNN that computes what a (trained) `nn.LSTM`, `nn.GRU` or `nn.RNN` does, with copies of
        its weights.

        Biases are zero where the module has none. Raises `UserError` for other modules and for ``proj_size``.
        """
        cell = cell_of(module)
        assert isinstance(module, nn.RNNBase)
        weight = module.weight_ih_l0
        assert isinstance(weight, Tensor)
        result = cls(
            cell,
            module.input_size,
            module.hidden_size,
            module.num_layers,
            module.batch_first,
            module.dropout if module.num_layers > 1 else 0.0,
            module.bidirectional,
            backend,
            weight.device,
            weight.dtype,
        )
        for layer, layout in enumerate(result._layouts):
            for reverse in result._directions:
                here = suffix(layer, reverse)
                copy_weights(module, here, layout, cell, result._tensors(layer, reverse))
        return result.train(module.training)

    def start(
        self,
        batch: int | None = None,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        """Return the state that the cell declares to start at, which calls without a state begin with.

        It is (num_layers * directions, batch, size) for each path, without the batch where that is None, and has the
        weights' device and dtype unless others are given.
        """
        if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 0):
            raise UserError(
                f"batch is how many sequences there are, or None for an unbatched one, not {batch!r}"
            )
        like = torch.empty(0, device=device or self._device(), dtype=dtype or self._dtype())
        return self._own_start(like, () if batch is None else (batch,))

    def start_states(self, x_TBI: Tensor, state: State | None = None) -> State:
        """Return what each state path starts at, (num_layers * directions, B, size); ``state``, if given, checked."""
        return self._start(x_TBI, state, True)

    def step(self, x_BI: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run one step: ``output_BH, state = rnn.step(x_BI, state)``, as `forward` does over a sequence of one.

        ``x_BI`` is (B, input_size), also with ``batch_first``, or (input_size,) unbatched; the output likewise with
        the size of the first state path. ``state`` is as in a call of the RNN; without it, `start`'s. While training,
        each step is a sequence of its own: all kinds of dropout draw anew. Raises `UserError` for a bidirectional RNN.
        """
        check_step(x_BI, self.input_size, self._dtype(), self.bidirectional)
        batched = x_BI.dim() == 2
        x_TBI = x_BI.unsqueeze(0) if batched else x_BI[None, None]
        output_TBH, final = self._run(x_TBI, self._start(x_TBI, state, batched), Order())
        return (output_TBH[0], final) if batched else (output_TBH[0, 0], _unbatched(final))

    def forward(
        self,
        x: Tensor | PackedSequence,
        state: State | None = None,
        restarts: Tensor | PackedSequence | None = None,
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run over the sequence; see the class for shapes."""
        if isinstance(x, PackedSequence) and torch.compiler.is_exporting():
            raise UserError(
                "torch.export takes no PackedSequence, whose lengths are data: export for a padded tensor, "
                "and with `restarts` where sequences begin within it"
            )
        if torch.compiler.is_dynamo_compiling() and isinstance(x, PackedSequence):
            found: tuple[Tensor | PackedSequence, State] = _uncompiled(self._forward, x, state, restarts)
            return found
        return self._forward(x, state, restarts)

    def _forward(
        self,
        x: Tensor | PackedSequence,
        state: State | None,
        restarts: Tensor | PackedSequence | None,
    ) -> tuple[Tensor | PackedSequence, State]:
        if isinstance(x, PackedSequence):
            return self._forward_packed(x, state, restarts)
        check_input(x, self.input_size, self._dtype(), self.batch_first)
        restarts_TB = None if restarts is None else check_restarts(restarts, x, self.batch_first)
        batched = x.dim() == 3
        x_TBI = x if batched else x.unsqueeze(1)
        x_TBI = x_TBI.transpose(0, 1) if self.batch_first and batched else x_TBI
        states = self._start(x_TBI, state, batched)
        output_TBH, final = self._run(x_TBI, states, Order(), restarts_TB)
        if not batched:
            return output_TBH.squeeze(1), _unbatched(final)
        return output_TBH.transpose(0, 1) if self.batch_first else output_TBH, final

    def _forward_packed(
        self, packed: PackedSequence, state: State | None, restarts: Tensor | PackedSequence | None
    ) -> tuple[PackedSequence, State]:
        check_packed(packed, self.input_size, self._dtype())
        restarts_TB = None if restarts is None else unpack_restarts(check_packed_restarts(restarts, packed))
        x_TBI, lengths_B, order = unpack(packed)
        states = self._start(x_TBI, state, True)
        if packed.sorted_indices is not None and state is not None:
            states = tuple(s.index_select(1, packed.sorted_indices) for s in states)
        output_TBH, final = self._run(x_TBI, states, order, restarts_TB)
        if packed.unsorted_indices is not None:
            final = tuple(s.index_select(1, packed.unsorted_indices) for s in final)
        return pack_like(output_TBH, lengths_B, packed), final

    def _start(self, x_TBI: Tensor, state: State | None, batched: bool) -> State:
        """Return the states' starts, each (num_layers * directions, B, size)."""
        rows, batch = self.num_layers * len(self._directions), x_TBI.shape[1]
        if state is None:
            return self._own_start(x_TBI, (batch,))
        shapes = [(rows, batch, size) if batched else (rows, size) for size in self.state_sizes]
        check_states(self.cell, state, shapes, x_TBI)
        return tuple(state) if batched else tuple(s.unsqueeze(1) for s in state)

    def _own_start(self, like: Tensor, batch: tuple[int, ...]) -> State:
        rows = self.num_layers * len(self._directions)
        paths = zip(self.cell.states, self.state_sizes, strict=True)
        return tuple(like.new_full((rows, *batch, size), path.init) for path, size in paths)

    def _run(
        self, x_TBI: Tensor, states: State, order: Order, restarts_TB: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Run all layers, in float32 at least, also under autocast; results have the weights' dtype."""
        given = self._dtype() or x_TBI.dtype
        dtype = computed_in(given)
        if not is_autocast(x_TBI):
            if dtype == given and all(s.dtype == dtype for s in states):
                return self._run_layers(x_TBI, states, order, restarts_TB)
            return self._run_in(dtype, given, x_TBI, states, order, restarts_TB)
        with torch.autocast(x_TBI.device.type, enabled=False):
            return self._run_in(dtype, given, x_TBI, states, order, restarts_TB)

    def _run_in(
        self,
        dtype: torch.dtype,
        given: torch.dtype,
        x_TBI: Tensor,
        states: State,
        order: Order,
        restarts_TB: Tensor | None,
    ) -> tuple[Tensor, State]:
        states = tuple(state.to(dtype) for state in states)
        output_TBH, finals = self._run_layers(x_TBI.to(dtype), states, order, restarts_TB)
        return output_TBH.to(given), tuple(final.to(given) for final in finals)

    def _run_layers(
        self, x_TBI: Tensor, states: State, order: Order, restarts_TB: Tensor | None
    ) -> tuple[Tensor, State]:
        finals: list[State] = []
        for layer, layout in enumerate(self._layouts):
            x_TBI = self._without_features(x_TBI)
            outputs: list[Tensor] = []
            for reverse in self._directions:
                start = tuple(s[len(finals)] for s in states)
                arranged = order.arrange(x_TBI, reverse)
                output_TBH, final = self._run_layer(
                    layout,
                    suffix(layer, reverse),
                    self._tensors_to_run(layer, reverse, x_TBI.dtype),
                    arranged,
                    start,
                    order.mask_TB1,
                    order.arrange_restarts(restarts_TB, reverse),
                )
                outputs.append(order.arrange(output_TBH, reverse) if reverse else output_TBH)
                finals.append(final)
            x_TBI = torch.cat(outputs, -1) if self.bidirectional else outputs[0]
            if self.dropout > 0 and layer < self.num_layers - 1:
                x_TBI = nn.functional.dropout(x_TBI, self.dropout, self.training)
        return self._without_features(x_TBI), tuple(torch.stack(path) for path in zip(*finals, strict=True))

    def _without_features(self, x_TBI: Tensor) -> Tensor:
        if self.training and self.variational_dropout > 0:
            return drop_features(x_TBI, self.variational_dropout)
        return x_TBI

    def _tensors_to_run(self, layer: int, reverse: bool, dtype: torch.dtype) -> dict[str, Tensor]:
        layout, tensors = self.layer(layer, reverse)
        if any(tensor.dtype != dtype for tensor in tensors.values()):
            check_weight_dtypes(tensors, dtype, suffix(layer, reverse))
            tensors = {name: tensor.to(dtype) for name, tensor in tensors.items()}
        if self.training and self.weight_drop > 0:
            tensors = drop_weights(layout, tensors, self.weight_drop)
        return matrices_of(layout, tensors)

    def _run_layer(
        self,
        layout: Layout,
        end: str,
        tensors: dict[str, Tensor],
        x_TBI: Tensor,
        start: State,
        mask_TB1: Tensor | None,
        restarts_TB1: Tensor | None,
    ) -> tuple[Tensor, State]:
        """Run one layer in one direction; fall back to the eager backend where the fused one cannot run."""
        name = self._asked
        if name in ("auto", "fused"):
            fits = can_run(x_TBI, [*start, *tensors.values()]) and self._is_compiled(layout, x_TBI)
            name = "fused" if fits else "eager"
        if name != "fused":  # which runs only where all are on one device
            check_devices(x_TBI, tensors, end)
        try:
            return BACKENDS[name](layout, tensors, x_TBI, start, mask_TB1, restarts_TB1)
        except CompileError as error:
            if self._asked == "fused":
                raise UserError(f"the fused backend cannot run {self.cell.name!r}: {error}") from None
            self._problem = str(error)
        return self._run_layer(layout, end, tensors, x_TBI, start, mask_TB1, restarts_TB1)


@torch._disable_dynamo  # type: ignore[attr-defined]
def _uncompiled(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call what depends on the data itself (lengths), of which `torch.compile` makes no graph."""
    return call(*arguments)


def _unbatched(states: State) -> State:
    return tuple(state.squeeze(1) for state in states)


def _resolve(cell: Cell | str) -> Cell:
    """Return the cell itself, or the one of that name or path."""
    if isinstance(cell, Cell):
        return cell
    if isinstance(cell, str):
        from nas_rnn.plugins import load_cell

        return load_cell(cell)
    raise UserError(f"an RNN is built from a Cell or the name of one, not from a {type(cell).__name__}")
