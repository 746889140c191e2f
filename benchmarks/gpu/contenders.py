"""Who trains a cell on a GPU: ours in each of its ways, torch's, and others' kernels where they are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from speed.naive import NaiveRNN
from speed.rows import Shape
from torch import Tensor, nn

import nas_rnn
from nas_rnn.execution import RNN
from nas_rnn.execution.fused.triton.backend import Loop, computing, is_scanned, run_triton
from nas_rnn.execution.layout import make_layout

TWINS: dict[str, type[nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Ours(nn.Module):
    """A layer of ours, with one loop over time; on the CPU its kernels run in Triton's interpreter."""

    def __init__(self, rnn: RNN, loop: Loop, products: Any) -> None:
        super().__init__()
        self.rnn, self.loop, self.products = rnn, loop, products

    def forward(self, x: Tensor) -> Tensor:
        with computing(self.loop, self.products):
            if x.is_cuda:
                assert self.rnn.backend == "fused", self.rnn.fallback
                output: Tensor = self.rnn(x)[0]
                return output
            layout, tensors = self.rnn.layer(0)
            states = tuple(state[0] for state in self.rnn.start(x.shape[1]))
            return run_triton(layout, tensors, x, states, None)[0]


class FlashRNN(nn.Module):
    """NX-AI's LSTM (Pöppel, Beck & Hochreiter 2024), fused in CUDA, with a product with the input before it."""

    def __init__(self, shape: Shape) -> None:
        from flashrnn import flashrnn

        super().__init__()
        hidden = shape.hidden_size
        self.run = flashrnn
        self.inward = nn.Linear(shape.input_size, 4 * hidden)
        self.matrices = nn.Parameter(torch.randn(4, 1, hidden, hidden) / hidden**0.5)
        self.bias = nn.Parameter(torch.zeros(4, 1, hidden))

    def forward(self, x: Tensor) -> Tensor:
        steps, batch, _ = x.shape
        read = self.inward(x.transpose(0, 1)).view(batch, steps, 4, 1, -1).contiguous()
        given = {"function": "lstm", "backend": "cuda_fused", "dtype": "bfloat16"}
        output: Tensor = self.run(read, self.matrices, self.bias, **given)[0][0]
        return output


class TorchRL(nn.Module):
    """TorchRL's LSTM and GRU, whose whole loop is one launch of Triton's as well."""

    def __init__(self, name: str, shape: Shape, dtype: torch.dtype) -> None:
        from tensordict import TensorDict
        from torchrl.modules import GRUModule, LSTMModule, set_recurrent_mode

        super().__init__()
        self.make, self.recurrent = TensorDict, set_recurrent_mode
        hidden = ["h", "c"] if name == "lstm" else ["h"]
        self.layer = (LSTMModule if name == "lstm" else GRUModule)(
            input_size=shape.input_size,
            hidden_size=shape.hidden_size,
            in_keys=["x", *hidden],
            out_keys=["y", *(("next", key) for key in hidden)],
            recurrent_backend="triton",
            recurrent_compute_dtype=dtype,
        )
        self.states, self.width = hidden, shape.hidden_size

    def forward(self, x: Tensor) -> Tensor:
        steps, batch, _ = x.shape
        given = {key: x.new_zeros(batch, steps, 1, self.width) for key in self.states}
        given |= {"x": x.transpose(0, 1), "is_init": x.new_zeros(batch, steps, 1, dtype=torch.bool)}
        with self.recurrent(True):
            output: Tensor = self.layer(self.make(given, [batch, steps]))["y"]
        return output


@dataclass(frozen=True)
class Contender:
    """``against`` is whose time its own is divided by; ``exact``: whether products of float32 are (else tf32);
    ``dtype``: that of the input; ``slow``: whether the first step takes a minute or so."""

    name: str
    make: Callable[[], nn.Module]
    against: str
    exact: bool = True
    dtype: torch.dtype = torch.float32
    slow: bool = False


def contenders(name: str, shape: Shape, has_gpu: bool) -> Iterator[Contender]:
    """Yield who trains the cell ``name`` at ``shape``, the most telling first; others' kernels where installed."""
    cell, sizes = nas_rnn.load_cell(name), (shape.input_size, shape.hidden_size)
    twin = TWINS.get(name)
    rival = "eager" if twin is None else f"nn.{twin.__name__}"

    def ours(loop: Loop, products: str = "float32") -> Callable[[], nn.Module]:
        return lambda: Ours(RNN(cell, *sizes), loop, products)

    yield Contender("ours", ours("auto"), rival)
    if twin is not None:
        yield Contender(rival, lambda: twin(*sizes), rival)
    loops: tuple[Loop, ...] = ("persistent", "stepwise", "graphed")
    for loop in () if is_scanned(make_layout(cell.canonical(), *sizes)) else loops:
        yield Contender(f"ours, {loop}", ours(loop), rival)
    if has_gpu and twin is not None:
        yield from _less_exact(name, shape, twin, ours)
    yield Contender("eager", lambda: RNN(cell, *sizes, backend="eager"), rival)
    if has_gpu:
        yield Contender("naive", lambda: NaiveRNN(cell, *sizes), rival)
        compiled: Any = torch.compile
        yield Contender("torch.compile", lambda: compiled(NaiveRNN(cell, *sizes)), rival, slow=True)


def _less_exact(
    name: str, shape: Shape, twin: type[nn.RNNBase], ours: Callable[..., Callable[[], nn.Module]]
) -> Iterator[Contender]:
    """Yield tf32 and bfloat16, and the kernels of others, which are made for these."""
    half, torchs = torch.bfloat16, f"nn.{twin.__name__}"
    sizes = (shape.input_size, shape.hidden_size)
    exactly, roughly = f"{torchs}, tf32", f"{torchs}, bfloat16"
    yield Contender(exactly, lambda: twin(*sizes), exactly, exact=False)
    yield Contender("ours, tf32", ours("auto"), exactly, exact=False)
    yield Contender(roughly, lambda: twin(*sizes).to(half), roughly, dtype=half)
    for loop in ("auto", "persistent"):
        yield Contender(f"ours, {loop}, bfloat16", ours(loop, "bfloat16"), roughly)
    if is_installed("torchrl"):
        yield Contender("TorchRL", lambda: TorchRL(name, shape, torch.float32), torchs)
        yield Contender("TorchRL, bfloat16", lambda: TorchRL(name, shape, half), roughly)
    if is_installed("flashrnn") and name == "lstm":
        yield Contender(
            "FlashRNN, bfloat16", lambda: FlashRNN(shape).to(half), roughly, dtype=half, slow=True
        )


def is_installed(package: str) -> bool:
    return find_spec(package) is not None
