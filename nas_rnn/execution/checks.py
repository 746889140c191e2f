"""The checks of what an `RNN` is built from and given; each `UserError` says what would work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from nas_rnn.cells import Cell
from nas_rnn.errors import UserError


def is_autocast(tensor: Tensor) -> bool:
    """Whether torch chooses dtypes where ``tensor`` lies."""
    kind = tensor.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def check_arguments(input_size: int, hidden_size: int, num_layers: int) -> None:
    """Raise `UserError` unless an RNN can have these sizes."""
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UserError(f"{name} is a whole number from 1 on, not {value!r}")


def check_dtype(dtype: object) -> None:
    """Raise `UserError` unless weights can be of ``dtype``; None is torch's default."""
    known = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
    if dtype is not None and dtype not in known:
        raise UserError(f"dtype is {', '.join(map(str, known[:-1]))} or {known[-1]}, not {dtype!r}")


def check_rate(name: str, what: str, rate: float) -> None:
    """Raise `UserError` unless ``rate``, the share of ``what``, is one."""
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
        raise UserError(f"{name} is the share of {what}, from 0 to 1, not {rate!r}")


def check_input(x: Tensor, input_size: int, dtype: torch.dtype | None, batch_first: bool) -> None:
    """Raise `UserError` unless ``x`` is (T, B, input_size), or (B, T, input_size), or (T, input_size)."""
    batched = "(batch, time, input_size)" if batch_first else "(time, batch, input_size)"
    if not isinstance(x, Tensor):
        raise UserError(f"the input is a tensor {batched} or a PackedSequence, not a {type(x).__name__}")
    if x.dim() not in (2, 3):
        raise UserError(
            f"the input has 3 dimensions {batched}, or 2 (time, input_size) unbatched, "
            f"not {x.dim()}: {tuple(x.shape)}"
        )
    check_data(x, input_size, dtype)
    if x.shape[1 if batch_first and x.dim() == 3 else 0] == 0:
        raise UserError(f"a sequence has at least one time step; the input has the shape {tuple(x.shape)}")


def check_data(x: Tensor, input_size: int, dtype: torch.dtype | None) -> None:
    """Raise `UserError` unless the last dimension is ``input_size`` and the dtype that of the weights."""
    if x.shape[-1] != input_size:
        raise UserError(
            f"the last dimension of the input is input_size={input_size}; its shape is {tuple(x.shape)}"
        )
    if x.layout is not torch.strided:
        raise UserError(
            f"the input is a dense tensor, not one of the layout {x.layout}; "
            "sequences of different lengths go into a PackedSequence (torch.nn.utils.rnn.pack_sequence)"
        )
    if dtype is not None and x.dtype != dtype and not (is_autocast(x) and x.is_floating_point()):
        other = f" or rnn.to({x.dtype})" if x.is_floating_point() else ""
        raise UserError(f"the input is {x.dtype} and the weights are {dtype}; use x.to({dtype}){other}")


def check_packed(packed: PackedSequence, input_size: int, dtype: torch.dtype | None) -> None:
    """Raise `UserError` unless what is packed are sequences (length, input_size)."""
    check_data(packed.data, input_size, dtype)
    if packed.data.dim() != 2:
        raise UserError(
            "a PackedSequence of inputs packs sequences (length, input_size); "
            f"its data has 2 dimensions, not {packed.data.dim()}: {tuple(packed.data.shape)}"
        )


def check_restarts(restarts: object, x: Tensor, batch_first: bool) -> Tensor:
    """Return ``restarts`` as (T, B); `UserError` unless there is a bool for each step of each sequence of ``x``."""
    names = "time" if x.dim() == 2 else "batch, time" if batch_first else "time, batch"
    what = f"restarts is a tensor of bools ({names}) = {tuple(x.shape[:-1])}"
    if not isinstance(restarts, Tensor):
        raise UserError(f"{what}, not a {type(restarts).__name__}")
    if restarts.dtype != torch.bool:
        raise UserError(f"{what}, not of {restarts.dtype}; use restarts.bool()")
    if restarts.shape != x.shape[:-1]:
        raise UserError(f"{what}, not {tuple(restarts.shape)}")
    if restarts.device != x.device:
        raise UserError(f"restarts is on {restarts.device} and the input on {x.device}; they must agree")
    if x.dim() == 2:
        return restarts.unsqueeze(1)
    return restarts.transpose(0, 1) if batch_first else restarts


