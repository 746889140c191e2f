"""What `torch.nn.LSTM` comes to on recordings, trained by a plain loop: the peer of a comparison on the task speech.

    python benchmarks/plain_speech.py recordings --test take=0-4 --epochs 60 --seeds 3

The features, the parts and their scale are those that the task computes; the net, the loop and the count of what is
right are written anew here, of torch alone: an LSTM as torch makes it, the mean of its outputs over real frames, then
dropout, a linear layer; Adam at a constant rate, gradients clipped, and after each epoch the weights as they are
(``--average``: their exponential average over the last tenth of all steps). The epoch with the least validation loss
counts.
"""

from __future__ import annotations

import argparse
import copy
import math
import statistics
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas_rnn.tasks.speech import Speech


class Net(nn.Module):
    """Features to logits; ``last`` reads the output after the last real frame, otherwise the mean over real frames."""

    def __init__(self, features: int, hidden: int, classes: int, dropout: float, last: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(features, hidden)
        self.dropout, self.output, self.last = nn.Dropout(dropout), nn.Linear(hidden, classes), last

    def forward(self, frames_TBV: Tensor, lengths_B: Tensor) -> Tensor:
        hidden_TBH, _ = self.rnn(frames_TBV)
        if self.last:
            read_BH = hidden_TBH[lengths_B - 1, torch.arange(len(lengths_B))]
        else:
            real_TB = torch.arange(len(hidden_TBH))[:, None] < lengths_B
            read_BH = (hidden_TBH * real_TB[..., None]).sum(0) / lengths_B[:, None]
        return self.output(self.dropout(read_BH))


Part = tuple[Tensor, Tensor, Tensor]
"""Scaled features (N, T, V), 0 behind their ends, lengths (N,) and labels (N,)."""


def parts(options: argparse.Namespace) -> tuple[dict[str, Part], int]:
    data = Speech(test_where=options.test, bands=options.bands, hop=options.hop).load(options.recordings)
    found = dict[str, Part]()
    for name, own in data.parts.items():
        scaled_NTV = (own["series"] - np.array(data.meta["mean"])) / np.array(data.meta["deviation"])
        real_NT1 = (np.arange(scaled_NTV.shape[1]) < own["lengths"][:, None])[..., None]
        found[name] = (
            torch.from_numpy(np.where(real_NT1, scaled_NTV, 0.0).astype(np.float32)),
            torch.from_numpy(own["lengths"].astype(np.int64)),
            torch.from_numpy(own["labels"].astype(np.int64)),
        )
    return found, len(data.meta["classes"])


def taken(part: Part, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the features (T, B, V), lengths and labels of some recordings."""
    lengths_B = part[1][places]
    return part[0][places, : int(lengths_B.max())].transpose(0, 1).contiguous(), lengths_B, part[2][places]


@torch.no_grad()
def measured(net: Net, part: Part) -> tuple[float, float]:
    """Return the mean cross-entropy, and the per cent that are right."""
    net.eval()
    frames, lengths, labels = taken(part, torch.arange(len(part[1])))
    logits = net(frames, lengths)
    return F.cross_entropy(logits, labels).item(), 100 * (logits.argmax(-1) == labels).double().mean().item()


def train(options: argparse.Namespace, data: dict[str, Part], classes: int, seed: int) -> float:
    """Train one net; return the per cent of the test part that are right."""
    torch.manual_seed(seed)
    features = data["train"][0].shape[-1]
    net = Net(features, options.hidden_size, classes, options.dropout, options.last)
    average, step, best = copy.deepcopy(net), 0, (math.inf, 0.0, 0)
    optimizer, began = torch.optim.Adam(net.parameters(), lr=options.rate), time.perf_counter()
    for epoch in range(1, options.epochs + 1):
        net.train()
        for places in torch.randperm(len(data["train"][1])).split(options.batch):
            frames, lengths, labels = taken(data["train"], places)
            loss = F.cross_entropy(net(frames, lengths), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), options.clip)
            optimizer.step()
            step += 1
            with torch.no_grad():
                for mean, own in zip(average.parameters(), net.parameters(), strict=True):
                    mean.lerp_(own, 1.0 / (0.1 * step + 1.0) if options.average else 1.0)
        valid, _ = measured(average, data["valid"])
        if valid < best[0]:
            best = (valid, measured(average, data["test"])[1], epoch)
    seconds, count = time.perf_counter() - began, sum(p.numel() for p in net.parameters())
    print(
        f"seed {seed}: test {best[1]:.2f} % after epoch {best[2]} (validation {best[0]:.4f}), {count:,} parameters, "
        f"{seconds:.0f} s",
        flush=True,
    )
    return best[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", type=Path, help="a folder of {label}_{speaker}_{take} files")
    parser.add_argument("--test", default="take=0-4", help="which are the test part")
    for name, kind, default in (
        ("hidden-size", int, 53),
        ("batch", int, 16),
        ("epochs", int, 60),
        ("seeds", int, 3),
        ("threads", int, 1),
        ("bands", int, 40),
        ("hop", float, 10.0),
        ("rate", float, 0.006),
        ("dropout", float, 0.3),
        ("clip", float, 1.0),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default)
    parser.add_argument("--last", action="store_true", help="read the last real frame, not the mean over all")
    parser.add_argument("--average", action="store_true", help="average the weights")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data, classes = parts(options)
    tests = [train(options, data, classes, seed) for seed in range(options.seeds)]
    spread = statistics.stdev(tests) if len(tests) > 1 else math.nan
    print(f"nn.LSTM: test {statistics.mean(tests):.2f} +- {spread:.2f} % correct, {len(tests)} seeds")


if __name__ == "__main__":
    main()
