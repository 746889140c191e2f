"""How much text a stream must read before it is scored, for a figure as of the text read through; and the price.

    python benchmarks/context.py
    python benchmarks/context.py --cell gru --epochs 6 --hidden 110

One cell is trained on the embedded text. Its bits per character on the validation part, and on five pieces of 1,880
characters of it, are measured in so many streams that each read so many characters before their own, as per cent over
the same text in one stream that has read 4,096. Then come the seconds of a training epoch and of a validation, without
any context and as `char-lm` validates, on the whole text and on a twenty-fifth of it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from nas_rnn import load_cell
from nas_rnn.tasks import TaskData, TaskModel
from nas_rnn.tasks.char_lm import CharLM
from nas_rnn.tasks.char_lm.net import LanguageModel
from nas_rnn.tasks.data import EVALUATION
from nas_rnn.training import RunSpec, TrainingOptions
from nas_rnn.training.loop import validation_pass
from nas_rnn.training.trainer import Trainer

CONTEXTS = (0, 16, 32, 64, 128, 256, 512)
STREAMS = (1, 8, 32)
PIECE, PIECES = 1880, 5
READ_THROUGH = 4096


def trainer(args: argparse.Namespace, task: CharLM, data: TaskData, epochs: int) -> Trainer:
    """Return a trainer of the cell, as a search would train it."""
    training = TrainingOptions(epochs=epochs, batch=16, length=64, learning_rate=0.005)
    cell = load_cell(args.cell).to_text()
    spec = RunSpec(
        id="context",
        role="candidate",
        name=args.cell,
        cell=cell,
        hidden_size=args.hidden,
        task=task.name,
        training=training,
        seed=1,
        data_seed=1,
    )
    return Trainer(spec, task, data)


@torch.no_grad()
def bits(
    net: LanguageModel, text_N: NDArray[np.int64], first: int, end: int, streams: int, context: int
) -> float:
    """Return bits per character of the characters after ``first`` up to ``end``, in streams with so much context."""
    count = end - first - 1
    steps = -(-count // streams)
    places_TB = first + np.arange(-context, steps)[:, None] + np.arange(0, count, steps)
    scored_TB = (places_TB < end - 1) & (np.arange(-context, steps)[:, None] >= 0)
    places_TB = np.minimum(places_TB, len(text_N) - 2)
    targets_TB = torch.from_numpy(np.where(scored_TB, text_N[places_TB + 1], -100))
    inputs_TB, state, nats = torch.from_numpy(text_N[places_TB]), None, 0.0
    for start in range(0, len(inputs_TB), EVALUATION.length):
        logits, state = net(inputs_TB[start : start + EVALUATION.length], state)
        own = targets_TB[start : start + EVALUATION.length]
        nats += F.cross_entropy(logits.flatten(0, 1), own.flatten(), reduction="sum").item()
    assert scored_TB.sum() == count
    return nats / count / math.log(2)


def figures(model: TaskModel, data: TaskData) -> None:
    """Print how far the figures are from those of a text that is read through."""
    assert isinstance(model.net, LanguageModel)
    parts = [data.part(part)["codes"].astype(np.int64) for part in ("train", "valid")]
    text_N, begin = np.concatenate(parts), len(parts[0])
    cuts = [begin + number * 9000 for number in range(PIECES)]
    print("| text | streams | " + " | ".join(map(str, CONTEXTS)) + " |")
    for name, pieces in (
        ("validation part", [(begin, len(text_N))]),
        (f"{PIECE} characters, the farthest of {PIECES}", [(cut, cut + PIECE) for cut in cuts]),
    ):
        through = [bits(model.net, text_N, *piece, 1, READ_THROUGH) for piece in pieces]
        far = {
            cut: max(
                (
                    bits(model.net, text_N, *piece, *cut) / known - 1
                    for piece, known in zip(pieces, through, strict=True)
                ),
                key=abs,
            )
            for cut in product(STREAMS, CONTEXTS)
        }
        for streams in STREAMS:
            row = " | ".join(f"{100 * far[streams, context]:+.4f}" for context in CONTEXTS)
            print(f"| {name} | {streams} | {row} |", flush=True)


def seconds_of(call: Callable[[], object], times: int = 5) -> float:
    """Return the shortest time of several calls."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


def price(args: argparse.Namespace, task: CharLM) -> None:
    """Print the seconds of training epochs and validations."""
    data = task.load(None)
    one = trainer(args, task, data, 2)
    epochs = [one.run_epoch().seconds for _ in range(2)]
    model = one.best_model()
    torch.set_num_threads(1)
    scored = list(task.batches(data, "valid", EVALUATION))
    # As before there was context: 32 streams of any length.
    codes = data.part("valid")["codes"].astype(np.int64)
    cold = seconds_of(lambda: bits(model.net, codes, 0, len(codes), 32, 0))  # type: ignore[arg-type]
    warm = seconds_of(lambda: validation_pass(model, scored))
    characters = sum(len(part["codes"]) for part in data.parts.values())
    added = 100 * (warm - cold) / (min(epochs) - warm + cold)
    print(
        f"{characters:,} characters: an epoch with validation takes {min(epochs):.2f} s, the validation {warm:.3f} s; "
        f"in 32 streams without context it takes {cold:.3f} s. Added to an epoch: {added:.1f} %"
    )


def main() -> None:
    """Train, and print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--hidden", type=int, default=100)
    parser.add_argument("--price-only", action="store_true", help="leave out the figures")
    args = parser.parse_args()
    task = CharLM(characters=10**7)  # all of it
    if not args.price_only:
        data = task.load(None)
        learned = trainer(args, task, data, args.epochs)
        while not learned.finished:
            learned.run_epoch()
        print(f"{args.cell}: {learned.records[-1].metric:.3f} bits per character on the validation part")
        figures(learned.best_model(), data)
    price(args, task)
    price(args, CharLM(characters=18_800))


if __name__ == "__main__":
    main()