def check_packed_restarts(restarts: object, packed: PackedSequence) -> PackedSequence:
    """Return ``restarts``; `UserError` unless it is packed as ``packed`` is, with a bool for each step."""
    if not isinstance(restarts, PackedSequence):
        raise UserError(
            f"with a PackedSequence, restarts is one too, packed in the same way, not a {type(restarts).__name__}"
        )
    first, second = (sequence.sorted_indices for sequence in (restarts, packed))
    alike = first is second if first is None or second is None else torch.equal(first, second)
    if not alike or not torch.equal(restarts.batch_sizes, packed.batch_sizes):
        raise UserError(
            "restarts is packed differently from the input: their lengths and their order must agree"
        )
    if restarts.data.dtype != torch.bool or restarts.data.dim() != 1:
        data = restarts.data
        raise UserError(
            "restarts packs a tensor of bools with one for each step, "
            f"not of {data.dtype} with the shape {tuple(data.shape)} of its data"
        )
    return restarts


def check_step(x: Tensor, input_size: int, dtype: torch.dtype | None, bidirectional: bool) -> None:
    """Raise `UserError` unless ``x`` is (B, input_size) or (input_size,), and steps can be taken at all."""
    if bidirectional:
        raise UserError(
            "a bidirectional RNN reads whole sequences and takes no single steps: call it on them"
        )
    if not isinstance(x, Tensor) or x.dim() not in (1, 2):
        given = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise UserError(
            f"the input of one step is (batch, input_size), or (input_size,) unbatched, not {given}"
        )
    check_data(x, input_size, dtype)


def check_states(
    cell: Cell, states: Sequence[Tensor], shapes: Sequence[tuple[int, ...]], like: Tensor
) -> None:
    """Raise `UserError` unless there is one tensor a state path, of these shapes and ``like``'s dtype."""
    names = ", ".join(path.name for path in cell.states) + ("," if len(cell.states) == 1 else "")
    if not isinstance(states, (tuple, list)):
        raise UserError(
            f"the state is a tuple ({names}), one tensor a state path, not a {type(states).__name__}"
        )
    if len(states) != len(cell.states):
        raise UserError(
            f"the state of the cell {cell.name!r} is ({names}): "
            f"{len(cell.states)} tensor(s), not {len(states)}"
        )
    for path, state, shape in zip(cell.states, states, shapes, strict=True):
        if not isinstance(state, Tensor):
            raise UserError(f"the state {path.name!r} is a tensor, not a {type(state).__name__}")
        if tuple(state.shape) != shape:
            dims = "batch, size" if len(shape) == 3 else "size"
            raise UserError(
                f"the state {path.name!r} has the shape (num_layers * directions, {dims}) = {shape}, "
                f"not {tuple(state.shape)}"
            )
        if state.device != like.device:
            raise UserError(
                f"the state {path.name!r} is on {state.device} and the input on {like.device}; they must agree"
            )
        if not _may_be_mixed(state, like):
            raise UserError(
                f"the state {path.name!r} is {state.dtype} and the input {like.dtype}; they must agree"
            )


def _may_be_mixed(state: Tensor, like: Tensor) -> bool:
    """Whether a state's dtype goes with the input's: half precision takes float32 too, autocast any."""
    if state.dtype == like.dtype:
        return True
    if is_autocast(like):
        return state.dtype.is_floating_point
    return state.dtype == torch.float32 and like.dtype in (torch.float16, torch.bfloat16)


def check_weights(
    tensors: Mapping[str, Tensor], shapes: Sequence[tuple[str, tuple[int, ...]]], end: str
) -> None:
    """Raise `UserError` unless they are tensors with the shapes of a layout; ``end`` is what ends their names."""
    for name, shape in shapes:
        if not isinstance(tensors[name], Tensor):
            raise UserError(
                f"{name + end} of this RNN is a tensor of the shape {shape}; "
                f"what stands in its place is {type(tensors[name]).__name__}"
            )
        if tensors[name].shape != shape:
            found = tuple(tensors[name].shape)
            raise UserError(
                f"{name + end} of this RNN has the shape {shape}; the tensor in its place has {found}"
            )


def check_weight_dtypes(tensors: Mapping[str, Tensor], dtype: torch.dtype, end: str) -> None:
    """Raise `UserError` unless a layer that computes in ``dtype`` can take the tensors as they are, or widened."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or torch.promote_types(tensor.dtype, dtype) != dtype:
            raise UserError(
                f"{name + end} of this RNN is {tensor.dtype}, and the layer computes in {dtype}, which does not hold "
                f"its values; use {name + end}.to({dtype}), or rnn.double() for a layer that computes in torch.float64"
            )


def check_devices(x: Tensor, tensors: Mapping[str, Tensor], end: str) -> None:
    """Raise `UserError` unless the tensors are where the input is."""
    for name, tensor in tensors.items():
        if tensor.device != x.device:
            raise UserError(
                f"the input is on {x.device} and {name + end} of this RNN on {tensor.device}; "
                f"use x.to({str(tensor.device)!r}) or rnn.to({str(x.device)!r})"
            )
