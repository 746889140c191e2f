"""A found cell in a training loop of your own: truncated back-propagation through time, saving and loading.

    python examples/found_cell_in_training_loop.py                            # a published cell, the GRU
    python examples/found_cell_in_training_loop.py runs/mine/best/cell.cell   # what a search found

Streams of random symbols never end; the net says which symbol came three steps ago. Each chunk of a stream begins with
the state in which the one before ended, and the gradient goes back to the start of the chunk and no further.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

import nas_rnn

SYMBOLS, DELAY, STREAMS, CHUNK, CHUNKS = 4, 3, 16, 20, 120


class Echo(nn.Module):
    """Reads one-hot symbols (T, B, SYMBOLS), and gives logits of the same shape."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.rnn = nas_rnn.RNN(nas_rnn.load_cell(cell), input_size=SYMBOLS, hidden_size=32)
        self.output = nn.Linear(32, SYMBOLS)

    def forward(
        self, x: Tensor, state: tuple[Tensor, ...] | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        hidden, state = self.rnn(x, state)
        return self.output(hidden), state


def train(model: Echo) -> list[float]:
    """Return the loss of every chunk, in nats; by chance it is log(4) = 1.39."""
    optimiser, state, losses = torch.optim.Adam(model.parameters(), lr=0.01), None, []
    symbols = torch.randint(SYMBOLS, (DELAY + CHUNKS * CHUNK, STREAMS))
    for start in range(0, CHUNKS * CHUNK, CHUNK):
        x = nn.functional.one_hot(symbols[start + DELAY : start + DELAY + CHUNK], SYMBOLS).float()
        logits, state = model(x, state)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), symbols[start : start + CHUNK].flatten())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        state = tuple(path.detach() for path in state)  # the values go on, the gradient ends here
        losses.append(loss.item())
    return losses


def main(cell: str = "gru") -> list[float]:
    torch.manual_seed(0)
    model = Echo(cell)
    losses = train(model)
    print(f"{model.rnn}\nloss {losses[0]:.3f} in the first chunk, {losses[-1]:.3f} in the last")
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), Path(folder, "echo.pt"))
        again = Echo(cell)  # weights know their cell: those of another are refused
        again.load_state_dict(torch.load(Path(folder, "echo.pt"), weights_only=True))
    x = torch.eye(SYMBOLS).repeat(5, 1).unsqueeze(1)
    assert torch.equal(model(x)[0], again(x)[0])
    return losses


if __name__ == "__main__":
    main(*sys.argv[1:2])
