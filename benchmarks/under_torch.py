"""How long `torch.compile` takes for a layer, and how fast the compiled layer then is.

    python benchmarks/under_torch.py --threads 1 --json OUT

A trivial module (a linear layer and a tanh) is compiled first of all (which loads the compiler), then again at another
width: what each layer takes is compared with that second time. Each layer is compiled in this one process for the shape
(35, 20, 128, 128), called and differentiated; then it gets new lengths and batches. Uncompiled and compiled training
steps are timed in turns; a ratio is the compiled time over the uncompiled one, the median over rounds with quartiles.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas_rnn import RNN

CELLS = ("lstm", "gru", "mingru", "slstm")
SHAPE = (35, 20, 128)


class Trivial(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (torch.tanh(self.linear(x)),)


def step(module: Any, x: Tensor) -> float:
    """Return the seconds of a call with its gradients."""
    begun = time.perf_counter()
    module(x)[0].sum().backward()
    return time.perf_counter() - begun


def compared(module: nn.Module, compiled: Any, x: Tensor, rounds: int) -> dict[str, float]:
    pairs = []
    for number in range(rounds):
        both = {}
        for run in (module, compiled) if number % 2 else (compiled, module):
            both[run is compiled] = min(step(run, x) for _ in range(5))
        pairs.append(both[True] / both[False])
    low, middle, high = statistics.quantiles(pairs, n=4)
    return {"ratio": middle, "low": low, "high": high}


def measured(cell: str, dynamic: bool | None, rounds: int) -> dict[str, Any]:
    torch._dynamo.reset()
    torch.manual_seed(0)
    rnn = RNN(cell, SHAPE[-1], SHAPE[-1])
    x = torch.randn(SHAPE)
    step(rnn, x)  # its C++ is compiled before
    graphs: list[int] = []

    def counting(graph: Any, inputs: Any, **options: Any) -> Any:
        graphs.append(1)
        return torch._dynamo.lookup_backend("inductor")(graph, inputs, **options)

    compiled = torch.compile(rnn, dynamic=dynamic, backend=counting)
    first = step(compiled, x)
    lengths = {}
    for steps, batch in ((36, 20), (37, 20), (200, 20), (500, 20), (64, 32)):
        lengths[f"{steps}, {batch}"] = step(compiled, torch.randn(steps, batch, SHAPE[-1]))
    found = {
        "cell": cell,
        "dynamic": dynamic,
        "first": first,
        "new lengths": lengths,
        "graphs": len(graphs),
        "short": compared(rnn, compiled, x, rounds),
        "long": compared(rnn, compiled, torch.randn(500, *SHAPE[1:]), max(4, rounds // 4)),
    }
    expected, output = rnn(x)[0], compiled(x)[0]
    found["error"] = float((expected - output).detach().abs().max())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--cells", nargs="+", default=CELLS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cold, warm = (step(torch.compile(Trivial(w)), torch.randn(4, w, requires_grad=True)) for w in (8, 12))
    print(f"a trivial module: {cold:.1f} s with the compiler's start, {warm:.1f} s after it")
    rows = []
    for cell in options.cells:
        for dynamic in (None, True):
            row = measured(cell, dynamic, options.rounds)
            rows.append(row)
            new = ", ".join(f"({shape}) {seconds:.2f}" for shape, seconds in row["new lengths"].items())
            print(f"{cell}, dynamic={dynamic}: first call {row['first']:.2f} s, new shapes {new} s")
            for name in ("short", "long"):
                own = row[name]
                print(
                    f"  {name}: compiled / uncompiled {own['ratio']:.3f} ({own['low']:.3f}-{own['high']:.3f})"
                )
            print(f"  {row['graphs']} graphs, largest difference {row['error']:.1g}")
    if options.json:
        options.json.write_text(json.dumps({"cold": cold, "trivial": warm, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
