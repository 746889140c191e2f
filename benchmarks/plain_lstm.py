"""What `torch.nn.LSTM` or `GRU` comes to on a text, trained by a plain loop: the peer of a comparison on char-lm.

    python benchmarks/plain_lstm.py shakespeare.txt --hidden-size 117 --layers 2 --batch 50 --length 50 \
        --rate 0.002 --clip 5 --epochs 12 --seeds 3 --out plain.jsonl

Nothing of nas_rnn is imported. The text is cut as by the task char-lm with the options valid=0.05 and test=0.05; inputs
are one-hot. Truncated back-propagation through time, Adam at a constant rate after 50 steps of warm-up, an exponential
average of the weights over the last tenth of all steps so far, and the epoch that is best on validation. Validation and
test are read through in one stream, character by character, after the text that precedes them. One line a seed goes to
``--out``; seeds that are there are not trained again.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONTEXT = 256


class Net(nn.Module):
    """One-hot symbols, recurrent layers of torch's own, logits."""

    def __init__(self, cell: str, symbols: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.symbols = symbols
        self.rnn = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](symbols, hidden, layers)
        self.output = nn.Linear(hidden, symbols)
        for name, parameter in self.rnn.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
            if cell == "lstm" and name.startswith("bias_ih"):  # the forget gate is the second of four
                parameter.data[hidden : 2 * hidden] = 1.0

    def forward(self, codes_TB: Tensor, state: object = None) -> tuple[Tensor, object]:
        hidden_TBH, state = self.rnn(F.one_hot(codes_TB, self.symbols).float(), state)
        return self.output(hidden_TBH), state


def parts(text: str) -> tuple[dict[str, Tensor], int]:
    """Return the codes of the three parts, and how many symbols there are."""
    number = {character: place for place, character in enumerate(sorted(set(text)))}
    codes = torch.tensor([number[character] for character in text])
    first, second = int(round(len(text) * 0.9, 6)), int(round(len(text) * 0.95, 6))
    return {"train": codes[:first], "valid": codes[first:second], "test": codes[second:]}, len(number)


@torch.no_grad()
def bits(net: Net, before: Tensor, codes: Tensor) -> float:
    """Return the bits per character of all but the first of ``codes``, read in one stream after ``before``."""
    net.eval()
    _, state = net(before.unsqueeze(1))
    nats = 0.0
    for first in range(0, len(codes) - 1, 1000):
        chunk = codes[first : first + 1001]
        logits, state = net(chunk[:-1].unsqueeze(1), state)
        nats += F.cross_entropy(logits.squeeze(1), chunk[1:], reduction="sum").item()
    return nats / (len(codes) - 1) / math.log(2)


def train(options: argparse.Namespace, seed: int) -> dict[str, object]:
    """Train one net and return what it came to."""
    data, symbols = parts(options.text.read_text())
    torch.manual_seed(seed)
    net = Net(options.cell, symbols, options.hidden_size, options.layers)
    average = copy.deepcopy(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=options.rate)
    codes, step, best, began = data["train"], 0, (math.inf, math.inf, 0), time.perf_counter()
    stream = len(codes) // options.batch
    for epoch in range(1, options.epochs + 1):
        start = int(torch.randint(len(codes), ()))
        places = start + stream * torch.arange(options.batch)
        state, net_state = None, net.train()
        for first in range(0, stream - options.length + 1, options.length):
            chunk = codes[(places + first + torch.arange(options.length + 1)[:, None]) % len(codes)]
            for group in optimizer.param_groups:
                group["lr"] = options.rate * min(1.0, (step + 1) / 50)
            logits, state = net_state(chunk[:-1], state)
            state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
            loss = F.cross_entropy(logits.flatten(0, 1), chunk[1:].flatten())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), options.clip)
            optimizer.step()
            step += 1
            with torch.no_grad():
                for mean, own in zip(average.parameters(), net.parameters(), strict=True):
                    mean.lerp_(own, 1.0 / (0.1 * step + 1.0))
        valid = bits(average, codes[-CONTEXT:], data["valid"])
        if valid < best[0]:
            best = (valid, bits(average, data["valid"][-CONTEXT:], data["test"]), epoch)
        print(f"seed {seed}, epoch {epoch}: {valid:.4f}, {time.perf_counter() - began:.0f} s", flush=True)
    return {
        "cell": options.cell,
        "seed": seed,
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "valid": best[0],
        "test": best[1],
        "epoch": best[2],
        "seconds": time.perf_counter() - began,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", type=Path)
    parser.add_argument("--cell", choices=("lstm", "gru"), default="lstm")
    for name, default in (("hidden-size", 128), ("layers", 2), ("batch", 50), ("length", 50)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("epochs", 12), ("seeds", 3), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rate", type=float, default=0.002)
    parser.add_argument("--clip", type=float, default=5.0)
    parser.add_argument("--out", type=Path, default=Path("plain.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    lines = (
        [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    )
    for seed in range(options.seeds):
        if not any(line["seed"] == seed and line["cell"] == options.cell for line in lines):
            lines.append(train(options, seed))
            with options.out.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
    tests = [line["test"] for line in lines if line["cell"] == options.cell]
    spread = statistics.stdev(tests) if len(tests) > 1 else math.nan
    print(
        f"{options.cell}: test {statistics.mean(tests):.4f} +- {spread:.4f} bits per character, {len(tests)} seeds"
    )


if __name__ == "__main__":
    main()
